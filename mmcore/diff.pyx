"""See diff.pxd. Order of a batch: cancels, then reducing edits and news, then adding ones."""
from libc.math cimport fabs
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from mmcore.budget cimport rate_allows, rate_spend
from mmcore.orders cimport (
    ORDER_CANCEL_PENDING, ORDER_CLOSED, ORDER_LIVE, ORDER_UNKNOWN, Order, mm_low_slot,
    order_slot_free)
from mmcore.risk cimport GATE_OK
from mmcore.types cimport (
    ACTION_CANCEL, ACTION_CANCEL_INSTRUMENT, ACTION_EDIT, ACTION_NEW, ACTIONS_MAX, LEVELS_MAX,
    ORDER_ID_MAX, SIDE_ASK, SIDE_BID, SLOTS_QUOTE, TIF_GTC, Action, price_usd, request_id_of)

cdef enum:
    GENERATION_MAX = 0xFFFFFF   # six hex digits of the label
    QUOTE_SLOTS = (1 << SLOTS_QUOTE) - 1

# What the planner passes between its own steps.
cdef struct Planning:
    const ApprovedQuotes* wanted
    const Instrument* spec
    const SignalState* signal
    const ParamValues* params
    Exposure* exposure
    RateCap* rate
    const Clock* clock
    ActionBatch* batch
    PlanResult* result


cdef bint can_send(Planning* p, Budget budget, bint cancel) noexcept nogil:
    """Credits, unanswered requests, own rate and room in the batch; cancels use the reserve."""
    cdef double reserve = 0.0 if cancel else p.params.orders.reserve_requests
    if p.batch.count >= ACTIONS_MAX:
        return False
    if budget.available(p.clock.now_ns) - reserve < 1.0:
        return False
    if cancel:
        return True
    if budget.unanswered >= <int32_t>p.params.orders.max_unanswered:
        return False
    return rate_allows(p.rate, p.params.orders.max_updates_per_s, p.clock.now_ns)


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


cdef void append(Planning* p, OrderTable orders, Budget budget,
                 const Action* action) noexcept nogil:
    orders.sent(action, p.clock.now_ns)
    budget.spend(action.request_id, p.clock.now_ns)
    if action.kind == ACTION_NEW or action.kind == ACTION_EDIT:
        rate_spend(p.rate, p.clock.now_ns)
    p.batch.count += 1


cdef void cancel_slot(Planning* p, OrderTable orders, Budget budget, Order* order) noexcept nogil:
    if not can_send(p, budget, True):
        p.result.deferred += 1
        return
    append(p, orders, budget, next_action(p, orders, order, ACTION_CANCEL))


cdef bint cancellable(const Order* order) noexcept nogil:
    """Live, or unknown with an id and due to go; nothing outstanding for it."""
    if order.request_id != 0 or order.order_id_size == 0 or order.pull_ns > 0:
        return False
    return order.state == ORDER_LIVE or (order.state == ORDER_UNKNOWN and order.must_cancel)


cdef bint flying(const Order* order) noexcept nogil:
    """May be at the venue, cannot be cancelled by id now, and no pull on its way covers it."""
    if order.pull_ns != 0 or order.state == ORDER_CLOSED or order.state == ORDER_CANCEL_PENDING:
        return False
    return order.request_id != 0 or (
        order.state == ORDER_UNKNOWN and order.order_id_size == 0)


cdef bint is_wanted(const ApprovedQuotes* wanted, int32_t side, int32_t level) noexcept nogil:
    return wanted.first[side] <= level < wanted.count[side]


cdef void plan_cancels(Planning* p, OrderTable orders, Budget budget) noexcept nogil:
    """Everything that no rung wants goes; several at once go with one message."""
    cdef uint32_t mask = orders.used & QUOTE_SLOTS
    cdef uint32_t go = 0, flight = 0
    cdef int32_t slot, side, doomed = 0, kept = 0
    cdef int32_t overdue = 0    # had a cancel or edit that failed: these go by id
    cdef bint pull = p.wanted.count[SIDE_BID] == 0 and p.wanted.count[SIDE_ASK] == 0
    cdef Order* order
    cdef Action* action
    while mask:
        slot = mm_low_slot(mask)
        mask &= mask - 1
        order = &orders.orders[slot]
        side = 0 if slot < LEVELS_MAX else 1
        if cancellable(order) and (
                order.must_cancel or not is_wanted(p.wanted, side, slot - side * LEVELS_MAX)):
            go |= <uint32_t>1 << slot
            doomed += 1
            overdue += order.must_cancel
        else:
            kept += order.state != ORDER_CLOSED
        if pull and flying(order):
            flight |= <uint32_t>1 << slot
    if go == 0 and flight == 0:
        return
    if (flight != 0 or (doomed >= 2 and kept == 0 and overdue == 0)) and (
            can_send(p, budget, True)):
        # the pull: one request for the whole instrument, each order waits for its own word;
        # it also reaches what is on its way there, which no cancel by id can
        action = next_action(p, orders, &orders.orders[0], ACTION_CANCEL_INSTRUMENT)
        mask = go | flight
        while mask:
            slot = mm_low_slot(mask)
            mask &= mask - 1
            if go & (<uint32_t>1 << slot):
                action.slot = slot
                orders.sent(action, p.clock.now_ns)
            else:
                orders.orders[slot].pull_ns = p.clock.now_ns
        budget.spend(action.request_id, p.clock.now_ns)
        p.batch.count += 1
        return
    while go:
        slot = mm_low_slot(go)
        go &= go - 1
        cancel_slot(p, orders, budget, &orders.orders[slot])


