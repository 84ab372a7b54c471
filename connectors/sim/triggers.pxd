"""Stop and take-profit orders: kept aside until a price is reached."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.quotes cimport Quotes


cdef class Triggers(Quotes):
    cdef int check_triggers(self, int64_t t_ns, int32_t market) except -1
    cdef bint reached(self, int32_t slot) except -1
    cdef int unlink_trigger(self, int32_t slot) except -1
    cdef int fire(self, int64_t t_ns, int32_t slot) except -1
