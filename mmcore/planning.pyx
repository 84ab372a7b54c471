"""See planning.pxd. State first, then the batch: what is appended counts as in flight."""
from libc.string cimport memcpy, memset

from mmcore.budget cimport POOL_MASS_QUOTE, rate_room, rate_spend
from mmcore.orders cimport (
    ORDER_CANCEL_PENDING, ORDER_CLOSED, ORDER_LIVE, ORDER_UNKNOWN, mm_low_slot)
from mmcore.priority cimport far_up
from mmcore.risk cimport GATE_OK
from mmcore.types cimport (
    ACTION_CANCEL, ACTION_CANCEL_INSTRUMENT, ACTION_EDIT, ACTION_MASS_QUOTE, ACTION_NEW,
    ACTIONS_MAX, LEVELS_MAX, ORDER_ID_MAX, request_id_of, request_kind, request_slot)


# ---------------------------------------------------------------- what may leave
cdef int32_t room(Planning* p, Budget budget, int32_t most) noexcept nogil:
    """Creates and edits that may leave now: credits, unanswered requests, rate, batch."""
    cdef double reserve = p.params.orders.reserve_requests
    cdef double credits
    cdef int32_t count = most
    if reserve < budget.reserve_least:
        reserve = budget.reserve_least
    if p.mass:                          # a pool of their own: cancels need no part of it
        credits = budget.available_in(POOL_MASS_QUOTE, p.clock.now_ns)
    else:
        credits = budget.available(p.clock.now_ns) - reserve
    if credits < count:
        count = <int32_t>credits if credits > 0.0 else 0
    if <int32_t>p.params.orders.max_unanswered - budget.unanswered < count:
        count = <int32_t>p.params.orders.max_unanswered - budget.unanswered
    if ACTIONS_MAX - p.batch.count < count:
        count = ACTIONS_MAX - p.batch.count
    if count <= 0:
        return 0
    return rate_room(p.rate, p.params.orders.max_updates_per_s, p.clock.now_ns, count)


cdef bint can_cancel(Planning* p, Budget budget) noexcept nogil:
    """Cancels use the reserve and wait for no answer."""
    return p.batch.count < ACTIONS_MAX and budget.available(p.clock.now_ns) >= 1.0


cdef Action* next_action(Planning* p, OrderTable orders, const Order* order,
                         int32_t kind) noexcept nogil:
    """Fill the next free place of the batch; it counts only after append()."""
    cdef Action* action = &p.batch.items[p.batch.count]
    memset(action, 0, sizeof(Action))
    orders.sequence += 1
    action.kind = kind
    action.market = p.spec.index
    action.slot = order.slot
    action.side = order.side
    action.generation = order.generation
    action.request_id = request_id_of(kind, p.spec.index, order.slot, orders.sequence)
    action.order_id_size = order.order_id_size
    memcpy(action.order_id, order.order_id, ORDER_ID_MAX)
    return action


cdef void quote_in_mass(Planning* p, OrderTable orders, Action* action) noexcept nogil:
    """Let a create or edit be part of its rung's mass quote, the first of which it may be."""
    cdef int32_t rung = action.slot % LEVELS_MAX
    action.request_id = p.mass_ids[rung]
    if action.request_id == 0:
        action.request_id = request_id_of(ACTION_MASS_QUOTE, p.spec.index, rung, orders.sequence)


cdef void append(Planning* p, OrderTable orders, Budget budget,
                 const Action* action) noexcept nogil:
    cdef int32_t rung
    cdef bint joins = False             # a message that is paid for already
    orders.sent(action, p.clock.now_ns)
    if request_kind(action.request_id) == ACTION_MASS_QUOTE:
        rung = request_slot(action.request_id)
        joins = p.mass_ids[rung] == action.request_id
        p.mass_ids[rung] = action.request_id
    if not joins:
        budget.spend(action.request_id, p.clock.now_ns)
        if action.kind == ACTION_NEW or action.kind == ACTION_EDIT:
            rate_spend(p.rate, p.clock.now_ns)
    p.batch.count += 1


