"""See diff.pxd. Order of a batch: cancels, a take, reducing edits and news, then adding ones."""
from libc.string cimport memset

from mmcore.hysteresis cimport (
    Patience, due_from, fits, is_stale, keeps, look_again, stale_at_ns, stands)
from mmcore.orders cimport ORDER_CLOSED, Order, mm_low_slot, order_slot_free
from mmcore.pairing cimport Pairing, pair
from mmcore.params cimport MODE_CANCEL_REPLACE, MODE_MASS_QUOTE
from mmcore.planning cimport (
    GENERATION_MAX, QUOTE_SLOTS, Planning, Settled, Task, can_cancel, cancel_slot, cancellable,
    movable, next_action, plan_cancels, quote_in_mass, room, submit, waits)
from mmcore.priority cimport far_up
from mmcore.risk cimport price_allowed
from mmcore.types cimport (
    ACTION_EDIT, ACTION_NEW, ACTIONS_MAX, LEVELS_MAX, REMOVED_INVENTORY, SIDE_ASK, SIDE_BID,
    SLOTS_MAX, SLOTS_QUOTE, TAKE_NONE, TIF_GTC, Action, Rung, Take, price_usd, ticks_down, ticks_up)

cdef enum:
    SHIFT_MAX = 3               # ticks a price steps back for refusals in a row


cdef bint meets(const Take* take, int32_t side, int64_t price_ticks) noexcept nogil:
    """Whether a quote at a price would trade with what is to be taken."""
    if take.why == TAKE_NONE or side == take.side:
        return False
    return price_ticks <= take.price_ticks if side == SIDE_ASK else price_ticks >= take.price_ticks


# ---------------------------------------------------------------- pairing orders with rungs
cdef bint settled(Planning* p, OrderTable orders, Budget budget) noexcept nogil:
    """Whether every order serves the rung it served before, and no rung lacks one.

    The common case, decided without pairing anything: the full plan would send nothing.
    """
    cdef Patience patience[2]
    cdef bint weighed[2]
    cdef uint32_t wanted[2]
    cdef uint32_t mask = orders.used, due = 0, one
    cdef int32_t side, slot
    cdef Order* order
    cdef const Rung* rung
    cdef int64_t looked_ns = p.clock.now_ns
    cdef Settled* found = &p.result.settled
    weighed[SIDE_BID] = weighed[SIDE_ASK] = False
    if p.wanted.take.why != TAKE_NONE:
        return False
    for side in range(2):
        wanted[side] = (((<uint32_t>1 << p.wanted.count[side]) - 1)
                        & ~((<uint32_t>1 << p.wanted.first[side]) - 1))
    while mask:
        slot = mm_low_slot(mask)
        mask &= mask - 1
        order = &orders.orders[slot]
        if order_slot_free(order):
            continue
        if slot >= SLOTS_QUOTE or not movable(order):
            return False
        side = order.side
        one = <uint32_t>1 << order.level
        if wanted[side] & one == 0:
            return False
        rung = &p.wanted.rungs[side][order.level]
        if looked_ns > order.looked_ns:
            looked_ns = order.looked_ns
        if not stands(order, rung):
            if not weighed[side]:
                weighed[side] = True
                weigh_messages(p, budget)
                set_patience(p, side, &patience[side])
            if not keeps(&patience[side], order, rung):
                return False
            found.patient |= <uint32_t>1 << slot
            found.front |= <uint32_t>far_up(order) << slot
        wanted[side] ^= one
        due |= <uint32_t>is_stale(order, &p.params.orders, p.clock.now_ns) << slot
    if wanted[SIDE_BID] | wanted[SIDE_ASK]:
        return False
    while due:
        look_again(&orders.orders[mm_low_slot(due)], p.clock.now_ns)
        due &= due - 1
    found.until_ns = stale_at_ns(looked_ns, &p.params.orders)
    return True


cdef void weigh_messages(Planning* p, Budget budget) noexcept nogil:
    """Find once what the patience with a price depends on: messages for what was traded."""
    if p.otv < 0.0:
        p.otv = (budget.order_to_volume(p.clock.now_ns) if p.params.orders.otv_brake > 0.0
                 else 0.0)


