"""The exchange; see exchange.pxd. Sessions, requests, then the market interface."""
from libc.string cimport memcpy, memset

from connectors.replay.event cimport EVENT_LEVEL, FLAG_SNAPSHOT, Event
from connectors.sim.marking cimport MarketData
from connectors.sim.orders cimport (
    CANCEL_DISCONNECT, CANCEL_USER_REQUEST, LABEL_MAX, SCOPE_ANY, SLOT_NONE, TRADE_BLOCK,
    TRADE_COMBO_LEG, TRADE_PLAIN, SimTrade,
)
from connectors.sim.waiting cimport (
    WAIT_CANCEL, WAIT_CANCEL_ALL, WAIT_EDIT, WAIT_QUOTE, WAIT_QUOTE_PART, WAIT_SUBMIT,
)

cdef enum:
    LEFT_MAX = 256              # levels of a message that wait for its quiet ones


cdef class Exchange(Timers):
    """Make an empty exchange; seed decides everything drawn by lot, tier the credits."""

    # ---------------------------------------------------------------- sessions
    cpdef int32_t connect(self, int64_t t_ns) except -1:
        """A new connection, not logged in; numbers are reused."""
        self.run_timers(t_ns)
        return self.open_connection()

    cpdef int login(self, int64_t t_ns, int32_t connection, int32_t account) except -1:
        self.run_timers(t_ns)
        self.connections[connection].account = account
        if (<Account>self.accounts[account]).cancel_on_disconnect:
            self.connections[connection].cancel_on_disconnect = True
        return 0

    cpdef int disconnect(self, int64_t t_ns, int32_t connection, bint cancel) except -1:
        """End a connection; `cancel` is False after a logout, which spares the orders."""
        self.run_timers(t_ns)
        if cancel and self.connections[connection].cancel_on_disconnect:
            self.cancel_all(t_ns, self.connections[connection].account, -1, -1, connection, None,
                            CANCEL_DISCONNECT)
        return self.close_connection(connection)

    # ---------------------------------------------------------------- requests
    cdef int submit(self, int64_t t_ns, int32_t connection, int32_t account,
                    const OrderRequest* request, Outcome* out) except -1:
        """Place an order; `out` says what became of it, or where its outcome will come."""
        self.run_timers(t_ns)
        if self.queues(account):
            return self.enqueue(self.now_ns, WAIT_SUBMIT, connection, account, 0, request, -1,
                                False, out)
        self.accept(self.now_ns, connection, account, request, 0, out)
        return self.outputs.on_event_end(self.now_ns)

    cdef int edit(self, int64_t t_ns, int32_t account, int64_t order_id,
                  const OrderRequest* request, Outcome* out) except -1:
        """Change price, amount (the new total) or flags of an open order."""
        self.run_timers(t_ns)
        if self.queues(account):
            return self.enqueue(self.now_ns, WAIT_EDIT, -1, account, order_id, request, -1,
                                False, out)
        self.change(self.now_ns, account, order_id, request, 0, out)
        return self.outputs.on_event_end(self.now_ns)

    cdef int cancel(self, int64_t t_ns, int32_t account, int64_t order_id, Outcome* out) except -1:
        cdef OrderRequest request
        self.run_timers(t_ns)
        if self.queues(account):
            memset(&request, 0, sizeof(request))
            return self.enqueue(self.now_ns, WAIT_CANCEL, -1, account, order_id, &request, -1,
                                False, out)
        self.withdraw(self.now_ns, account, order_id, out)
        return self.outputs.on_event_end(self.now_ns)

    cdef int cancel_many(self, int64_t t_ns, int32_t account, int32_t market, int32_t currency,
                         bytes label, Outcome* out, int32_t scope=SCOPE_ANY) except -1:
        """A user's request to cancel what matches; out.count: how many.

        -1, None and SCOPE_ANY (OrderScope) match all.
        """
        cdef OrderRequest request
        self.run_timers(t_ns)
        if not self.queues(account):
            self.withdraw_all(self.now_ns, account, market, currency, -1, label,
                              CANCEL_USER_REQUEST, scope, out)
            return self.outputs.on_event_end(self.now_ns)
        memset(&request, 0, sizeof(request))
        request.market = market
        if label is not None:
            request.label_size = <int32_t>min(LABEL_MAX, len(label))
            memcpy(request.label, <const char*>label, request.label_size)
        return self.enqueue(self.now_ns, WAIT_CANCEL_ALL, -1, account, 0, &request, currency,
                            label is not None, out, scope)

    cpdef int32_t cancel_all(self, int64_t t_ns, int32_t account, int32_t market,
                             int32_t currency, int32_t connection, bytes label,
                             int32_t reason) except -1:
        """Cancel an account's orders that match at once; return how many.

        -1 and None match all; reason: a CancelReason.
        """
        cdef Outcome out
        self.run_timers(t_ns)
        self.withdraw_all(self.now_ns, account, market, currency, connection, label, reason,
                          SCOPE_ANY, &out)
        self.outputs.on_event_end(self.now_ns)
        return out.count

    cdef int quote(self, int64_t t_ns, int32_t connection, int32_t account,
                   const OrderRequest* request, Outcome* out, bint part=False) except -1:
        """One side of a mass quote. part: a further side of the request before; one request
        takes one place of the queue, and all its sides are taken up together."""
        self.run_timers(t_ns)
        if self.queues(account):
            return self.enqueue(self.now_ns, WAIT_QUOTE_PART if part else WAIT_QUOTE, connection,
                                account, 0, request, -1, False, out)
        self.quote_side(self.now_ns, connection, account, request, 0, out)
        return self.outputs.on_event_end(self.now_ns)

    cpdef int32_t drop_quotes(self, int64_t t_ns, int32_t account, int32_t market,
                              int32_t currency, bytes set_id, int64_t freeze_ns,
                              int32_t scope=SCOPE_ANY) except -1:
        """Cancel quotes that match, and let no new ones in for a time; return how many."""
        cdef int32_t count
        self.run_timers(t_ns)
        count = self.cancel_quotes(self.now_ns, account, market, currency, scope, set_id,
                                   freeze_ns)
        self.outputs.on_event_end(self.now_ns)
        return count

    cpdef int freeze_quotes(self, int64_t t_ns, int32_t account, int64_t freeze_ns) except -1:
        """Let no new quotes of an account in for a time."""
        self.run_timers(t_ns)
        (<Account>self.accounts[account]).quotes_frozen_ns = self.now_ns + freeze_ns
        return 0

    # ---------------------------------------------------------------- the market interface
    cpdef int market_set_level(self, int64_t t_ns, int32_t market, int32_t side,
                               int64_t price_ticks, int64_t amount_contracts) except -1:
        """Set the recorded amount of a level; 0 removes it.

        An amount that would cross queued orders trades with them first, at their prices.
        """
        self.run_timers(t_ns)
        self.set_level(market, side, price_ticks, amount_contracts)
        return self.note_change(self.now_ns, market)

    cdef int market_levels(self, int64_t t_ns, int32_t market, const Event* events,
                           int64_t count) except -1:
        """Apply one recorded book message; a snapshot clears the book before it.

        Deletes go first, so that a move of the touch never crosses the message's own old levels.
        """
        cdef MatchBook book = self.books[market]
        cdef int32_t[LEFT_MAX] left     # events that are not done yet
        cdef int64_t at = 0
        cdef int32_t n
        self.run_timers(t_ns)
        if events.flags & FLAG_SNAPSHOT:
            self.market_clear(t_ns, market)
        # Quiet levels touch nothing else: their order does not matter, and mostly all are quiet.
        while at < count and events.kind == EVENT_LEVEL:
            n = book.set_quiet_levels(events, &at, count, left, LEFT_MAX)
            if n > 0:
                self.set_left(market, events, left, n)
        return self.note_change(self.now_ns, market)

    cdef int set_left(self, int32_t market, const Event* events, const int32_t* left,
                      int32_t n) except -1:
        """Set levels that touch others, deletes first."""
        cdef const Event* event
        cdef int32_t i
        cdef bint delete
        for delete in range(1, -1, -1):
            for i in range(n):
                event = &events[left[i]]
                if (event.amount_contracts == 0) == delete:
                    self.set_level(market, event.side, event.price_ticks, event.amount_contracts)
        return 0

    cdef int set_level(self, int32_t market, int32_t side, int64_t price_ticks,
                       int64_t amount_contracts) except -1:
        cdef MatchBook book = self.books[market]
        cdef int64_t left = amount_contracts
        if amount_contracts > 0 and book.crosses(side, price_ticks):
            left -= book.take_orders(side, price_ticks, amount_contracts)
            if book.fill_count > 0:
                self.book_fills(self.now_ns, market, side, SLOT_NONE, TRADE_PLAIN)
                self.outputs.on_event_end(self.now_ns)
        if left > 0 or amount_contracts == 0:
            book.set_liquidity(side, price_ticks, left)
        return 0

    cpdef int market_clear(self, int64_t t_ns, int32_t market) except -1:
        """Remove all recorded liquidity of a market; queued orders stay."""
        cdef MatchBook book = self.books[market]
        cdef int64_t ticks, worse
        cdef int32_t side
        cdef bint more
        self.run_timers(t_ns)
        for side in range(2):
            more = book.levels.count[side] > 0
            worse = book.levels.best_ticks[side]
            while more:
                ticks = worse
                more = book.levels.worse(side, &worse)
                if book.levels.find(ticks).liquidity_contracts > 0:
                    book.set_liquidity(side, ticks, 0)
        return self.note_change(self.now_ns, market)

    cpdef int market_trade(self, int64_t t_ns, int32_t market, int32_t taker_side,
                           int64_t price_ticks, int64_t amount_contracts, int32_t flags) except -1:
        """Publish a recorded print; what it fills of queued orders is part of its amount."""
        cdef MatchBook book = self.books[market]
        cdef int64_t left = amount_contracts
        cdef SimTrade* trade
        self.run_timers(t_ns)
        if not book.levels.holds(price_ticks) or amount_contracts <= 0:
            book.out_of_span += 1
            return 0
        if not flags & (<int>TRADE_BLOCK | <int>TRADE_COMBO_LEG):
            left -= book.print_through(taker_side, price_ticks, amount_contracts)
            if book.fill_count > 0:
                self.book_fills(self.now_ns, market, taker_side, SLOT_NONE, flags)
                self.outputs.on_event_end(self.now_ns)
        if left > 0:
            trade = self.book_trade(self.now_ns, market, taker_side, price_ticks, left, flags)
            trade.taker.account = HOUSE_ACCOUNT
        return self.note_change(self.now_ns, market)

    cpdef int market_index(self, int64_t t_ns, str index_name, double price_usd) except -1:
        """Set an index from outside; from then on it follows no mid."""
        cdef int32_t i = self.index_of(index_name, -1)
        self.run_timers(t_ns)
        if price_usd > 0.0:
            self.indexes[i].price_usd = price_usd
            self.indexes[i].recorded = True
        return 0

    cpdef int market_mark(self, int64_t t_ns, int32_t market, double mark_usd) except -1:
        """Set a mark price from outside; from then on it is not computed."""
        cdef MarketData* data = &self.data[market]
        self.run_timers(t_ns)
        if mark_usd > 0.0:
            data.mark_recorded = True
            data.ticker_changed = data.ticker_changed or data.mark_usd != mark_usd
            data.mark_usd = mark_usd
            if data.settlement_usd <= 0.0:
                data.settlement_usd = mark_usd
        return 0

    cpdef int market_funding(self, int64_t t_ns, int32_t market, double rate_8h) except -1:
        """Set the funding rate from outside; it holds until the next one."""
        self.run_timers(t_ns)
        self.data[market].funding_recorded = True
        self.data[market].ticker_changed = True
        self.data[market].current_funding = rate_8h
        return 0

    cpdef int market_state(self, int64_t t_ns, int32_t market, int32_t state) except -1:
        """Set a market's state (types.MarketState): only an open one takes orders."""
        self.run_timers(t_ns)
        return self.set_state(self.now_ns, market, state)

    cpdef int refresh_marks(self, int64_t t_ns) except -1:
        """Give every market that has none a mark now: its first state has just been put in."""
        cdef int32_t market
        self.run_timers(t_ns)
        for market in range(self.market_count):
            if self.data[market].mark_usd <= 0.0:
                self.update_mark(self.now_ns, market, 0)
        return 0

    cpdef int subscribe_book(self, int64_t t_ns, int32_t market, int32_t interval) except -1:
        """Begin an interval's changes, or bring it up to now: a snapshot may follow this call."""
        cdef MatchBook book = self.books[market]
        self.run_timers(t_ns)
        if book.feed.dirty[interval].active:
            return self.flush_book(self.now_ns, market, interval)
        return book.feed.activate(interval)

    cpdef int unsubscribe_book(self, int32_t market, int32_t interval) except -1:
        """Nobody is left on an interval: stop collecting its changes."""
        (<MatchBook>self.books[market]).feed.deactivate(interval)
        return 0

    cpdef int64_t advance(self, int64_t t_ns) except -1:
        """Run every timer due at or before t_ns; return when the next is due."""
        self.run_timers(t_ns)
        return self.due_ns
