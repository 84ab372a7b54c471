"""The exchange's requests and queries for Python: plain arguments in, the venue's objects out."""
cimport cython
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from connectors.sim.account cimport Account, currency_of
from connectors.sim.checks cimport SIM_OK
from connectors.sim.exchange cimport Exchange
from connectors.sim.margin cimport initial_margin
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport (
    LABEL_MAX, SCOPE_ANY, SLOT_NONE, OrderRequest, Outcome, SimOrder, SimTrade, TradeLeg,
)
from connectors.sim.waiting cimport WAIT_CANCEL, WAIT_CANCEL_ALL
from connectors.sim.wire.replies cimport outcome_reply
from connectors.sim.wire.views cimport (
    order_view, portfolio_view, position_view, print_view, ticker_view, trade_view, window_of,
)
from mmcore.types cimport (
    SIDE_ASK, SIDE_BID, InstrumentSpec, delta_btc, price_usd,
)


@cython.final
cdef class Desk:
    """Requests of one exchange. Replies are (error, limit price or None, result)."""
    cdef readonly Exchange exchange

    def __init__(self, Exchange exchange not None):
        self.exchange = exchange

    def place(self, int64_t t_ns, int32_t connection, int32_t account, int32_t market,
              int32_t side, int32_t kind, int32_t time_in_force, int64_t price_ticks,
              int64_t amount_contracts, *, bytes label=b"", bint post_only=False,
              bint reject_post_only=False, bint reduce_only=False, bint mmp=False,
              int64_t valid_until_ms=0, int32_t trigger=0, int32_t trigger_by=0,
              int64_t trigger_ticks=0):
        """Place an order; see Exchange.submit. trigger, trigger_by: TriggerKind, TriggerBy.

        A reply with SIM_PENDING has a ticket in place of the result.
        """
        cdef OrderRequest request
        cdef Outcome outcome
        if len(label) > LABEL_MAX:
            raise ValueError(f"label longer than {LABEL_MAX} bytes")
        memset(&request, 0, sizeof(request))
        request.market = market
        request.side = side
        request.kind = kind
        request.time_in_force = time_in_force
        request.price_ticks = price_ticks
        request.amount_contracts = amount_contracts
        request.post_only = post_only
        request.reject_post_only = reject_post_only
        request.reduce_only = reduce_only
        request.mmp = mmp
        request.valid_until_ms = valid_until_ms
        request.trigger = trigger
        request.trigger_by = trigger_by
        request.trigger_ticks = trigger_ticks
        request.label_size = <int32_t>len(label)
        memcpy(request.label, <const char*>label, len(label))
        self.exchange.submit(t_ns, connection, account, &request, &outcome)
        return outcome_reply(self.exchange, &outcome)

    def edit(self, int64_t t_ns, int32_t account, int64_t order_id, *, price_ticks=None,
             amount_contracts=None, post_only=None, reject_post_only=None, reduce_only=None,
             trigger_ticks=None, int64_t valid_until_ms=0):
        """Edit an order; what is None stays as it is."""
        cdef OrderRequest request
        cdef Outcome outcome
        cdef const SimOrder* order = self.exchange.order(order_id)
        memset(&request, 0, sizeof(request))
        request.valid_until_ms = valid_until_ms
        request.trigger_ticks = 0 if trigger_ticks is None else trigger_ticks
        if order != NULL:
            request.price_ticks = order.price_ticks if price_ticks is None else price_ticks
            request.amount_contracts = (
                order.amount_contracts if amount_contracts is None else amount_contracts)
            request.post_only = order.post_only if post_only is None else post_only
            request.reject_post_only = (
                order.reject_post_only if reject_post_only is None else reject_post_only)
            request.reduce_only = order.reduce_only if reduce_only is None else reduce_only
        self.exchange.edit(t_ns, account, order_id, &request, &outcome)
        return outcome_reply(self.exchange, &outcome)

    def cancel(self, int64_t t_ns, int32_t account, int64_t order_id):
        """Cancel an order; the result is the order alone."""
        cdef Outcome outcome
        self.exchange.cancel(t_ns, account, order_id, &outcome)
        if outcome.error == SIM_OK:
            outcome.kind = WAIT_CANCEL
        return outcome_reply(self.exchange, &outcome)

    def cancel_many(self, int64_t t_ns, int32_t account, int32_t market=-1, int32_t currency=-1,
                    bytes label=None, int32_t scope=SCOPE_ANY):
        """Cancel what matches; the result is how many. -1, None and SCOPE_ANY match all."""
        cdef Outcome outcome
        self.exchange.cancel_many(t_ns, account, market, currency, label, &outcome, scope)
        if outcome.error == SIM_OK:
            outcome.kind = WAIT_CANCEL_ALL
        return outcome_reply(self.exchange, &outcome)

    # ---------------------------------------------------------------- orders and trades
    def order_market(self, int64_t order_id, int32_t account):
        """Market of an account's order, open or remembered; None where there is none."""
        cdef const SimOrder* order = self.exchange.order(order_id)
        return order.market if order != NULL and order.account == account else None

    def order(self, int64_t order_id, int32_t account):
        """The order object, or None."""
        cdef const SimOrder* order = self.exchange.order(order_id)
        if order == NULL or order.account != account:
            return None
        return order_view(self.exchange, order)

    cdef bint fits(self, const SimOrder* order, int32_t market, int32_t currency,
                   object label) except -1:
        return ((market < 0 or order.market == market)
                and (currency < 0 or currency_of(
                    &(<MatchBook>self.exchange.books[order.market]).spec) == currency)
                and (label is None or order.label[:order.label_size] == label))

    def open_orders(self, int32_t account, int32_t market=-1, int32_t currency=-1, label=None):
        """Open orders of an account, oldest first; -1 and None match all."""
        cdef int32_t slot = (<Account>self.exchange.accounts[account]).open_head
        cdef const SimOrder* order
        cdef list found = []
        while slot != SLOT_NONE:
            order = &self.exchange.pool.items[slot]
            if self.fits(order, market, currency, label):
                found.append(order_view(self.exchange, order))
            slot = order.account_next
        found.reverse()
        return found

    def closed_orders(self, int32_t account, int32_t market=-1, int32_t currency=-1, label=None,
                      bint unfilled=True, int32_t count=1000):
        """Closed orders still remembered, newest first."""
        cdef int64_t i = self.exchange.pool.closed_tail
        cdef const SimOrder* order
        cdef list found = []
        while i > self.exchange.pool.closed_head and len(found) < count:
            i -= 1
            order = &self.exchange.pool.items[self.exchange.pool.closed[i & ((1 << 20) - 1)]]
            if (order.account == account and self.fits(order, market, currency, label)
                    and (unfilled or order.filled_contracts > 0)):
                found.append(order_view(self.exchange, order))
        return found

    def user_trades(self, int32_t account, int32_t market=-1, int32_t currency=-1,
                    int64_t order_id=0):
        """Trades of an account still remembered, oldest first; both sides of its self-trades."""
        cdef const SimTrade* trade
        cdef const TradeLeg* leg
        cdef list found = []
        cdef int64_t i
        cdef int side
        for i in range(self.exchange.trades.first(), self.exchange.trades.count):
            trade = self.exchange.trades.at(i)
            if market >= 0 and trade.market != market or (currency >= 0 and currency_of(
                    &(<MatchBook>self.exchange.books[trade.market]).spec) != currency):
                continue
            for side in range(2):
                leg = &trade.taker if side == 0 else &trade.maker
                if leg.account == account and leg.order_id != 0 and (
                        order_id == 0 or leg.order_id == order_id):
                    found.append(trade_view(
                        self.exchange, self.exchange.order(leg.order_id), trade, leg))
        return found

    def last_trades(self, int32_t market):
        """Public trades of a market still remembered, oldest first."""
        cdef int64_t i
        cdef list found = []
        for i in range(self.exchange.trades.first(), self.exchange.trades.count):
            if self.exchange.trades.at(i).market == market:
                found.append(print_view(self.exchange, self.exchange.trades.at(i)))
        return found

    # ---------------------------------------------------------------- markets and money
    def instrument(self, int32_t market):
        """The InstrumentSpec of a market."""
        return <InstrumentSpec>self.exchange.specs[market]

    def tick_steps(self, int32_t market):
        """tick_size_steps of a market, as get_instrument has them."""
        cdef MatchBook book = self.exchange.books[market]
        cdef int32_t i
        cdef list steps = []
        for i in range(book.spec.tick_step_count):
            steps.append({
                "above_price": price_usd(&book.spec, book.spec.tick_steps[i].above_ticks),
                "tick_size": price_usd(&book.spec, book.spec.tick_steps[i].step_ticks)})
        return steps

    def settles_in(self, int32_t market):
        """Number of the currency a market settles in: 0 BTC, 1 USDC."""
        return currency_of(&(<MatchBook>self.exchange.books[market]).spec)

    def order_book(self, int32_t market, int64_t t_ns, int32_t depth):
        """The ticker's fields with `depth` levels a side."""
        cdef MatchBook book = self.exchange.books[market]
        view = ticker_view(self.exchange, market, t_ns)
        view["change_id"] = book.feed.change_id
        view["bids"] = window_of(book, SIDE_BID, depth, 0)
        view["asks"] = window_of(book, SIDE_ASK, depth, 0)
        return view

    def ticker(self, int32_t market, int64_t t_ns):
        return ticker_view(self.exchange, market, t_ns)

    def position(self, int32_t account, int32_t market):
        return position_view(self.exchange, account, market, True)

    def portfolio(self, int32_t account, int32_t currency):
        return portfolio_view(self.exchange, account, currency)

    def margins(self, int32_t market, int64_t amount_contracts, double price):
        """private/get_margins: initial margin of an order at a price, and the price band."""
        cdef MatchBook book = self.exchange.books[market]
        cdef double margin = initial_margin(&book.spec, price, amount_contracts)
        cdef double size = delta_btc(&book.spec, amount_contracts, price)
        return {
            "buy": round(margin, 8), "sell": round(margin, 8),
            "min_price": price_usd(&book.spec, self.exchange.band_ticks(market, SIDE_ASK)),
            "max_price": price_usd(&book.spec, self.exchange.band_ticks(market, SIDE_BID)),
            "buy_taker_fee": round(size * book.spec.taker_fee_e8 * 1e-8, 8),
            "buy_maker_fee": round(size * book.spec.maker_fee_e8 * 1e-8, 8),
            "sell_taker_fee": round(size * book.spec.taker_fee_e8 * 1e-8, 8),
            "sell_maker_fee": round(size * book.spec.maker_fee_e8 * 1e-8, 8),
        }

    def index_number(self, str name not None):
        """Number of an index, None where no instrument has it."""
        cdef bytes raw = name.encode("ascii", "replace")
        cdef int32_t i
        for i in range(self.exchange.index_count):
            if self.exchange.indexes[i].name[:self.exchange.indexes[i].name_size] == raw:
                return i
        return None

    def index_price(self, int32_t index):
        return round(self.exchange.indexes[index].price_usd, 2)

    def set_self_trade(self, int32_t account, int32_t mode):
        """SelfTradeMode of an account."""
        (<Account>self.exchange.accounts[account]).self_trade = mode

    def self_trade(self, int32_t account):
        return (<Account>self.exchange.accounts[account]).self_trade

    def lot(self):
        """A number drawn by the exchange's seed, 0 or 1."""
        return <int64_t>(self.exchange.draw() & 1)
