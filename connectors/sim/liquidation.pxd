"""An account below its maintenance margin is closed by the exchange, part by part."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.triggers cimport Triggers


cdef class Liquidation(Triggers):
    cdef int check_margins(self, int64_t t_ns) except -1
    cdef int liquidate(self, int64_t t_ns, int32_t account, int32_t currency) except -1
    cdef int32_t largest(self, int32_t account, int32_t currency) except? -2
