"""Alpha: short-lived signals that shift the fair value. One function and one line each."""
from libc.stdint cimport int32_t, int64_t

from mmcore.params cimport QuoteParams
from mmcore.signals cimport SignalState, TermMemory
from mmcore.types cimport Why

# What a term says at a time, in [-1, 1], up above 0. Its memory is its own, per instrument.
ctypedef double (*AlphaTerm)(const SignalState*, TermMemory*, int64_t) noexcept nogil

cdef int register_term(str name, AlphaTerm term) except -1
cdef void update_terms(SignalState* signal, TermMemory* memory, const QuoteParams* params,
                       int64_t now_ns) noexcept nogil
cdef bint timed_terms(const QuoteParams* params) noexcept nogil
cdef void set_alpha(const SignalState* signal, const QuoteParams* params, Why* why) noexcept nogil
cdef void set_sides(const SignalState* signal, const QuoteParams* params, double run_trades,
                    Why* why) noexcept nogil