cdef bint price_due(Planning* p, const Order* order, int64_t price_ticks) noexcept nogil:
    """Hysteresis of the price: chase late, retreat early."""
    cdef int64_t away = (order.price_ticks - price_ticks if order.side == SIDE_BID
                         else price_ticks - order.price_ticks)
    cdef double reference = p.signal.reference_usd
    cdef double moved_bps, floor_usd, distance
    if away == 0:
        return False
    if (away if away > 0 else -away) <= <int64_t>p.params.orders.keep_ticks:
        return False
    moved_bps = fabs(<double>away) * p.spec.tick_usd / reference * 1e4
    distance = fabs(price_usd(p.spec, order.price_ticks) - reference)
    floor_usd = p.wanted.why.half_floor_usd
    if away > 0:                # wanted further from the market: the market came nearer
        if not p.wanted.reducing[order.side] and distance < floor_usd:
            return True
        return moved_bps > p.params.orders.retreat_bps
    if distance > p.params.orders.off_center_bps * 1e-4 * reference + fabs(
            price_usd(p.spec, price_ticks) - reference):
        return True
    return moved_bps > p.params.orders.requote_bps


cdef void plan_slot(Planning* p, OrderTable orders, RiskGate gate, Budget budget, int32_t side,
                    int32_t level) noexcept nogil:
    """Bring one slot to its rung: nothing, an edit, or a new order."""
    cdef Order* order = &orders.orders[side * LEVELS_MAX + level]
    cdef int64_t price_ticks = p.wanted.rungs[side][level].price_ticks
    cdef int64_t amount = p.wanted.rungs[side][level].amount_contracts
    cdef int64_t resting
    cdef Action* action
    cdef bint fresh = order_slot_free(order)
    if not fresh:
        if (order.state != ORDER_LIVE or order.request_id != 0 or order.must_cancel
                or order.pull_ns > 0):
            if order.state != ORDER_CLOSED or order.request_id != 0:
                p.result.deferred += order.price_ticks != price_ticks
            return
        if not price_due(p, order, price_ticks):
            resting = order.amount_contracts - order.filled_contracts
            if resting > amount:            # shrink at once; the same price keeps the priority
                price_ticks = order.price_ticks
            elif 2 * resting >= amount:     # grow only when half is gone
                return
    if not can_send(p, budget, False):
        p.result.deferred += 1
        return
    action = next_action(p, orders, order, ACTION_NEW if fresh else ACTION_EDIT)
    if fresh:
        action.generation = (order.generation % GENERATION_MAX) + 1
        action.order_id_size = 0
    action.time_in_force = TIF_GTC
    action.post_only = True
    action.price_ticks = price_ticks
    action.amount_contracts = amount if fresh else amount + order.filled_contracts
    action.valid_until_ms = (p.clock.now_ns + p.clock.wall_offset_ns) // 1_000_000 + (
        <int64_t>p.params.orders.valid_for_ms)
    if gate.admit(action, p.spec, orders, p.signal, p.params, p.exposure) != GATE_OK:
        p.result.refused += 1
        return
    append(p, orders, budget, action)


cdef void plan(const ApprovedQuotes* wanted, OrderTable orders, RiskGate gate,
               const Instrument* spec, const SignalState* signal, const ParamValues* params,
               Exposure* exposure, Budget budget, RateCap* rate, const Clock* clock,
               ActionBatch* batch, PlanResult* result) noexcept nogil:
    """Append to the batch what turns the live orders into the approved ladder."""
    cdef Planning p
    cdef int32_t first, k, side, level
    cdef bint up
    p.wanted, p.spec, p.signal, p.params = wanted, spec, signal, params
    p.exposure, p.rate, p.clock, p.batch, p.result = exposure, rate, clock, batch, result
    plan_cancels(&p, orders, budget)
    if wanted.count[SIDE_BID] == 0 and wanted.count[SIDE_ASK] == 0:
        return
    # reducing side first; both adding: asks first when the ladder moves up, bids when down
    up = wanted.count[SIDE_BID] > 0 and (
        wanted.rungs[SIDE_BID][0].price_ticks > orders.orders[0].price_ticks)
    first = SIDE_ASK if up else SIDE_BID
    if wanted.reducing[SIDE_BID] != wanted.reducing[SIDE_ASK]:
        first = SIDE_BID if wanted.reducing[SIDE_BID] else SIDE_ASK
    for k in range(2):
        side = first if k == 0 else 1 - first
        for level in range(wanted.first[side], wanted.count[side]):
            plan_slot(&p, orders, gate, budget, side, level)
