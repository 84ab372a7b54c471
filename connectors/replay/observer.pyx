"""See observer.pxd."""
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from connectors.replay.event cimport (
    EVENT_EMPTY, EVENT_LEVEL, EVENT_TRADE, FLAG_EXCLUDED, FLAG_GAP, FLAG_LAST, FLAG_SNAPSHOT,
)
from connectors.sim.matching cimport MatchBook
from mmcore.book cimport NO_ASK, NO_BID
from mmcore.market cimport Market
from mmcore.types cimport SIDE_ASK, SIDE_BID, TradePrint, sign_of

cdef int64_t NEVER_NS = 0x7FFFFFFFFFFFFFFF
cdef int64_t MS = 1000000


cdef inline void put(LevelChange* levels, int32_t* count, int64_t price_ticks,
                     int64_t contracts) noexcept nogil:
    levels[count[0]].price_ticks = price_ticks
    levels[count[0]].amount_contracts = contracts
    count[0] += 1


cdef int64_t shown_at(const OwnParts* own, int32_t side, int64_t price_ticks) noexcept nogil:
    """What of a level is ours."""
    cdef int64_t total = 0
    cdef int32_t i
    for i in range(SLOTS_MAX):
        if own.parts[i].side == side and own.parts[i].price_ticks == price_ticks:
            total += own.parts[i].shown
    return total


