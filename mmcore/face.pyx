"""Python hands on the engine: feed it typed events, look at what it sends.

For tests, notebooks and replays of decisions; the venue edge calls the engine directly.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from mmcore.alpha cimport update_terms
from mmcore.book cimport NO_ASK, NO_BID
from mmcore.budget cimport Budget, Pool, RateCap, rate_allows, rate_spend
from mmcore.engine cimport Engine
from mmcore.ladder cimport Placement
from mmcore.market cimport Market, explain
from mmcore.orders cimport OrderTable
from mmcore.params cimport Params
from mmcore.quote cimport Inventory, quote_compute
from mmcore.reaction cimport Stance
from mmcore.risk cimport RiskGate, count_part
from mmcore.signals cimport SignalState, TermMemory
from mmcore.sink cimport OrderSink
from mmcore.states cimport REASON_OPERATOR
from mmcore.types cimport (
    ALPHA_TERMS_MAX, ORDER_ID_MAX, Action, ActionBatch, ApprovedBatch, BookDelta, Fill,
    InstrumentSpec, LevelChange, OrderEvent, TargetQuotes, TickerUpdate, TradePrint)
from cpython.mem cimport PyMem_Calloc, PyMem_Free
# the Python classes: a cimported enum has no name at run time
from mmcore.book import BookResult
from mmcore.risk import GateReason
from mmcore.types import ActionKind

EVENT_FIELDS = frozenset((
    "kind", "market", "slot", "generation", "request", "request_id", "error_code", "refusal",
    "order_state", "price_ticks", "amount_contracts", "filled_contracts", "last_update_ms",
    "order_id"))


cdef int fill_event(OrderEvent* event, dict fields) except -1:
    """Copy the fields of OrderEvent given by name; the others stay 0."""
    cdef bytes raw = fields.get("order_id", "").encode("ascii")
    unknown = set(fields) - EVENT_FIELDS
    if unknown:
        raise TypeError(f"an order event has no field {sorted(unknown)}")
    event.kind, event.market = fields["kind"], fields.get("market", 0)
    event.slot, event.generation = fields["slot"], fields.get("generation", 0)
    event.request, event.request_id = fields.get("request", 0), fields.get("request_id", 0)
    event.error_code = fields.get("error_code", 0)
    event.refusal = fields.get("refusal", 0)
    event.order_state = fields.get("order_state", 0)
    event.price_ticks = fields.get("price_ticks", 0)
    event.amount_contracts = fields.get("amount_contracts", 0)
    event.filled_contracts = fields.get("filled_contracts", 0)
    event.last_update_ms = fields.get("last_update_ms", 0)
    event.order_id_size = <int32_t>min(len(raw), <int>ORDER_ID_MAX)
    memcpy(event.order_id, <const char*>raw, event.order_id_size)
    return 0


cdef class ListSink(OrderSink):
    """Keeps every batch as a list of dicts instead of sending it."""
    cdef readonly list batches

    def __cinit__(self):
        self.batches = []

    cdef int submit(self, const ApprovedBatch* approved, int64_t now_ns) except -1:
        cdef const ActionBatch* batch = &approved.actions
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

    def malformed(self, int32_t market, int64_t now_ns):
        """A message that cannot be trusted; market -1 where it belongs to none."""
        self.engine.on_malformed(market, now_ns)

    def trade(self, int32_t market, int32_t side, int64_t price_ticks, int64_t amount_contracts,
              int64_t now_ns, *, int64_t trade_seq=0, int64_t timestamp_ms=0,
              bint excluded=False):
        """A public print."""
        cdef TradePrint trade
        memset(&trade, 0, sizeof(trade))
        trade.side, trade.price_ticks, trade.amount_contracts = side, price_ticks, amount_contracts
        trade.trade_seq, trade.excluded = trade_seq, excluded
        trade.timestamp_ms = timestamp_ms
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

    def order(self, int64_t now_ns, **fields):
        """The venue's word about one of our orders, by field; returns OrderOutcome bits."""
        cdef OrderEvent event
        memset(&event, 0, sizeof(event))
        fill_event(&event, fields)
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

    def send_unseen(self, int64_t now_ns):
        """Send a new order the gate was never asked about; the number of actions that left."""
        memset(&self.engine.batch.items[0], 0, sizeof(Action))
        self.engine.batch.items[0].kind = 1
        self.engine.batch.count = 1
        return self.engine.send(now_ns)

    def market_state(self, int32_t market):
        """Health and exposure of one market, as a dict."""
        cdef Market m = self.engine.markets[market]
        return {"connected": m.health.connected, "reconciled": m.health.reconciled,
                "state": m.health.state, "synced_ns": m.health.synced_ns,
                "lag_ns": m.health.newest_lag_ns, "blocked": m.blocked,
                "worst_bid_btc": m.exposure.worst_btc[0],
                "worst_ask_btc": m.exposure.worst_btc[1],
                "position_btc": m.exposure.position_btc, "limit_btc": m.exposure.limit_btc}

    def counters(self):
        """Every counter of the engine by name."""
        return dict(self.engine.counters)


