"""See sink.pxd."""


cdef class OrderSink:
    """Base of every venue edge.

    submit() writes the whole batch with one transport write and returns how many actions left.
    The base sends nothing, so an engine without a venue is harmless: orders stay in flight until
    they time out.
    """

    cdef int submit(self, const ApprovedBatch* approved, int64_t now_ns) except -1:
        return 0
