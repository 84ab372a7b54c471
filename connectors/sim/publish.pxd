"""What is shown of a book and when: changed ticks per interval, change ids, flush times."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t

from connectors.sim.levels cimport (
    INTERVALS, LEVEL_PAGE_BITS, LEVEL_PAGES, Level, LevelMap,
)
from connectors.sim.outputs cimport BookChange, BookUpdate

cdef struct DirtyTicks:
    int64_t* ticks
    int32_t count
    int32_t capacity
    int64_t last_change_id      # shown last
    bint active                 # somebody subscribed


@cython.final
cdef class BookFeed:
    """Changed levels of one market, collected per interval until their flush."""
    cdef LevelMap levels
    cdef DirtyTicks dirty[INTERVALS]
    cdef BookChange* changes[2]
    cdef int32_t capacity
    cdef int32_t watched        # active intervals
    cdef int64_t change_id      # of the book as it is now
    cdef bint changed           # since the last flush of the raw interval
    cdef int64_t raw_due_ns     # 0: nothing collected

    cdef int touched(self, Level* level, int64_t ticks) except -1
    cdef int activate(self, int32_t interval) except -1
    cdef void forget(self, int32_t interval) noexcept nogil
    cdef void deactivate(self, int32_t interval) noexcept nogil
    cdef int flush(self, int32_t interval, BookUpdate* out) except -1
    cdef int make_room(self, int32_t count) except -1
    cdef void collect(self, int32_t interval, int32_t side, int64_t ticks,
                      BookUpdate* out) noexcept nogil