cdef class Observer:
    """Hands one message after the other to an engine.

    events: array of EVENT_DTYPE in the order received; markets: the instrument number of every
    market of the engine; shift_ns: added to the recorder's clock to make it the venue's;
    origin_ns: the venue's clock less the engine's.
    """

    def __init__(self, Engine engine not None, events, list markets not None, *,
                 int64_t shift_ns, int64_t origin_ns):
        cdef const Event[::1] items = events
        cdef int32_t i
        self.owner = events
        self.engine = engine
        self.items = &items[0]
        self.count = len(events)
        self.shift_ns = shift_ns
        self.origin_ns = origin_ns
        for i in range(VENUE_MARKETS_MAX):
            self.engine_of[i] = -1
        for i in range(<int32_t>len(markets)):
            self.engine_of[<int32_t>markets[i]] = i
            self.index_own(i)
        self.room_for(4096)
        self.find_due()

    def __dealloc__(self):
        free(self.levels[0])
        free(self.levels[1])

    cdef int room_for(self, int64_t levels) except -1:
        cdef LevelChange* grown
        cdef int32_t side
        if levels + SLOTS_MAX <= self.capacity:
            return 0
        for side in range(2):
            grown = <LevelChange*>realloc(
                self.levels[side], (2 * levels + SLOTS_MAX) * sizeof(LevelChange))
            if grown == NULL:
                raise MemoryError("levels of a book message")
            self.levels[side] = grown
        self.capacity = 2 * levels + SLOTS_MAX
        return 0

    cdef void find_due(self) noexcept nogil:
        """Step over best prices and markets nobody quotes; find when the next message came."""
        cdef const Event* event
        while self.next < self.count:
            event = &self.items[self.next]
            if ((event.kind == EVENT_LEVEL or event.kind == EVENT_EMPTY
                    or event.kind == EVENT_TRADE) and self.engine_of[event.instrument] >= 0):
                self.due_ns = max(self.due_ns, event.local_ns + self.shift_ns)
                return
            self.next += 1
        self.due_ns = NEVER_NS

    # ---------------------------------------------------------------- messages
    cdef int take(self) except -1:
        """Hand the next message to the engine."""
        cdef const Event* event = &self.items[self.next]
        cdef int32_t market = self.engine_of[event.instrument]
        cdef int64_t count = 1
        self.messages += 1
        if event.kind == EVENT_TRADE:
            self.take_trade(market, event)
        else:
            count = self.take_book(market, event)
        self.next += count
        self.events += <uint64_t>count
        self.find_due()
        return 0

    cdef int take_trade(self, int32_t market, const Event* event) except -1:
        cdef TradePrint trade
        memset(&trade, 0, sizeof(TradePrint))
        trade.side = event.side
        trade.price_ticks = event.price_ticks
        trade.amount_contracts = event.amount_contracts
        trade.timestamp_ms = event.exch_ns // MS
        trade.trade_seq = event.sequence
        trade.excluded = event.flags & FLAG_EXCLUDED
        self.engine.on_trade(market, &trade, self.due_ns - self.origin_ns)
        return 0

    cdef int64_t take_book(self, int32_t market, const Event* event) except -1:
        """Hand a book message on, if no snapshot holds it already; return its events."""
        cdef BookDelta delta
        cdef bint crossing = False
        cdef int64_t count
        memset(&delta, 0, sizeof(BookDelta))
        delta.timestamp_ms = event.exch_ns // MS
        delta.snapshot = event.flags & FLAG_SNAPSHOT
        count = self.put_message(&self.own[market], event, &delta, &crossing)
        while count == 0:                   # too long for what it is written to
            self.room_for(2 * self.capacity)
            count = self.put_message(&self.own[market], event, &delta, &crossing)
        if event.exch_ns <= self.fresh_ns[market]:
            return count
        if event.kind == EVENT_EMPTY:
            delta.bid_count = delta.ask_count = 0
        elif crossing:
            self.put_crossing(market, event, count, &delta)
        if delta.snapshot:
            self.apply_snapshot(market, &delta, self.due_ns - self.origin_ns)
            return count
        self.level_changes += <uint64_t>count if event.kind != EVENT_EMPTY else 0
        self.apply(market, &delta, self.due_ns - self.origin_ns, (event.flags & FLAG_GAP) != 0)
        return count

    cdef int64_t put_message(self, const OwnParts* own, const Event* first, BookDelta* delta,
                             bint* crossing) noexcept nogil:
        """Write the levels of one message with our parts added; return its events.

        0: there is not room for them. crossing: one of them runs over a part of ours.
        """
        cdef LevelChange* at[2]             # where each side's next level goes
        cdef LevelChange* level
        cdef const Event* event = first
        cdef const Event* end = self.items + self.count
        cdef const Event* most = first + self.capacity - SLOTS_MAX  # parts may come on top
        cdef int64_t price, amount
        cdef int64_t opposite[2]            # our best on the other side
        cdef bint add = own.shown > 0 and not delta.snapshot, over = False, last
        cdef int32_t side
        opposite[SIDE_BID], opposite[SIDE_ASK] = own.best[SIDE_ASK], own.best[SIDE_BID]
        at[0], at[1] = self.levels[0], self.levels[1]
        if most < end:
            end = most
        while event < end:
            side, price, amount = event.side, event.price_ticks, event.amount_contracts
            if add:
                over |= (amount > 0) & ((price - opposite[side]) * sign_of(side) >= 0)
                if own.mask[side] >> (price & 63) & 1:
                    amount += shown_at(own, side, price)
            level = at[side]
            level.price_ticks, level.amount_contracts = price, amount
            at[side] = level + 1
            last = event.flags & FLAG_LAST
            event += 1
            if last:
                break
        else:
            if end == most:
                return 0
        delta.bid_count = <int32_t>(at[SIDE_BID] - self.levels[SIDE_BID])
        delta.ask_count = <int32_t>(at[SIDE_ASK] - self.levels[SIDE_ASK])
        crossing[0] = over
        return event - first

    cdef void put_crossing(self, int32_t market, const Event* event, int64_t count,
                           BookDelta* delta) noexcept:
        """The same where parts of ours are run over: they leave their levels first."""
        cdef OwnParts* own = &self.own[market]
        cdef int64_t i
        cdef int32_t side
        delta.bid_count = delta.ask_count = 0
        for i in range(count):
            side = event[i].side
            if (event[i].price_ticks <= own.best[SIDE_BID] if side == SIDE_ASK
                    else event[i].price_ticks >= own.best[SIDE_ASK]) and (
                        event[i].amount_contracts > 0):
                self.hide_crossed(market, 1 - side, event[i].price_ticks, delta)
        for i in range(count):
            side = event[i].side
            put(self.levels[side], &delta.bid_count if side == SIDE_BID else &delta.ask_count,
                event[i].price_ticks, event[i].amount_contracts + shown_at(
                    own, side, event[i].price_ticks))

    cdef int apply(self, int32_t market, BookDelta* delta, int64_t now_ns, bint gap) noexcept:
        """Number a message and hand it on; a gap breaks the chain of numbers."""
        delta.bids = self.levels[0]
        delta.asks = self.levels[1]
        delta.prev_change_id = self.change_id[market] - gap
        self.change_id[market] += 1
        delta.change_id = self.change_id[market]
        self.engine.on_book(market, delta, now_ns)
        return 0

    # ---------------------------------------------------------------- our part of the book
    cdef void index_own(self, int32_t market) noexcept nogil:
        """Find out anew where parts of ours are shown."""
        cdef OwnParts* own = &self.own[market]
        cdef OwnPart* part
        cdef int32_t i
        own.mask[0] = own.mask[1] = 0
        own.best[SIDE_BID], own.best[SIDE_ASK] = NO_BID, NO_ASK
        own.shown = 0
        for i in range(SLOTS_MAX):
            part = &own.parts[i]
            if part.shown == 0:
                continue
            own.shown += 1
            own.mask[part.side] |= (<uint64_t>1) << (part.price_ticks & 63)
            if part.side == SIDE_BID:
                own.best[SIDE_BID] = max(own.best[SIDE_BID], part.price_ticks)
            else:
                own.best[SIDE_ASK] = min(own.best[SIDE_ASK], part.price_ticks)

    cdef int hide_crossed(self, int32_t market, int32_t side, int64_t price_ticks,
                          BookDelta* delta) noexcept:
        """Take our parts out of the levels a message runs over: they were traded there.

        The exchange's own word of that may come a moment later.
        """
        cdef OwnPart* part
        cdef int64_t left
        cdef int32_t i
        for i in range(SLOTS_MAX):
            part = &self.own[market].parts[i]
            if part.shown == 0 or part.side != side or (
                    part.price_ticks < price_ticks if side == SIDE_BID
                    else part.price_ticks > price_ticks):
                continue
            part.shown = 0
            left = shown_at(&self.own[market], side, part.price_ticks)
            if left == 0:           # the last of several parts at a price takes the level along
                put(self.levels[side], &delta.bid_count if side == SIDE_BID else &delta.ask_count,
                    part.price_ticks, 0)
        self.index_own(market)
        return 0

    cdef int take_own(self, int32_t market, const OwnLevel* level, int64_t t_ns) except -1:
        """Follow the exchange's word on our part of a level."""
        cdef OwnPart* part = &self.own[market].parts[level.slot]
        cdef OwnPart before = part[0]
        cdef Market m = <Market>self.engine.markets[market]
        cdef BookDelta delta
        cdef int64_t amount
        part.side = level.side
        part.price_ticks = level.price_ticks
        part.contracts = level.amount_contracts
        part.shown = 0
        if m.book.valid and (level.price_ticks < m.book.best[SIDE_ASK] if level.side == SIDE_BID
                             else level.price_ticks > m.book.best[SIDE_BID]):
            part.shown = part.contracts
        self.index_own(market)
        if not m.book.valid or (before.shown == part.shown == 0):
            return 0
        memset(&delta, 0, sizeof(BookDelta))
        delta.timestamp_ms = t_ns // MS
        if before.shown > 0 and (before.side != part.side
                                 or before.price_ticks != part.price_ticks):
            amount = m.book.amount_at(before.side, before.price_ticks) - before.shown
            put(self.levels[before.side],
                &delta.bid_count if before.side == SIDE_BID else &delta.ask_count,
                before.price_ticks, max(<int64_t>0, amount))
            before.shown = 0
        amount = m.book.amount_at(part.side, part.price_ticks) - before.shown + part.shown
        put(self.levels[part.side],
            &delta.bid_count if part.side == SIDE_BID else &delta.ask_count,
            part.price_ticks, max(<int64_t>0, amount))
        return self.apply(market, &delta, t_ns - self.origin_ns, False)

    # ---------------------------------------------------------------- snapshots
    cdef int resync(self, Exchange exchange, int32_t number, int32_t market,
                    int64_t t_ns) except -1:
        """Hand over the exchange's recorded book as it is now, as a fresh subscription would."""
        cdef MatchBook book = exchange.books[number]
        cdef BookDelta delta
        cdef int32_t counts[2]
        cdef int32_t side
        cdef int64_t ticks, liquidity
        cdef bint more
        self.room_for(max(book.levels.count[0], book.levels.count[1]))
        memset(&delta, 0, sizeof(BookDelta))
        delta.timestamp_ms = t_ns // MS
        delta.snapshot = True
        for side in range(2):
            counts[side] = 0
            more = book.levels.count[side] > 0
            ticks = book.levels.best_ticks[side]
            while more:
                liquidity = book.levels.find(ticks).liquidity_contracts
                if liquidity > 0:
                    put(self.levels[side], &counts[side], ticks, liquidity)
                more = book.levels.worse(side, &ticks)
        delta.bid_count, delta.ask_count = counts[0], counts[1]
        self.fresh_ns[market] = exchange.now_ns
        return self.apply_snapshot(market, &delta, t_ns - self.origin_ns)

    cdef int apply_snapshot(self, int32_t market, BookDelta* delta, int64_t now_ns) noexcept:
        """Add our parts to a snapshot, where they do not cross it, and hand it on."""
        cdef OwnPart* part
        cdef LevelChange* levels
        cdef int32_t* count
        cdef int64_t best[2]
        cdef int32_t i, k
        best[SIDE_BID], best[SIDE_ASK] = NO_BID, NO_ASK
        for i in range(delta.bid_count):
            best[SIDE_BID] = max(best[SIDE_BID], self.levels[SIDE_BID][i].price_ticks)
        for i in range(delta.ask_count):
            best[SIDE_ASK] = min(best[SIDE_ASK], self.levels[SIDE_ASK][i].price_ticks)
        for i in range(SLOTS_MAX):
            part = &self.own[market].parts[i]
            part.shown = 0
            if part.contracts == 0 or not (
                    part.price_ticks < best[SIDE_ASK] if part.side == SIDE_BID
                    else part.price_ticks > best[SIDE_BID]):
                continue
            part.shown = part.contracts
            levels = self.levels[part.side]
            count = &delta.bid_count if part.side == SIDE_BID else &delta.ask_count
            for k in range(count[0]):
                if levels[k].price_ticks == part.price_ticks:
                    levels[k].amount_contracts += part.shown
                    break
            else:
                put(levels, count, part.price_ticks, part.shown)
        self.index_own(market)
        return self.apply(market, delta, now_ns, False)
