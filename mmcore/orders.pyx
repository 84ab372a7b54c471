"""See orders.pxd. The transition table below is the whole state machine."""
from libc.string cimport memcpy

from mmcore.types cimport (
    ACTION_CANCEL, ACTION_EDIT, ACTION_MASS_QUOTE, ACTION_NEW, LEVELS_MAX, ORDER_EVENT_ABSENT,
    ORDER_EVENT_REFUSED, REFUSAL_CLOSED, REFUSAL_GONE, REFUSAL_POST_ONLY, REFUSAL_UNSURE, SIDE_BID,
    VENUE_ORDER_OPEN, VENUE_ORDER_UNTRIGGERED)

cdef enum:
    NEVER = -1                  # this signal cannot reach this state: a broken invariant
    STATE_BITS = 15             # a cell is a state and what to do
    CANCEL = 16                 # cancel it by id, and again until the venue says how it ended
    ASK = 32                    # only the venue's word helps: another cancel would not
    C = ORDER_CLOSED
    N = ORDER_NEW_PENDING
    L = ORDER_LIVE
    E = ORDER_EDIT_PENDING
    X = ORDER_CANCEL_PENDING
    U = ORDER_UNKNOWN
    LX = ORDER_LIVE | CANCEL
    UX = ORDER_UNKNOWN | CANCEL
    UA = ORDER_UNKNOWN | ASK

# An edit or cancel that failed leaves the order live at the old price, to be cancelled by id; one
# that found the order gone leaves it unknown until the fill or the venue's answer says how it
# ended; an open order we had closed is unknown too: the venue's word beats ours. Every unknown
# order is asked for (OUTCOME_UNKNOWN); what is to be cancelled stays so until it is closed or
# found gone.
cdef int[ORDER_STATES][SIGNALS] NEXT = [
    # sent:  new  edit   cancel open before closed refused gone unsure timeout lost absent passed
    [N,     NEVER, NEVER, UX,  UX,    C,     C,      C,   C,     C,      C,   C,   C],  # closed
    [NEVER, NEVER, NEVER, L,   L,     C,     C,      C,   U,     U,      U,   N,   N],  # pending
    [NEVER, E,     X,     L,   L,     C,     LX,     UA,  LX,    L,      U,   C,   U],  # live
    [NEVER, NEVER, X,     L,   E,     C,     LX,     UA,  UX,    UX,     U,   UX,  N],  # editing
    [NEVER, NEVER, X,     UX,  X,     C,     LX,     UA,  UX,    UX,     U,   C,   U],  # cancelling
    [NEVER, NEVER, X,     L,   U,     C,     LX,     UA,  UX,    U,      U,   C,   U],  # unknown
]


