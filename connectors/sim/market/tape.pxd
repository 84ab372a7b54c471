"""What the exchange shows of its markets, kept as 64-byte events: a run becomes a recording."""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.replay.event cimport Event
from connectors.sim.exchange cimport Exchange
from connectors.sim.outputs cimport BookUpdate, Outputs


@cython.final
cdef class EventTape(Outputs):
    cdef Exchange exchange
    cdef Event* items
    cdef int64_t count
    cdef int64_t capacity

    cdef int snapshot(self, int64_t t_ns, int32_t market) except -1
    cdef Event* append(self, int64_t t_ns, int32_t market, int32_t kind) except NULL
