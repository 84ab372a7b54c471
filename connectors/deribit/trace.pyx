"""EventTrace: an engine that only writes down what reaches it.

For golden tests of decoders and for looking at recordings: one tuple per event, the kind first,
in the order of the calls.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t

from mmcore.engine cimport Engine
from mmcore.faults cimport Faults
from mmcore.journal cimport Journal
from mmcore.types cimport BookDelta, Control, Fill, OrderEvent, TickerUpdate, TradePrint


@cython.final
cdef class EventTrace(Engine):
    """Recorder of engine inputs; `events` is the list, `take()` empties it."""

    cdef readonly list events

    def __init__(self, Journal journal=None):
        self.events = []
        self.faults = Faults()
        self.journal = journal if journal is not None else Journal()

    def take(self):
        """Return the events since the last call."""
        events = self.events
        self.events = []
        return events

    cdef int on_frame(self, int64_t now_ns) noexcept:
        return 0

    cdef int on_book(self, int32_t market, const BookDelta* delta, int64_t now_ns) noexcept:
        self.events.append((
            "book", market, bool(delta.snapshot), delta.change_id, delta.prev_change_id,
            delta.timestamp_ms,
            [(delta.bids[i].price_ticks, delta.bids[i].amount_contracts)
             for i in range(delta.bid_count)],
            [(delta.asks[i].price_ticks, delta.asks[i].amount_contracts)
             for i in range(delta.ask_count)]))
        return 0

    cdef int on_trade(self, int32_t market, const TradePrint* trade, int64_t now_ns) noexcept:
        self.events.append(("trade", market, <dict>trade[0]))
        return 0

    cdef int on_ticker(self, int32_t market, const TickerUpdate* ticker, int64_t now_ns) noexcept:
        self.events.append(("ticker", market, <dict>ticker[0]))
        return 0

    cdef int on_order(self, const OrderEvent* event, int64_t now_ns) noexcept:
        self.events.append(("order", {
            "kind": event.kind, "market": event.market, "slot": event.slot,
            "generation": event.generation, "request": event.request,
            "request_id": event.request_id, "error_code": event.error_code,
            "order_state": event.order_state, "side": event.side,
            "price_ticks": event.price_ticks, "amount_contracts": event.amount_contracts,
            "filled_contracts": event.filled_contracts, "last_update_ms": event.last_update_ms,
            "order_id": (<bytes>event.order_id[:event.order_id_size]).decode("ascii")}))
        return 0

    cdef int on_fill(self, const Fill* fill, int64_t now_ns) noexcept:
        self.events.append(("fill", <dict>fill[0]))
        return 0

    cdef int on_malformed(self, int32_t market, int64_t now_ns) noexcept:
        self.events.append(("malformed", market))
        return 0

    cdef int on_control(self, const Control* control, int64_t now_ns) noexcept:
        self.events.append(("control", control.kind, control.market, control.value, control.real))
        return 0

    cdef int turn(self, int64_t now_ns) except -1:
        self.events.append(("turn", now_ns))
        return 0
