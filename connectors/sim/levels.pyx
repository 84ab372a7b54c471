"""Price levels by integer tick; see levels.pxd."""
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from mmcore.types cimport SIDE_ASK

cdef extern from "stdlib.h" nogil:
    void* aligned_alloc(size_t alignment, size_t size) noexcept

cdef extern from *:
    int __builtin_ctzll(unsigned long long) noexcept nogil
    int __builtin_clzll(unsigned long long) noexcept nogil

cdef enum:
    GROUPS_AT = LEVEL_WORDS
    BLOCKS_AT = LEVEL_WORDS + LEVEL_GROUPS
    PAGE_LEVELS = 1 << LEVEL_PAGE_BITS


cdef inline uint64_t put_in(uint64_t* word, int64_t bit, uint64_t on) noexcept nogil:
    """Set or clear a bit; whether any is left."""
    word[0] = (word[0] & ~((<uint64_t>1) << (bit & 63))) | (on << (bit & 63))
    return word[0] != 0


cdef void put_bit(uint64_t* bits, int64_t i, uint64_t on) noexcept nogil:
    """Set or clear a bit in all three maps; levels come and go at random, so nothing branches."""
    on = put_in(&bits[i >> 6], i, on)
    on = put_in(&bits[GROUPS_AT + (i >> 12)], i >> 6, on)
    put_in(&bits[BLOCKS_AT + (i >> 18)], i >> 12, on)


cdef int64_t lowest_in(uint64_t* bits, int64_t block) noexcept nogil:
    """The lowest set bit under a non-empty block."""
    cdef int64_t group = (block << 6) + __builtin_ctzll(bits[BLOCKS_AT + block])
    cdef int64_t word = (group << 6) + __builtin_ctzll(bits[GROUPS_AT + group])
    return (word << 6) + __builtin_ctzll(bits[word])


cdef int64_t highest_in(uint64_t* bits, int64_t block) noexcept nogil:
    cdef int64_t group = (block << 6) + 63 - __builtin_clzll(bits[BLOCKS_AT + block])
    cdef int64_t word = (group << 6) + 63 - __builtin_clzll(bits[GROUPS_AT + group])
    return (word << 6) + 63 - __builtin_clzll(bits[word])


cdef int64_t next_bit(uint64_t* bits, int64_t i) noexcept nogil:
    """The lowest set bit above i, or -1. Three steps out, then three steps in."""
    cdef uint64_t rest
    cdef int64_t word = i >> 6
    cdef int64_t group
    cdef int64_t block
    rest = bits[word] & ((~(<uint64_t>0) << (i & 63)) << 1) if (i & 63) < 63 else 0
    if rest:
        return (word << 6) + __builtin_ctzll(rest)
    group = word >> 6
    rest = bits[GROUPS_AT + group] & ((~(<uint64_t>0) << (word & 63)) << 1) \
        if (word & 63) < 63 else 0
    if rest:
        word = (group << 6) + __builtin_ctzll(rest)
        return (word << 6) + __builtin_ctzll(bits[word])
    block = group >> 6
    rest = bits[BLOCKS_AT + block] & ((~(<uint64_t>0) << (group & 63)) << 1) \
        if (group & 63) < 63 else 0
    if rest:
        group = (block << 6) + __builtin_ctzll(rest)
        word = (group << 6) + __builtin_ctzll(bits[GROUPS_AT + group])
        return (word << 6) + __builtin_ctzll(bits[word])
    for block in range(block + 1, LEVEL_BLOCKS):
        if bits[BLOCKS_AT + block]:
            return lowest_in(bits, block)
    return -1