cdef bint submit(Planning* p, OrderTable orders, RiskGate gate, Budget budget,
                 Action* action) noexcept nogil:
    """Date a create or edit, pass it through the gate, and append it."""
    action.valid_until_ms = (p.clock.now_ns + p.clock.wall_offset_ns) // 1_000_000 + (
        <int64_t>p.params.orders.valid_for_ms)
    if gate.admit(action, p.spec, orders, p.signal, p.params, p.exposure) != GATE_OK:
        p.result.refused += 1
        return False
    append(p, orders, budget, action)
    return True


# ---------------------------------------------------------------- what is there
cdef bint cancellable(const Order* order) noexcept nogil:
    """Live, or unknown with an id and due to go; nothing outstanding for it."""
    if order.request_id != 0 or order.order_id_size == 0 or order.pull_ns > 0:
        return False
    return order.state == ORDER_LIVE or (order.state == ORDER_UNKNOWN and order.must_cancel)


cdef bint waits(Planning* p, const Order* order) noexcept nogil:
    """Whether a cancel of it has just been in vain: on a line that takes none, or at a venue."""
    if order.again_ns <= p.clock.now_ns:
        return False
    p.result.deferred += 1
    return True


cdef bint movable(const Order* order) noexcept nogil:
    """Live with nothing outstanding and nothing in doubt."""
    return (order.state == ORDER_LIVE and order.request_id == 0 and not order.must_cancel
            and order.pull_ns <= 0)


cdef bint stays_settled(const Settled* settled, OrderTable orders, const ParamValues* params,
                        int64_t now_ns) noexcept nogil:
    """Whether a plan for the same ladder and the same orders would leave them alone again.

    Besides time only queues can change that, and messages by the brake, which are not weighed here.
    """
    cdef uint32_t mask = settled.patient
    cdef int32_t slot
    if now_ns >= settled.until_ns or (mask and params.orders.otv_brake > 0.0):
        return False
    while mask:
        slot = mm_low_slot(mask)
        mask &= mask - 1
        if far_up(&orders.orders[slot]) != <bint>(settled.front >> slot & 1):
            return False
    return True


cdef bint flying(const Order* order) noexcept nogil:
    """May be at the venue, cannot be cancelled by id now, and no pull on its way covers it."""
    if order.pull_ns != 0 or order.state == ORDER_CLOSED or order.state == ORDER_CANCEL_PENDING:
        return False
    return order.request_id != 0 or (
        order.state == ORDER_UNKNOWN and order.order_id_size == 0)


# ---------------------------------------------------------------- cancels
cdef void plan_cancels(Planning* p, OrderTable orders, Budget budget, bint pull) noexcept nogil:
    """Everything that no rung wants goes; several at once go with one message."""
    cdef uint32_t mask = orders.used & QUOTE_SLOTS, one
    cdef uint32_t flight = 0
    cdef int32_t slot, doomed = 0, kept = 0
    cdef int32_t overdue = 0    # had a cancel or edit that failed: these go by id
    cdef Order* order
    cdef Action* action
    while mask:
        slot = mm_low_slot(mask)
        mask &= mask - 1
        one = <uint32_t>1 << slot
        order = &orders.orders[slot]
        if p.go & one:
            doomed += 1
            overdue += order.must_cancel
        else:
            kept += order.state != ORDER_CLOSED
        if pull and flying(order):
            flight |= one
    mask = p.go | flight
    if (flight != 0 or (doomed >= 2 and kept == 0 and overdue == 0)) and can_cancel(p, budget):
        # the pull: one request for the whole instrument, each order waits for its own word;
        # it also reaches what is on its way there, which no cancel by id can
        action = next_action(p, orders, &orders.orders[0], ACTION_CANCEL_INSTRUMENT)
        while mask:
            slot = mm_low_slot(mask)
            mask &= mask - 1
            if p.go & (<uint32_t>1 << slot):
                action.slot = slot
                orders.sent(action, p.clock.now_ns)
            else:
                orders.orders[slot].pull_ns = p.clock.now_ns
        budget.spend(action.request_id, p.clock.now_ns)
        p.batch.count += 1
        return
    mask = p.go
    while mask:
        cancel_slot(p, orders, budget, &orders.orders[mm_low_slot(mask)])
        mask &= mask - 1


cdef void cancel_slot(Planning* p, OrderTable orders, Budget budget, Order* order) noexcept nogil:
    if can_cancel(p, budget):
        append(p, orders, budget, next_action(p, orders, order, ACTION_CANCEL))
    else:
        p.result.deferred += 1
