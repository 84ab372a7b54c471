"""The exchange; see exchange.pxd. Sessions, requests, then the market interface."""
from libc.string cimport memcpy

from connectors.sim.account cimport SELF_TRADE_REJECT_TAKER, Position, currency_of
from connectors.sim.clearing cimport SIM_OK, SIM_POST_ONLY_REJECT
from connectors.sim.marking cimport MarketData
from connectors.sim.matching cimport TAKE_SELF
from connectors.sim.orders cimport (
    CANCEL_DISCONNECT, CANCEL_EDIT_POST_ONLY, CANCEL_OVERLAP, CANCEL_UNFILLED,
    CANCEL_USER_REQUEST, LABEL_MAX, SIM_ORDER_MARKET, SLOT_NONE, TIF_GTD, TRADE_BLOCK,
    TRADE_COMBO_LEG, TRADE_PLAIN, SimTrade,
)
from mmcore.types cimport (
    TIF_FOK, TIF_GTC, VENUE_ORDER_CANCELLED, VENUE_ORDER_FILLED,
)


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
        """Place an order; `out` says what became of it."""
        cdef SimOrder* order
        cdef OrderRequest checked = request[0]
        self.run_timers(t_ns)
        t_ns = self.now_ns
        self.check(account, &checked, NULL, out)
        if out.error != SIM_OK:
            return 0
        out.slot = self.pool.take()
        order = &self.pool.items[out.slot]
        order.account = account
        order.connection = connection
        order.market = checked.market
        order.side = checked.side
        order.kind = checked.kind
        order.time_in_force = checked.time_in_force
        order.price_ticks = checked.price_ticks
        order.amount_contracts = checked.amount_contracts
        order.post_only = checked.post_only
        order.reject_post_only = checked.reject_post_only
        order.reduce_only = checked.reduce_only
        order.mmp = checked.mmp
        order.label_size = checked.label_size
        memcpy(order.label, checked.label, LABEL_MAX)
        order.created_ns = t_ns
        order.updated_ns = t_ns
        self.open_link(out.slot)
        self.place(t_ns, out.slot)
        out.end_trade = self.trades.count
        self.note_change(t_ns, checked.market)
        return self.outputs.on_event_end(t_ns)

    cdef int edit(self, int64_t t_ns, int32_t account, int64_t order_id,
                  const OrderRequest* request, Outcome* out) except -1:
        """Change price, amount (the new total) or flags of an open order."""
        cdef OrderRequest checked = request[0]
        cdef int32_t slot
        cdef SimOrder* order
        cdef MatchBook book
        cdef Position* position
        self.run_timers(t_ns)
        t_ns = self.now_ns
        slot = self.open_slot(account, order_id, out)
        if out.error != SIM_OK:
            return 0
        order = &self.pool.items[slot]
        checked.market = order.market
        checked.side = order.side
        checked.kind = order.kind
        checked.time_in_force = order.time_in_force
        self.check(account, &checked, order, out)
        out.slot = slot
        if out.error == SIM_POST_ONLY_REJECT:
            self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_EDIT_POST_ONLY)
            self.note_change(t_ns, order.market)
            return self.outputs.on_event_end(t_ns)
        if out.error != SIM_OK:
            return 0
        book = self.books[order.market]
        position = &(<Account>self.accounts[account]).positions[order.market]
        position.open_contracts[order.side] += checked.amount_contracts - order.amount_contracts
        order.replaced = True
        order.updated_ns = t_ns
        order.post_only = checked.post_only
        order.reject_post_only = checked.reject_post_only
        self.set_reduce_only(order, checked.reduce_only)
        if (checked.price_ticks == order.price_ticks
                and checked.amount_contracts <= order.amount_contracts):
            book.shrink(slot, checked.amount_contracts)
            self.tell_order(t_ns, slot)
        else:
            book.remove(slot)
            order.price_ticks = checked.price_ticks
            order.amount_contracts = checked.amount_contracts
            self.place(t_ns, slot)
        out.end_trade = self.trades.count
        self.note_change(t_ns, checked.market)
        return self.outputs.on_event_end(t_ns)

    cdef int cancel(self, int64_t t_ns, int32_t account, int64_t order_id, Outcome* out) except -1:
        cdef int32_t slot
        self.run_timers(t_ns)
        slot = self.open_slot(account, order_id, out)
        if out.error != SIM_OK:
            return 0
        self.close_order(self.now_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_USER_REQUEST)
        self.note_change(self.now_ns, self.pool.items[slot].market)
        return self.outputs.on_event_end(self.now_ns)

    cpdef int32_t cancel_all(self, int64_t t_ns, int32_t account, int32_t market,
                             int32_t currency, int32_t connection, bytes label,
                             int32_t reason) except -1:
        """Cancel an account's orders that match; -1 and None match all. Return how many."""
        cdef int32_t slot, behind
        cdef int32_t count = 0
        cdef SimOrder* order
        self.run_timers(t_ns)
        slot = (<Account>self.accounts[account]).open_head
        while slot != SLOT_NONE:
            order = &self.pool.items[slot]
            behind = order.account_next
            if ((market < 0 or order.market == market)
                    and (connection < 0 or order.connection == connection)
                    and (currency < 0 or currency_of(
                        &(<MatchBook>self.books[order.market]).spec) == currency)
                    and (label is None or order.label[:order.label_size] == label)):
                self.close_order(self.now_ns, slot, VENUE_ORDER_CANCELLED, reason)
                self.note_change(self.now_ns, order.market)
                count += 1
            slot = behind
        self.outputs.on_event_end(self.now_ns)
        return count

    cdef int set_reduce_only(self, SimOrder* order, bint reduce_only) except -1:
        (<Account>self.accounts[order.account]).reduce_only_open += reduce_only - order.reduce_only
        order.reduce_only = reduce_only
        return 0

    cdef int place(self, int64_t t_ns, int32_t slot) except -1:
        """Match an order, then queue or end what is left of it."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef MatchBook book = self.books[order.market]
        cdef Account owner = self.accounts[order.account]
        cdef int64_t rest = order.amount_contracts - order.filled_contracts
        cdef bint overlap = False
        if order.time_in_force == TIF_FOK and rest > book.available(
                order.side, order.price_ticks, rest, order.account,
                owner.self_trade == SELF_TRADE_REJECT_TAKER):
            return self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_UNFILLED)
        if not order.post_only:
            overlap = self.take(t_ns, slot)
        if order.filled_contracts == order.amount_contracts:
            return self.close_order(t_ns, slot, VENUE_ORDER_FILLED, 0)
        if overlap:
            return self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_OVERLAP)
        if order.kind == SIM_ORDER_MARKET or not (
                order.time_in_force == TIF_GTC or order.time_in_force == TIF_GTD):
            return self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_UNFILLED)
        book.rest(slot)
        return self.tell_order(t_ns, slot)

    cdef bint take(self, int64_t t_ns, int32_t slot) except -1:
        """Trade an order against the book; True where an own order stopped it."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef MatchBook book = self.books[order.market]
        cdef Account owner = self.accounts[order.account]
        cdef int32_t own
        while book.take(order.side, order.price_ticks,
                        order.amount_contracts - order.filled_contracts,
                        order.account) == TAKE_SELF:
            self.book_fills(t_ns, order.market, order.side, slot, TRADE_PLAIN)
            if owner.self_trade == SELF_TRADE_REJECT_TAKER:
                return True
            own = book.levels.find(book.levels.best_ticks[1 - order.side]).head
            self.close_order(t_ns, own, VENUE_ORDER_CANCELLED, CANCEL_OVERLAP)
        self.book_fills(t_ns, order.market, order.side, slot, TRADE_PLAIN)
        return False

    # ---------------------------------------------------------------- the market interface
    cpdef int market_set_level(self, int64_t t_ns, int32_t market, int32_t side,
                               int64_t price_ticks, int64_t amount_contracts) except -1:
        """Set the recorded amount of a level; 0 removes it.

        An amount that would cross queued orders trades with them first, at their prices.
        """
        cdef MatchBook book = self.books[market]
        cdef int64_t left = amount_contracts
        self.run_timers(t_ns)
        if amount_contracts > 0 and book.crosses(side, price_ticks):
            left -= book.take_orders(side, price_ticks, amount_contracts)
            if book.fill_count > 0:
                self.book_fills(self.now_ns, market, side, SLOT_NONE, TRADE_PLAIN)
                self.outputs.on_event_end(self.now_ns)
        if left > 0 or amount_contracts == 0:
            book.set_liquidity(side, price_ticks, left)
        return self.note_change(self.now_ns, market)

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
        self.data[market].current_funding = rate_8h
        return 0

    cpdef int market_state(self, int64_t t_ns, int32_t market, int32_t state) except -1:
        """Set a market's state (types.MarketState): only an open one takes orders."""
        self.run_timers(t_ns)
        if self.data[market].state != state:
            self.data[market].state = state
            self.data[market].ticker_changed = True
            self.outputs.on_market_state(self.now_ns, market)
        return 0

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
