"""Python hands on the engine: feed it typed events, look at what it sends.

For tests, notebooks and replays of decisions; the venue edge calls the engine directly.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from mmcore.book cimport BookResult
from mmcore.engine cimport Engine
from mmcore.market cimport Market
from mmcore.sink cimport OrderSink
from mmcore.types cimport (
    ORDER_ID_MAX, ActionBatch, ActionKind, BookDelta, Fill, LevelChange, OrderEvent,
    TickerUpdate, TradePrint)

from cpython.mem cimport PyMem_Calloc, PyMem_Free


cdef class ListSink(OrderSink):
    """Keeps every batch as a list of dicts instead of sending it."""
    cdef readonly list batches

    def __cinit__(self):
        self.batches = []

    cdef int submit(self, const ActionBatch* batch, int64_t now_ns) except -1:
        rows = []
        for i in range(batch.count):
            action = batch.items[<int>i]
            rows.append({
                "kind": ActionKind(action.kind).name, "market": action.market,
                "slot": action.slot, "side": action.side, "generation": action.generation,
                "price_ticks": action.price_ticks, "amount_contracts": action.amount_contracts,
                "request_id": action.request_id, "post_only": bool(action.post_only),
                "reduce_only": bool(action.reduce_only),
                "time_in_force": action.time_in_force, "valid_until_ms": action.valid_until_ms,
                "order_id": (<bytes>action.order_id[:action.order_id_size]).decode("ascii")})
        self.batches.append(rows)
        return batch.count

    def take(self):
        """Return and forget the actions of all batches so far, in order."""
        actions = [action for batch in self.batches for action in batch]
        self.batches = []
        return actions


cdef class EngineFace:
    """Calls the engine's on_* with plain Python values."""
    cdef readonly Engine engine

    def __init__(self, Engine engine not None):
        self.engine = engine

    def frame(self, int64_t now_ns):
        """A frame arrived."""
        self.engine.on_frame(now_ns)

    def book(self, int32_t market, bids, asks, int64_t now_ns, *, int64_t change_id,
             int64_t prev_change_id=-1, int64_t timestamp_ms=0):
        """Apply (price_ticks, contracts) rows; a snapshot where prev_change_id < 0."""
        cdef BookDelta delta
        cdef list rows = list(bids) + list(asks)
        cdef LevelChange* levels = <LevelChange*>PyMem_Calloc(len(rows) + 1, sizeof(LevelChange))
        if levels == NULL:
            raise MemoryError()
        try:
            for i, (price, amount) in enumerate(rows):
                levels[<Py_ssize_t>i].price_ticks = price
                levels[<Py_ssize_t>i].amount_contracts = amount
            delta.change_id, delta.prev_change_id = change_id, prev_change_id
            delta.timestamp_ms = timestamp_ms
            delta.snapshot = prev_change_id < 0
            delta.bid_count, delta.ask_count = <int32_t>len(bids), <int32_t>len(asks)
            delta.bids, delta.asks = levels, levels + delta.bid_count
            return BookResult(self.engine.on_book(market, &delta, now_ns)).name
        finally:
            PyMem_Free(levels)

    def trade(self, int32_t market, int32_t side, int64_t price_ticks, int64_t amount_contracts,
              int64_t now_ns, *, int64_t trade_seq=0, bint excluded=False):
        """A public print."""
        cdef TradePrint trade
        memset(&trade, 0, sizeof(trade))
        trade.side, trade.price_ticks, trade.amount_contracts = side, price_ticks, amount_contracts
        trade.trade_seq, trade.excluded = trade_seq, excluded
        self.engine.on_trade(market, &trade, now_ns)

    def ticker(self, int32_t market, int64_t now_ns, *, double mark=0.0, double index=0.0,
               double last=0.0, double current_funding=0.0, double funding_8h=0.0,
               double min_price=0.0, double max_price=0.0, int32_t state=0):
        """A ticker message."""
        cdef TickerUpdate ticker
        memset(&ticker, 0, sizeof(ticker))
        ticker.mark_usd, ticker.index_usd, ticker.last_usd = mark, index, last
        ticker.current_funding, ticker.funding_8h = current_funding, funding_8h
        ticker.min_price_usd, ticker.max_price_usd, ticker.state = min_price, max_price, state
        self.engine.on_ticker(market, &ticker, now_ns)

    def order(self, int64_t now_ns, *, int32_t kind, int32_t market, int32_t slot,
              uint32_t generation=0, int32_t request=0, int64_t request_id=0,
              int32_t error_code=0, int32_t order_state=0, int64_t price_ticks=0,
              int64_t amount_contracts=0, int64_t filled_contracts=0,
              int64_t last_update_ms=0, str order_id=""):
        """The venue's word about one of our orders; returns OrderOutcome bits."""
        cdef OrderEvent event
        cdef bytes raw = order_id.encode("ascii")
        memset(&event, 0, sizeof(event))
        event.kind, event.market, event.slot, event.generation = kind, market, slot, generation
        event.request, event.request_id, event.error_code = request, request_id, error_code
        event.order_state, event.price_ticks = order_state, price_ticks
        event.amount_contracts, event.filled_contracts = amount_contracts, filled_contracts
        event.last_update_ms = last_update_ms
        event.order_id_size = <int32_t>min(len(raw), <int>ORDER_ID_MAX)
        memcpy(event.order_id, <const char*>raw, event.order_id_size)
        return self.engine.on_order(&event, now_ns)

    def fill(self, int64_t now_ns, *, int32_t market, int32_t slot, uint32_t generation,
             int32_t side, int64_t price_ticks, int64_t amount_contracts, int64_t fee_e8=0,
             uint64_t trade_id=0, int64_t trade_seq=0, bint maker=True):
        """A trade of ours; False where it was booked before."""
        cdef Fill fill
        memset(&fill, 0, sizeof(fill))
        fill.market, fill.slot, fill.generation, fill.side = market, slot, generation, side
        fill.price_ticks, fill.amount_contracts, fill.fee_e8 = (
            price_ticks, amount_contracts, fee_e8)
        fill.trade_id, fill.trade_seq, fill.maker = trade_id, trade_seq, maker
        return bool(self.engine.on_fill(&fill, now_ns))

    def market_state(self, int32_t market):
        """Health and exposure of one market, as a dict."""
        cdef Market m = self.engine.markets[market]
        return {"connected": m.health.connected, "reconciled": m.health.reconciled,
                "state": m.health.state, "synced_ns": m.health.synced_ns,
                "lag_ns": m.health.lag_ns, "blocked": m.blocked,
                "worst_bid_btc": m.exposure.worst_btc[0],
                "worst_ask_btc": m.exposure.worst_btc[1],
                "position_btc": m.exposure.position_btc}

    def counters(self):
        """Every counter of the engine by name."""
        return dict(self.engine.counters)