def next_state(int32_t state, int32_t signal, bint must_cancel=False):
    """One step of the order state machine: (state after, OrderOutcome bits, cancel it by id)."""
    cdef OrderTable table = OrderTable()
    table.orders[0].state = state
    table.orders[0].must_cancel = must_cancel
    outcome = table.step(&table.orders[0], signal)
    return table.orders[0].state, outcome, bool(table.orders[0].must_cancel)


SITUATION_FIELDS = frozenset((
    "spread_usd", "depth_contracts", "mean_depth_contracts", "flow", "ofi", "current_funding",
    "index_usd", "fair_basis_usd", "round_trip_ns", "taker_share", "markout_bps", "markout_fills",
    "spread_factor", "size_factor", "tiny", "regime", "first", "removed_adding", "removed_held",
    "cover_bps", "take", "run"))


cdef int fill_situation(dict f, SignalState* signal, Inventory* inventory,
                        Stance* stance) except -1:
    """Copy the fields of a situation given by name; the others stay neutral."""
    unknown = set(f) - SITUATION_FIELDS
    if unknown:
        raise TypeError(f"a situation has no field {sorted(unknown)}")
    get = f.get
    signal.spread_usd, signal.two_sided = get("spread_usd", 0.0), "spread_usd" in f
    signal.depth_contracts = get("depth_contracts", 0.0)
    signal.mean_depth_contracts = get("mean_depth_contracts", 0.0)
    signal.flow, signal.ofi, signal.run = get("flow", 0.0), get("ofi", 0.0), get("run", 0)
    signal.current_funding = get("current_funding", 0.0)
    signal.index_usd, signal.fair_basis_usd = get("index_usd", 0.0), get("fair_basis_usd", 0.0)
    signal.has_basis = "fair_basis_usd" in f
    inventory.round_trip_ns, inventory.taker_share = get("round_trip_ns", 0), get("taker_share", 0)
    inventory.markout_bps = get("markout_bps", (0.0, 0.0))
    inventory.markout_fills = get("markout_fills", (0, 0))
    stance.spread_factor, stance.size_factor = get("spread_factor", 1.0), get("size_factor", 1)
    stance.row_factor = (1.0, 1.0)
    stance.tiny, stance.regime = get("tiny", False), get("regime", 0)
    stance.first, stance.removed_adding = get("first", (0, 0)), get("removed_adding", (0, 0))
    stance.removed_held, stance.cover_bps = get("removed_held", (0, 0)), get("cover_bps", (0, 0))
    stance.take, stance.take_side, stance.take_contracts = get("take", (0, 0, 0))
    return 0


