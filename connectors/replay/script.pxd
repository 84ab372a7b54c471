"""ScriptedOrders: orders at stated times against a recording, without an engine."""
from libc.stdint cimport int32_t, int64_t

from connectors.replay.player cimport Player
from connectors.sim.direct cimport DirectVenue


cdef class ScriptedOrders:
    cdef readonly DirectVenue venue
    cdef readonly Player player
    cdef dict order_ids                 # number -> the exchange's order id
    cdef readonly dict refusals         # number -> error of its placing

    cdef int loop(self, int64_t until_ns) except -1
    cdef int name_order(self) except -1
    cdef int read_answers(self) except -1
