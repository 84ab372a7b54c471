"""What an order may do, what was traded, what is left; see clearing.pxd."""
from libc.string cimport memset

from connectors.sim.account cimport Account, Booked, Position, currency_of
from connectors.sim.marking cimport MarketData, band_price, note_trade
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport (
    CANCEL_USER_REQUEST, SIM_ORDER_MARKET, SLOT_NONE,
)
from connectors.sim.rng cimport rng_below
from mmcore.types cimport (
    MARKET_OPEN, MARKET_SETTLEMENT, SIDE_BID, TIF_GTC, VENUE_ORDER_CANCELLED, VENUE_ORDER_FILLED,
    VENUE_ORDER_OPEN, price_usd, ticks_down, ticks_up,
)

cdef int64_t MS = 1000000
cdef int64_t NO_BOUND = (<int64_t>1 << 22) - 1      # the last tick a market can have


cdef class Clearing(Registry):
    """Checks, bookings and the ends of orders."""

    # ---------------------------------------------------------------- before an order
    cdef int check(self, int32_t account, OrderRequest* request, const SimOrder* old,
                   Outcome* out) except -1:
        """Refuse a request, or complete it: market price, post-only slide, reduce-only clip.

        old: the order an edit changes, NULL for a new one.
        """
        cdef MatchBook book = self.books[request.market]
        cdef MarketData* data = &self.data[request.market]
        cdef int64_t filled = old.filled_contracts if old != NULL else 0
        cdef int64_t bound = self.band_ticks(request.market, request.side)
        memset(out, 0, sizeof(Outcome))
        out.slot = SLOT_NONE
        out.market = request.market
        out.first_trade = self.trades.count
        out.end_trade = self.trades.count
        if data.state != MARKET_OPEN:
            out.error = SIM_SETTLEMENT if data.state == MARKET_SETTLEMENT else SIM_BOOK_CLOSED
        elif request.valid_until_ms > 0 and self.now_ns > request.valid_until_ms * MS:
            out.error = SIM_TIMED_OUT
        elif (request.amount_contracts <= filled
                or request.amount_contracts % book.spec.lot_contracts != 0):
            out.error = SIM_INVALID_AMOUNT
        elif request.post_only and (
                request.kind == SIM_ORDER_MARKET or request.time_in_force != TIF_GTC):
            out.error = SIM_POST_ONLY_NOT_ALLOWED
        elif request.kind == SIM_ORDER_MARKET:
            request.price_ticks = bound
        elif request.price_ticks <= 0 or not book.levels.holds(request.price_ticks) or ticks_down(
                &book.spec, price_usd(&book.spec, request.price_ticks)) != request.price_ticks:
            out.error = SIM_PRICE_WRONG_TICK
        elif request.side == SIDE_BID and request.price_ticks > bound:
            out.error = SIM_PRICE_TOO_HIGH
            out.limit_ticks = bound
        elif request.side != SIDE_BID and request.price_ticks < bound:
            out.error = SIM_PRICE_TOO_LOW
            out.limit_ticks = bound
        if out.error == SIM_OK and request.reduce_only:
            self.clip_reduce_only(account, request, filled, out)
        if out.error == SIM_OK and request.post_only and book.crosses(
                request.side, request.price_ticks):
            self.slide(book, request, out)
        if out.error == SIM_OK and not self.affords(account, request, old):
            out.error = SIM_NOT_ENOUGH_FUNDS
        return 0

    cdef int clip_reduce_only(self, int32_t account, OrderRequest* request, int64_t filled,
                              Outcome* out) except -1:
        cdef int64_t size = self.position_contracts(account, request.market)
        cdef int64_t reducible = -size if request.side == SIDE_BID else size
        if reducible <= 0:
            out.error = SIM_REDUCE_ONLY
        elif request.amount_contracts > filled + reducible:
            request.amount_contracts = filled + reducible
        return 0

    cdef int slide(self, MatchBook book, OrderRequest* request, Outcome* out) except -1:
        """Move a crossing post-only price one tick inside the opposite best, or refuse it."""
        cdef int64_t best = book.levels.best_ticks[1 - request.side]
        if request.reject_post_only:
            out.error = SIM_POST_ONLY_REJECT
            return 0
        if request.side == SIDE_BID:
            request.price_ticks = ticks_down(&book.spec, price_usd(&book.spec, best - 1))
        else:
            request.price_ticks = ticks_up(&book.spec, price_usd(&book.spec, best + 1))
        if request.price_ticks <= 0 or not book.levels.holds(request.price_ticks):
            out.error = SIM_POST_ONLY_IMPOSSIBLE
        return 0

    cdef bint affords(self, int32_t account, const OrderRequest* request,
                      const SimOrder* old) except -1:
        """Does equity cover the initial margin of the worst position the orders can lead to?"""
        cdef Account owner = self.accounts[account]
        cdef Position* position = &owner.positions[request.market]
        cdef int64_t more = request.amount_contracts - (
            old.amount_contracts if old != NULL else 0)
        cdef int32_t currency = currency_of(&(<MatchBook>self.books[request.market]).spec)
        cdef double before, after
        if owner.silent or more <= 0:
            return True
        before = self.margin_of(account, currency, 0.02, 0.00005, True)
        position.open_contracts[request.side] += more
        after = self.margin_of(account, currency, 0.02, 0.00005, True)
        position.open_contracts[request.side] -= more
        return after <= before or after <= self.equity_of(account, currency)

    cdef int64_t band_ticks(self, int32_t market, int32_t side) noexcept:
        """Highest price of a buy, lowest of a sell; no bound without a mark."""
        cdef MatchBook book = self.books[market]
        cdef double mark = self.data[market].mark_usd
        if mark <= 0.0:
            return NO_BOUND if side == SIDE_BID else 1
        if side == SIDE_BID:
            return ticks_up(&book.spec, band_price(mark, side))
        return max(1, ticks_down(&book.spec, band_price(mark, side)))

    # ---------------------------------------------------------------- trades
    cdef int book_fills(self, int64_t t_ns, int32_t market, int32_t side, int32_t taker,
                        int32_t flags) except -1:
        """Book the fills of the last walk through a book, in their order.

        taker: slot of the order that took; SLOT_NONE for the recorded market.
        """
        cdef MatchBook book = self.books[market]
        cdef SimTrade* trade
        cdef int32_t i
        for i in range(book.fill_count):
            trade = self.book_trade(t_ns, market, side, book.fills[i].price_ticks,
                                    book.fills[i].amount_contracts, flags)
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
        return 0

    cdef SimTrade* book_trade(self, int64_t t_ns, int32_t market, int32_t side,
                              int64_t price_ticks, int64_t contracts, int32_t flags) except NULL:
        """A new trade in the log and in the market's statistics; its legs are to be filled in."""
        cdef MarketData* data = &self.data[market]
        cdef MatchBook book = self.books[market]
        cdef SimTrade* trade
        note_trade(data, &book.spec, price_ticks, contracts)
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
        """Book one side of a trade on its account."""
        cdef MatchBook book = self.books[trade.market]
        cdef MarketData* data = &self.data[trade.market]
        cdef SimOrder* order = NULL
        cdef Account account
        cdef Position* position
        cdef Booked booked
        cdef int64_t before
        cdef int64_t rate = book.spec.maker_fee_e8 if maker else book.spec.taker_fee_e8
        if slot == SLOT_NONE:
            rate = 0
        else:
            order = &self.pool.items[slot]
            leg.account = order.account
        account = self.accounts[leg.account]
        position = &account.positions[trade.market]
        account.book_funding(&book.spec, data.funding_e18)
        before = max(0, position.size_contracts)
        account.book_fill(&book.spec, side, trade.price_ticks, trade.amount_contracts, rate,
                          &booked)
        data.open_contracts += max(0, position.size_contracts) - before
        leg.fee_e8 = booked.fee_e8
        leg.profit_e8 = booked.profit_e8
        leg.reduced = booked.reduced
        leg.slot = slot
        if order == NULL:
            return 0
        if not maker:       # the walk has noted the fill of a queued order already
            order.filled_contracts += trade.amount_contracts
        order.filled_entry += booked.entry
        order.updated_ns = trade.t_ns
        position.open_contracts[side] -= trade.amount_contracts
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
        account.positions[order.market].open_contracts[order.side] += order.amount_contracts
        return 0

    cdef int close_order(self, int64_t t_ns, int32_t slot, int32_t state,
                         int32_t reason) except -1:
        """End an open order, in its book or not."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef Account account = self.accounts[order.account]
        if order.resting:
            (<MatchBook>self.books[order.market]).remove(slot)
        account.positions[order.market].open_contracts[order.side] -= (
            order.amount_contracts - order.filled_contracts)
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
        memset(out, 0, sizeof(Outcome))
        out.slot = slot
        out.first_trade = self.trades.count
        out.end_trade = self.trades.count
        if slot == SLOT_NONE or self.pool.items[slot].account != account:
            out.slot = SLOT_NONE
            out.error = SIM_ORDER_NOT_FOUND
        elif self.pool.items[slot].state != VENUE_ORDER_OPEN:
            out.error = SIM_NOT_OPEN
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
        if book.feed.raw_due_ns == 0:
            book.feed.raw_due_ns = (t_ns // MS + 1) * MS
            self.due_ns = min(self.due_ns, book.feed.raw_due_ns)
        return 0
