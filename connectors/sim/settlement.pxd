"""08:00 UTC: profit becomes cash, expired contracts are delivered, the next ones are listed."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.liquidation cimport Liquidation


cdef class Settlement(Liquidation):
    cdef int sample_indexes(self, int64_t t_ns) except -1
    cdef int begin_settlement(self, int64_t t_ns) except -1
    cdef int end_settlement(self, int64_t t_ns) except -1
    cdef int end_orders(self, int64_t t_ns) except -1
    cdef int settle_market(self, int64_t t_ns, int32_t market, bint deliver) except -1
    cdef int settle_position(self, int64_t t_ns, int32_t account, int32_t market,
                             int64_t price_cents, bint deliver) except -1
    cdef bint expires(self, int64_t t_ns, int32_t market) noexcept
    cdef int set_state(self, int64_t t_ns, int32_t market, int32_t state) except -1
    cdef int list_contracts(self, int64_t t_ns) except -1
    cdef int archive(self, int64_t t_ns) except -1
