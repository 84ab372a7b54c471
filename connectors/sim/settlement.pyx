"""Daily settlement, delivery and listing; see settlement.pxd.

At 08:00:00 UTC every market goes to `settlement` for some seconds. Good-til-day orders end, and all
orders of a contract that expires. A position's profit since the last settlement, at the mark or at
the delivery price, and its funding go to the balance. Then markets open again, expired ones are
`delivered` and an hour later `archivized`, and the lister may add what is due.
"""
from libc.math cimport llround

from connectors.sim.account cimport CURRENCIES, Account, Position, currency_of
from connectors.sim.margin cimport DELIVERY_FEE_E8
from connectors.sim.marking cimport MarketData, delivery_estimate
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport (
    CANCEL_DELIVERY, CANCEL_SETTLEMENT, SLOT_NONE, TIF_GTD, SimOrder,
)
from mmcore.types cimport (
    MARKET_ARCHIVIZED, MARKET_DELIVERED, MARKET_OPEN, MARKET_SETTLEMENT, VENUE_ORDER_CANCELLED,
    amount_of,
)

cdef int64_t MS = 1000000
cdef int64_t SECOND = 1000 * MS
cdef int64_t HOUR = 3600 * SECOND
cdef int64_t PAUSE = 5 * SECOND         # trading stops for so long
cdef int64_t MEAN = 1800 * SECOND       # of the index before a delivery
cdef int64_t SETTLEMENTS_KEPT = 20000


