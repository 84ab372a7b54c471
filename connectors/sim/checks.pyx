"""Refuse a request, or complete it; see checks.pxd."""
from libc.string cimport memset

from connectors.sim.account cimport Account, Position, currency_of
from connectors.sim.marking cimport MarketData, band_price
from connectors.sim.mmp cimport MmpGroup
from connectors.sim.orders cimport (
    SIM_ORDER_MARKET, SLOT_NONE, TRIGGER_BY_INDEX, TRIGGER_BY_LAST, TRIGGER_NONE, TRIGGER_STOP,
)
from mmcore.types cimport (
    MARKET_OPEN, MARKET_SETTLEMENT, SIDE_ASK, SIDE_BID, TIF_GTC, price_usd, ticks_down, ticks_up,
)

cdef int64_t MS = 1000000
cdef int64_t NO_BOUND = (<int64_t>1 << 21) - 1      # the last tick every market can have


cdef class Checks(Registry):
    """The checks before an order."""

    cdef int begin(self, int32_t market, Outcome* out) except -1:
        """An outcome nothing has happened to yet."""
        memset(out, 0, sizeof(Outcome))
        out.slot = SLOT_NONE
        out.market = market
        out.first_trade = self.trades.count
        out.end_trade = self.trades.count
        return 0

    cdef int check(self, int32_t account, OrderRequest* request, const SimOrder* old,
                   Outcome* out) except -1:
        """Refuse a request, or complete it: market price, post-only slide, reduce-only clip.

        old: the order an edit changes, NULL for a new one.
        """
        cdef MatchBook book = self.books[request.market]
        cdef MarketData* data = &self.data[request.market]
        cdef int64_t filled = old.filled_contracts if old != NULL else 0
        self.begin(request.market, out)
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
        else:
            self.check_price(request, out)
        if out.error != SIM_OK:
            return 0
        if request.trigger != TRIGGER_NONE:
            return self.check_trigger(request, out)
        if request.mmp and self.mmp_blocks(account, request.market, request.mmp_group):
            out.error = SIM_MMP_TRIGGER
            return 0
        if request.reduce_only:
            self.clip_reduce_only(account, request, filled, out)
        if out.error == SIM_OK and request.post_only and book.crosses(
                request.side, request.price_ticks):
            self.slide(book, request, out)
        if out.error == SIM_OK and not request.liquidation and not self.affords(
                account, request, old):
            out.error = SIM_NOT_ENOUGH_FUNDS
        return 0

    cdef int check_price(self, OrderRequest* request, Outcome* out) except -1:
        """Tick and band of a limit price; the band's end for a market order."""
        cdef MatchBook book = self.books[request.market]
        cdef int64_t bound = self.band_ticks(request.market, request.side)
        if request.kind == SIM_ORDER_MARKET:
            request.price_ticks = bound
            return 0
        if ((request.price_ticks <= 0 and not self.is_spread(request.market))
                or not book.levels.holds(request.price_ticks)
                or ticks_down(&book.spec, price_usd(
                    &book.spec, request.price_ticks)) != request.price_ticks):
            out.error = SIM_PRICE_WRONG_TICK
        elif request.trigger != TRIGGER_NONE:
            return 0            # the band is looked at when it triggers
        elif request.side == SIDE_BID and request.price_ticks > bound:
            out.error = SIM_PRICE_TOO_HIGH
            out.limit_ticks = bound
        elif request.side != SIDE_BID and request.price_ticks < bound:
            out.error = SIM_PRICE_TOO_LOW
            out.limit_ticks = bound
        return 0

    cdef int check_trigger(self, OrderRequest* request, Outcome* out) except -1:
        """A trigger price must still have to be reached."""
        cdef MatchBook book = self.books[request.market]
        cdef double now = self.trigger_price(request.market, request.trigger_by)
        cdef double at = price_usd(&book.spec, request.trigger_ticks)
        cdef bint above = (request.trigger == TRIGGER_STOP) == (request.side == SIDE_BID)
        if request.trigger_ticks <= 0 or ticks_down(&book.spec, at) != request.trigger_ticks:
            out.error = SIM_TRIGGER_WRONG_TICK
        elif now > 0.0 and above and at <= now:
            out.error = SIM_TRIGGER_TOO_LOW
        elif now > 0.0 and not above and at >= now:
            out.error = SIM_TRIGGER_TOO_HIGH
        return 0

    cdef double trigger_price(self, int32_t market, int32_t by) noexcept:
        """The price a trigger looks at; 0 where there is none yet."""
        cdef MarketData* data = &self.data[market]
        if by == TRIGGER_BY_INDEX:
            return self.indexes[data.index].price_usd
        if by == TRIGGER_BY_LAST:
            return price_usd(&(<MatchBook>self.books[market]).spec, data.last_ticks)
        return data.mark_usd

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
        if (request.price_ticks <= 0 and not self.is_spread(request.market)) or (
                not book.levels.holds(request.price_ticks)):
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
        before = self.initial_of(account, currency)
        position.open_contracts[request.side] += more
        after = self.initial_of(account, currency)
        position.open_contracts[request.side] -= more
        return after <= before or after <= self.equity_of(account, currency)

    cdef bint mmp_blocks(self, int32_t account, int32_t market, int32_t group) except -1:
        """Is the quote protection an order would come under frozen?"""
        cdef MmpGroup found = self.mmp_group(account, self.data[market].index, group)
        return found is not None and found.blocks(self.now_ns)

    cdef int64_t band_ticks(self, int32_t market, int32_t side) noexcept:
        """Highest price of a buy, lowest of a sell; no bound without a mark."""
        cdef MatchBook book = self.books[market]
        cdef double mark = self.data[market].mark_usd
        cdef double near
        if self.is_spread(market):
            near = self.margin_price(market)
            if near <= 0.0:
                return NO_BOUND if side == SIDE_BID else -NO_BOUND
            if side == SIDE_BID:
                return ticks_up(&book.spec, mark + band_price(near, SIDE_BID) - near)
            return ticks_down(&book.spec, mark + band_price(near, SIDE_ASK) - near)
        if mark <= 0.0:
            return NO_BOUND if side == SIDE_BID else 1
        if side == SIDE_BID:
            return ticks_up(&book.spec, band_price(mark, side))
        return max(1, ticks_down(&book.spec, band_price(mark, side)))
