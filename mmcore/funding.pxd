"""Funding: what the perpetual's rate asks of the inventory, and our own count of what it paid.

The venue's own figure is what the statement books; ours is a check of it. Received is positive.
"""
from libc.stdint cimport int32_t, int64_t

from mmcore.params cimport FundingParams
from mmcore.regime cimport RegimeState
from mmcore.signals cimport SignalState
from mmcore.types cimport Instrument

# Our count for one instrument.
cdef struct FundingState:
    double accrued              # in the settlement currency
    int64_t until_ns            # counted up to here; 0: not begun
    int64_t interval            # number of the eight hours that until_ns lies in

cdef void accrue_funding(FundingState* state, const Instrument* spec, const SignalState* signal,
                         int64_t contracts, int32_t model, int64_t wall_offset_ns,
                         int64_t now_ns) noexcept nogil
cdef double rate_of(const SignalState* signal, const FundingParams* params) noexcept nogil
cdef double funding_target_btc(const SignalState* signal, const RegimeState* regime,
                               const FundingParams* params, double limit_btc) noexcept nogil
cdef int32_t funding_side(const SignalState* signal, const FundingParams* params,
                          int64_t wall_ns) noexcept nogil
cdef double due_s(int64_t wall_ns) noexcept nogil
