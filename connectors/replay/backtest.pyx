"""See backtest.pxd. Read loop() first."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from libc.string cimport memset

from connectors.sim.account cimport Account
from connectors.sim.exchange cimport Exchange
from connectors.sim.inflight cimport (
    DELIVER_CONTROL, DELIVER_FILL, DELIVER_ORDER, DELIVER_OWN_LEVEL, DELIVER_RESYNC,
    DELIVER_TICKER,
)
from connectors.sim.direct cimport REQUEST_QUERY
from connectors.sim.matching cimport MatchBook
from mmcore.intake cimport FLAG_KILLED, FLAG_RECONCILE
from mmcore.market cimport Market
from mmcore.orders cimport ORDER_UNKNOWN, Order
from mmcore.types cimport ACTION_CANCEL_ALL, SIDE_ASK, SIDE_BID, Action, Why, price_usd

cdef int64_t NEVER_NS = 0x7FFFFFFFFFFFFFFF
cdef int64_t MS = 1000000
cdef int64_t TICK_NS = 10 * MS              # as the reactor ticks
cdef int64_t QUERY_AGAIN_NS = 1000 * MS
cdef int64_t EXPIRY_SLACK_NS = 1000 * MS    # an order may still appear this long after its end
cdef int64_t CANCEL_ALL_ID = <int64_t>ACTION_CANCEL_ALL << 44

# Columns of Backtest.samples; prices in USD, 0 where there is none; equity in the currency.
SAMPLE_FIELDS = ("t_ns", "market", "best_bid_usd", "best_ask_usd", "quote_bid_usd",
                 "quote_ask_usd", "mark_usd", "position_contracts", "equity", "regime",
                 "risk_state")


cdef class Backtest:
    """One maker on one recording.

    Everything is made and wired by the caller; the engine's sink must be `sink`. Times are the
    venue's, in ns since the epoch; the engine's clock is origin_ns behind.
    """

    def __init__(self, Engine engine not None, DirectVenue venue not None,
                 DirectSink sink not None, Player player not None, Observer observer not None, *,
                 int64_t origin_ns, int64_t sample_ns=0):
        self.engine = engine
        self.venue = venue
        self.sink = sink
        self.player = player
        self.observer = observer
        self.origin_ns = origin_ns
        self.sample_ns = sample_ns
        self.samples = []
        self.whys = []
        self.begin_ns = player.due_ns
        self.tick_at_ns = observer.due_ns + TICK_NS if observer.due_ns != NEVER_NS else NEVER_NS
        self.sample_at_ns = observer.due_ns if sample_ns > 0 else NEVER_NS

    @property
    def due_ns(self):
        """When the next message is received; NEVER_NS behind the last."""
        return self.observer.due_ns

    def run(self, int64_t until_ns=NEVER_NS):
        """Run up to a time, or to the last message received."""
        self.loop(until_ns)

    # ---------------------------------------------------------------- the loop
    cdef int loop(self, int64_t until_ns) except -1:
        cdef Exchange exchange = self.venue.exchange
        cdef Player player = self.player
        cdef Observer observer = self.observer
        cdef DirectVenue venue = self.venue
        cdef int64_t there_ns, here_ns, request_ns, timer_ns
        while observer.due_ns != NEVER_NS:
            request_ns = venue.requests.due_ns
            timer_ns = min(exchange.next_100ms_ns, exchange.waits.due_ns())
            there_ns = min(player.due_ns, request_ns, timer_ns)
            here_ns = min(observer.due_ns, self.tick_at_ns, venue.answers.due_ns,
                          venue.feed.due_ns)
            if min(there_ns, here_ns) > until_ns:
                break
            if here_ns < there_ns:
                self.take_here(here_ns)
            elif player.due_ns == there_ns:
                player.step(exchange)
            elif request_ns == there_ns:
                venue.arrive()
            else:
                exchange.advance(timer_ns)
        return 0

    cdef int take_here(self, int64_t t_ns) except -1:
        """Take all that is received at one time, as one read of a socket; then decide once."""
        cdef int64_t now_ns = t_ns - self.origin_ns
        cdef bint received = False
        if t_ns >= self.sample_at_ns:
            self.sample(t_ns)
        while self.observer.due_ns == t_ns:
            received = True
            self.observer.take()
        while self.venue.answers.due_ns <= t_ns:
            received = True
            self.deliver(self.venue.answers.pop(), now_ns)
        while self.venue.feed.due_ns <= t_ns:
            received = True
            self.deliver(self.venue.feed.pop(), now_ns)
        if received:
            self.engine.on_frame(now_ns)
            self.engine.turn(now_ns)
        if self.tick_at_ns <= t_ns:
            self.tick_at_ns += TICK_NS
            self.ticks += 1
            self.engine.on_timer(now_ns)
            if self.engine.flags:
                self.cold_work(t_ns)
        return 0

    cdef int deliver(self, const Delivery* delivery, int64_t now_ns) except -1:
        if delivery.kind == DELIVER_ORDER:
            self.engine.on_order(&delivery.what.order, now_ns)
        elif delivery.kind == DELIVER_FILL:
            self.engine.on_fill(&delivery.what.fill, now_ns)
        elif delivery.kind == DELIVER_TICKER:
            self.engine.on_ticker(delivery.market, &delivery.what.ticker, now_ns)
        elif delivery.kind == DELIVER_CONTROL:
            self.engine.on_control(&delivery.what.control, now_ns)
        elif delivery.kind == DELIVER_OWN_LEVEL:
            self.observer.take_own(delivery.market, &delivery.what.level,
                                   now_ns + self.origin_ns)
        else:
            self.observer.resync(self.venue.exchange, self.venue.market_of[delivery.market],
                                 delivery.market, now_ns + self.origin_ns)
        return 0

    # ---------------------------------------------------------------- what the engine asks for
    cdef int cold_work(self, int64_t t_ns) except -1:
        """What a client does about the engine's flags, over the same path as the orders."""
        cdef unsigned int flags = self.engine.flags
        cdef unsigned int mask = self.engine.resync_mask
        cdef Action action
        cdef int64_t back_ns
        cdef int32_t market
        self.engine.flags = 0
        if flags & FLAG_RECONCILE:
            self.ask_unknown(t_ns)
        if flags & FLAG_KILLED:
            memset(&action, 0, sizeof(Action))
            action.kind = ACTION_CANCEL_ALL
            action.request_id = CANCEL_ALL_ID
            self.venue.send(&action, t_ns, t_ns + self.venue.entry.draw(t_ns))
        for market in range(self.engine.market_count):
            if mask >> market & 1:
                back_ns = t_ns + self.venue.entry.draw(t_ns) + self.venue.response.draw(t_ns)
                self.engine.resync_mask &= ~(<unsigned int>1 << market)
                self.venue.feed.push(back_ns, DELIVER_RESYNC, market)
        return 0

    cdef int ask_unknown(self, int64_t t_ns) except -1:
        """Ask by label for orders of unknown fate, once nothing sent can still take effect."""
        cdef Market market
        cdef const Order* order
        cdef Action action
        cdef int32_t i, slot
        for i in range(self.engine.market_count):
            market = self.engine.markets[i]
            for slot in range(SLOTS_MAX):
                order = &market.orders.orders[slot]
                if (order.state != ORDER_UNKNOWN
                        or t_ns < order.valid_until_ms * MS + EXPIRY_SLACK_NS
                        or t_ns < self.asked_ns[i][slot] + QUERY_AGAIN_NS):
                    continue
                self.asked_ns[i][slot] = t_ns
                memset(&action, 0, sizeof(Action))
                action.kind = REQUEST_QUERY
                action.market = i
                action.slot = slot
                action.generation = order.generation
                self.venue.send(&action, t_ns, t_ns + self.venue.entry.draw(t_ns))
        return 0

    # ---------------------------------------------------------------- results
    cdef int sample(self, int64_t t_ns) except -1:
        """Note where every market stands."""
        cdef Market market
        cdef Exchange exchange = self.venue.exchange
        cdef int64_t best[2]
        cdef int64_t own[2]
        cdef int32_t i, number
        PyErr_CheckSignals()
        while self.sample_at_ns <= t_ns:
            self.sample_at_ns += self.sample_ns
        for i in range(self.engine.market_count):
            market = self.engine.markets[i]
            number = self.venue.market_of[i]
            best[0] = best[1] = 0
            exchange.best_ticks(number, SIDE_BID, &best[0])
            exchange.best_ticks(number, SIDE_ASK, &best[1])
            own_price(market, own)
            self.samples.append((
                t_ns, i, price_usd(&market.spec, best[0]), price_usd(&market.spec, best[1]),
                price_usd(&market.spec, own[0]), price_usd(&market.spec, own[1]),
                exchange.data[number].mark_usd, market.position.contracts,
                exchange.equity_of(self.venue.account, market.spec.kind),
                market.approved.why.regime, self.engine.risk.state))
            if self.venue.keep_trail:
                self.whys.append(PyBytes_FromStringAndSize(
                    <const char*>&market.approved.why, sizeof(Why)))
        if self.on_sample is not None:
            self.on_sample(t_ns)
        return 0

    def finish(self):
        """Receive all that is under way and book all funding, so that both sides can be compared.

        Orders stay as they are; nothing is decided any more.
        """
        cdef int64_t t_ns = self.venue.exchange.now_ns
        cdef Account owner = self.venue.exchange.accounts[self.venue.account]
        cdef MatchBook book
        cdef int32_t i, number
        for i in range(self.engine.market_count):
            number = self.venue.market_of[i]
            book = self.venue.exchange.books[number]
            owner.book_funding(&book.spec, self.venue.exchange.data[number].funding_e18)
            self.venue.tell_funding(t_ns, i)
            self.venue.tell_ticker(t_ns, number)
        while self.venue.answers.count:
            self.deliver(self.venue.answers.pop(), t_ns - self.origin_ns)
        while self.venue.feed.count:
            self.deliver(self.venue.feed.pop(), t_ns - self.origin_ns)

    def prices(self, int32_t market):
        """(mark, mid) of a market of the engine at the exchange now; the mark for no mid."""
        cdef int32_t number = self.number_of(market)
        cdef MatchBook book = self.venue.exchange.books[number]
        cdef double mark = self.venue.exchange.data[number].mark_usd
        if book.levels.count[0] == 0 or book.levels.count[1] == 0:
            return mark, mark
        return mark, 0.5 * (price_usd(&book.spec, book.levels.best_ticks[0])
                            + price_usd(&book.spec, book.levels.best_ticks[1]))

    def funding(self, int32_t market):
        """Funding received in a market since the start, in the settlement currency."""
        cdef Account owner = self.venue.exchange.accounts[self.venue.account]
        return <double>(owner.positions[self.number_of(market)].funding_e8
                        + self.venue.funding_settled[market]) * 1e-8

    def equity(self, int32_t currency):
        """(equity, what rounding took from profits) of the account; 0: BTC, 1: USDC."""
        cdef Account owner = self.venue.exchange.accounts[self.venue.account]
        if not 0 <= currency <= 1:
            raise ValueError(f"currency {currency}: 0 is BTC, 1 USDC")
        return (self.venue.exchange.equity_of(self.venue.account, currency),
                <double>owner.rest[currency] * (1e-12 if currency == 0 else 1e-8))

    cdef int32_t number_of(self, int32_t market) except -1:
        if not 0 <= market < self.engine.market_count:
            raise IndexError(f"market {market} of {self.engine.market_count}")
        return self.venue.market_of[market]

    @property
    def lasted_s(self):
        """Seconds of the venue's clock that were played."""
        return (self.venue.exchange.now_ns - self.begin_ns) * 1e-9


cdef int own_price(Market market, int64_t* own) noexcept:
    """The best live price of each side, 0 where there is none."""
    cdef const Order* order
    cdef int32_t slot
    own[0] = own[1] = 0
    for slot in range(SLOTS_MAX):
        order = &market.orders.orders[slot]
        if order.state == 0 or order.live_since_ns == 0 or order.price_ticks <= 0:
            continue
        if own[order.side] == 0 or (order.price_ticks > own[0] if order.side == SIDE_BID
                                    else order.price_ticks < own[1]):
            own[order.side] = order.price_ticks
    return 0