cdef class Settlement(Liquidation):
    """The day's end."""

    cdef int sample_indexes(self, int64_t t_ns) except -1:
        """Every second: the last half hour before 08:00 UTC counts for deliveries."""
        cdef int64_t left_ns = self.next_expiry_ns - t_ns
        cdef int32_t i
        for i in range(self.index_count):
            if left_ns > MEAN:
                self.indexes[i].twap_count = 0
                self.indexes[i].twap_sum_usd = 0.0
            elif left_ns > 0 and self.indexes[i].price_usd > 0.0:
                self.indexes[i].twap_sum_usd += self.indexes[i].price_usd
                self.indexes[i].twap_count += 1
        return self.archive(t_ns)

    cdef bint expires(self, int64_t t_ns, int32_t market) noexcept:
        cdef int64_t expiry_ns = self.data[market].expiry_ns
        cdef int32_t leg
        if self.is_spread(market):
            for leg in range(2):
                if self.expires(t_ns, self.data[market].legs[leg]):
                    return True
        return 0 < expiry_ns <= t_ns

    cdef int set_state(self, int64_t t_ns, int32_t market, int32_t state) except -1:
        if self.data[market].state != state:
            self.data[market].state = state
            self.data[market].ticker_changed = True
            self.outputs.on_market_state(t_ns, market)
        return 0

    cdef int begin_settlement(self, int64_t t_ns) except -1:
        """Stop trading and settle everything."""
        cdef int32_t market, i, currency
        cdef Account owner
        self.settled_ns = t_ns + PAUSE
        for market in range(self.market_count):
            if self.data[market].state == MARKET_OPEN:
                self.set_state(t_ns, market, MARKET_SETTLEMENT)
        self.end_orders(t_ns)
        for market in range(self.market_count):
            if self.data[market].delivery_usd == 0.0:
                self.settle_market(t_ns, market, self.expires(t_ns, market))
        for i in range(self.account_count):     # what belongs to no position any more
            owner = self.accounts[i]
            for currency in range(CURRENCIES):
                owner.balance_e8[currency] += owner.session_e8[currency]
                owner.session_e8[currency] = 0
        for i in range(self.index_count):
            self.deliveries.append((t_ns // MS, i, delivery_estimate(&self.indexes[i])))
        for rows in (self.settlements, self.settled_markets):
            del rows[:max(0, len(rows) - SETTLEMENTS_KEPT)]
        return self.outputs.on_event_end(t_ns)

    cdef int end_orders(self, int64_t t_ns) except -1:
        """Good-til-day orders end, and whatever an expiring contract's book holds."""
        cdef int32_t i, slot, behind, market
        cdef SimOrder* order
        for i in range(self.account_count):
            slot = (<Account>self.accounts[i]).open_head
            while slot != SLOT_NONE:
                order = &self.pool.items[slot]
                behind = order.account_next
                market = order.market
                if self.expires(t_ns, market):
                    self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_DELIVERY)
                    self.note_change(t_ns, market)
                elif order.time_in_force == TIF_GTD:
                    self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_SETTLEMENT)
                    self.note_change(t_ns, market)
                slot = behind
        return self.outputs.on_event_end(t_ns)

    cdef int settle_market(self, int64_t t_ns, int32_t market, bint deliver) except -1:
        """Settle every position of a market at its mark, or deliver it at the index's mean."""
        cdef MarketData* data = &self.data[market]
        cdef double price = data.mark_usd
        cdef double open_interest = amount_of(
            &(<MatchBook>self.books[market]).spec, data.open_contracts)
        cdef int64_t profit_e8 = 0
        cdef int64_t funding_e8 = 0
        cdef const Position* position
        cdef int32_t i
        if deliver:
            data.delivery_usd = delivery_estimate(&self.indexes[data.index])
            price = data.delivery_usd
        if price <= 0.0 and not self.is_spread(market):
            return 0
        data.settlement_usd = price
        if self.is_spread(market):
            return 0            # nobody has a position in it
        for i in range(self.account_count):
            self.settle_position(t_ns, i, market, llround(price * 100.0), deliver)
            position = &(<Account>self.accounts[i]).positions[market]
            profit_e8 += position.settled_e8
            funding_e8 += max(0, position.settled_funding_e8)
        self.settled_markets.append((
            t_ns // MS, market, deliver, open_interest, price, self.indexes[data.index].price_usd,
            profit_e8, funding_e8))
        if deliver:
            data.open_contracts = 0
        return 0

    cdef int settle_position(self, int64_t t_ns, int32_t account, int32_t market,
                             int64_t price_cents, bint deliver) except -1:
        cdef MatchBook book = self.books[market]
        cdef MarketData* data = &self.data[market]
        cdef Account owner = self.accounts[account]
        cdef Position* position = &owner.positions[market]
        cdef int64_t size = position.size_contracts
        cdef int32_t currency = currency_of(&book.spec)
        cdef int64_t left
        cdef int64_t fee_e8 = 0
        owner.book_funding(&book.spec, data.funding_e18)
        position.settled_e8 = 0
        position.settled_funding_e8 = 0
        if size == 0 and position.realized_e8 == 0 and position.funding_e8 == 0:
            return 0
        left = owner.settle(&book.spec, price_cents, deliver)
        if deliver:
            self.delivery_rest[currency] += left
            if account != 0:
                fee_e8 = owner.book_delivery_fee(
                    &book.spec, price_cents, size if size > 0 else -size, DELIVERY_FEE_E8)
        position.settled_e8 = position.realized_e8 + position.funding_e8
        position.settled_funding_e8 = position.funding_e8
        owner.balance_e8[currency] += position.settled_e8
        owner.session_e8[currency] -= position.settled_e8
        if not owner.silent:
            self.settlements.append((
                t_ns // MS, account, market, deliver, amount_of(&book.spec, size),
                price_cents / 100.0, self.indexes[data.index].price_usd,
                position.settled_e8, position.funding_e8, fee_e8, owner.balance_e8[currency]))
        position.realized_e8 = 0
        position.funding_e8 = 0
        return 0

    cdef int end_settlement(self, int64_t t_ns) except -1:
        """Open the markets again; what expired is delivered, what is due is listed."""
        cdef int32_t market
        self.settled_ns = 0
        for market in range(self.market_count):
            if self.data[market].state == MARKET_SETTLEMENT:
                self.set_state(t_ns, market, MARKET_DELIVERED
                               if self.data[market].delivery_usd > 0.0 else MARKET_OPEN)
        return self.list_contracts(t_ns)

    cdef int list_contracts(self, int64_t t_ns) except -1:
        cdef int32_t market
        cdef set known
        if self.lister is None:
            return 0
        known = {spec.name for spec in self.specs}
        for spec, index_name, perpetual in self.lister(t_ns):
            if spec.name not in known:
                market = self.add_market(spec, index_name, perpetual)
                self.outputs.on_listed(t_ns, market)
                self.outputs.on_market_state(t_ns, market)
        return 0

    cdef int archive(self, int64_t t_ns) except -1:
        """An hour after its delivery a contract is gone."""
        cdef int32_t market
        for market in range(self.market_count):
            if (self.data[market].state == MARKET_DELIVERED
                    and self.data[market].expiry_ns + HOUR <= t_ns):
                self.set_state(t_ns, market, MARKET_ARCHIVIZED)
        return 0
