"""What happens by itself as time passes: marks, funding, flushes, expiry. Runs when told to."""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.sim.pending cimport Pending


cdef class Timers(Pending):
    cdef int run_timers(self, int64_t t_ns) except -1
    cdef int tick_100ms(self, int64_t t_ns) except -1
    cdef int update_mark(self, int64_t t_ns, int32_t market, int64_t step_ns) except -1
    cdef int tell_ticker(self, int64_t t_ns, int32_t market) except -1
    cdef int flush_book(self, int64_t t_ns, int32_t market, int32_t interval) except -1
    cdef int flush_trades(self, int64_t t_ns, int32_t market, int32_t interval) except -1
    cdef int flush_raw(self, int64_t t_ns, int32_t market) except -1
    cdef int set_due(self) noexcept
