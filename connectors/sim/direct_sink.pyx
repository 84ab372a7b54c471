"""See direct_sink.pxd."""
import hashlib

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t

from mmcore.faults cimport FAULT_ENCODE
from mmcore.types cimport ActionBatch, ApprovedBatch


cdef class DirectSink(OrderSink):
    """Writes every decision as the messages a session would send, hashes them, sends them."""

    def __init__(self, Engine engine not None, Encoder encoder not None,
                 DirectVenue venue not None, int64_t origin_ns):
        self.engine = engine
        self.encoder = encoder
        self.venue = venue
        self.origin_ns = origin_ns
        self.digest = hashlib.sha256()

    cdef int submit(self, const ApprovedBatch* approved, int64_t now_ns) except -1:
        cdef const ActionBatch* batch = &approved.actions
        cdef int64_t t_ns = now_ns + self.origin_ns
        cdef int64_t due_ns = t_ns + self.venue.entry.draw(t_ns)
        cdef int32_t i
        if self.encoder.encode(batch) < 0:
            self.engine.faults.check(False, FAULT_ENCODE)
            return 0
        self.digest.update(PyBytes_FromStringAndSize(self.encoder.text, self.encoder.text_size))
        for i in range(batch.count):
            self.venue.send(&batch.items[i], t_ns, due_ns)
        self.actions += batch.count
        return batch.count

    @property
    def outbound_sha256(self):
        """Hash of all messages so far, as a session would have written them before masking."""
        return self.digest.hexdigest()
