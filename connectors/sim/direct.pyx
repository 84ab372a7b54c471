"""The direct front of the exchange; see direct.pxd."""
from libc.string cimport memset

from connectors.deribit.labels cimport LABEL_OURS, Labels, parse_label, write_label
from connectors.sim.account cimport Account
from connectors.sim.checks cimport (
    SIM_NOT_OPEN, SIM_OK, SIM_ORDER_NOT_FOUND, SIM_PENDING, SIM_POST_ONLY_REJECT, SIM_TIMED_OUT,
    SIM_TOO_MANY_REQUESTS,
)
from connectors.sim.credits cimport CREDIT_MASS, credit_class_of
from connectors.sim.inflight cimport (
    DELIVER_CONTROL, DELIVER_FILL, DELIVER_ORDER, DELIVER_OWN_LEVEL, DELIVER_TICKER,
)
from connectors.sim.levels cimport INTERVAL_100MS
from connectors.sim.marking cimport MarketData
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport SIM_ORDER_LIMIT, SLOT_NONE, SimTrade, TradeLeg
from mmcore.types cimport (
    ACTION_CANCEL, ACTION_CANCEL_ALL, ACTION_CANCEL_INSTRUMENT, ACTION_EDIT, ACTION_NEW,
    CONTROL_FUNDING, ORDER_EVENT_ABSENT, ORDER_EVENT_ACCEPTED, ORDER_EVENT_REFUSED,
    ORDER_EVENT_UPDATE, SIDE_ASK, SIDE_BID, VENUE_ORDER_CANCELLED, Fill,
    TickerUpdate, price_usd,
)

cdef int64_t MS = 1000000

# Columns of DirectVenue.fills and .trail; money in 1e-8 of the settlement currency.
FILL_FIELDS = ("t_ns", "market", "slot", "generation", "side", "price_ticks", "amount_contracts",
               "maker", "fee_e8", "profit_e8", "trade_id", "order_id", "mark_usd", "index_usd",
               "mid_usd")
REQUEST_FIELDS = ("sent_ns", "arrived_ns", "kind", "market", "slot", "side", "price_ticks",
                  "amount_contracts", "error")


cdef int64_t number_of(const char* text, int32_t size) noexcept nogil:
    """The order id a text of digits states."""
    cdef int64_t number = 0
    cdef int32_t i
    for i in range(size):
        number = number * 10 + (text[i] - c'0')
    return number


cdef int32_t write_number(int64_t number, char* out) noexcept nogil:
    """Write a positive number in decimal; return its size."""
    cdef char digits[20]
    cdef int32_t size = 0
    cdef int32_t i
    while number > 0:
        digits[size] = <char>(c'0' + number % 10)
        number //= 10
        size += 1
    for i in range(size):
        out[i] = digits[size - 1 - i]
    return size


