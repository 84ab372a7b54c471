"""OrderSink: where a decision leaves the core. Every venue edge implements it."""
from libc.stdint cimport int64_t

from mmcore.types cimport ApprovedBatch


cdef class OrderSink:
    cdef int submit(self, const ApprovedBatch* approved, int64_t now_ns) except -1
