"""Price levels by integer tick: pages on demand, and a bitmap per side to find the next level."""
cimport cython
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint64_t

from mmcore.types cimport sign_of

cdef enum:
    LEVEL_SPAN_BITS = 22        # ticks a market can have
    LEVEL_PAGE_BITS = 6         # far levels lie alone in theirs
    LEVEL_PAGE_BYTES = 4096     # twice 64 times 32 bytes, see backing()
    LEVEL_PAGES = 1 << (LEVEL_SPAN_BITS - LEVEL_PAGE_BITS)
    LEVEL_WORDS = 1 << (LEVEL_SPAN_BITS - 6)
    LEVEL_GROUPS = 1 << (LEVEL_SPAN_BITS - 12)
    LEVEL_BLOCKS = 1 << (LEVEL_SPAN_BITS - 18)
    INTERVALS = 3
    INTERVAL_RAW = 0
    INTERVAL_100MS = 1
    INTERVAL_AGG2 = 2

# A tick belongs to one side at a time: the book is never crossed.
cdef struct Level:
    int64_t total_contracts     # what the venue shows: liquidity + rest of the queued orders
    int64_t liquidity_contracts  # recorded participants, without identity
    int64_t printed_contracts   # of it, printed and not yet seen in its amount
    int32_t head                # first queued order
    int8_t side
    uint8_t dirty               # bit per interval: queued for its next flush

# What of a level only orders and readers need: a recording that is played alone never fetches it.
cdef struct Backing:
    int64_t published[INTERVALS]    # last shown per interval; negative: shown as an ask
    int32_t tail                # last queued order


cdef inline Backing* backing(const Level* level) noexcept nogil:
    """The rest of a level: in the second half of its page, which lies at a multiple of its size."""
    cdef size_t page = <size_t>level & ~<size_t>(LEVEL_PAGE_BYTES - 1)
    return <Backing*>(page + LEVEL_PAGE_BYTES // 2) + (level - <const Level*>page)


@cython.final
cdef class LevelMap:
    cdef Level* pages[LEVEL_PAGES]
    cdef uint64_t* bits[2]      # per side: words, then groups, then blocks
    cdef int64_t base_ticks     # lowest tick of the span
    cdef int64_t best_ticks[2]  # valid where count > 0
    cdef int32_t count[2]       # levels with an amount

    cdef bint holds(self, int64_t ticks) noexcept nogil
    cdef Level* at(self, int64_t ticks) except NULL
    cdef Level* find(self, int64_t ticks) noexcept nogil
    cdef inline bint ahead(self, int32_t side, int64_t ticks) noexcept nogil:
        """At a side's best price or better: nothing behind can cross, or move the best."""
        return (self.count[side] == 0) | (
            (ticks - self.best_ticks[side]) * sign_of(side) >= 0)

    cdef void occupy(self, int32_t side, int64_t ticks, bint before, bint now) noexcept nogil
    cdef bint worse(self, int32_t side, int64_t* ticks) noexcept nogil
