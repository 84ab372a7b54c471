"""Changed levels per interval and their flush; see publish.pxd."""
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memset

from connectors.sim.levels cimport backing
from connectors.sim.outputs cimport CHANGE_CHANGE, CHANGE_DELETE, CHANGE_NEW
from mmcore.types cimport SIDE_ASK, SIDE_BID

cdef enum:
    FIRST_CAPACITY = 256


cdef int up(const void* a, const void* b) noexcept nogil:
    cdef int64_t x = (<const int64_t*>a)[0]
    cdef int64_t y = (<const int64_t*>b)[0]
    return (x > y) - (x < y)


cdef int64_t shown_of(const Level* level) noexcept nogil:
    """What the venue would show of a level: asks count negative."""
    return -level.total_contracts if level.side == SIDE_ASK else level.total_contracts


cdef class BookFeed:
    def __cinit__(self, LevelMap levels not None):
        cdef int i
        self.levels = levels
        self.capacity = FIRST_CAPACITY
        for i in range(2):
            self.changes[i] = <BookChange*>malloc(FIRST_CAPACITY * sizeof(BookChange))
        for i in range(INTERVALS):
            self.dirty[i].ticks = <int64_t*>malloc(FIRST_CAPACITY * sizeof(int64_t))
            self.dirty[i].capacity = FIRST_CAPACITY
            if self.dirty[i].ticks == NULL or self.changes[0] == NULL or self.changes[1] == NULL:
                raise MemoryError("book feed")

    def __dealloc__(self):
        cdef int i
        for i in range(2):
            free(self.changes[i])
        for i in range(INTERVALS):
            free(self.dirty[i].ticks)

    cdef int touched(self, Level* level, int64_t ticks) except -1:
        """Note that a level's total changed."""
        cdef int i
        cdef DirtyTicks* dirty
        cdef int64_t* grown
        self.changed = True
        for i in range(INTERVALS):
            dirty = &self.dirty[i]
            if not dirty.active or level.dirty & (1 << i):
                continue
            if dirty.count == dirty.capacity:
                grown = <int64_t*>realloc(dirty.ticks, 2 * dirty.capacity * sizeof(int64_t))
                if grown == NULL:
                    raise MemoryError("book feed")
                dirty.ticks = grown
                dirty.capacity *= 2
            dirty.ticks[dirty.count] = ticks
            dirty.count += 1
            level.dirty |= 1 << i
        return 0

    cdef int activate(self, int32_t interval) except -1:
        """Begin an interval: the book as it is now counts as shown."""
        cdef int32_t side
        cdef int64_t ticks
        cdef Level* level
        cdef DirtyTicks* dirty = &self.dirty[interval]
        if dirty.active:
            return 0
        self.forget(interval)
        for side in range(2):
            if self.levels.count[side] == 0:
                continue
            ticks = self.levels.best_ticks[side]
            while True:
                level = self.levels.find(ticks)
                backing(level).published[interval] = shown_of(level)
                if not self.levels.worse(side, &ticks):
                    break
        dirty.active = True
        self.watched += 1
        dirty.last_change_id = self.change_id
        return 0

    cdef void forget(self, int32_t interval) noexcept nogil:
        """Zero what was shown, wherever a level ever was."""
        cdef int32_t i
        cdef int64_t page
        cdef Level* levels
        self.dirty[interval].count = 0
        for page in range(LEVEL_PAGES):
            levels = self.levels.pages[page]
            if levels == NULL:
                continue
            for i in range(1 << LEVEL_PAGE_BITS):
                backing(&levels[i]).published[interval] = 0
                levels[i].dirty &= <uint8_t>~(1 << interval)

    cdef void deactivate(self, int32_t interval) noexcept nogil:
        self.watched -= self.dirty[interval].active
        self.dirty[interval].active = False

    cdef int make_room(self, int32_t count) except -1:
        cdef int i
        cdef BookChange* grown
        if count <= self.capacity:
            return 0
        for i in range(2):
            grown = <BookChange*>realloc(self.changes[i], count * sizeof(BookChange))
            if grown == NULL:
                raise MemoryError("book feed")
            self.changes[i] = grown
        self.capacity = count
        return 0

    cdef int flush(self, int32_t interval, BookUpdate* out) except -1:
        """Collect what changed since the interval's last flush; 0 where nothing shows."""
        cdef DirtyTicks* dirty = &self.dirty[interval]
        cdef int64_t ticks
        cdef Level* level
        cdef int32_t i
        memset(out, 0, sizeof(BookUpdate))
        if dirty.count == 0:
            return 0
        self.make_room(dirty.count)
        qsort(dirty.ticks, dirty.count, sizeof(int64_t), up)
        out.interval = interval
        for i in range(dirty.count):
            # Bids come best first from the top end, asks from the bottom.
            ticks = dirty.ticks[dirty.count - 1 - i]
            self.collect(interval, SIDE_BID, ticks, out)
            ticks = dirty.ticks[i]
            self.collect(interval, SIDE_ASK, ticks, out)
        for i in range(dirty.count):
            level = self.levels.find(dirty.ticks[i])
            backing(level).published[interval] = shown_of(level)
            level.dirty &= <uint8_t>~(1 << interval)
        dirty.count = 0
        if out.count[0] + out.count[1] == 0:
            return 0
        out.change_id = self.change_id
        out.prev_change_id = dirty.last_change_id
        dirty.last_change_id = self.change_id
        out.changes[0] = self.changes[0]
        out.changes[1] = self.changes[1]
        return 1

    cdef void collect(self, int32_t interval, int32_t side, int64_t ticks,
                      BookUpdate* out) noexcept nogil:
        cdef const Level* level = self.levels.find(ticks)
        cdef int64_t sign = 1 if side == SIDE_BID else -1
        cdef int64_t before = backing(level).published[interval] * sign
        cdef int64_t now = level.total_contracts if level.side == side else 0
        cdef BookChange* change
        if before < 0:
            before = 0
        if now == before:
            return
        change = &self.changes[side][out.count[side]]
        out.count[side] += 1
        change.price_ticks = ticks
        change.amount_contracts = now
        if now == 0:
            change.action = CHANGE_DELETE
        elif before == 0:
            change.action = CHANGE_NEW
        else:
            change.action = CHANGE_CHANGE
