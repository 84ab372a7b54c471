"""Price-time matching of one instrument: queued orders and recorded liquidity in one book."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.replay.event cimport Event
from connectors.sim.levels cimport Level, LevelMap
from connectors.sim.orders cimport OrderPool
from connectors.sim.publish cimport BookFeed
from connectors.sim.queue cimport QueueModel
from mmcore.types cimport Instrument

cpdef enum TakeEnd:
    """Why a walk through the book ended."""
    TAKE_DONE = 0               # the whole amount, or nothing more at this price
    TAKE_SELF = 1               # an order of the same account is next

cdef struct MatchFill:
    int64_t price_ticks
    int64_t amount_contracts
    int32_t maker               # slot; SLOT_NONE: recorded liquidity


@cython.final
cdef class MatchBook:
    cdef Instrument spec
    cdef LevelMap levels
    cdef OrderPool pool
    cdef BookFeed feed
    cdef QueueModel queue       # how orders move up behind recorded liquidity
    cdef MatchFill* fills       # of the last walk
    cdef int32_t fill_count
    cdef int32_t fill_capacity
    cdef int64_t crossed_cleared    # recorded levels removed because a later change crossed them
    cdef int64_t unknown_deletes
    cdef int64_t empty_changes
    cdef int64_t out_of_span

    cdef int rest(self, int32_t slot) except -1
    cdef int remove(self, int32_t slot) except -1
    cdef int shrink(self, int32_t slot, int64_t amount_contracts) except -1
    cdef int filled(self, int32_t slot, int64_t contracts) except -1
    cdef int32_t take(self, int32_t side, int64_t limit_ticks, int64_t contracts,
                      int32_t account) except -1
    cdef int64_t available(self, int32_t side, int64_t limit_ticks, int64_t contracts,
                           int32_t account, bint stop_at_own) noexcept nogil
    cdef bint crosses(self, int32_t side, int64_t price_ticks) noexcept nogil
    cdef int set_liquidity(self, int32_t side, int64_t price_ticks, int64_t contracts) except -1
    cdef int32_t set_quiet_levels(self, const Event* events, int64_t* at, int64_t count,
                                  int32_t* left, int32_t most) noexcept nogil
    cdef int64_t take_orders(self, int32_t side, int64_t limit_ticks, int64_t contracts) except -1
    cdef int64_t print_through(self, int32_t side, int64_t price_ticks,
                               int64_t contracts) except -1
    cdef int change_total(self, Level* level, int32_t side, int64_t ticks,
                          int64_t contracts) except -1
    cdef int unlink(self, Level* level, int32_t slot) noexcept nogil
    cdef int add_fill(self, int64_t ticks, int64_t contracts, int32_t maker) except -1
    cdef void pass_queue(self, Level* level, int64_t contracts) noexcept nogil
    cdef int clear_crossed(self, int32_t side, int64_t price_ticks) except -1
    cdef int64_t take_level(self, Level* level, int64_t ticks, int64_t contracts) except -1
