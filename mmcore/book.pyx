"""See book.pxd."""
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.string cimport memmove, memset

from mmcore.types cimport SIDE_ASK, SIDE_BID, sign_of

NO_BID = -(<int64_t>1 << 60)
NO_ASK = <int64_t>1 << 60

cdef extern from *:
    """
    static inline int mm_low_bit(unsigned long long word) { return __builtin_ctzll(word); }
    static inline int mm_high_bit(unsigned long long word) { return 63 - __builtin_clzll(word); }
    """
    int mm_low_bit(unsigned long long word) noexcept nogil
    int mm_high_bit(unsigned long long word) noexcept nogil


cdef int32_t outside_index(const LevelChange* levels, int32_t count,
                           int64_t price_ticks) noexcept nogil:
    """Index of the first level at or above a price."""
    cdef int32_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) >> 1
        if levels[middle].price_ticks < price_ticks:
            low = middle + 1
        else:
            high = middle
    return low


cdef class OrderBook:
    """L2 book of one instrument with change-id continuity and validity.

    Invalid until the first snapshot and after every gap or crossing, until the next snapshot.
    """

    def __cinit__(self):
        cdef int32_t side
        self.scratch = <LevelChange*>PyMem_Calloc(WINDOW_TICKS + OUTSIDE_MAX, sizeof(LevelChange))
        if self.scratch == NULL:
            raise MemoryError()
        for side in range(2):
            self.amounts[side] = <int64_t*>PyMem_Calloc(WINDOW_TICKS, sizeof(int64_t))
            self.occupied[side] = <uint64_t*>PyMem_Calloc(WINDOW_WORDS, sizeof(uint64_t))
            self.outside[side] = <LevelChange*>PyMem_Calloc(OUTSIDE_MAX, sizeof(LevelChange))
            if (self.amounts[side] == NULL or self.occupied[side] == NULL
                    or self.outside[side] == NULL):
                raise MemoryError()
        self.clear()

    def __dealloc__(self):
        cdef int32_t side
        PyMem_Free(self.scratch)
        for side in range(2):
            PyMem_Free(self.amounts[side])
            PyMem_Free(self.occupied[side])
            PyMem_Free(self.outside[side])

    cdef void clear(self) noexcept nogil:
        cdef int32_t side
        for side in range(2):
            memset(self.amounts[side], 0, WINDOW_TICKS * sizeof(int64_t))
            memset(self.occupied[side], 0, WINDOW_WORDS * sizeof(uint64_t))
            self.outside_count[side] = 0
            self.level_count[side] = 0
            self.near_changes[side] += 1
        self.best[SIDE_BID] = NO_BID
        self.best[SIDE_ASK] = NO_ASK

    cdef void invalidate(self) noexcept nogil:
        """Trust nothing until the next snapshot."""
        self.valid = False

    cdef int apply(self, const BookDelta* delta) noexcept nogil:
        """Apply one message; return a BookResult."""
        cdef int32_t i
        cdef int64_t touch, offset
        if delta.snapshot:
            self.clear()
            touch = delta.bids[0].price_ticks if delta.bid_count else (
                delta.asks[0].price_ticks if delta.ask_count else 0)
            self.window_base = touch - WINDOW_TICKS // 2
        elif not self.valid or delta.change_id <= self.change_id:
            return BOOK_IGNORED
        elif delta.prev_change_id != self.change_id:
            self.valid = False
            return BOOK_GAP
        for i in range(delta.bid_count):
            self.set_level(SIDE_BID, delta.bids[i].price_ticks, delta.bids[i].amount_contracts)
        for i in range(delta.ask_count):
            self.set_level(SIDE_ASK, delta.asks[i].price_ticks, delta.asks[i].amount_contracts)
        self.change_id = delta.change_id
        self.timestamp_ms = delta.timestamp_ms
        if self.best[SIDE_BID] >= self.best[SIDE_ASK]:
            self.valid = False
            return BOOK_CROSSED
        if self.level_count[SIDE_BID] or self.level_count[SIDE_ASK]:
            touch = (self.best[SIDE_BID] if self.level_count[SIDE_BID]
                     else self.best[SIDE_ASK])
            offset = touch - self.window_base
            if offset < WINDOW_TICKS // 4 or offset >= 3 * WINDOW_TICKS // 4:
                self.move_window(touch)
        self.valid = True
        return BOOK_SNAPSHOT if delta.snapshot else BOOK_APPLIED

    cdef void set_level(self, int32_t side, int64_t price_ticks, int64_t amount) noexcept nogil:
        """Set one level. Whether it comes, changes or goes nobody can foretell: no branch asks."""
        cdef int64_t offset = price_ticks - self.window_base
        cdef int64_t before, sign = sign_of(side)
        cdef uint64_t now = amount > 0
        cdef uint64_t near = (price_ticks - self.edge[side]) * sign >= 0
        cdef uint64_t* word
        if offset < 0 or offset >= WINDOW_TICKS:
            self.near_changes[side] += near
            self.set_outside(side, price_ticks, amount)
        else:
            before = self.amounts[side][offset]
            self.near_changes[side] += near & <uint64_t>(amount != before)
            self.amounts[side][offset] = amount
            word = &self.occupied[side][offset >> 6]
            word[0] = (word[0] & ~((<uint64_t>1) << (offset & 63))) | (now << (offset & 63))
            self.level_count[side] += <int32_t>now - (before > 0)
        if (price_ticks - self.best[side]) * sign < 0:
            return
        if amount > 0:
            self.best[side] = price_ticks
        elif price_ticks == self.best[side]:
            if self.level_count[side] == 0:
                self.best[side] = NO_BID if side == SIDE_BID else NO_ASK
            # the next one is mostly in the same word; what is left there lies behind the old best
            elif 0 <= offset < WINDOW_TICKS and self.occupied[side][offset >> 6] != 0:
                self.best[side] = self.window_base + (offset & ~<int64_t>63) + (
                    mm_high_bit(self.occupied[side][offset >> 6]) if side == SIDE_BID
                    else mm_low_bit(self.occupied[side][offset >> 6]))
            else:
                self.best[side] = self.scan(side, price_ticks)

    cdef void set_outside(self, int32_t side, int64_t price_ticks, int64_t amount) noexcept nogil:
        cdef LevelChange* levels = self.outside[side]
        cdef int32_t count = self.outside_count[side]
        cdef int32_t at = outside_index(levels, count, price_ticks)
        cdef bint known = at < count and levels[at].price_ticks == price_ticks
        if amount > 0:
            if not known:
                if count == OUTSIDE_MAX:
                    self.dropped_levels += 1
                    return
                memmove(&levels[at + 1], &levels[at],
                        <size_t>(count - at) * sizeof(LevelChange))
                levels[at].price_ticks = price_ticks
                self.outside_count[side] = count + 1
                self.level_count[side] += 1
            levels[at].amount_contracts = amount
        elif known:
            memmove(&levels[at], &levels[at + 1],
                    <size_t>(count - at - 1) * sizeof(LevelChange))
            self.outside_count[side] = count - 1
            self.level_count[side] -= 1

    cdef int64_t scan(self, int32_t side, int64_t from_ticks) noexcept nogil:
        """Best level at or behind a price: downwards for bids, upwards for asks."""
        cdef const LevelChange* levels = self.outside[side]
        cdef int32_t count = self.outside_count[side]
        cdef int32_t at = 0 if count == 0 else outside_index(
            levels, count, from_ticks + (side == SIDE_BID))
        cdef int64_t offset = from_ticks - self.window_base
        cdef int64_t inside, found
        cdef int64_t word
        cdef uint64_t bits
        if side == SIDE_BID:
            found = levels[at - 1].price_ticks if at > 0 else NO_BID
            if offset < 0:
                return found
            if offset >= WINDOW_TICKS:
                offset = WINDOW_TICKS - 1
            word = offset >> 6
            bits = self.occupied[side][word] & (~<uint64_t>0 >> (63 - (offset & 63)))
            while bits == 0 and word > 0:
                word -= 1
                bits = self.occupied[side][word]
            inside = NO_BID if bits == 0 else self.window_base + (word << 6) + mm_high_bit(bits)
            return inside if inside > found else found
        found = levels[at].price_ticks if at < count else NO_ASK
        if offset >= WINDOW_TICKS:
            return found
        if offset < 0:
            offset = 0
        word = offset >> 6
        bits = self.occupied[side][word] & (~<uint64_t>0 << (offset & 63))
        while bits == 0 and word < WINDOW_WORDS - 1:
            word += 1
            bits = self.occupied[side][word]
        inside = NO_ASK if bits == 0 else self.window_base + (word << 6) + mm_low_bit(bits)
        return inside if inside < found else found

    cdef int64_t amount_at(self, int32_t side, int64_t price_ticks) noexcept nogil:
        """Contracts resting at a price."""
        cdef int64_t offset = price_ticks - self.window_base
        cdef int32_t at
        if 0 <= offset < WINDOW_TICKS:
            return self.amounts[side][offset]
        at = outside_index(self.outside[side], self.outside_count[side], price_ticks)
        if at < self.outside_count[side] and self.outside[side][at].price_ticks == price_ticks:
            return self.outside[side][at].amount_contracts
        return 0

    cdef int32_t walk(self, int32_t side, LevelChange* levels, int32_t count) noexcept nogil:
        """Copy the best levels, best first; return how many there were."""
        cdef int64_t price = self.best[side]
        cdef int64_t base = self.window_base    # levels could lie over it, for all C knows
        cdef int64_t offset = price - base
        cdef const int64_t* amounts = &self.amounts[side][0]
        cdef const uint64_t* occupied = &self.occupied[side][0]
        cdef int64_t word
        cdef uint64_t bits
        cdef int32_t n = 0, bit
        if 0 <= offset < WINDOW_TICKS and count > 0:
            # inside the window the set bits are the levels; the list outside lies behind it
            word = offset >> 6
            bits = occupied[word]
            if side == SIDE_BID:
                bits &= ~<uint64_t>0 >> (63 - (offset & 63))
                while True:
                    while bits and n < count:
                        bit = mm_high_bit(bits)
                        bits ^= (<uint64_t>1) << bit
                        offset = (word << 6) + bit
                        levels[n].price_ticks = base + offset
                        levels[n].amount_contracts = amounts[offset]
                        n += 1
                    word -= 1
                    if n == count or word < 0:
                        break
                    bits = occupied[word]
                price = base - 1
            else:
                bits &= ~<uint64_t>0 << (offset & 63)
                while True:
                    while bits and n < count:
                        bit = mm_low_bit(bits)
                        bits &= bits - 1
                        offset = (word << 6) + bit
                        levels[n].price_ticks = base + offset
                        levels[n].amount_contracts = amounts[offset]
                        n += 1
                    word += 1
                    if n == count or word == WINDOW_WORDS:
                        break
                    bits = occupied[word]
                price = base + WINDOW_TICKS
            if n == count or self.outside_count[side] == 0:
                return n
            price = self.scan(side, price)
        while n < count and NO_BID < price < NO_ASK:
            levels[n].price_ticks = price
            levels[n].amount_contracts = self.amount_at(side, price)
            n += 1
            price = self.scan(side, price + (-1 if side == SIDE_BID else 1))
        return n

    cdef void move_window(self, int64_t centre_ticks) noexcept nogil:
        """Put the touch back into the middle of the window; every level is kept."""
        cdef int32_t side, n, i
        cdef int64_t word, base
        cdef uint64_t bits
        cdef int64_t best[2]
        base = self.window_base
        best[SIDE_BID], best[SIDE_ASK] = self.best[SIDE_BID], self.best[SIDE_ASK]
        self.window_base = centre_ticks - WINDOW_TICKS // 2
        self.window_moves += 1
        for side in range(2):
            n = 0
            for i in range(self.outside_count[side]):
                self.scratch[n] = self.outside[side][i]
                n += 1
            for word in range(WINDOW_WORDS):
                bits = self.occupied[side][word]
                while bits:
                    i = <int32_t>((word << 6) + mm_low_bit(bits))
                    self.scratch[n].price_ticks = base + i
                    self.scratch[n].amount_contracts = self.amounts[side][i]
                    n += 1
                    bits &= bits - 1
            memset(self.amounts[side], 0, WINDOW_TICKS * sizeof(int64_t))
            memset(self.occupied[side], 0, WINDOW_WORDS * sizeof(uint64_t))
            self.outside_count[side] = 0
            self.level_count[side] = 0
            for i in range(n):
                self.set_level(side, self.scratch[i].price_ticks,
                               self.scratch[i].amount_contracts)
            self.best[side] = best[side]

    def load(self, bids not None, asks not None, *, int64_t change_id,
             int64_t prev_change_id=-1, int64_t timestamp_ms=0):
        """Apply (price_ticks, contracts) pairs from Python: a snapshot where prev_change_id < 0."""
        cdef BookDelta delta
        cdef list rows = list(bids) + list(asks)
        cdef LevelChange* levels = <LevelChange*>PyMem_Calloc(len(rows) + 1, sizeof(LevelChange))
        if levels == NULL:
            raise MemoryError()
        try:
            for i, (price, amount) in enumerate(rows):
                levels[<Py_ssize_t>i].price_ticks = price
                levels[<Py_ssize_t>i].amount_contracts = amount
            delta.change_id = change_id
            delta.prev_change_id = prev_change_id
            delta.timestamp_ms = timestamp_ms
            delta.snapshot = prev_change_id < 0
            delta.bid_count = <int32_t>len(bids)
            delta.ask_count = <int32_t>len(asks)
            delta.bids = levels
            delta.asks = levels + delta.bid_count
            return BookResult(self.apply(&delta))
        finally:
            PyMem_Free(levels)

    def levels(self, int32_t side, int32_t count=10):
        """The best levels of a side as (price_ticks, contracts), best first."""
        cdef list rows = []
        cdef int64_t step = -1 if side == SIDE_BID else 1
        cdef int64_t price = self.best[side]
        while len(rows) < count and NO_BID < price < NO_ASK:
            rows.append((price, self.amount_at(side, price)))
            price = self.scan(side, price + step)
        return rows

    def amount(self, int32_t side, int64_t price_ticks):
        """Contracts resting at a price."""
        return self.amount_at(side, price_ticks)

    def drop(self):
        """Mark the book invalid until the next snapshot."""
        self.invalidate()

    @property
    def best_bid_ticks(self):
        """Best bid, or None."""
        return self.best[SIDE_BID] if self.level_count[SIDE_BID] else None

    @property
    def best_ask_ticks(self):
        """Best ask, or None."""
        return self.best[SIDE_ASK] if self.level_count[SIDE_ASK] else None

    @property
    def level_counts(self):
        """Levels held, (bids, asks)."""
        return self.level_count[SIDE_BID], self.level_count[SIDE_ASK]