cdef class Quoter:
    """The quoting model by hand; it remembers only the placement of its quotes."""
    cdef Placement placement
    cdef TermMemory[ALPHA_TERMS_MAX] memory

    def quotes(self, InstrumentSpec spec not None, Params params not None, *, double reference,
               bid_ticks=None, ask_ticks=None, double vol_usd=0.0, double imbalance=0.0,
               double net_btc=0.0, int64_t contracts=0, int64_t now_ns=0, **situation):
        """The target ladder of one situation, before risk, as a dict with its terms in USD."""
        cdef SignalState signal
        cdef Inventory inventory
        cdef Stance stance
        cdef TargetQuotes out
        memset(&signal, 0, sizeof(signal))
        memset(&inventory, 0, sizeof(inventory))
        memset(&stance, 0, sizeof(stance))
        fill_situation(situation, &signal, &inventory, &stance)
        signal.reference_usd, signal.vol_usd, signal.imbalance = reference, vol_usd, imbalance
        signal.others_ticks[0] = NO_BID if bid_ticks is None else <int64_t>bid_ticks
        signal.others_ticks[1] = NO_ASK if ask_ticks is None else <int64_t>ask_ticks
        inventory.net_btc, inventory.contracts = net_btc, contracts
        inventory.limit_btc = params.v.inventory.limit_btc
        update_terms(&signal, self.memory, &params.v.quote, now_ns)
        quote_compute(&spec.c, &signal, &params.v, &inventory, &stance, &self.placement, now_ns,
                      &out)
        rungs = [[(out.rungs[<int>side][<int>i].price_ticks,
                   out.rungs[<int>side][<int>i].amount_contracts)
                  for i in range(out.count[<int>side])] for side in range(2)]
        return {"bids": rungs[0], "asks": rungs[1],
                "reducing": (bool(out.reducing[0]), bool(out.reducing[1])),
                "first": (out.first[0], out.first[1]), **explain(&out.why),
                "take_ticks": out.take.price_ticks if out.take.why else None}


def compute_quotes(spec, params, **situation):
    """Quoter.quotes() of a Quoter that has never quoted."""
    return Quoter().quotes(spec, params, **situation)


cdef class TableFace:
    """An order table by hand: what was sent, and the venue's words."""
    cdef readonly OrderTable table

    def __init__(self, OrderTable table not None):
        self.table = table

    def sent(self, int32_t kind, int32_t slot, int64_t now_ns, *, int32_t side=0,
             uint32_t generation=0, int64_t price_ticks=0, int64_t amount_contracts=0,
             int64_t request_id=0):
        """Record a request that is about to leave."""
        cdef Action action
        memset(&action, 0, sizeof(action))
        action.kind, action.slot, action.side, action.generation = kind, slot, side, generation
        action.price_ticks, action.amount_contracts = price_ticks, amount_contracts
        action.request_id = request_id
        self.table.sent(&action, now_ns)

    def event(self, int64_t now_ns, **fields):
        """The venue's word, fields as in EngineFace.order; returns OrderOutcome bits."""
        cdef OrderEvent event
        memset(&event, 0, sizeof(event))
        fill_event(&event, fields)
        return self.table.on_event(&event, now_ns)

    def fill(self, int32_t slot, uint32_t generation, int64_t amount_contracts):
        """Count a booked fill; False where the slot has moved on."""
        return bool(self.table.book_fill(slot, generation, amount_contracts))

    def time_out(self, int64_t now_ns, int64_t after_ns):
        """Give up on requests older than that; returns how many."""
        return self.table.time_out(now_ns, after_ns)

    def lose_all(self):
        """The connection went; returns how many orders are unknown now."""
        return self.table.lose_all()

    def absent(self, int32_t slot):
        """Every query is answered and the venue has no such order."""
        self.table.absent(slot)

    def all_booked(self):
        """The venue's position was taken over."""
        self.table.all_booked()


