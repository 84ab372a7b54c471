"""Position of one instrument: contracts, entry, realised profit; fed by fills only."""
from libc.stdint cimport int32_t, int64_t

from mmcore.types cimport Instrument


cdef class Position:
    cdef readonly int64_t contracts         # signed; long > 0
    cdef readonly int64_t entry_cost        # of |contracts|: 1e-12 BTC if inverse, 1e-8 USD
    cdef readonly int64_t realized_e8       # sum of each trade's profit as booked (8 decimals)
    cdef readonly int64_t fees_e8           # paid > 0
    cdef public double funding              # the venue's own realised funding
    cdef readonly double volume_usd

    cdef int64_t apply(self, const Instrument* spec, int32_t side, int64_t price_ticks,
                       int64_t amount_contracts, int64_t fee_e8) noexcept nogil
    cdef void set_position(self, const Instrument* spec, int64_t contracts,
                           double average_usd) noexcept nogil
    cdef void settle(self, const Instrument* spec, double price, bint deliver) noexcept nogil
    cdef double entry_signed(self) noexcept nogil
    cdef double unrealized(self, const Instrument* spec, double mark_usd) noexcept nogil
    cdef double average_usd(self, const Instrument* spec) noexcept nogil