cdef class DirectVenue(Outputs):
    """One maker's account at an exchange, without a wire between.

    markets: the exchange's market of every market of the engine, in the engine's order.
    entry, response: latency of requests and of what comes back; feed_ns: of market data that no
    recording has timed (tickers, our own part of the book).
    """

    def __init__(self, Exchange exchange not None, Labels labels not None, list markets not None,
                 *, int32_t account, int64_t t_ns, Latency entry not None,
                 Latency response not None, int64_t feed_ns=0):
        cdef int32_t i
        if not 0 < len(markets) <= MARKETS_MAX or feed_ns < 0:
            raise ValueError(f"{len(markets)} markets and a feed latency of {feed_ns} ns: 1 to "
                             f"{MARKETS_MAX} markets, latency not negative")
        self.exchange = exchange
        self.scheme = labels.scheme
        self.account = account
        self.entry = entry
        self.response = response
        self.feed_ns = feed_ns
        self.requests = RequestQueue()
        self.answers = DeliveryQueue()
        self.feed = DeliveryQueue()
        self.pending = {}
        self.fills = []
        self.trail = []
        self.engine_markets = <int32_t>len(markets)
        for i in range(VENUE_MARKETS_MAX):
            self.engine_of[i] = -1
        for i in range(self.engine_markets):
            self.market_of[i] = markets[i]
            self.engine_of[self.market_of[i]] = i
        exchange.unpublished = True
        exchange.set_outputs(self)
        self.connection = exchange.connect(t_ns)
        exchange.login(t_ns, self.connection, account)

    # ---------------------------------------------------------------- requests
    cdef int send(self, const Action* action, int64_t t_ns, int64_t due_ns) except -1:
        """Put an action under way; it arrives no earlier than those sent before it."""
        cdef Request* request = self.requests.push(due_ns)
        request.sent_ns = t_ns
        request.action = action[0]
        return 0

    cdef int arrive(self) except -1:
        """Carry out the oldest request under way, and put its answer under way."""
        cdef Request request = self.requests.pop()[0]
        cdef Outcome out
        cdef const Action* action = &request.action
        if action.kind == REQUEST_QUERY:
            self.counters.queries += 1
            return self.answer_query(action, request.due_ns)
        self.counters.requests += 1
        self.act(&request, request.due_ns, &out)
        if self.keep_trail:
            self.trail.append((request.sent_ns, request.due_ns, action.kind, action.market,
                               action.slot, action.side, action.price_ticks,
                               action.amount_contracts, out.error))
        if out.error == SIM_PENDING:
            self.pending[out.ticket] = (action.request_id, action.kind, action.market, action.slot)
            return 0
        return self.answer(action, self.exchange.now_ns, &out)

    cdef int act(self, const Request* request, int64_t t_ns, Outcome* out) except -1:
        """Pay for a request and do what it asks; `out` says what came of it."""
        cdef const Action* action = &request.action
        cdef OrderRequest order
        cdef int64_t order_id = number_of(action.order_id, action.order_id_size)
        memset(out, 0, sizeof(Outcome))
        out.slot = SLOT_NONE
        cdef int32_t pool = credit_class_of(action.kind, action.request_id)
        if (pool != CREDIT_MASS or action.request_id != self.paid_id) and (
                not self.exchange.take_credit(t_ns, self.account, pool)):
            out.error = SIM_TOO_MANY_REQUESTS
        elif action.kind == ACTION_NEW:
            self.order_request(action, &order)
            self.exchange.submit(t_ns, self.connection, self.account, &order, out)
        elif action.kind == ACTION_EDIT:
            self.order_request(action, &order)
            self.exchange.edit(t_ns, self.account, order_id, &order, out)
        elif action.kind == ACTION_CANCEL:
            self.exchange.cancel(t_ns, self.account, order_id, out)
        elif action.kind == ACTION_CANCEL_INSTRUMENT:
            self.exchange.cancel_many(t_ns, self.account, self.market_of[action.market], -1, None,
                                      out)
        elif action.kind == ACTION_CANCEL_ALL:
            self.exchange.cancel_many(t_ns, self.account, -1, -1, None, out)
        else:
            raise ValueError(f"an action of kind {action.kind} cannot be carried out")
        self.paid_id = action.request_id        # both sides of a mass quote are one
        return 0

    cdef int order_request(self, const Action* action, OrderRequest* request) noexcept:
        memset(request, 0, sizeof(OrderRequest))
        request.market = self.market_of[action.market]
        request.side = action.side
        request.kind = SIM_ORDER_LIMIT
        request.time_in_force = action.time_in_force
        request.price_ticks = action.price_ticks
        request.amount_contracts = action.amount_contracts
        request.valid_until_ms = action.valid_until_ms
        request.post_only = action.post_only
        request.reject_post_only = action.post_only
        request.reduce_only = action.reduce_only
        request.label_size = write_label(&self.scheme, action.market, action.slot,
                                         action.generation, request.label)
        return 0

    # ---------------------------------------------------------------- answers
    cdef int answer(self, const Action* action, int64_t t_ns, const Outcome* out) except -1:
        """Put the answer to a request under way."""
        cdef Delivery* delivery = self.answers.push(
            t_ns + self.response.draw(t_ns), DELIVER_ORDER, action.market)
        cdef OrderEvent* event = &delivery.what.order
        event.market = action.market
        event.slot = action.slot
        event.kind = ORDER_EVENT_ACCEPTED
        event.order_state = VENUE_ORDER_CANCELLED
        if out.error != SIM_OK:
            event.kind = ORDER_EVENT_REFUSED
            event.error_code = out.error
            self.count_refusal(action.kind, out.error)
        elif action.kind <= ACTION_CANCEL:
            self.describe(&self.exchange.pool.items[out.slot], event)
            event.kind = ORDER_EVENT_ACCEPTED
        event.request = action.kind
        event.request_id = action.request_id
        return 0

    cdef int count_refusal(self, int32_t kind, int32_t error) noexcept:
        self.counters.refused += 1
        self.counters.too_many += error == SIM_TOO_MANY_REQUESTS
        self.counters.too_late += error == SIM_TIMED_OUT
        self.counters.post_only += error == SIM_POST_ONLY_REJECT
        self.counters.late_cancels += kind != ACTION_NEW and (
            error == SIM_NOT_OPEN or error == SIM_ORDER_NOT_FOUND)
        return 0

    cdef int answer_query(self, const Action* action, int64_t t_ns) except -1:
        """The state of the order a label names, found among all that is remembered, or none."""
        cdef Delivery* delivery
        cdef Label label
        cdef int32_t slot
        cdef const SimOrder* order = NULL
        for slot in range(self.exchange.pool.used):
            if (self.exchange.pool.items[slot].account == self.account
                    and self.label_of(&self.exchange.pool.items[slot], &label)
                    and label.market == action.market and label.slot == action.slot
                    and label.generation == action.generation):
                order = &self.exchange.pool.items[slot]
        delivery = self.answers.push(t_ns + self.response.draw(t_ns), DELIVER_ORDER,
                                     action.market)
        if order != NULL:
            self.describe(order, &delivery.what.order)
            return 0
        delivery.what.order.kind = ORDER_EVENT_ABSENT
        delivery.what.order.market = action.market
        delivery.what.order.slot = action.slot
        delivery.what.order.generation = action.generation
        return 0

    cdef bint label_of(self, const SimOrder* order, Label* label) noexcept:
        return (parse_label(&self.scheme, order.label, order.label_size, label) == LABEL_OURS
                and label.market < self.engine_markets)

    cdef bint describe(self, const SimOrder* order, OrderEvent* event) noexcept:
        """Fill in what the venue says of an order; False where it is none of ours."""
        cdef Label label
        if not self.label_of(order, &label):
            return False
        event.kind = ORDER_EVENT_UPDATE
        event.market = label.market
        event.slot = label.slot
        event.generation = label.generation
        event.order_state = order.state
        event.side = order.side
        event.price_ticks = order.price_ticks
        event.amount_contracts = order.amount_contracts
        event.filled_contracts = order.filled_contracts
        event.last_update_ms = order.updated_ns // MS
        event.order_id_size = write_number(order.order_id, event.order_id)
        return True

    # ---------------------------------------------------------------- what the exchange tells
    cdef int on_order(self, int64_t t_ns, const SimOrder* order) except -1:
        cdef Label label
        cdef Delivery* delivery
        if order.account != self.account or not self.label_of(order, &label):
            return 0
        self.show(t_ns, order, &label)
        delivery = self.answers.push(t_ns + self.response.draw(t_ns), DELIVER_ORDER, label.market)
        self.describe(order, &delivery.what.order)
        return 0

    cdef int show(self, int64_t t_ns, const SimOrder* order, const Label* label) except -1:
        """Put under way what the book shows of an order from now on, where that is new."""
        cdef Shown* shown = &self.shown[label.market][label.slot]
        cdef int64_t contracts = 0
        cdef Delivery* delivery
        if order.resting:
            contracts = order.amount_contracts - order.filled_contracts
        elif shown.order_id != order.order_id:
            return 0            # a late word of an order that is not in the book any more
        if shown.contracts == contracts and shown.price_ticks == order.price_ticks:
            return 0
        shown.order_id = order.order_id
        shown.contracts = contracts
        shown.price_ticks = order.price_ticks
        delivery = self.feed.push(t_ns + self.feed_ns, DELIVER_OWN_LEVEL, label.market)
        delivery.what.level.side = order.side
        delivery.what.level.slot = label.slot
        delivery.what.level.price_ticks = order.price_ticks
        delivery.what.level.amount_contracts = contracts
        return 0

    cdef int on_user_trade(self, int64_t t_ns, const SimOrder* order, const SimTrade* trade,
                           const TradeLeg* leg) except -1:
        cdef Label label
        cdef Delivery* delivery
        cdef Fill* fill
        cdef int32_t market = self.engine_of[trade.market]
        cdef MatchBook book = self.exchange.books[trade.market]
        cdef double mid = 0.0
        if leg.account != self.account or market < 0:
            return 0
        if not self.label_of(order, &label):
            label.slot = -1
            label.generation = 0
        delivery = self.answers.push(t_ns + self.response.draw(t_ns), DELIVER_FILL, market)
        fill = &delivery.what.fill
        fill.market = market
        fill.slot = label.slot
        fill.generation = label.generation
        fill.maker = leg == &trade.maker
        fill.side = 1 - trade.side if fill.maker else trade.side
        fill.price_ticks = trade.price_ticks
        fill.amount_contracts = trade.amount_contracts
        fill.fee_e8 = leg.fee_e8
        fill.trade_id = <uint64_t>trade.trade_id
        fill.trade_seq = trade.trade_seq
        fill.timestamp_ms = t_ns // MS
        if book.levels.count[0] > 0 and book.levels.count[1] > 0:
            mid = 0.5 * (price_usd(&book.spec, book.levels.best_ticks[0])
                         + price_usd(&book.spec, book.levels.best_ticks[1]))
        self.fills.append((
            t_ns, market, label.slot, label.generation, fill.side, trade.price_ticks,
            trade.amount_contracts, bool(fill.maker), leg.fee_e8, leg.profit_e8, trade.trade_id,
            order.order_id, trade.mark_usd, trade.index_usd, mid))
        return self.tell_funding(t_ns, market)

    cdef int tell_funding(self, int64_t t_ns, int32_t market) except -1:
        """Tell what funding came to since the start, where that moved."""
        cdef Account owner = self.exchange.accounts[self.account]
        cdef Delivery* delivery
        cdef int64_t total_e8
        cdef tuple settled
        while self.settlements_seen < len(self.exchange.settlements):
            settled = self.exchange.settlements[self.settlements_seen]
            self.settlements_seen += 1
            if settled[1] == self.account and self.engine_of[<int32_t>settled[2]] >= 0:
                self.funding_settled[self.engine_of[<int32_t>settled[2]]] += settled[8]
        total_e8 = (owner.positions[self.market_of[market]].funding_e8
                    + self.funding_settled[market])
        if total_e8 == self.funding_told[market]:
            return 0
        self.funding_told[market] = total_e8
        delivery = self.answers.push(t_ns + self.response.draw(t_ns), DELIVER_CONTROL, market)
        delivery.what.control.kind = CONTROL_FUNDING
        delivery.what.control.market = market
        delivery.what.control.real = <double>total_e8 * 1e-8
        return 0

    cdef int on_ticker(self, int64_t t_ns, int32_t market, int32_t interval) except -1:
        if interval != INTERVAL_100MS or self.engine_of[market] < 0:
            return 0
        return self.tell_ticker(t_ns, market)

    cdef int on_market_state(self, int64_t t_ns, int32_t market) except -1:
        if self.engine_of[market] < 0:
            return 0
        return self.tell_ticker(t_ns, market)

    cdef int tell_ticker(self, int64_t t_ns, int32_t market) except -1:
        cdef MarketData* data = &self.exchange.data[market]
        cdef MatchBook book = self.exchange.books[market]
        cdef TickerUpdate* ticker = &self.feed.push(
            t_ns + self.feed_ns, DELIVER_TICKER, self.engine_of[market]).what.ticker
        ticker.timestamp_ms = t_ns // MS
        ticker.mark_usd = data.mark_usd
        ticker.index_usd = self.exchange.indexes[data.index].price_usd
        ticker.last_usd = price_usd(&book.spec, data.last_ticks)
        ticker.current_funding = data.current_funding
        ticker.funding_8h = data.funding_8h
        ticker.min_price_usd = price_usd(&book.spec, self.exchange.band_ticks(market, SIDE_ASK))
        ticker.max_price_usd = price_usd(&book.spec, self.exchange.band_ticks(market, SIDE_BID))
        ticker.state = data.state
        return 0

    cdef int on_outcome(self, int64_t t_ns, const Outcome* outcome) except -1:
        """A request that waited inside the exchange has been carried out."""
        cdef Action action
        asked = self.pending.pop(outcome.ticket, None)
        if asked is None:
            return 0
        memset(&action, 0, sizeof(Action))
        action.request_id, action.kind, action.market, action.slot = asked
        return self.answer(&action, t_ns, outcome)

    # ---------------------------------------------------------------- for Python
    def request(self, int64_t t_ns, int32_t kind, int32_t market, int32_t slot,
                int32_t generation, *, int32_t side=0, int64_t price_ticks=0,
                int64_t amount_contracts=0, int32_t time_in_force=0, bint post_only=False,
                bint reduce_only=False, int64_t order_id=0, int64_t valid_until_ms=0):
        """Carry out one action at once, as if it had just arrived."""
        cdef Action action
        memset(&action, 0, sizeof(Action))
        action.kind, action.market, action.slot = kind, market, slot
        action.generation, action.side, action.price_ticks = generation, side, price_ticks
        action.amount_contracts, action.time_in_force = amount_contracts, time_in_force
        action.post_only, action.reduce_only = post_only, reduce_only
        action.valid_until_ms = valid_until_ms
        action.order_id_size = write_number(order_id, action.order_id)
        self.send(&action, t_ns, t_ns)
        self.arrive()

    @property
    def counts(self):
        """DirectCounters by name."""
        return dict(self.counters)

    def money(self, int32_t currency):
        """(balance, session profit, fees paid) of the account in 1e-8, and its equity."""
        cdef Account owner = self.exchange.accounts[self.account]
        return (*owner.money(currency)[:3], self.exchange.equity_of(self.account, currency))
