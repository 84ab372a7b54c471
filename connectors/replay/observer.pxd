"""Observer: recorded events into the engine, in the order and at the times they were received.

The venue's book shows our own orders, the recording does not. So what the exchange says is ours is
added to the recorded levels before the engine sees them, and the engine treats a backtest's book as
it treats the venue's.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.replay.event cimport Event
from connectors.sim.account cimport VENUE_MARKETS_MAX
from connectors.sim.exchange cimport Exchange
from connectors.sim.inflight cimport OwnLevel
from mmcore.engine cimport Engine
from mmcore.types cimport MARKETS_MAX, SLOTS_MAX, BookDelta, LevelChange

cdef struct OwnPart:
    int32_t side
    int64_t price_ticks
    int64_t contracts           # as the exchange last said; 0: none
    int64_t shown               # of them, added to the engine's book

cdef struct OwnParts:
    OwnPart parts[SLOTS_MAX]
    uint64_t mask[2]            # a bit per price modulo 64 that may have a shown part
    int64_t best[2]             # best price with a shown part
    int32_t shown               # parts shown


@cython.final
cdef class Observer:
    cdef object owner
    cdef readonly Engine engine
    cdef const Event* items
    cdef int64_t count
    cdef int64_t next               # event
    cdef int64_t due_ns             # when the next message was received, venue's clock
    cdef int64_t shift_ns           # added to the recorder's clock
    cdef int64_t origin_ns          # the venue's clock less the engine's
    cdef int32_t engine_of[VENUE_MARKETS_MAX]
    cdef OwnParts own[MARKETS_MAX]
    cdef int64_t change_id[MARKETS_MAX]
    cdef int64_t fresh_ns[MARKETS_MAX]  # book messages up to then are in a snapshot already
    cdef LevelChange* levels[2]
    cdef int64_t capacity
    cdef readonly uint64_t events       # delivered
    cdef readonly uint64_t messages
    cdef readonly uint64_t level_changes    # of incremental messages

    cdef void find_due(self) noexcept nogil
    cdef int take(self) except -1
    cdef int take_own(self, int32_t market, const OwnLevel* level, int64_t t_ns) except -1
    cdef int resync(self, Exchange exchange, int32_t number, int32_t market,
                    int64_t t_ns) except -1
    cdef int64_t take_book(self, int32_t market, const Event* event) except -1
    cdef int64_t put_message(self, const OwnParts* own, const Event* first, BookDelta* delta,
                             bint* crossing) noexcept nogil
    cdef void put_crossing(self, int32_t market, const Event* event, int64_t count,
                           BookDelta* delta) noexcept
    cdef int take_trade(self, int32_t market, const Event* event) except -1
    cdef int room_for(self, int64_t levels) except -1
    cdef int hide_crossed(self, int32_t market, int32_t side, int64_t price_ticks,
                          BookDelta* delta) noexcept
    cdef void index_own(self, int32_t market) noexcept nogil
    cdef int apply(self, int32_t market, BookDelta* delta, int64_t now_ns, bint gap) noexcept
    cdef int apply_snapshot(self, int32_t market, BookDelta* delta, int64_t now_ns) noexcept