cdef void pair_side(Planning* p, OrderTable orders, int32_t side) noexcept nogil:
    """Say of each order of a side what becomes of it, and which rungs need a new one."""
    cdef Pairing pairing
    cdef Patience patience
    cdef int32_t slots[LEVELS_MAX]
    cdef int32_t before[LEVELS_MAX]
    cdef uint32_t open_rungs = 0, mask
    cdef int32_t i, n = 0, rung, slot
    cdef Order* order
    cdef const Rung* rungs = &p.wanted.rungs[side][0]
    memset(before, 0, sizeof(before))
    set_patience(p, side, &patience)
    for rung in range(p.wanted.first[side], p.wanted.count[side]):
        if not meets(&p.wanted.take, side, rungs[rung].price_ticks):
            open_rungs |= <uint32_t>1 << rung
    mask = (orders.used & QUOTE_SLOTS) >> (side * LEVELS_MAX)
    mask &= (<uint32_t>1 << LEVELS_MAX) - 1
    while mask:
        slot = mm_low_slot(mask) + side * LEVELS_MAX
        mask &= mask - 1
        order = &orders.orders[slot]
        if order_slot_free(order):
            continue
        if not movable(order):      # what is in flight or in doubt holds a rung until it is settled
            rung = nearest(open_rungs, rungs, waited_for(order))
            if rung >= 0:
                open_rungs &= ~(<uint32_t>1 << rung)
                p.result.deferred += order.price_ticks != rungs[rung].price_ticks
            if cancellable(order) and not waits(p, order):
                p.go |= <uint32_t>1 << slot
            continue
        slots[n] = slot
        before[n] = order.level
        n += 1
    for i in range(n):
        order = &orders.orders[slots[i]]
        pairing.keeps[i] = 0
        pairing.due[i] = due_from(&patience, order, rungs, open_rungs)
        mask = open_rungs & ~pairing.due[i]
        while mask:
            rung = mm_low_slot(mask)
            mask &= mask - 1
            pairing.keeps[i] |= <uint32_t>fits(&patience, order, &rungs[rung]) << rung
    pair(&pairing, n, before)
    for i in range(n):
        order = &orders.orders[slots[i]]
        if is_stale(order, &p.params.orders, p.clock.now_ns):
            look_again(order, p.clock.now_ns)       # where it moves or shrinks its age is no reason
            pairing.due[i] = due_from(&patience, order, rungs, open_rungs)
        if pairing.rung_of[i] >= 0:
            order.level = pairing.rung_of[i]
            open_rungs &= ~(<uint32_t>1 << pairing.rung_of[i])
    move_rest(p, orders, side, &pairing, slots, n, open_rungs)


cdef void set_patience(Planning* p, int32_t side, Patience* out) noexcept nogil:
    cdef double soft = p.params.orders.otv_soft, hard = p.params.orders.otv_hard
    out.spec, out.signal, out.params = p.spec, p.signal, &p.params.orders
    out.fair_usd = (p.wanted.why.reference_usd + p.wanted.why.carry_usd
                    + p.wanted.why.alpha_usd)
    out.floor_usd = p.wanted.why.half_floor_usd
    out.reducing = p.wanted.reducing[side]
    out.limited = (p.wanted.why.removed[side] & REMOVED_INVENTORY) != 0
    out.now_ns = p.clock.now_ns
    out.chase_factor = 1.0
    if p.otv > soft:
        out.chase_factor = 1.0 + 3.0 * (p.otv - soft) / (hard - soft) if p.otv < hard else 4.0


cdef int64_t waited_for(const Order* order) noexcept nogil:
    """Price an order has, or will have once what is outstanding is done."""
    return order.pending_price_ticks if order.pending_amount_contracts > 0 else order.price_ticks


cdef int32_t nearest(uint32_t open_rungs, const Rung* rungs, int64_t price_ticks) noexcept nogil:
    """The open rung next to a price; -1 where none is open."""
    cdef int32_t rung, best = -1
    cdef int64_t away, least = 0
    while open_rungs:
        rung = mm_low_slot(open_rungs)
        open_rungs &= open_rungs - 1
        away = rungs[rung].price_ticks - price_ticks
        if away < 0:
            away = -away
        if best < 0 or away < least:
            best, least = rung, away
    return best


cdef void move_rest(Planning* p, OrderTable orders, int32_t side, const Pairing* pairing,
                    const int32_t* slots, int32_t n, uint32_t open_rungs) noexcept nogil:
    """Orders without a rung they serve move to one that is open, or go; other rungs get new ones.

    An order that only shrinks comes first: at its price it keeps its place in the queue.
    """
    cdef int32_t i, rung, turn, free
    cdef bint same
    cdef uint32_t taken = 0
    cdef Order* order
    for turn in range(n == 1, 2):       # an order alone is first anyway
        for i in range(n):
            if pairing.rung_of[i] >= 0 or taken & (<uint32_t>1 << i):
                continue
            order = &orders.orders[slots[i]]
            rung = nearest(open_rungs, &p.wanted.rungs[side][0], order.price_ticks)
            if rung < 0:
                if turn:
                    p.go |= <uint32_t>1 << slots[i]
                continue
            same = (pairing.due[i] >> rung & 1) == 0
            if turn == 0 and not same:
                continue
            taken |= <uint32_t>1 << i
            open_rungs &= ~(<uint32_t>1 << rung)
            add_task(p, orders, order, side, rung, same)
    free = 0
    while open_rungs and free < p.slots:
        order = &orders.orders[side * LEVELS_MAX + free]
        free += 1
        if not order_slot_free(order):
            continue
        rung = mm_low_slot(open_rungs)
        open_rungs &= open_rungs - 1
        add_task(p, orders, order, side, rung, False)
    while open_rungs:                   # every slot is taken: wait for one
        open_rungs &= open_rungs - 1
        p.result.deferred += 1


