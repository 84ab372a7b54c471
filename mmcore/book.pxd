"""OrderBook: price levels by integer tick in a window around the touch.

Inside the window a level costs one store and one bit; the few levels outside live in a sorted
list. The window follows the touch by itself and nothing is lost when it moves.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.types cimport BookDelta, LevelChange

cdef enum:
    WINDOW_TICKS = 16384        # a multiple of 256
    WINDOW_WORDS = 256
    OUTSIDE_MAX = 16384         # levels a side kept outside the window

cdef int64_t NO_BID             # best bid of an empty side, below every price
cdef int64_t NO_ASK             # best ask of an empty side, above every price

cpdef enum BookResult:
    BOOK_APPLIED = 0
    BOOK_SNAPSHOT = 1
    BOOK_IGNORED = 2            # older than the snapshot, or no snapshot yet
    BOOK_GAP = 3                # prev_change_id does not chain: invalid until a snapshot
    BOOK_CROSSED = 4            # best bid >= best ask: invalid until a snapshot


@cython.final
cdef class OrderBook:
    cdef int64_t* amounts[2]    # contracts at window_base + i
    cdef uint64_t* occupied[2]  # one bit per tick of the window
    cdef LevelChange* outside[2]    # ascending price
    cdef int32_t outside_count[2]
    cdef LevelChange* scratch   # used while the window moves
    cdef int64_t window_base
    cdef int64_t best[2]        # NO_BID / NO_ASK where the side is empty
    cdef int32_t level_count[2]
    cdef int64_t edge[2]        # set by a reader: a change here or nearer to the touch matters
    cdef uint64_t near_changes[2]   # such changes so far
    cdef readonly int64_t change_id
    cdef readonly int64_t timestamp_ms
    cdef readonly bint valid
    cdef readonly uint64_t window_moves
    cdef readonly uint64_t dropped_levels   # no room outside the window

    cdef int apply(self, const BookDelta* delta) noexcept nogil
    cdef void invalidate(self) noexcept nogil
    cdef int64_t amount_at(self, int32_t side, int64_t price_ticks) noexcept nogil
    cdef int32_t walk(self, int32_t side, LevelChange* levels, int32_t count) noexcept nogil
    cdef void set_level(self, int32_t side, int64_t price_ticks, int64_t amount) noexcept nogil
    cdef void set_outside(self, int32_t side, int64_t price_ticks, int64_t amount) noexcept nogil
    cdef int64_t scan(self, int32_t side, int64_t from_ticks) noexcept nogil
    cdef void move_window(self, int64_t centre_ticks) noexcept nogil
    cdef void clear(self) noexcept nogil
