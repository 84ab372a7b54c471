"""See direct_sink.pxd."""
import hashlib

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t

from mmcore.faults cimport FAULT_ENCODE
from mmcore.market cimport Market
from mmcore.types cimport ACTION_NEW, SLOTS_QUOTE, ActionBatch, ApprovedBatch, sign_of


cdef class DirectSink(OrderSink):
    """Writes every decision as the messages a session would send, hashes them, sends them."""

    def __init__(self, Engine engine not None, Encoder encoder not None,
                 DirectVenue venue not None, int64_t origin_ns):
        self.engine = engine
        self.encoder = encoder
        self.venue = venue
        self.origin_ns = origin_ns
        self.digest = hashlib.sha256()
        self.takes = []

    cdef int submit(self, const ApprovedBatch* approved, int64_t now_ns) except -1:
        cdef const ActionBatch* batch = &approved.actions
        cdef int64_t t_ns = now_ns + self.origin_ns
        cdef int64_t due_ns = t_ns + self.venue.entry.draw(t_ns)
        cdef int32_t i
        cdef Market market
        if self.encoder.encode(batch) < 0:
            self.engine.faults.check(False, FAULT_ENCODE)
            return 0
        self.digest.update(PyBytes_FromStringAndSize(self.encoder.text, self.encoder.text_size))
        for i in range(batch.count):
            self.venue.send(&batch.items[i], t_ns, due_ns)
            if batch.items[i].kind == ACTION_NEW and batch.items[i].slot >= SLOTS_QUOTE:
                market = self.engine.markets[batch.items[i].market]
                self.takes.append((t_ns, batch.items[i].market, market.approved.why.take,
                                   sign_of(batch.items[i].side)
                                   * batch.items[i].amount_contracts))
        self.actions += batch.count
        return batch.count

    @property
    def outbound_sha256(self):
        """Hash of all messages so far, as a session would have written them before masking."""
        return self.digest.hexdigest()