cdef void add_task(Planning* p, OrderTable orders, Order* order, int32_t side, int32_t rung,
                   bint same_price) noexcept nogil:
    """Note an edit, or a create where the slot is free."""
    cdef Task* task = &p.tasks[p.task_count]
    cdef int64_t resting = order.amount_contracts - order.filled_contracts
    cdef int64_t price = p.wanted.rungs[side][rung].price_ticks
    cdef int32_t shift = orders.crossed[side] if orders.crossed[side] < SHIFT_MAX else SHIFT_MAX
    cdef bint nearer = False
    cdef bint fresh = order_slot_free(order)
    if p.clock.now_ns < orders.backoff_ns[side]:
        p.result.deferred += 1
        return
    if p.mass and not fresh and order.filled_contracts > 0:
        # whether a quote's amount counts what was filled the venue leaves open: made anew instead
        p.go |= <uint32_t>1 << order.slot
        p.result.deferred += 1
        return
    if fresh and shift > 0:             # refused to cross: the next price stands further away
        price = (ticks_down(p.spec, price_usd(p.spec, price - shift)) if side == SIDE_BID
                 else ticks_up(p.spec, price_usd(p.spec, price + shift)))
    elif not fresh and same_price and resting > p.wanted.rungs[side][rung].amount_contracts:
        price = order.price_ticks
    if not fresh:
        nearer = (order.price_ticks > price) == (side == SIDE_BID) and order.price_ticks != price
        p.drift += (price > order.price_ticks) - (price < order.price_ticks)
    task.slot, task.side, task.level = order.slot, side, rung
    task.price_ticks = price
    task.amount_contracts = p.wanted.rungs[side][rung].amount_contracts
    task.rank = rung * 2 + (0 if p.wanted.reducing[side] else 1)
    if nearer:                          # too near the market: what it may cost is most
        task.rank -= 4 * LEVELS_MAX
    p.task_count += 1


# ---------------------------------------------------------------- the rest of the batch
cdef void plan_take(Planning* p, OrderTable orders, RiskGate gate, Budget budget) noexcept nogil:
    """Send what is to be taken, once nothing of ours can meet it and no other take is out.

    Own quotes it could meet are cancelled first, and it waits for the venue's word on them.
    """
    cdef const Take* take = &p.wanted.take
    cdef const Order* order
    cdef Order* place = NULL
    cdef Action* action
    cdef int32_t slot
    for slot in range(SLOTS_MAX):
        order = &orders.orders[slot]
        if slot >= SLOTS_QUOTE:
            if not order_slot_free(order):      # in flight or unknown: never doubled
                p.result.deferred += 1
                return
            if place == NULL:
                place = &orders.orders[slot]
        elif order.state != ORDER_CLOSED and (
                meets(take, order.side, order.price_ticks)
                or (order.pending_amount_contracts > 0
                    and meets(take, order.side, order.pending_price_ticks))):
            p.result.deferred += 1
            return
    if place == NULL or p.batch.count >= ACTIONS_MAX or not can_cancel(p, budget):
        p.result.deferred += 1
        return
    action = next_action(p, orders, place, ACTION_NEW)
    action.side = take.side
    action.generation = (place.generation % GENERATION_MAX) + 1
    action.order_id_size = 0
    action.time_in_force = take.time_in_force
    action.reduce_only = take.reduce_only
    action.lowers_net = take.lowers_net
    action.price_ticks = take.price_ticks
    action.amount_contracts = take.amount_contracts
    p.result.taken = submit(p, orders, gate, budget, action)


