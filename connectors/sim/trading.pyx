"""Orders, edits and cancels; see trading.pxd."""
from libc.string cimport memcpy

from connectors.sim.account cimport SELF_TRADE_REJECT_TAKER, Account, Position, currency_of
from connectors.sim.checks cimport (
    SIM_NOT_OPEN, SIM_OK, SIM_PENDING, SIM_POST_ONLY_REJECT, SIM_SETTLEMENT,
)
from connectors.sim.matching cimport TAKE_SELF
from connectors.sim.orders cimport (
    CANCEL_EDIT_POST_ONLY, CANCEL_MMP, CANCEL_OVERLAP, CANCEL_SETTLEMENT, CANCEL_UNFILLED,
    CANCEL_USER_REQUEST, LABEL_MAX, SCOPE_COMBO, SCOPE_FUTURE, SCOPE_LIMIT, SCOPE_STOP,
    SCOPE_TAKE, SIM_ORDER_MARKET, SLOT_NONE, TIF_GTD, TRADE_PLAIN, TRIGGER_NONE, TRIGGER_STOP,
)
from connectors.sim.waiting cimport HELD_EDIT, HELD_SUBMIT
from mmcore.types cimport (
    MARKET_OPEN, MARKET_SETTLEMENT, TIF_FOK, TIF_GTC, TIF_IOC, VENUE_ORDER_CANCELLED,
    VENUE_ORDER_FILLED, VENUE_ORDER_UNTRIGGERED,
)


cdef void copy_request(SimOrder* order, const OrderRequest* request) noexcept nogil:
    """What an order takes over from its request as it stands."""
    order.market = request.market
    order.side = request.side
    order.kind = request.kind
    order.time_in_force = request.time_in_force
    order.price_ticks = request.price_ticks
    order.amount_contracts = request.amount_contracts
    order.post_only = request.post_only
    order.reject_post_only = request.reject_post_only
    order.reduce_only = request.reduce_only
    order.mmp = request.mmp
    order.mmp_group = request.mmp_group
    order.quote = request.quote
    order.names = request.names
    order.liquidation = request.liquidation
    order.trigger = request.trigger
    order.trigger_by = request.trigger_by
    order.trigger_ticks = request.trigger_ticks
    order.parent_id = request.parent_id
    order.label_size = request.label_size
    memcpy(order.label, request.label, LABEL_MAX)