cdef int64_t previous_bit(uint64_t* bits, int64_t i) noexcept nogil:
    """The highest set bit below i, or -1."""
    cdef int64_t word = i >> 6
    cdef int64_t group = word >> 6
    cdef int64_t block = group >> 6
    cdef uint64_t rest = bits[word] & (((<uint64_t>1) << (i & 63)) - 1)
    if rest:
        return (word << 6) + 63 - __builtin_clzll(rest)
    rest = bits[GROUPS_AT + group] & (((<uint64_t>1) << (word & 63)) - 1)
    if rest:
        word = (group << 6) + 63 - __builtin_clzll(rest)
        return (word << 6) + 63 - __builtin_clzll(bits[word])
    rest = bits[BLOCKS_AT + block] & (((<uint64_t>1) << (group & 63)) - 1)
    if rest:
        group = (block << 6) + 63 - __builtin_clzll(rest)
        word = (group << 6) + 63 - __builtin_clzll(bits[GROUPS_AT + group])
        return (word << 6) + 63 - __builtin_clzll(bits[word])
    while block > 0:
        block -= 1
        if bits[BLOCKS_AT + block]:
            return highest_in(bits, block)
    return -1


cdef class LevelMap:
    """Levels of one market; `base_ticks` is the lowest tick it can hold."""

    def __cinit__(self, int64_t base_ticks=0):
        cdef int side
        self.base_ticks = base_ticks
        assert sizeof(Level) == sizeof(Backing) == LEVEL_PAGE_BYTES // 2 // PAGE_LEVELS
        for side in range(2):
            self.bits[side] = <uint64_t*>calloc(BLOCKS_AT + LEVEL_BLOCKS, sizeof(uint64_t))
            if self.bits[side] == NULL:
                raise MemoryError("level bitmap")

    def __dealloc__(self):
        cdef int i
        for i in range(LEVEL_PAGES):
            free(self.pages[i])
        free(self.bits[0])
        free(self.bits[1])

    cdef bint holds(self, int64_t ticks) noexcept nogil:
        return 0 <= ticks - self.base_ticks < (<int64_t>1 << LEVEL_SPAN_BITS)

    cdef Level* at(self, int64_t ticks) except NULL:
        """The level of a tick the map holds; makes its page at the first use."""
        cdef int64_t i = ticks - self.base_ticks
        cdef int64_t page = i >> LEVEL_PAGE_BITS
        cdef Level* levels
        cdef int j
        if self.pages[page] == NULL:
            levels = <Level*>aligned_alloc(LEVEL_PAGE_BYTES, LEVEL_PAGE_BYTES)
            if levels == NULL:
                raise MemoryError("price levels")
            memset(levels, 0, LEVEL_PAGE_BYTES)
            for j in range(PAGE_LEVELS):
                levels[j].head = -1
                backing(&levels[j]).tail = -1
            self.pages[page] = levels
        return &self.pages[page][i & (PAGE_LEVELS - 1)]

    cdef Level* find(self, int64_t ticks) noexcept nogil:
        """The level of a tick, NULL where nothing ever was."""
        cdef int64_t i = ticks - self.base_ticks
        cdef Level* page
        if not self.holds(ticks):
            return NULL
        page = self.pages[i >> LEVEL_PAGE_BITS]
        return NULL if page == NULL else &page[i & (PAGE_LEVELS - 1)]

    cdef void occupy(self, int32_t side, int64_t ticks, bint before, bint now) noexcept nogil:
        """Note whether a level holds an amount, and did before; the best price follows."""
        cdef bint ahead = self.ahead(side, ticks)
        cdef int64_t at = ticks
        put_bit(self.bits[side], ticks - self.base_ticks, now)
        self.count[side] += now - before
        if not ahead:
            return
        if now:
            self.best_ticks[side] = ticks
        elif ticks == self.best_ticks[side] and self.worse(side, &at):
            self.best_ticks[side] = at

    cdef bint worse(self, int32_t side, int64_t* ticks) noexcept nogil:
        """Step to the next level away from the touch; False at the end of the side."""
        cdef int64_t i = ticks[0] - self.base_ticks
        i = next_bit(self.bits[side], i) if side == SIDE_ASK else previous_bit(self.bits[side], i)
        if i < 0:
            return False
        ticks[0] = i + self.base_ticks
        return True