cdef class OrderTable:
    """Own orders of one instrument."""

    def __cinit__(self):
        cdef int32_t i
        for i in range(SLOTS_MAX):
            self.orders[i].slot = i
            self.orders[i].side = 0 if i < LEVELS_MAX else 1
        self.protected_rungs = LEVELS_MAX       # until the venue edge says otherwise

    cdef int step(self, Order* order, int32_t signal) noexcept nogil:
        """Move one order through the table; return OrderOutcome bits."""
        cdef int before = order.state
        cdef int cell = NEXT[before][signal]
        cdef int after = cell & STATE_BITS
        self.used |= <uint32_t>1 << order.slot
        if cell == NEVER:
            self.invalid_transitions += 1
            return OUTCOME_INVALID
        self.open_count += (after != ORDER_CLOSED) - (before != ORDER_CLOSED)
        self.unknown_count += (after == ORDER_UNKNOWN) - (before == ORDER_UNKNOWN)
        order.state = after
        if cell & CANCEL:
            order.must_cancel = True
        elif after == ORDER_CLOSED or cell & ASK:
            order.must_cancel = False
        if after == ORDER_CLOSED:
            order.pending_amount_contracts = 0
        return (OUTCOME_CHANGED if after != before else 0) | (
            OUTCOME_UNKNOWN if after == ORDER_UNKNOWN else 0)

    cdef void sent(self, const Action* action, int64_t now_ns) noexcept nogil:
        """Record a request that is about to leave; state first, then the socket."""
        cdef Order* order = &self.orders[action.slot]
        self.used |= <uint32_t>1 << action.slot
        order.request_id = action.request_id
        order.request = action.kind
        order.sent_ns = now_ns
        order.pull_late = False
        if action.kind == ACTION_NEW:
            order.side = action.side
            order.generation = action.generation
            order.price_ticks = action.price_ticks
            order.amount_contracts = action.amount_contracts
            order_cleared(order)
            self.step(order, SIGNAL_SENT_NEW)
        elif action.kind == ACTION_EDIT:
            order.pull_ns = 0
            self.step(order, SIGNAL_SENT_EDIT)
        else:
            self.step(order, SIGNAL_SENT_CANCEL)
            return
        order.pending_price_ticks = action.price_ticks
        order.pending_amount_contracts = action.amount_contracts
        order.valid_until_ms = action.valid_until_ms

    cdef int learn(self, Order* order, const OrderEvent* event) noexcept nogil:
        """Take the venue's figures; False where they are older than what is known."""
        if (event.last_update_ms < order.last_update_ms
                or event.filled_contracts < order.filled_contracts):
            return False
        order.last_update_ms = event.last_update_ms
        if event.filled_contracts > order.filled_contracts:
            order.near_prints = 0
        if event.amount_contracts > order.amount_contracts:
            order.queue_ticks = 0           # more at the same price goes to the back
        order.filled_contracts = event.filled_contracts
        order.price_ticks = event.price_ticks
        order.amount_contracts = event.amount_contracts
        if event.order_id_size > 0:
            order.order_id_size = event.order_id_size
            memcpy(order.order_id, event.order_id, ORDER_ID_MAX)
        return True

    cdef int on_event(self, const OrderEvent* event, int64_t now_ns) noexcept nogil:
        """Apply the venue's word about one of our slots; return OrderOutcome bits."""
        cdef Order* order = &self.orders[event.slot]
        cdef bint answered = event.request_id != 0 and event.request_id == order.request_id
        cdef int outcome
        cdef bint fresh, passed
        self.used |= <uint32_t>1 << event.slot
        if event.kind == ORDER_EVENT_REFUSED:
            if not answered:
                return OUTCOME_STRAY
            order.twin |= event.refusal == REFUSAL_UNSURE and order_requoted(order)
            order.request_id = order.request = 0
            return self.refused(order, event, now_ns)
        if event.generation != order.generation:
            return OUTCOME_STRAY
        if event.kind == ORDER_EVENT_ABSENT:
            if order.twin:
                succeed(order, order.filled_contracts)
                return self.step(order, SIGNAL_PASSED_ON)
            return self.step(order, SIGNAL_ABSENT)
        if same_id(order.ended_id, order.ended_id_size, event):
            return self.on_ended(order, event, answered)
        if order.order_id_size > 0 and event.order_id_size > 0 and not same_id(
                order.order_id, order.order_id_size, event):
            # A mass quote made it: there is room for one, so the other has ended, filled perhaps.
            succeed(order, order.filled_contracts if order.state == ORDER_CLOSED
                    else order.amount_contracts)
        fresh = self.learn(order, event)
        if (event.order_state != VENUE_ORDER_OPEN       # an order never opens again: old or not
                and event.order_state != VENUE_ORDER_UNTRIGGERED):
            passed = order_requoted(order) and not (
                answered and event.request == ACTION_MASS_QUOTE)
            if passed:
                succeed(order, order.filled_contracts)
            if answered or not passed:
                order.request_id = order.request = 0
            return self.step(order, SIGNAL_PASSED_ON if passed else SIGNAL_CLOSED)
        if not fresh:
            if answered:                    # old news, but the request is answered
                order.request_id = order.request = 0
                order.pending_amount_contracts = 0
                return self.step(order, SIGNAL_OPEN) if order.state != ORDER_CLOSED else 0
            return 0
        if (answered or order.request_id == 0 or order.state == ORDER_NEW_PENDING
                or (order.state == ORDER_EDIT_PENDING
                    and event.price_ticks == order.pending_price_ticks
                    and event.amount_contracts == order.pending_amount_contracts)):
            outcome = self.step(order, SIGNAL_OPEN)
            if outcome & OUTCOME_CHANGED and order.state == ORDER_LIVE:
                order.live_since_ns = order.looked_ns = now_ns
                order.near_prints = 0
                order.twin = order.twin and not answered
                if not order.twin:
                    order.pending_amount_contracts = 0
                self.crossed[order.side] = 0
            if answered:
                order.request_id = order.request = 0
            return outcome
        return self.step(order, SIGNAL_OPEN_BEFORE)

    cdef int on_ended(self, Order* order, const OrderEvent* event, bint answered) noexcept nogil:
        """Apply a word about the order in whose place this one is, or may be."""
        if order.ended_contracts >= 0 and event.order_state != VENUE_ORDER_OPEN:
            order.booked_contracts += order.ended_contracts - event.filled_contracts
            order.ended_contracts = event.filled_contracts
        if not answered:
            return 0
        order.request_id = order.request = 0
        # what was asked for reached that order while it lived: there is no other
        return self.step(order, SIGNAL_CLOSED) if order.state == ORDER_NEW_PENDING else 0

    cdef int refused(self, Order* order, const OrderEvent* event,
                     int64_t now_ns) noexcept nogil:
        """Apply an error to the order its request was about."""
        if order.state == ORDER_CANCEL_PENDING:
            cancel_later(order, 1, now_ns)
        if event.refusal == REFUSAL_POST_ONLY:
            self.crossed[order.side] += 1
            self.backoff_ns[order.side] = now_ns + (<int64_t>BACKOFF_NS << min(
                self.crossed[order.side] - 1, BACKOFF_DOUBLINGS))
            return self.step(order, SIGNAL_CLOSED) | OUTCOME_REJECTED | OUTCOME_POST_ONLY
        if event.refusal == REFUSAL_CLOSED:
            return self.step(order, SIGNAL_CLOSED) | OUTCOME_REJECTED
        if event.refusal == REFUSAL_UNSURE:
            return self.step(order, SIGNAL_UNSURE) | OUTCOME_REJECTED
        if event.refusal == REFUSAL_GONE:
            return self.step(order, SIGNAL_GONE) | OUTCOME_REJECTED
        if not order.twin:
            order.pending_amount_contracts = 0      # it had no effect
        return self.step(order, SIGNAL_REFUSED) | OUTCOME_REJECTED

    cdef bint book_fill(self, int32_t slot, uint32_t generation,
                        int64_t amount_contracts) noexcept nogil:
        """Count a fill that reached the position; False where the slot has moved on."""
        if self.orders[slot].generation != generation:
            return False
        self.orders[slot].booked_contracts += amount_contracts
        return True

    cdef int32_t time_out(self, int64_t now_ns, int64_t after_ns) noexcept nogil:
        """Turn requests without an answer into unknown orders; return how many."""
        cdef int32_t count = 0
        cdef uint32_t mask = self.used
        cdef Order* order
        while mask:
            order = &self.orders[mm_low_slot(mask)]
            mask &= mask - 1
            if order.pull_ns > 0 and now_ns - order.pull_ns > after_ns:
                order.pull_ns = 0
            if order.request_id != 0 and now_ns - order.sent_ns > after_ns:
                order.twin = order_requoted(order)
                order.request_id = 0
                if order.request == ACTION_CANCEL:
                    cancel_later(order, 2, now_ns)
                self.step(order, SIGNAL_TIMEOUT)
                count += 1
        return count

    cdef int32_t watch(self, int64_t now_ns, int64_t pull_ns, int64_t fill_ns) noexcept nogil:
        """Say, once for each, what is overdue: a cancel or pull, a fill that was only counted.

        pull_ns, fill_ns: how long either may take. Returns OrderOverdue bits.
        """
        cdef int32_t bits = 0
        cdef uint32_t mask = self.used
        cdef Order* order
        cdef int64_t asked_ns
        while mask:
            order = &self.orders[mm_low_slot(mask)]
            mask &= mask - 1
            asked_ns = order.pull_ns
            if asked_ns <= 0 and order.state == ORDER_CANCEL_PENDING and order.request_id != 0:
                asked_ns = order.sent_ns
            if asked_ns > 0 and not order.pull_late and now_ns - asked_ns >= pull_ns:
                order.pull_late = True
                self.late_pulls += 1
                bits |= OVERDUE_PULL
            if order.booked_contracts >= order.filled_contracts:
                order.missing_ns = 0
                order.missing_told = False
            elif order.missing_ns == 0:
                order.missing_ns = now_ns
            elif not order.missing_told and now_ns - order.missing_ns >= fill_ns:
                order.missing_told = True
                self.missing_fills += 1
                bits |= OVERDUE_FILL
        return bits

    cdef int32_t lose_all(self) noexcept nogil:
        """The connection is gone: every order that is not closed is unknown."""
        cdef int32_t i, count = 0
        for i in range(SLOTS_MAX):
            if self.orders[i].state != ORDER_CLOSED:
                self.orders[i].twin = order_requoted(&self.orders[i])
                self.orders[i].request_id = self.orders[i].pull_ns = 0
                self.step(&self.orders[i], SIGNAL_LOST)
                count += 1
        return count

    cdef void absent(self, int32_t slot) noexcept nogil:
        """The venue was asked, all requests are answered or expired, and it has no such order."""
        if 0 <= slot < SLOTS_MAX:
            self.step(&self.orders[slot], SIGNAL_ABSENT)

    cdef void all_booked(self) noexcept nogil:
        """The venue's own position was taken over: no fill is missing any more."""
        cdef int32_t i
        for i in range(SLOTS_MAX):
            self.orders[i].ended_contracts = -1
            if self.orders[i].booked_contracts < self.orders[i].filled_contracts:
                self.orders[i].booked_contracts = self.orders[i].filled_contracts

    cdef void pull_answered(self, int64_t request_id, bint refused) noexcept nogil:
        """The venue answered a pull; a refused one leaves its orders live, to go one by one."""
        cdef int32_t i
        cdef Order* order
        for i in range(SLOTS_MAX):
            order = &self.orders[i]
            if order.pull_ns > 0:
                order.pull_ns = -1
            if refused and order.request_id == request_id and order.state != ORDER_CLOSED:
                order.request_id = order.request = 0
                self.step(order, SIGNAL_REFUSED)

    cdef int64_t worst_contracts(self, int32_t side) noexcept nogil:
        """Contracts of one side that may still be, or have been, filled without being booked."""
        cdef int64_t total = 0
        cdef uint32_t mask = self.used
        cdef const Order* order
        while mask:
            order = &self.orders[mm_low_slot(mask)]
            mask &= mask - 1
            if order.side == side:
                total += order_worst(order)
        return total

    cdef void worst_btc(self, const Instrument* spec, double at_price_usd,
                        double* out) noexcept nogil:
        """BTC worth of worst_contracts(), a figure a side, each order where it is worth most."""
        cdef double total[2]
        cdef uint32_t mask = self.used
        cdef const Order* order
        total[0] = total[1] = 0.0
        while mask:
            order = &self.orders[mm_low_slot(mask)]
            mask &= mask - 1
            total[order.side] += order_btc(order, order_worst(order), spec, at_price_usd)
            if order_slot_free(order) and order.request_id == 0 and order.pull_ns <= 0:
                self.used &= ~(<uint32_t>1 << order.slot)
        out[0], out[1] = total[0], total[1]

    cdef int32_t own_levels(self, int32_t side, LevelChange* levels) noexcept nogil:
        """Where our own resting amounts of a side stand in the venue's book."""
        cdef int32_t i, n = 0
        cdef int64_t resting
        cdef uint32_t mask = self.used & slots_of(side)
        while mask:
            i = mm_low_slot(mask)
            mask &= mask - 1
            if (self.orders[i].state < ORDER_LIVE or self.orders[i].side != side):
                continue
            resting = self.orders[i].amount_contracts - self.orders[i].filled_contracts
            if resting > 0:
                levels[n].price_ticks = self.orders[i].price_ticks
                levels[n].amount_contracts = resting
                n += 1
        return n

    cdef int64_t best_own(self, int32_t side, bint post_only) noexcept nogil:
        """Most aggressive price at which an order of ours may stand; 0 where there is none.

        A post-only order that follows an edit on the same connection is judged after it: were
        that edit to fail, the venue refuses the follower, and nothing trades. Anything that may
        take is judged against both prices of an edit in flight.
        """
        cdef const Order* order
        cdef int64_t best = 0, price
        cdef uint32_t mask = self.used & slots_of(side)
        cdef bint moving
        while mask:
            order = &self.orders[mm_low_slot(mask)]
            mask &= mask - 1
            if order.state == ORDER_CLOSED or order.side != side:
                continue
            price = order.price_ticks
            moving = order.pending_amount_contracts > 0
            if moving and ((post_only and order.state == ORDER_EDIT_PENDING)
                           or (side == SIDE_BID) == (order.pending_price_ticks > price)):
                price = order.pending_price_ticks
            if best == 0 or (side == SIDE_BID) == (price > best):
                best = price
        return best

    def rows(self):
        """Every slot that is not free, as a dict (tests, views, reconciliation)."""
        cdef Order* order
        found = []
        for i in range(<int32_t>SLOTS_MAX):
            order = &self.orders[<int32_t>i]
            if order_slot_free(order):
                continue
            found.append({
                "slot": i, "side": order.side, "state": OrderState(order.state).name,
                "generation": order.generation, "price_ticks": order.price_ticks,
                "amount_contracts": order.amount_contracts, "worst_contracts": order_worst(order),
                "filled_contracts": order.filled_contracts, "request": order.request,
                "booked_contracts": order.booked_contracts, "sent_ns": order.sent_ns,
                "pending_price_ticks": order.pending_price_ticks, "level": order.level,
                "pending_amount_contracts": order.pending_amount_contracts,
                "order_id": (<bytes>order.order_id[:order.order_id_size]).decode("ascii"),
                "ahead_contracts": order.ahead_contracts if order.queue_ticks else None,
                "must_cancel": bool(order.must_cancel), "valid_until_ms": order.valid_until_ms})
        return found

    def worst(self, int32_t side):
        """Worst-case contracts of a side."""
        return self.worst_contracts(side)