cdef class Trading(Spreads):
    """What the matching engine does with a request."""

    def __cinit__(self, *args, **kwargs):
        self.waits = WaitList()

    # ---------------------------------------------------------------- requests
    cdef int accept(self, int64_t t_ns, int32_t connection, int32_t account,
                    const OrderRequest* request, int64_t ticket, Outcome* out) except -1:
        """Place an order; `out` says what became of it, or that it is held."""
        cdef SimOrder* order
        cdef OrderRequest checked = request[0]
        cdef bint held
        self.check(account, &checked, NULL, out)
        if out.error != SIM_OK:
            return 0
        held = self.bumped(account, &checked, self.books[checked.market], True)
        out.slot = self.pool.take()
        order = &self.pool.items[out.slot]
        order.account = account
        order.connection = connection
        copy_request(order, &checked)
        order.created_ns = t_ns
        order.updated_ns = t_ns
        order.held = held
        if order.trigger != TRIGGER_NONE:
            order.state = VENUE_ORDER_UNTRIGGERED
        self.open_link(out.slot)
        if held:
            return self.hold(t_ns, HELD_SUBMIT, account, order.order_id, &checked, ticket, out)
        if order.trigger != TRIGGER_NONE:
            self.link_trigger(out.slot)
            return self.tell_order(t_ns, out.slot)
        self.place(t_ns, out.slot)
        out.end_trade = self.trades.count
        return self.note_change(t_ns, checked.market)

    cdef int change(self, int64_t t_ns, int32_t account, int64_t order_id,
                    const OrderRequest* request, int64_t ticket, Outcome* out) except -1:
        """Change price, amount (the new total) or flags of an open order.

        A ticket below 0 is the second round of an edit that was held.
        """
        cdef OrderRequest checked = request[0]
        cdef int32_t slot = self.open_slot(account, order_id, out)
        cdef SimOrder* order
        if out.error != SIM_OK:
            return 0
        order = &self.pool.items[slot]
        if order.held:
            out.error = SIM_NOT_OPEN
            return 0
        checked.market = order.market
        checked.side = order.side
        checked.kind = order.kind
        checked.time_in_force = order.time_in_force
        checked.mmp = order.mmp
        checked.mmp_group = order.mmp_group
        checked.trigger = order.trigger
        checked.trigger_by = order.trigger_by
        if order.trigger != TRIGGER_NONE and checked.trigger_ticks == 0:
            checked.trigger_ticks = order.trigger_ticks
        self.check(account, &checked, order, out)
        out.slot = slot
        if out.error == SIM_POST_ONLY_REJECT:
            self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_EDIT_POST_ONLY)
            return self.note_change(t_ns, order.market)
        if out.error != SIM_OK:
            return 0
        if order.state == VENUE_ORDER_UNTRIGGERED:
            return self.change_trigger(t_ns, slot, &checked, out)
        if ticket >= 0 and self.bumped(account, &checked, self.books[order.market],
                                       checked.price_ticks != order.price_ticks):
            return self.hold(t_ns, HELD_EDIT, account, order_id, request, ticket, out)
        self.apply_change(t_ns, slot, &checked)
        out.end_trade = self.trades.count
        return self.note_change(t_ns, checked.market)

    cdef int apply_change(self, int64_t t_ns, int32_t slot, const OrderRequest* checked) except -1:
        """Carry out a checked edit; only less at the same price keeps its place in the queue."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef MatchBook book = self.books[order.market]
        cdef Position* position = &(<Account>self.accounts[order.account]).positions[order.market]
        position.open_contracts[order.side] += checked.amount_contracts - order.amount_contracts
        order.replaced = True
        order.updated_ns = t_ns
        order.post_only = checked.post_only
        order.reject_post_only = checked.reject_post_only
        if order.quote:
            order.names = checked.names
        self.set_reduce_only(order, checked.reduce_only)
        if (checked.price_ticks == order.price_ticks
                and checked.amount_contracts <= order.amount_contracts):
            book.shrink(slot, checked.amount_contracts)
            return self.tell_order(t_ns, slot)
        book.remove(slot)
        order.price_ticks = checked.price_ticks
        order.amount_contracts = checked.amount_contracts
        return self.place(t_ns, slot)

    cdef int withdraw(self, int64_t t_ns, int32_t account, int64_t order_id,
                      Outcome* out) except -1:
        """Cancel one order."""
        cdef int32_t slot = self.open_slot(account, order_id, out)
        if out.error != SIM_OK:
            return 0
        self.end_or_spare(t_ns, slot, CANCEL_USER_REQUEST)
        return self.note_change(t_ns, self.pool.items[slot].market)

    cdef int end_or_spare(self, int64_t t_ns, int32_t slot, int32_t reason) except -1:
        """Cancel an order; one held by the speed bump becomes immediate-or-cancel instead."""
        if self.pool.items[slot].held:
            self.pool.items[slot].time_in_force = TIF_IOC
            return 0
        return self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, reason)

    cdef int withdraw_all(self, int64_t t_ns, int32_t account, int32_t market, int32_t currency,
                          int32_t connection, bytes label, int32_t reason,
                          int32_t scope, Outcome* out) except -1:
        """Cancel an account's orders that match; -1, None and SCOPE_ANY match all."""
        cdef int32_t slot = (<Account>self.accounts[account]).open_head
        cdef int32_t behind
        cdef SimOrder* order
        self.begin(market, out)
        while slot != SLOT_NONE:
            order = &self.pool.items[slot]
            behind = order.account_next
            if self.matches(order, market, currency, connection, label, scope):
                if (reason == CANCEL_USER_REQUEST
                        and self.data[order.market].state == MARKET_SETTLEMENT):
                    out.error = SIM_SETTLEMENT
                else:
                    self.end_or_spare(t_ns, slot, reason)
                    self.note_change(t_ns, order.market)
                    out.count += 1
            slot = behind
        return 0

    cdef bint matches(self, const SimOrder* order, int32_t market, int32_t currency,
                      int32_t connection, bytes label, int32_t scope) except -1:
        cdef int32_t kinds = scope & (<int>SCOPE_FUTURE | <int>SCOPE_COMBO)
        cdef int32_t types = scope & ~kinds
        return ((market < 0 or order.market == market)
                and (kinds == 0 or kinds & (<int>SCOPE_COMBO if self.is_spread(order.market)
                                            else <int>SCOPE_FUTURE) != 0)
                and (types == 0 or types & (
                    <int>SCOPE_LIMIT if order.trigger == TRIGGER_NONE
                    else <int>SCOPE_STOP if order.trigger == TRIGGER_STOP
                    else <int>SCOPE_TAKE) != 0)
                and (connection < 0 or order.connection == connection)
                and (currency < 0 or currency_of(
                    &(<MatchBook>self.books[order.market]).spec) == currency)
                and (label is None or order.label[:order.label_size] == label))

    cdef int set_reduce_only(self, SimOrder* order, bint reduce_only) except -1:
        (<Account>self.accounts[order.account]).reduce_only_open += reduce_only - order.reduce_only
        order.reduce_only = reduce_only
        return 0

    # ---------------------------------------------------------------- matching
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
        if order.mmp and self.mmp_blocks(order.account, order.market, order.mmp_group):
            return self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_MMP)
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

    # ---------------------------------------------------------------- the speed bump
    cdef bint bumped(self, int32_t account, const OrderRequest* request, MatchBook book,
                     bint changes) except -1:
        """Would the request trade at once where that has to wait? Silent accounts never wait."""
        return (changes and self.data[request.market].bump_ns > 0 and not request.post_only
                and request.trigger == TRIGGER_NONE and not request.liquidation
                and not (<Account>self.accounts[account]).silent
                and book.crosses(request.side, request.price_ticks))

    cdef int hold(self, int64_t t_ns, int32_t kind, int32_t account, int64_t order_id,
                  const OrderRequest* request, int64_t ticket, Outcome* out) except -1:
        """Let a request wait for the speed bump's time; its outcome comes under the ticket."""
        cdef Waiting entry
        entry.ticket = ticket if ticket > 0 else self.next_ticket()
        entry.due_ns = t_ns + self.data[out.market].bump_ns
        entry.order_id = order_id
        entry.kind = kind
        entry.account = account
        entry.connection = -1
        entry.currency = currency_of(&(<MatchBook>self.books[out.market]).spec)
        entry.only_currency = -1
        entry.labelled = False
        entry.too_late = False
        entry.request = request[0]
        self.waits.add(&entry)
        self.due_ns = min(self.due_ns, entry.due_ns)
        out.error = SIM_PENDING
        out.ticket = entry.ticket
        out.kind = kind
        out.account = account
        return 0

    cdef int release_held(self, int64_t t_ns, const Waiting* entry) except -1:
        """Carry out what a speed bump held; an order that ended meanwhile stays ended."""
        cdef Outcome out
        cdef int32_t slot = self.pool.find(entry.order_id)
        cdef int32_t market = self.pool.items[slot].market if slot != SLOT_NONE else 0
        if entry.kind == HELD_EDIT:
            self.change(t_ns, entry.account, entry.order_id, &entry.request, -1, &out)
        else:
            self.begin(market, &out)
            out.slot = slot
            if slot != SLOT_NONE and self.pool.items[slot].held:
                self.pool.items[slot].held = False
                self.pool.items[slot].updated_ns = t_ns
                if self.data[market].state == MARKET_OPEN:
                    self.place(t_ns, slot)
                else:
                    self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_SETTLEMENT)
            out.end_trade = self.trades.count
            self.note_change(t_ns, market)
        out.ticket = entry.ticket
        out.kind = entry.kind
        out.account = entry.account
        self.outputs.on_outcome(t_ns, &out)
        return self.outputs.on_event_end(t_ns)

    cdef int64_t next_ticket(self) except -1:
        self.last_ticket += 1
        return self.last_ticket

    # ---------------------------------------------------------------- trigger orders; triggers.pyx
    cdef int link_trigger(self, int32_t slot) except -1:
        raise NotImplementedError("trigger orders are kept by Triggers")

    cdef int change_trigger(self, int64_t t_ns, int32_t slot, const OrderRequest* request,
                            Outcome* out) except -1:
        raise NotImplementedError("trigger orders are kept by Triggers")
