"""Price-time matching of one instrument; see matching.pxd."""
from libc.math cimport llround
from libc.stdlib cimport free, malloc, realloc

from connectors.sim.levels cimport LEVEL_PAGE_BITS, LEVEL_SPAN_BITS, backing
from connectors.sim.orders cimport SLOT_NONE, SimOrder
from connectors.sim.queue cimport QUEUE_KINDS, queue_join, queue_level_changed, queue_traded
from mmcore.types cimport SIDE_BID, InstrumentSpec, sign_of

cdef enum:
    FIRST_CAPACITY = 256


cdef int64_t rest_of(const SimOrder* order) noexcept nogil:
    return order.amount_contracts - order.filled_contracts


cdef class MatchBook:
    """The book of one instrument."""

    def __cinit__(self, InstrumentSpec spec not None, OrderPool pool not None,
                  int64_t base_ticks=0):
        self.spec = spec.c
        self.pool = pool
        self.levels = LevelMap.__new__(LevelMap, base_ticks)
        self.feed = BookFeed.__new__(BookFeed, self.levels)
        self.fill_capacity = FIRST_CAPACITY
        self.fills = <MatchFill*>malloc(FIRST_CAPACITY * sizeof(MatchFill))
        if self.fills == NULL:
            raise MemoryError("fills")

    def __dealloc__(self):
        free(self.fills)

    # ---- own orders
    cdef int rest(self, int32_t slot) except -1:
        """Queue an order at its price, behind everything there."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef Level* level = self.levels.at(order.price_ticks)
        order.ahead_contracts = queue_join(level.liquidity_contracts)
        order.next = SLOT_NONE
        order.prev = backing(level).tail
        if order.prev != SLOT_NONE:
            self.pool.items[order.prev].next = slot
        else:
            level.head = slot
        backing(level).tail = slot
        order.resting = True
        return self.change_total(level, order.side, order.price_ticks, rest_of(order))

    cdef int remove(self, int32_t slot) except -1:
        cdef SimOrder* order = &self.pool.items[slot]
        cdef Level* level = self.levels.at(order.price_ticks)
        self.unlink(level, slot)
        return self.change_total(level, order.side, order.price_ticks, -rest_of(order))

    cdef int shrink(self, int32_t slot, int64_t amount_contracts) except -1:
        """Lower an order's total amount in place: it keeps its priority."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef int64_t less = order.amount_contracts - amount_contracts
        order.amount_contracts = amount_contracts
        return self.change_total(self.levels.at(order.price_ticks), order.side,
                                 order.price_ticks, -less)

    cdef int filled(self, int32_t slot, int64_t contracts) except -1:
        """Note a fill of a queued order; a full one leaves the queue."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef Level* level = self.levels.at(order.price_ticks)
        order.filled_contracts += contracts
        if rest_of(order) == 0:
            self.unlink(level, slot)
        return self.change_total(level, order.side, order.price_ticks, -contracts)

    cdef int unlink(self, Level* level, int32_t slot) noexcept nogil:
        cdef SimOrder* order = &self.pool.items[slot]
        if order.prev != SLOT_NONE:
            self.pool.items[order.prev].next = order.next
        else:
            level.head = order.next
        if order.next != SLOT_NONE:
            self.pool.items[order.next].prev = order.prev
        else:
            backing(level).tail = order.prev
        order.next = SLOT_NONE
        order.prev = SLOT_NONE
        order.resting = False
        return 0

    cdef int change_total(self, Level* level, int32_t side, int64_t ticks,
                          int64_t contracts) except -1:
        cdef int64_t before = level.total_contracts
        level.total_contracts += contracts
        if before == 0 and level.total_contracts > 0:
            level.side = side
            self.levels.occupy(side, ticks, False, True)
        elif before > 0 and level.total_contracts == 0:
            self.levels.occupy(side, ticks, True, False)
        return self.feed.touched(level, ticks)

    cdef int add_fill(self, int64_t ticks, int64_t contracts, int32_t maker) except -1:
        cdef MatchFill* grown
        if self.fill_count == self.fill_capacity:
            grown = <MatchFill*>realloc(self.fills, 2 * self.fill_capacity * sizeof(MatchFill))
            if grown == NULL:
                raise MemoryError("fills")
            self.fills = grown
            self.fill_capacity *= 2
        self.fills[self.fill_count].price_ticks = ticks
        self.fills[self.fill_count].amount_contracts = contracts
        self.fills[self.fill_count].maker = maker
        self.fill_count += 1
        return 0

    cdef void pass_queue(self, Level* level, int64_t contracts) noexcept nogil:
        """Recorded liquidity at the front of a level was traded."""
        cdef int32_t slot = level.head
        cdef SimOrder* order
        while slot != SLOT_NONE:
            order = &self.pool.items[slot]
            order.ahead_contracts = queue_traded(order.ahead_contracts, contracts)
            slot = order.next

    # ---- a taker with an account
    cdef bint crosses(self, int32_t side, int64_t price_ticks) noexcept nogil:
        """Would an order of that side and price trade at once?"""
        cdef int32_t other = 1 - side
        return (self.levels.count[other] > 0) & (
            (price_ticks - self.levels.best_ticks[other]) * sign_of(side) >= 0)

    cdef int32_t take(self, int32_t side, int64_t limit_ticks, int64_t contracts,
                      int32_t account) except -1:
        """Trade up to `contracts` down to a limit; `fills` says with whom. Returns a TakeEnd."""
        cdef int32_t other = 1 - side
        cdef int64_t ticks, part
        cdef Level* level
        cdef SimOrder* order
        self.fill_count = 0
        while contracts > 0 and self.crosses(side, limit_ticks):
            ticks = self.levels.best_ticks[other]
            level = self.levels.find(ticks)
            if level.head == SLOT_NONE:
                contracts -= self.take_level(level, ticks, contracts)
                continue
            order = &self.pool.items[level.head]
            part = llround(order.ahead_contracts)
            if part > 0:
                part = min(part, contracts)
                contracts -= self.take_level(level, ticks, part)
                continue
            if order.account == account:
                return TAKE_SELF
            part = contracts if contracts < rest_of(order) else rest_of(order)
            self.add_fill(ticks, part, level.head)
            self.filled(level.head, part)
            contracts -= part
        return TAKE_DONE

    cdef int64_t take_level(self, Level* level, int64_t ticks, int64_t contracts) except -1:
        """Trade with the recorded liquidity of a level; it stays gone until its next update."""
        cdef int64_t part = contracts
        if part > level.liquidity_contracts:
            part = level.liquidity_contracts
        level.liquidity_contracts -= part
        self.pass_queue(level, part)
        self.add_fill(ticks, part, SLOT_NONE)
        self.change_total(level, level.side, ticks, -part)
        return part

    cdef int64_t available(self, int32_t side, int64_t limit_ticks, int64_t contracts,
                           int32_t account, bint stop_at_own) noexcept nogil:
        """How much of `contracts` could be traded now, without the account's own orders.

        stop_at_own: count nothing from the first level that holds an own order on.
        """
        cdef int32_t other = 1 - side
        cdef int32_t slot
        cdef int64_t found = 0
        cdef int64_t ticks = self.levels.best_ticks[other]
        cdef Level* level
        if not self.crosses(side, limit_ticks):
            return 0
        while found < contracts:
            if (ticks > limit_ticks) if side == SIDE_BID else (ticks < limit_ticks):
                break
            level = self.levels.find(ticks)
            found += level.total_contracts
            slot = level.head
            while slot != SLOT_NONE:
                if self.pool.items[slot].account == account:
                    if stop_at_own:
                        return found - level.total_contracts
                    found -= rest_of(&self.pool.items[slot])
                slot = self.pool.items[slot].next
            if not self.levels.worse(other, &ticks):
                break
        return found if found < contracts else contracts

    # ---- recorded participants
    cdef int set_liquidity(self, int32_t side, int64_t price_ticks, int64_t contracts) except -1:
        """Set a level's recorded amount. Orders it crosses were filled before (`take_orders`)."""
        cdef Level* level = self.levels.find(price_ticks)
        cdef int64_t known = 0
        cdef int32_t slot
        if not self.levels.holds(price_ticks):
            self.out_of_span += 1
            return 0
        if level != NULL and level.side == side:
            known = level.liquidity_contracts
        if known == contracts:
            if contracts == 0:
                self.unknown_deletes += 1
            else:
                self.empty_changes += 1
            return 0
        if contracts > 0:
            self.clear_crossed(side, price_ticks)
            level = self.levels.at(price_ticks)
        level.liquidity_contracts = contracts
        slot = level.head
        while slot != SLOT_NONE:
            self.pool.items[slot].ahead_contracts = queue_level_changed(
                &self.queue, self.pool.items[slot].ahead_contracts, known, contracts,
                level.printed_contracts)
            slot = self.pool.items[slot].next
        level.printed_contracts = 0
        return self.change_total(level, side, price_ticks, contracts - known)

    cdef int32_t set_quiet_levels(self, const Event* events, int64_t* at, int64_t count,
                                  int32_t* left, int32_t most) noexcept nogil:
        """Set the quiet levels from events[at] to where `most` others are noted in `left`.

        Quiet is the common level: no order there, nothing crossed, nobody watching. With the
        others nothing is done. Whether a quiet one comes, changes, goes or stands nobody can
        foretell, so no branch asks.
        """
        cdef Level** pages = self.levels.pages
        cdef int64_t base = self.levels.base_ticks
        cdef bint watched = self.feed.watched, before, now, same, busy
        cdef int32_t n = 0, stood = 0, unknown = 0
        cdef const Event* event = events + at[0]
        cdef const Event* end = events + count
        cdef int64_t contracts
        cdef uint64_t place
        cdef int32_t side
        cdef Level* level
        while event < end and n < most:
            place, contracts = <uint64_t>(event.price_ticks - base), event.amount_contracts
            side = event.side
            event += 1
            if not watched and place < (<uint64_t>1 << LEVEL_SPAN_BITS) and (
                    pages[place >> LEVEL_PAGE_BITS] != NULL):
                level = &pages[place >> LEVEL_PAGE_BITS][place & ((1 << LEVEL_PAGE_BITS) - 1)]
                before, now = level.total_contracts > 0, contracts > 0
                busy = level.head != SLOT_NONE
                if self.levels.ahead(side, <int64_t>place + base):
                    busy |= (before & (level.side != side)) | (
                        now & (not before) & self.crosses(side, <int64_t>place + base))
                if not busy:
                    same = contracts == level.total_contracts
                    stood += same
                    unknown += same & (not before)
                    level.side ^= (level.side ^ side) & -now
                    level.printed_contracts &= -<int64_t>same
                    level.liquidity_contracts = level.total_contracts = contracts
                    self.levels.occupy(side, <int64_t>place + base, before, now)
                    continue
            left[n] = <int32_t>(event - events - 1)
            n += 1
        self.unknown_deletes += unknown
        self.empty_changes += stood - unknown
        self.feed.changed |= event - events - at[0] > stood + n
        at[0] = event - events
        return n

    cdef int clear_crossed(self, int32_t side, int64_t price_ticks) except -1:
        """Drop recorded liquidity a newer recorded level has run over."""
        cdef int32_t other = 1 - side
        cdef int64_t ticks, gone
        cdef Level* level
        while self.crosses(side, price_ticks):
            ticks = self.levels.best_ticks[other]
            level = self.levels.find(ticks)
            gone = level.liquidity_contracts
            assert gone > 0, "a crossed order was not filled"
            self.crossed_cleared += 1
            level.liquidity_contracts = 0
            self.pass_queue(level, gone)
            self.change_total(level, other, ticks, -gone)
        return 0

    cdef int64_t take_orders(self, int32_t side, int64_t limit_ticks, int64_t contracts) except -1:
        """Fill queued orders only, best first, each at its own price; returns what was traded."""
        cdef int32_t other = 1 - side
        cdef int32_t slot, behind
        cdef int64_t ticks, next_ticks, part
        cdef int64_t left = contracts
        cdef bint more = self.crosses(side, limit_ticks)
        self.fill_count = 0
        ticks = self.levels.best_ticks[other]
        while more and left > 0:
            if (ticks > limit_ticks) if side == SIDE_BID else (ticks < limit_ticks):
                break
            next_ticks = ticks
            more = self.levels.worse(other, &next_ticks)
            slot = self.levels.find(ticks).head
            while slot != SLOT_NONE and left > 0:
                behind = self.pool.items[slot].next
                part = rest_of(&self.pool.items[slot])
                if part > left:
                    part = left
                self.add_fill(ticks, part, slot)
                self.filled(slot, part)
                left -= part
                slot = behind
            ticks = next_ticks
        return contracts - left

    cdef int64_t print_through(self, int32_t side, int64_t price_ticks,
                               int64_t contracts) except -1:
        """Let a recorded print fill queued orders; returns what they got of it.

        Orders at better prices would have traded first. At the price itself the queue decides.
        """
        cdef int64_t better = price_ticks - 1 if side == SIDE_BID else price_ticks + 1
        cdef int64_t left = contracts - self.take_orders(side, better, contracts)
        cdef double here = <double>left     # of it, not yet given to anybody at this price
        cdef double passed = 0.0
        cdef double before
        cdef int64_t traded = contracts - left
        cdef int64_t part
        cdef int32_t slot, behind
        cdef Level* level = self.levels.find(price_ticks)
        if level == NULL or level.side != 1 - side:
            return traded
        level.printed_contracts += left
        slot = level.head
        while slot != SLOT_NONE and here > 0.0:
            behind = self.pool.items[slot].next
            before = min(here, self.pool.items[slot].ahead_contracts - passed)
            if before > 0.0:
                passed += before
                here -= before
            part = min(llround(here), rest_of(&self.pool.items[slot]))
            if part > 0:
                self.add_fill(price_ticks, part, slot)
                self.filled(slot, part)
                here -= <double>part
                traded += part
            slot = behind
        slot = level.head
        while slot != SLOT_NONE:
            self.pool.items[slot].ahead_contracts = max(
                0.0, self.pool.items[slot].ahead_contracts - passed)
            slot = self.pool.items[slot].next
        return traded

    # ---- for Python
    def set_queue_model(self, int32_t kind, double power=1.0):
        """Choose how a shrinking level moves queued orders up: a queue.QueueKind."""
        if not 0 <= kind < QUEUE_KINDS or not 0.0 < power <= 10.0:
            raise ValueError(f"queue model {kind} with power {power}: 0 to "
                             f"{QUEUE_KINDS - 1}, power above 0 to 10")
        self.queue.kind = kind
        self.queue.power = power

    def counters(self):
        """What recorded changes were dropped, and why."""
        return {"crossed_cleared": self.crossed_cleared, "unknown_deletes": self.unknown_deletes,
                "empty_changes": self.empty_changes, "out_of_span": self.out_of_span}

    def levels_of(self, int32_t side):
        """(price ticks, contracts) of a side's levels, best first."""
        cdef int64_t ticks = self.levels.best_ticks[side]
        cdef list found = []
        while self.levels.count[side] > 0:
            found.append((ticks, self.levels.find(ticks).total_contracts))
            if not self.levels.worse(side, &ticks):
                break
        return found
