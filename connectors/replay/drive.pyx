"""See drive.pxd. The caller times whole loops; only `decisions` and `written` read the clock."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy, memset

from connectors.clock cimport monotonic_ns
from mmcore.journal cimport JOURNAL_OUT
from mmcore.types cimport (
    ACTION_CANCEL, ACTION_CANCEL_ALL, ACTION_CANCEL_INSTRUMENT, ACTION_NEW,
    ORDER_EVENT_ACCEPTED, ORDER_ID_MAX, VENUE_ORDER_CANCELLED, VENUE_ORDER_OPEN, Action,
    ActionBatch, ApprovedBatch, BookDelta, OrderEvent)


cdef class PayloadSink(OrderSink):
    """Encodes and journals what a session would write, and writes nothing."""

    def __init__(self, Engine engine not None, Encoder encoder not None):
        self.engine = engine
        self.encoder = encoder
        self.payloads = []
        self.connected = True

    cdef int submit(self, const ApprovedBatch* approved, int64_t now_ns) except -1:
        cdef const ActionBatch* batch = &approved.actions
        if self.timed:
            self.decided_ns = monotonic_ns()
        if not self.connected:
            return 0
        if self.silent:
            self.actions += batch.count
            return self.confirm(batch, now_ns) if self.answer else 0
        if self.encoder.encode(batch) < 0:
            raise ValueError("an action of this batch cannot be written as a message")
        self.actions += batch.count
        self.text_bytes += self.encoder.text_size
        self.engine.journal.append(JOURNAL_OUT, 0, now_ns, self.encoder.text,
                                   <unsigned int>self.encoder.text_size)
        if self.timed:
            self.written_ns = monotonic_ns()
        if self.keep:
            self.payloads.append(<bytes>self.encoder.text[:self.encoder.text_size])
        if self.answer:
            self.confirm(batch, now_ns)
        return batch.count

    cdef int confirm(self, const ActionBatch* batch, int64_t now_ns) except -1:
        cdef OrderEvent event
        cdef const Action* action
        cdef int32_t i
        self.answer_ms += 1
        for i in range(batch.count):
            action = &batch.items[i]
            if action.kind == ACTION_CANCEL_ALL or action.kind == ACTION_CANCEL_INSTRUMENT:
                raise ValueError("a sink that answers at once takes no cancel-all")
            memset(&event, 0, sizeof(event))
            event.kind = ORDER_EVENT_ACCEPTED
            event.market, event.slot, event.side = action.market, action.slot, action.side
            event.generation = action.generation
            event.request, event.request_id = action.kind, action.request_id
            event.order_state = (
                VENUE_ORDER_CANCELLED if action.kind == ACTION_CANCEL else VENUE_ORDER_OPEN)
            event.price_ticks = action.price_ticks
            event.amount_contracts = action.amount_contracts
            event.last_update_ms = self.answer_ms
            if action.kind == ACTION_NEW:
                event.order_id[0] = c'0' + <char>(action.slot // 10)
                event.order_id[1] = c'0' + <char>(action.slot % 10)
                event.order_id_size = 2
            else:
                memcpy(event.order_id, action.order_id, ORDER_ID_MAX)
                event.order_id_size = action.order_id_size
            self.engine.on_order(&event, now_ns)
        return 0


cdef class Drive:
    """Loops over the hot path of one engine, feed and sink."""

    def __init__(self, Engine engine not None, DeribitFeed feed not None,
                 PayloadSink sink not None):
        self.engine = engine
        self.feed = feed
        self.sink = sink
        engine.attach(sink)

    def prepare(self, int32_t which, bids not None, asks not None):
        """Set one of two alternating book deltas: rows of (price_ticks, contracts)."""
        cdef PreparedDelta* delta = &self.prepared[which & 1]
        if len(bids) > DELTA_LEVELS_MAX or len(asks) > DELTA_LEVELS_MAX:
            raise ValueError(f"at most {DELTA_LEVELS_MAX} levels a side")
        delta.bid_count, delta.ask_count = <int32_t>len(bids), <int32_t>len(asks)
        for i, (price, amount) in enumerate(bids):
            delta.bids[<int>i].price_ticks, delta.bids[<int>i].amount_contracts = price, amount
        for i, (price, amount) in enumerate(asks):
            delta.asks[<int>i].price_ticks, delta.asks[<int>i].amount_contracts = price, amount

    cdef int apply_prepared(self, int64_t i, bint snapshot, int64_t now_ns) except -1:
        cdef PreparedDelta* prepared = &self.prepared[i & 1]
        cdef BookDelta delta
        delta.prev_change_id = self.change_id
        self.change_id += 1
        delta.change_id = self.change_id
        delta.timestamp_ms = 0
        delta.snapshot = snapshot
        delta.bid_count, delta.ask_count = prepared.bid_count, prepared.ask_count
        delta.bids, delta.asks = prepared.bids, prepared.asks
        self.engine.on_book(0, &delta, now_ns)
        return 0

    cdef int book_loop(self, int64_t count, int64_t now_ns, int64_t step_ns) except -1:
        cdef int64_t i
        for i in range(count):
            self.engine.on_frame(now_ns)
            self.apply_prepared(i, False, now_ns)
            now_ns += step_ns
        return 0

    cdef int turn_loop(self, int64_t count, int64_t now_ns, int64_t step_ns) except -1:
        cdef int64_t i
        for i in range(count):
            self.engine.on_frame(now_ns)
            self.apply_prepared(i, False, now_ns)
            self.engine.turn(now_ns)
            now_ns += step_ns
        return 0

    cdef int decision_loop(self, list times, int64_t count, int64_t now_ns,
                           int64_t step_ns) except -1:
        cdef int64_t i, begun_ns
        for i in range(count):
            self.engine.on_frame(now_ns)
            self.apply_prepared(i, False, now_ns)
            self.sink.decided_ns = 0
            begun_ns = monotonic_ns()
            self.engine.turn(now_ns)
            if self.sink.decided_ns:
                times.append(self.sink.decided_ns - begun_ns)
            now_ns += step_ns
        return 0

    cdef int payload_loop(self, list payloads, int64_t now_ns, int64_t step_ns) except -1:
        cdef bytes payload
        for payload in payloads:
            self.feed.on_payload(PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), now_ns)
            now_ns += step_ns
        return 0

    cdef int wire_loop(self, list payloads, int64_t now_ns, int64_t step_ns) except -1:
        cdef bytes payload
        for payload in payloads:
            self.feed.on_payload(PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), now_ns)
            self.engine.turn(now_ns)
            now_ns += step_ns
        return 0

    cdef int written_loop(self, list times, list payloads, int64_t now_ns,
                          int64_t step_ns) except -1:
        cdef bytes payload
        cdef int64_t begun_ns
        for payload in payloads:
            self.sink.written_ns = 0
            begun_ns = monotonic_ns()
            self.feed.on_payload(PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), now_ns)
            self.engine.turn(now_ns)
            if self.sink.written_ns:
                times.append(self.sink.written_ns - begun_ns)
            now_ns += step_ns
        return 0

    cdef int tick_loop(self, int64_t count, int64_t now_ns, int64_t step_ns) except -1:
        while count > 0:
            count -= 1
            self.engine.on_timer(now_ns)
            now_ns += step_ns
        return 0

    cdef int encode_loop(self, int64_t count) except -1:
        while count > 0:
            count -= 1
            if self.sink.encoder.encode(&self.engine.batch) <= 0:
                raise ValueError("the last decision sent nothing that could be encoded again")
        return 0

    def snapshot(self, int64_t now_ns):
        """Load prepared delta 0 as a snapshot."""
        self.apply_prepared(0, True, now_ns)

    def books(self, int64_t count, int64_t now_ns, int64_t step_ns):
        """Apply the prepared deltas in turn, `count` times; no decision."""
        self.book_loop(count, now_ns, step_ns)

    def turns(self, int64_t count, int64_t now_ns, int64_t step_ns):
        """The same with a decision after each."""
        self.turn_loop(count, now_ns, step_ns)

    def decisions(self, int64_t count, int64_t now_ns, int64_t step_ns):
        """The same; returns the ns of each decision that sent, up to where the sink has it."""
        cdef list times = []
        self.sink.timed = True
        self.decision_loop(times, count, now_ns, step_ns)
        self.sink.timed = False
        return times

    def frames(self, list payloads not None, int64_t now_ns, int64_t step_ns):
        """Decode and apply payloads; no decision."""
        self.payload_loop(payloads, now_ns, step_ns)

    def wire(self, list payloads not None, int64_t now_ns, int64_t step_ns):
        """Decode, apply, decide and encode after every payload."""
        self.wire_loop(payloads, now_ns, step_ns)

    def written(self, list payloads not None, int64_t now_ns, int64_t step_ns):
        """The same; returns the ns of each payload that sent, up to where its bytes lie ready."""
        cdef list times = []
        self.sink.timed = True
        self.written_loop(times, payloads, now_ns, step_ns)
        self.sink.timed = False
        return times

    def ticks(self, int64_t count, int64_t now_ns, int64_t step_ns):
        """Run the periodic work `count` times; nothing else happens."""
        self.tick_loop(count, now_ns, step_ns)

    def encode_again(self, int64_t count):
        """Encode the last decision's batch `count` times; returns the actions in it."""
        self.encode_loop(count)
        return self.engine.batch.count
