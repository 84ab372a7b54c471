"""Mass quotes and their protection; see quotes.pxd."""
from connectors.sim.account cimport Account
from connectors.sim.checks cimport SIM_OK, SIM_QUOTES_FROZEN
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport CANCEL_MMP, CANCEL_USER_REQUEST, SLOT_NONE
from mmcore.types cimport (
    SIDE_BID, VENUE_ORDER_CANCELLED, VENUE_ORDER_OPEN, delta_btc, price_usd,
)


cdef class Quotes(Trading):
    """Quotes: one order per account, market, side and group, replaced by the next."""

    cdef int quote_side(self, int64_t t_ns, int32_t connection, int32_t account,
                        const OrderRequest* request, int64_t ticket, Outcome* out) except -1:
        """Put one side of a quote; an amount of 0 takes it away.

        A refused change of a resting quote cancels it.
        """
        cdef Account owner = self.accounts[account]
        cdef int32_t slot = self.quote_slot(account, request.market, request.side,
                                            request.mmp_group)
        self.begin(request.market, out)
        if request.amount_contracts == 0:
            if slot != SLOT_NONE:
                self.withdraw(t_ns, account, self.pool.items[slot].order_id, out)
            return 0
        if owner.quotes_frozen_ns > t_ns:
            out.error = SIM_QUOTES_FROZEN
            return 0
        if slot == SLOT_NONE:
            return self.accept(t_ns, connection, account, request, ticket, out)
        self.change(t_ns, account, self.pool.items[slot].order_id, request, ticket, out)
        if out.error > SIM_OK + 1 and self.pool.items[slot].state == VENUE_ORDER_OPEN:
            self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_USER_REQUEST)
            self.note_change(t_ns, request.market)
        return 0

    cdef int32_t quote_slot(self, int32_t account, int32_t market, int32_t side,
                            int32_t group) except? -2:
        """The resting quote of a side, or SLOT_NONE."""
        cdef int32_t slot = (<Account>self.accounts[account]).open_head
        cdef const SimOrder* order
        while slot != SLOT_NONE:
            order = &self.pool.items[slot]
            if (order.quote and order.market == market and order.side == side
                    and order.mmp_group == group):
                return slot
            slot = order.account_next
        return SLOT_NONE

    cdef int32_t cancel_quotes(self, int64_t t_ns, int32_t account, int32_t market,
                               int32_t currency, int32_t scope, bytes set_id,
                               int64_t freeze_ns) except -1:
        """Cancel an account's quotes that match; -1, None and SCOPE_ANY match all. Return how
        many."""
        cdef Account owner = self.accounts[account]
        cdef int32_t slot = owner.open_head
        cdef int32_t behind
        cdef int32_t count = 0
        cdef SimOrder* order
        if freeze_ns > 0:
            owner.quotes_frozen_ns = t_ns + freeze_ns
        while slot != SLOT_NONE:
            order = &self.pool.items[slot]
            behind = order.account_next
            if (order.quote and self.matches(order, market, currency, -1, None, scope)
                    and (set_id is None or order.names.set_id[:order.names.set_size] == set_id)):
                self.end_or_spare(t_ns, slot, CANCEL_USER_REQUEST)
                self.note_change(t_ns, order.market)
                count += 1
            slot = behind
        return count

    # ---------------------------------------------------------------- protection
    cdef int after_fills(self, int64_t t_ns, int32_t market, int32_t taker) except -1:
        """Count what a walk filled of protected orders; freeze what ran over its limits."""
        cdef MatchBook book = self.books[market]
        cdef const SimOrder* order
        cdef double at_usd = self.margin_price(market)
        cdef int64_t taken = 0
        cdef int32_t i
        for i in range(book.fill_count):
            taken += book.fills[i].amount_contracts
            if book.fills[i].maker == SLOT_NONE:
                continue
            order = &self.pool.items[book.fills[i].maker]
            if order.mmp:
                if not self.is_spread(market):
                    at_usd = price_usd(&book.spec, book.fills[i].price_ticks)
                self.note_mmp(t_ns, order, book.fills[i].amount_contracts, at_usd)
        if taker != SLOT_NONE and taken > 0 and self.pool.items[taker].mmp:
            if not self.is_spread(market):
                at_usd = price_usd(&book.spec, book.fills[0].price_ticks)
            self.note_mmp(t_ns, &self.pool.items[taker], taken, at_usd)
        return 0

    cdef int note_mmp(self, int64_t t_ns, const SimOrder* order, int64_t contracts,
                      double at_usd) except -1:
        cdef MmpGroup group = self.mmp_group(order.account, self.data[order.market].index,
                                             order.mmp_group)
        cdef double size = delta_btc(
            &(<MatchBook>self.books[order.market]).spec, contracts, at_usd)
        if group is None or not group.note(t_ns, size if order.side == SIDE_BID else -size):
            return 0
        return self.trigger_mmp(t_ns, order.account, group)

    cdef int trigger_mmp(self, int64_t t_ns, int32_t account, MmpGroup group) except -1:
        """Cancel the group's resting orders and tell its owner."""
        cdef Account owner = self.accounts[account]
        cdef int32_t slot = owner.open_head
        cdef int32_t behind, market
        cdef SimOrder* order
        while slot != SLOT_NONE:
            order = &self.pool.items[slot]
            behind = order.account_next
            market = order.market
            if (order.mmp and order.resting and self.data[market].index == group.index
                    and self.mmp_group(account, group.index, order.mmp_group) is group):
                self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_MMP)
                self.note_change(t_ns, market)
            slot = behind
        return self.outputs.on_mmp(t_ns, account, group.index, group.name, group.frozen_until_ns)

    def mmp(self, int32_t account, int32_t index, str name not None, bint make=False):
        """(number, MmpGroup) of an account by name; made where asked, else (0, None)."""
        cdef Account owner = self.accounts[account]
        cdef MmpGroup group
        cdef int32_t number
        for number, group in enumerate(owner.mmp_groups, 1):
            if group.index == index and group.name == name:
                return number, group
        if not make:
            return 0, None
        if len(owner.mmp_groups) == MMP_GROUPS_MAX:
            raise ValueError(f"more than {MMP_GROUPS_MAX} groups of quote protection")
        group = MmpGroup(name, index)
        owner.mmp_groups.append(group)
        return len(owner.mmp_groups), group