cdef void choose(Planning* p, int32_t count) noexcept nogil:
    """Mark the tasks that are worth most, so many messages of them; the others wait."""
    cdef int32_t i, best
    cdef bint every = count >= p.task_count         # mostly there is room for all
    for i in range(p.task_count):
        p.tasks[i].due = every
    while count > 0 and not every:
        count -= 1
        best = -1
        for i in range(p.task_count):
            if not p.tasks[i].due and (best < 0 or p.tasks[i].rank < p.tasks[best].rank):
                best = i
        if best < 0:
            break
        p.tasks[best].due = True
        for i in range(p.task_count if p.mass else 0):      # the message moves the whole rung
            if p.tasks[i].slot % LEVELS_MAX == p.tasks[best].slot % LEVELS_MAX:
                p.tasks[i].due = True
    for i in range(p.task_count):
        p.result.deferred += not p.tasks[i].due


cdef void send_task(Planning* p, OrderTable orders, RiskGate gate, Budget budget,
                    const Task* task) noexcept nogil:
    """Bring one order to its rung; an edit the gate forbids leaves no order too near."""
    cdef Order* order = &orders.orders[task.slot]
    cdef bint fresh = order_slot_free(order)
    cdef bint nearer
    cdef Action* action = next_action(p, orders, order, ACTION_NEW if fresh else ACTION_EDIT)
    if fresh:
        action.generation = (order.generation % GENERATION_MAX) + 1
        action.order_id_size = 0
    action.time_in_force = TIF_GTC
    action.post_only = True
    action.price_ticks = task.price_ticks
    action.amount_contracts = task.amount_contracts
    if not fresh:
        action.amount_contracts += order.filled_contracts
    if p.mass:
        quote_in_mass(p, orders, action)
    if submit(p, orders, gate, budget, action):
        order.level = task.level
        return
    if fresh:
        return
    nearer = order.price_ticks != task.price_ticks and (
        (order.price_ticks > task.price_ticks) == (task.side == SIDE_BID))
    # an order under a mass quote counts twice: alone it may still go where it should be
    if nearer or p.mass or not price_allowed(price_usd(p.spec, order.price_ticks), p.signal,
                                             p.params.risk.price_collar_bps):
        cancel_slot(p, orders, budget, order)


cdef void plan(const ApprovedQuotes* wanted, OrderTable orders, RiskGate gate,
               const Instrument* spec, const SignalState* signal, const ParamValues* params,
               Exposure* exposure, Budget budget, RateCap* rate, const Clock* clock,
               ActionBatch* batch, PlanResult* result) noexcept nogil:
    """Append to the batch what turns the live orders into the approved ladder."""
    cdef Planning p
    cdef int32_t i, k, side, first
    p.wanted, p.spec, p.signal, p.params = wanted, spec, signal, params
    p.exposure, p.rate, p.clock, p.batch, p.result = exposure, rate, clock, batch, result
    p.go, p.drift, p.task_count = 0, 0, 0
    p.mass = <int32_t>params.orders.mode == MODE_MASS_QUOTE
    p.slots = orders.protected_rungs if p.mass else LEVELS_MAX
    memset(p.mass_ids, 0, sizeof(p.mass_ids))
    p.otv = -1.0
    if settled(&p, orders, budget):
        return
    weigh_messages(&p, budget)
    pair_side(&p, orders, SIDE_BID)
    pair_side(&p, orders, SIDE_ASK)
    hold_back(&p, orders)
    plan_cancels(&p, orders, budget, wanted.count[SIDE_BID] == 0 and wanted.count[SIDE_ASK] == 0)
    if wanted.take.why != TAKE_NONE:
        plan_take(&p, orders, gate, budget)
    if p.task_count == 0:
        return
    choose(&p, room(&p, budget, p.task_count))
    # reducing side first; both adding: asks first when the ladder moves up, bids when down
    first = SIDE_ASK if p.drift > 0 else SIDE_BID
    if wanted.reducing[SIDE_BID] != wanted.reducing[SIDE_ASK]:
        first = SIDE_BID if wanted.reducing[SIDE_BID] else SIDE_ASK
    for k in range(2):
        side = first if k == 0 else 1 - first
        for i in range(p.task_count):
            if p.tasks[i].due and p.tasks[i].side == side:
                send_task(&p, orders, gate, budget, &p.tasks[i])


cdef void hold_back(Planning* p, OrderTable orders) noexcept nogil:
    """Turn edits into cancels where the mode has none; drop what the message budget forbids."""
    cdef bint braked = p.otv >= p.params.orders.otv_hard and p.otv > 0.0
    cdef int32_t i, left = 0
    cdef const Task* task
    if not braked and <int32_t>p.params.orders.mode != MODE_CANCEL_REPLACE:
        return
    for i in range(p.task_count):
        task = &p.tasks[i]
        if order_slot_free(&orders.orders[task.slot]):
            if not braked:
                p.tasks[left] = task[0]
                left += 1
        elif not braked or task.rank < 0:       # what stands too near goes even then
            p.go |= <uint32_t>1 << task.slot
    p.task_count = left