cdef class GateFace:
    """The risk gate and one market, put into a situation by hand."""
    cdef readonly RiskGate gate
    cdef readonly Market market
    cdef readonly TableFace orders
    cdef public int64_t now_ns

    def __init__(self, InstrumentSpec spec not None, Params params not None):
        self.gate = RiskGate()
        self.market = Market(spec, params, 0)
        self.orders = TableFace(self.market.orders)

    def situation(self, *, double reference, double mark=0.0, double min_price=0.0,
                  double max_price=0.0, int64_t contracts=0, double average=1.0,
                  double equity=0.0, double margin=0.0, double margin_balance=0.0,
                  double margin_rate=0.0, best=(0, 0)):
        """Set reference, mark, the venue's band, the others' best, position and account."""
        cdef Market m = self.market
        m.signals.s.reference_usd, m.signals.s.mark_usd = reference, mark
        m.signals.s.min_price_usd, m.signals.s.max_price_usd = min_price, max_price
        m.signals.s.others_ticks, m.exposure.margin_rate = best, margin_rate
        self.gate.account.equity_btc, self.gate.account.margin_btc = equity, margin
        self.gate.account.margin_balance_btc = margin_balance
        m.position.set_position(&m.spec, contracts, average)

    def to_state(self, int32_t state):
        """Move the gate to a RiskState; False where it may not go there."""
        return bool(self.gate.to_state(state, REASON_OPERATOR))

    cdef void begin(self, double other_net_btc) noexcept:
        self.gate.begin(&self.market.params.v, self.market.price_for_limits(), self.now_ns)
        self.market.measure(self.gate.account.scale, self.now_ns)
        count_part(&self.gate.counted[0], &self.market.exposure, self.market.orders.open_count)
        self.gate.add_up(1)
        self.gate.net_btc += other_net_btc

    def admit(self, int32_t kind, int32_t slot, int32_t side, int64_t price_ticks,
              int64_t amount_contracts, *, double other_net_btc=0.0, bint post_only=False,
              bint reduce_only=False, bint lowers_net=False, bint again=False):
        """Judge one create or edit; the GateReason's name. again: in the turn of the one before."""
        cdef Action action
        memset(&action, 0, sizeof(action))
        action.kind, action.slot, action.side = kind, slot, side
        action.price_ticks, action.amount_contracts = price_ticks, amount_contracts
        action.post_only, action.reduce_only, action.lowers_net = (
            post_only, reduce_only, lowers_net)
        if not again:
            self.begin(other_net_btc)
        return GateReason(self.gate.admit(
            &action, &self.market.spec, self.market.orders, &self.market.signals.s,
            &self.market.params.v, &self.market.exposure)).name

    def approve(self, bids not None, asks not None, *, reducing=(False, False),
                int32_t blocked=0, double other_net_btc=0.0):
        """What may be quoted of (price_ticks, contracts) rows: (bids, asks, removed bits)."""
        cdef TargetQuotes target
        cdef Market m = self.market
        memset(&target, 0, sizeof(target))
        for side, rows in enumerate((bids, asks)):
            target.count[<int>side] = <int32_t>len(rows)
            target.reducing[<int>side] = reducing[side]
            for i, (price, amount) in enumerate(rows):
                target.rungs[<int>side][<int>i].price_ticks = price
                target.rungs[<int>side][<int>i].amount_contracts = amount
        self.begin(other_net_btc)
        self.gate.approve(&target, blocked, &m.spec, &m.signals.s, &m.params.v, &m.exposure,
                          &m.approved)
        return (*m.quotes(), m.why()["removed"])


def budget_of(double level, double burst, double rate, int64_t now_ns):
    """A pool with those many requests left at a time, for tests."""
    cdef Budget budget = Budget()
    budget.pools[0] = Pool(burst, rate, level, now_ns, 0, 0)
    return budget


def count_allowed(double per_s, times_ns not None):
    """How many messages a rate of so many a second lets pass at those times."""
    cdef RateCap cap
    cdef int32_t passed = 0
    memset(&cap, 0, sizeof(cap))
    for now_ns in times_ns:
        if rate_allows(&cap, per_s, now_ns):
            rate_spend(&cap, now_ns)
            passed += 1
    return passed
