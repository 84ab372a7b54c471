"""What was traded, what is left; see clearing.pxd."""
from connectors.sim.account cimport Account, Booked, Position
from connectors.sim.checks cimport SIM_NOT_OPEN, SIM_ORDER_NOT_FOUND, SIM_SETTLEMENT
from connectors.sim.margin cimport LIQUIDATION_FEE_E8
from connectors.sim.marking cimport MarketData, note_trade
from connectors.sim.orders cimport (
    CANCEL_USER_REQUEST, SLOT_NONE, TRADE_LIQUIDATION,
)
from connectors.sim.rng cimport rng_below
from mmcore.types cimport (
    MARKET_SETTLEMENT, SIDE_BID, VENUE_ORDER_CANCELLED, VENUE_ORDER_FILLED, VENUE_ORDER_OPEN,
    VENUE_ORDER_UNTRIGGERED, price_usd,
)

cdef int64_t MS = 1000000

cdef class Clearing(Checks):
    """Bookings and the ends of orders."""

    # ---------------------------------------------------------------- trades
    cdef int book_fills(self, int64_t t_ns, int32_t market, int32_t side, int32_t taker,
                        int32_t flags) except -1:
        """Book the fills of the last walk through a book, in their order.

        taker: slot of the order that took; SLOT_NONE for the recorded market.
        """
        cdef MatchBook book = self.books[market]
        cdef SimTrade* trade
        cdef int32_t i
        if taker != SLOT_NONE and self.pool.items[taker].liquidation:
            flags |= <int>TRADE_LIQUIDATION
        for i in range(book.fill_count):
            trade = self.book_trade(t_ns, market, side, book.fills[i].price_ticks,
                                    book.fills[i].amount_contracts, flags)
            if self.is_spread(market):
                self.book_spread(trade, book.fills[i].maker, taker)
            else:
                self.book_leg(trade, &trade.maker, book.fills[i].maker, 1 - side, True)
                self.book_leg(trade, &trade.taker, taker, side, False)
            if taker != SLOT_NONE:
                self.tell_trade(trade, &trade.taker)
            if book.fills[i].maker != SLOT_NONE:
                self.tell_trade(trade, &trade.maker)
                if trade.maker.state == VENUE_ORDER_FILLED:
                    self.close_order(t_ns, trade.maker.slot, VENUE_ORDER_FILLED, 0)
                else:
                    self.tell_order(t_ns, trade.maker.slot)
        for i in range(book.fill_count):
            if book.fills[i].maker != SLOT_NONE:
                self.drop_reduce_only(
                    t_ns, self.pool.items[book.fills[i].maker].account, market)
        if taker != SLOT_NONE:
            self.drop_reduce_only(t_ns, self.pool.items[taker].account, market)
        return self.after_fills(t_ns, market, taker)

    cdef int book_spread(self, SimTrade* trade, int32_t maker, int32_t taker) except -1:
        """Book a trade of a spread on its legs; see spreads.pyx."""
        raise NotImplementedError("spreads are booked by Spreads")

    cdef int after_fills(self, int64_t t_ns, int32_t market, int32_t taker) except -1:
        """Called when the fills of a walk are booked; quote protection looks at them."""
        return 0

    cdef SimTrade* book_trade(self, int64_t t_ns, int32_t market, int32_t side,
                              int64_t price_ticks, int64_t contracts, int32_t flags) except NULL:
        """A new trade in the log and in the market's statistics; its legs are to be filled in."""
        cdef MarketData* data = &self.data[market]
        cdef MatchBook book = self.books[market]
        cdef SimTrade* trade
        note_trade(data, &book.spec, price_ticks, contracts, self.margin_price(market)
                   if self.is_spread(market) else price_usd(&book.spec, price_ticks))
        self.trade_id += 1 + <int64_t>rng_below(&self.rng, 3)
        trade = self.trades.append()
        trade.trade_id = self.trade_id
        trade.trade_seq = data.trade_seq
        trade.t_ns = t_ns
        trade.price_ticks = price_ticks
        trade.amount_contracts = contracts
        trade.mark_usd = data.mark_usd
        trade.index_usd = self.indexes[data.index].price_usd
        trade.market = market
        trade.side = side
        trade.tick_direction = data.last_direction
        trade.flags = flags
        trade.taker.slot = SLOT_NONE
        trade.maker.slot = SLOT_NONE
        self.want_flush(t_ns, book)
        return trade

    cdef int book_leg(self, SimTrade* trade, TradeLeg* leg, int32_t slot, int32_t side,
                      bint maker) except -1:
        """Book one side of a trade on its account and its order."""
        cdef MatchBook book = self.books[trade.market]
        cdef SimOrder* order
        cdef int64_t rate = book.spec.maker_fee_e8 if maker else book.spec.taker_fee_e8
        cdef int64_t entry
        leg.slot = slot
        if slot == SLOT_NONE:
            self.book_side(trade, leg, side, 0)
            return 0
        order = &self.pool.items[slot]
        leg.account = order.account
        if order.liquidation and not maker:
            rate = LIQUIDATION_FEE_E8
        entry = self.book_side(trade, leg, side, rate)
        return self.note_fill(trade, leg, order, entry, maker)

    cdef int64_t book_side(self, const SimTrade* trade, TradeLeg* leg, int32_t side,
                           int64_t rate_e8) except? -1:
        """Book one side of a trade on leg.account; return the cost of the fill."""
        cdef MatchBook book = self.books[trade.market]
        cdef MarketData* data = &self.data[trade.market]
        cdef Account account = self.accounts[leg.account]
        cdef Position* position = &account.positions[trade.market]
        cdef Booked booked
        cdef int64_t before
        account.book_funding(&book.spec, data.funding_e18)
        before = max(0, position.size_contracts)
        account.book_fill(&book.spec, side, trade.price_ticks, trade.amount_contracts, rate_e8,
                          &booked)
        data.open_contracts += max(0, position.size_contracts) - before
        leg.fee_e8 = booked.fee_e8
        leg.profit_e8 = booked.profit_e8
        leg.reduced = booked.reduced
        return booked.entry

    cdef int note_fill(self, const SimTrade* trade, TradeLeg* leg, SimOrder* order, int64_t entry,
                       bint maker) except -1:
        """Note a trade on the order it fills."""
        cdef Account account = self.accounts[order.account]
        if not maker:       # the walk has noted the fill of a queued order already
            order.filled_contracts += trade.amount_contracts
        order.filled_entry += entry
        order.updated_ns = trade.t_ns
        account.positions[order.market].open_contracts[order.side] -= trade.amount_contracts
        leg.order_id = order.order_id
        leg.state = VENUE_ORDER_OPEN
        if order.filled_contracts == order.amount_contracts:
            leg.state = VENUE_ORDER_FILLED
        return 0

    cdef int tell_trade(self, const SimTrade* trade, const TradeLeg* leg) except -1:
        if (<Account>self.accounts[leg.account]).silent:
            return 0
        return self.outputs.on_user_trade(trade.t_ns, &self.pool.items[leg.slot], trade, leg)

    # ---------------------------------------------------------------- orders
    cdef int tell_order(self, int64_t t_ns, int32_t slot) except -1:
        cdef SimOrder* order = &self.pool.items[slot]
        if (<Account>self.accounts[order.account]).silent:
            return 0
        return self.outputs.on_order(t_ns, order)

    cdef int open_link(self, int32_t slot) except -1:
        """Enter an order in its account's list of open ones."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef Account account = self.accounts[order.account]
        order.account_next = account.open_head
        if account.open_head != SLOT_NONE:
            self.pool.items[account.open_head].account_prev = slot
        account.open_head = slot
        account.open_count += 1
        account.reduce_only_open += order.reduce_only
        if order.state == VENUE_ORDER_OPEN:
            account.positions[order.market].open_contracts[order.side] += order.amount_contracts
        return 0

    cdef int close_order(self, int64_t t_ns, int32_t slot, int32_t state,
                         int32_t reason) except -1:
        """End an open order, in its book or not."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef Account account = self.accounts[order.account]
        if order.resting:
            (<MatchBook>self.books[order.market]).remove(slot)
        if order.state == VENUE_ORDER_OPEN:
            account.positions[order.market].open_contracts[order.side] -= (
                order.amount_contracts - order.filled_contracts)
        order.held = False
        if order.account_prev != SLOT_NONE:
            self.pool.items[order.account_prev].account_next = order.account_next
        else:
            account.open_head = order.account_next
        if order.account_next != SLOT_NONE:
            self.pool.items[order.account_next].account_prev = order.account_prev
        account.open_count -= 1
        account.reduce_only_open -= order.reduce_only
        order.state = state
        order.cancel_reason = reason
        order.updated_ns = t_ns
        self.pool.release(slot)
        return self.tell_order(t_ns, slot)

    cdef int drop_reduce_only(self, int64_t t_ns, int32_t account, int32_t market) except -1:
        """Cut reduce-only orders to what the position can still be reduced by."""
        cdef Account owner = self.accounts[account]
        cdef int64_t size = owner.positions[market].size_contracts
        cdef int64_t reducible, rest
        cdef int32_t slot = owner.open_head
        cdef int32_t behind
        cdef SimOrder* order
        if owner.reduce_only_open == 0:
            return 0
        while slot != SLOT_NONE:
            order = &self.pool.items[slot]
            behind = order.account_next
            rest = order.amount_contracts - order.filled_contracts
            if order.reduce_only and order.market == market and order.resting:
                reducible = -size if order.side == SIDE_BID else size
                if reducible <= 0:
                    self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_USER_REQUEST)
                elif reducible < rest:
                    owner.positions[market].open_contracts[order.side] -= rest - reducible
                    (<MatchBook>self.books[market]).shrink(
                        slot, order.filled_contracts + reducible)
                    order.updated_ns = t_ns
                    self.tell_order(t_ns, slot)
            slot = behind
        return 0

    cdef int32_t open_slot(self, int32_t account, int64_t order_id, Outcome* out) except? -2:
        """The slot of an account's open order; the error in `out` otherwise."""
        cdef int32_t slot = self.pool.find(order_id)
        self.begin(0, out)
        out.slot = slot
        if slot == SLOT_NONE or self.pool.items[slot].account != account:
            out.slot = SLOT_NONE
            out.error = SIM_ORDER_NOT_FOUND
            return slot
        out.market = self.pool.items[slot].market
        if (self.pool.items[slot].state != VENUE_ORDER_OPEN
                and self.pool.items[slot].state != VENUE_ORDER_UNTRIGGERED):
            out.error = SIM_NOT_OPEN
        elif self.data[out.market].state == MARKET_SETTLEMENT:
            out.error = SIM_SETTLEMENT
        return slot

    cdef int note_change(self, int64_t t_ns, int32_t market) except -1:
        """After a change of a book: a new change id, and a flush to come."""
        cdef MatchBook book = self.books[market]
        if not book.feed.changed:
            return 0
        book.feed.changed = False
        # The venue's counter is shared by all instruments: it jumps.
        self.change_id += 1 + <int64_t>rng_below(&self.rng, 4000)
        book.feed.change_id = self.change_id
        self.data[market].ticker_changed = True
        return self.want_flush(t_ns, book)

    cdef int want_flush(self, int64_t t_ns, MatchBook book) except -1:
        if book.feed.raw_due_ns == 0 and not self.unpublished:
            book.feed.raw_due_ns = (t_ns // MS + 1) * MS
            self.due_ns = min(self.due_ns, book.feed.raw_due_ns)
        return 0
