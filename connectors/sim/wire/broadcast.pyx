"""Fan-out of the exchange's outputs; see broadcast.pxd."""
import msgspec

from connectors.sim.levels cimport INTERVAL_RAW
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport Outcome, SimOrder, SimTrade, TradeLeg
from connectors.sim.wire.book_frames cimport change_frame, snapshot_frame
from connectors.sim.wire.replies cimport outcome_reply
from connectors.sim.wire.views cimport (
    merged, order_view, portfolio_view, position_view, print_view, ticker_view, trade_view,
    window_of,
)
from connectors.sim.account cimport currency_of
from mmcore.types cimport SIDE_ASK, SIDE_BID, InstrumentSpec

STATES = ("open", "settlement", "locked", "halted", "inactive", "delivered", "archivized",
          "unknown")


cdef class Broadcast(Outputs):
    """Front of an exchange for subscribers: sessions with a `send_frame(bytes)`."""

    def __init__(self, Exchange exchange not None):
        self.exchange = exchange
        self.writer = Writer()
        self.encode = msgspec.json.Encoder().encode
        self.public = {}
        self.by_account = {}
        self.events = []
        self.wide = []
        self.ledger = Ledger()
        exchange.set_outputs(self)

    # ---------------------------------------------------------------- who listens
    def open(self, Channel channel not None):
        """Route a channel's outputs to it from now on."""
        cdef int32_t market
        if channel.account >= 0:
            self.by_account.setdefault(channel.account, []).append(channel)
        elif channel.kind == "index":
            self.public.setdefault(("index", channel.market, 0), []).append(channel)
        else:
            if channel.market < 0:
                self.wide.append(channel)
            for market in channel.markets(self.exchange):
                self.route(channel, market)

    cdef int route(self, Channel channel, int32_t market) except -1:
        self.public.setdefault((channel.kind, market, channel.interval), []).append(channel)
        return 0

    def close(self, Channel channel not None):
        """Undo `open`, when nobody is left."""
        for lists in (self.public, self.by_account):
            for key in [k for k, v in lists.items() if channel in v]:
                lists[key].remove(channel)
                if not lists[key]:
                    del lists[key]
        if channel in self.wide:
            self.wide.remove(channel)
        if channel.kind == "book":
            self.exchange.unsubscribe_book(channel.market, channel.interval)

    cdef list at(self, str kind, int32_t market, int32_t interval):
        return self.public.get((kind, market, interval))

    cdef int give(self, Channel channel, bytes frame) except -1:
        for session in list(channel.sessions):
            session.send_frame(frame)
        return 0

    cdef int give_object(self, Channel channel, object data) except -1:
        cdef bytes text
        if not channel.sessions:
            return 0
        self.writer.begin(channel.raw_name)
        text = self.encode(data)
        self.writer.text(text)
        return self.give(channel, self.writer.end())

    # ---------------------------------------------------------------- public outputs
    cdef int on_book(self, const BookUpdate* update) except -1:
        cdef list channels = self.at("book", update.market, update.interval)
        cdef Channel channel
        if channels is not None:
            for channel in channels:
                self.give(channel, change_frame(
                    self.writer, channel.raw_name, self.exchange.books[update.market], update))
        return 0

    def book_snapshot(self, Channel channel not None, int64_t t_ns):
        """The frame a new subscriber of a book starts with."""
        self.exchange.subscribe_book(t_ns, channel.market, channel.interval)
        return snapshot_frame(self.writer, channel.raw_name, self.exchange.books[channel.market],
                              channel.interval, t_ns)

    cdef int on_window(self, int64_t t_ns, int32_t market, int32_t interval) except -1:
        cdef list channels = self.at("window", market, interval)
        cdef MatchBook book = self.exchange.books[market]
        cdef Channel channel
        if channels is not None:
            for channel in channels:
                if channel.shown != book.feed.change_id:
                    channel.shown = book.feed.change_id
                    self.put_window(channel, t_ns)
        if market == 0:
            self.flush_waiting(interval)
        return 0

    cdef int put_window(self, Channel channel, int64_t t_ns) except -1:
        """The best levels, grouped to multiples of `group` USD away from the touch."""
        cdef MatchBook book = self.exchange.books[channel.market]
        cdef dict data = {
            "timestamp": t_ns // 1000000, "change_id": book.feed.change_id,
            "instrument_name": (<InstrumentSpec>self.exchange.specs[channel.market]).name,
            "bids": window_of(book, SIDE_BID, channel.depth, channel.group),
            "asks": window_of(book, SIDE_ASK, channel.depth, channel.group),
        }
        return self.give_object(channel, data)

    cdef int on_quote(self, int64_t t_ns, int32_t market) except -1:
        cdef list channels = self.at("quote", market, 0)
        cdef Channel channel
        if channels is not None:
            for channel in channels:
                self.put_quote(channel, t_ns, market)
        return 0

    cdef int put_quote(self, Channel channel, int64_t t_ns, int32_t market) except -1:
        cdef dict ticker = ticker_view(self.exchange, market, t_ns)
        return self.give_object(channel, {
            k: ticker[k] for k in ("timestamp", "instrument_name", "best_ask_price",
                                   "best_bid_price", "best_ask_amount", "best_bid_amount")})

    cdef int on_trades(self, int64_t t_ns, int32_t market, int32_t interval,
                       int64_t first, int64_t end) except -1:
        cdef list channels = self.at("trades", market, interval)
        cdef const SimTrade* trade
        cdef Channel channel
        cdef int64_t i
        cdef list rows
        if channels is None:
            return 0
        rows = []
        for i in range(first, end):
            trade = self.exchange.trades.at(i)
            if trade.market == market:
                rows.append(print_view(self.exchange, trade))
        if rows:
            for channel in channels:
                self.give_object(channel, rows)
        return 0

    cdef int on_ticker(self, int64_t t_ns, int32_t market, int32_t interval) except -1:
        cdef list channels = self.at("ticker", market, interval)
        cdef Channel channel
        cdef object view = None
        if channels is not None:
            view = ticker_view(self.exchange, market, t_ns)
            for channel in channels:
                self.give_object(channel, view)
        channels = self.at("perpetual", market, interval)
        if channels is not None:
            for channel in channels:
                self.give_object(channel, {
                    "interest": self.exchange.data[market].current_funding,
                    "timestamp": t_ns // 1000000,
                    "index_price": round(self.exchange.indexes[
                        self.exchange.data[market].index].price_usd, 2)})
        return 0

    cdef int on_index(self, int64_t t_ns, int32_t index) except -1:
        cdef list channels = self.at("index", index, 0)
        cdef Channel channel
        if channels is not None:
            for channel in channels:
                self.give_object(channel, {
                    "timestamp": t_ns // 1000000,
                    "price": round(self.exchange.indexes[index].price_usd, 2),
                    "index_name": channel.name.partition(".")[2]})
        return 0

    cdef int on_market_state(self, int64_t t_ns, int32_t market) except -1:
        cdef list channels = self.at("state", market, 0)
        cdef Channel channel
        if channels is not None:
            for channel in channels:
                self.give_object(channel, {
                    "timestamp": t_ns // 1000000,
                    "state": STATES[self.exchange.data[market].state],
                    "instrument_name": (<InstrumentSpec>self.exchange.specs[market]).name})
        return 0

    # ---------------------------------------------------------------- private outputs
    cdef int on_order(self, int64_t t_ns, const SimOrder* order) except -1:
        if order.account in self.by_account:
            self.events.append(
                (order.account, order.market, order_view(self.exchange, order), None))
        return 0

    cdef int on_user_trade(self, int64_t t_ns, const SimOrder* order, const SimTrade* trade,
                           const TradeLeg* leg) except -1:
        self.ledger.note(self.exchange, trade, leg, leg == &trade.taker)
        if leg.account in self.by_account:
            self.events.append((leg.account, trade.market, None,
                                trade_view(self.exchange, order, trade, leg)))
        return 0

    cdef int on_outcome(self, int64_t t_ns, const Outcome* outcome) except -1:
        if self.on_reply is not None:
            self.on_reply(outcome.ticket, outcome_reply(self.exchange, outcome))
        return 0

    cdef int on_mmp(self, int64_t t_ns, int32_t account, int32_t index, str group,
                    int64_t frozen_until_ns) except -1:
        cdef Channel channel
        cdef dict data = {"index_name": self.exchange.index_names[index],
                          "frozen_until": frozen_until_ns // 1000000, "block_rfq": False}
        if group:
            data["mmp_group"] = group
        for channel in self.by_account.get(account, ()):
            if channel.kind == "user.mmp_trigger" and channel.market in (-1, index):
                self.give_object(channel, data)
        return 0

    cdef int on_listed(self, int64_t t_ns, int32_t market) except -1:
        self.follow(market)
        if self.on_listing is not None:
            self.on_listing(market)
        return 0

    cdef int on_event_end(self, int64_t t_ns) except -1:
        """One event, one frame per account and market on each of its channels."""
        cdef list events
        cdef dict grouped
        cdef list rows = []
        if not self.events:
            return 0
        events, self.events = self.events, []
        grouped = {}
        for account, market, order, trade in events:
            orders, trades = grouped.setdefault((account, market), ({}, []))
            if order is not None:
                orders[order["order_id"]] = order   # the last state of the event
            else:
                trades.append(trade)
                if "combo_id" in trade or trade["profit_loss"] is None:
                    rows.append((account, market, trade))
        if rows:
            self.give_combos(rows)
        for (account, market), (orders, trades) in grouped.items():
            self.user_event(account, market, list(orders.values()), trades)
        return 0

    cdef int user_event(self, int32_t account, int32_t market, list orders,
                        list trades) except -1:
        cdef Channel channel
        cdef int32_t currency = currency_of(&(<MatchBook>self.exchange.books[market]).spec)
        cdef dict changes = None
        for channel in self.by_account.get(account, ()):
            if not channel.covers(self.exchange, market):
                continue
            if channel.kind == "user.changes":
                if changes is None:
                    changes = {
                        "orders": orders,
                        "instrument_name": (<InstrumentSpec>self.exchange.specs[market]).name,
                        "trades": trades,
                        "positions": [position_view(self.exchange, account, market, False)],
                    }
                if channel.interval == INTERVAL_RAW:
                    self.give_object(channel, changes)
                else:
                    channel.waiting.append(changes)
            elif channel.kind == "user.orders":
                if channel.interval == INTERVAL_RAW:
                    for order in orders:
                        self.give_object(channel, order)
                else:
                    channel.waiting.extend(orders)
            elif channel.kind == "user.trades" and trades:
                if channel.interval == INTERVAL_RAW:
                    self.give_object(channel, trades)
                else:
                    channel.waiting.extend(trades)
            elif channel.kind == "user.portfolio":
                self.give_object(channel, portfolio_view(
                    self.exchange, account, currency if channel.currency < 0
                    else channel.currency))
        return 0

    cdef int give_combos(self, list events) except -1:
        """user.combo_trades: the trades of spreads, each with those of its legs."""
        cdef Channel channel
        cdef dict row
        for account, market, trade in events:
            if "combo_id" in trade:
                continue
            row = {**trade, "legs": [leg for owner, _, leg in events if owner == account
                                     and leg.get("combo_trade_id") == trade["trade_id"]]}
            for channel in self.by_account.get(account, ()):
                if channel.kind != "user.combo_trades" or not channel.covers(
                        self.exchange, market):
                    continue
                if channel.interval == INTERVAL_RAW:
                    self.give_object(channel, [row])
                else:
                    channel.waiting.append(row)
        return 0

    def follow(self, int32_t market):
        """Let the channels of all instruments have a new one too."""
        cdef Channel channel
        for channel in self.wide:
            if channel.covers(self.exchange, market):
                self.route(channel, market)

    def tell_account(self, int32_t account, str kind not None, data):
        """Send something to an account's channels of a kind."""
        cdef Channel channel
        for channel in self.by_account.get(account, ()):
            if channel.kind == kind:
                self.give_object(channel, data)

    def tell_listed(self, int32_t market, data):
        """Send a new market to those who follow creations."""
        cdef Channel channel
        for channel in self.at("creation", market, 0) or ():
            self.give_object(channel, data)

    cdef int flush_waiting(self, int32_t interval) except -1:
        """User channels of 100 ms and agg2: what came since, in one frame."""
        cdef Channel channel
        cdef list waiting
        for channels in self.by_account.values():
            for channel in channels:
                if channel.interval != interval or not channel.waiting:
                    continue
                waiting, channel.waiting = channel.waiting, []
                if channel.kind == "user.changes":
                    for changes in merged(waiting):
                        self.give_object(channel, changes)
                else:
                    self.give_object(channel, waiting)
        return 0

    def put_portfolios(self):
        """Send the balances that moved with the marks since this was called last."""
        cdef Channel channel
        for channels in list(self.by_account.values()):
            for channel in channels:
                if channel.kind != "user.portfolio":
                    continue
                now = [portfolio_view(self.exchange, channel.account, currency)
                       for currency in range(2) if channel.currency in (-1, currency)]
                before, channel.shown = channel.shown, now
                for view in now:
                    if before is not None and view not in before:
                        self.give_object(channel, view)

    def ticker(self, int32_t market, int64_t t_ns):
        """The ticker object of a market."""
        return ticker_view(self.exchange, market, t_ns)

    def put_first(self, Channel channel not None, int64_t t_ns, session):
        """Send a new subscriber what it starts with, where its kind has such a thing."""
        cdef list sessions = channel.sessions
        channel.sessions = [session]
        try:
            if channel.kind == "book":
                session.send_frame(self.book_snapshot(channel, t_ns))
            elif channel.kind == "window":
                self.put_window(channel, t_ns)
            elif channel.kind == "quote":
                self.put_quote(channel, t_ns, channel.market)
            elif channel.kind == "ticker":
                self.give_object(channel, ticker_view(self.exchange, channel.market, t_ns))
            elif channel.kind == "user.portfolio":
                for currency in range(2):
                    if channel.currency < 0 or channel.currency == currency:
                        self.give_object(
                            channel, portfolio_view(self.exchange, channel.account, currency))
        finally:
            channel.sessions = sessions
