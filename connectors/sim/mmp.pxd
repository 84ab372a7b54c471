"""Quote protection of one account: limits on what its quotes trade within an interval."""
cimport cython
from libc.stdint cimport int32_t, int64_t


@cython.final
cdef class MmpGroup:
    cdef readonly str name      # "" : the index's own, of orders that are no mass quotes
    cdef readonly int32_t index
    cdef readonly bint configured
    cdef readonly double interval_s
    cdef readonly double frozen_s       # 0: until reset by hand
    cdef readonly double quantity_limit     # BTC; 0: none
    cdef readonly double delta_limit
    cdef readonly double vega_limit
    cdef readonly double max_quote_quantity
    cdef bint frozen
    cdef int64_t frozen_until_ns        # 0 while frozen: until reset
    cdef int64_t first_ns               # first trade of the interval
    cdef double quantity_btc
    cdef double delta_btc

    cdef bint blocks(self, int64_t t_ns) noexcept
    cdef bint note(self, int64_t t_ns, double signed_btc) noexcept
    cdef int reset(self) except -1
