"""A seeded market: makers and takers who are ordinary accounts with real orders in the book.

Every instrument has a stage: its slots of maker orders (touch, near, far), its own pace and its
distance from the latent price. What happens next on any stage is the smallest of a few times; all
chance comes from one generator, so a seed is a market.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.sim.exchange cimport Exchange
from connectors.sim.market.latent cimport Latent
from connectors.sim.market.stage cimport MakerSlot, Participants, Stage, SyntheticCounters

cdef enum:
    STAGES_MAX = 8


@cython.final
cdef class SyntheticMarket:
    cdef public bint waits_for_book
    cdef readonly uint64_t seed
    cdef readonly double speed
    cdef readonly str regime
    cdef list listings
    cdef int64_t start_ns
    cdef double now_s
    cdef Latent latent
    cdef double index_s         # next index update
    cdef double index_noise_usd
    cdef Participants who
    cdef int32_t stage_count
    cdef Stage stages[STAGES_MAX]
    cdef SyntheticCounters counts

    cdef int open_book(self, Exchange exchange, Stage* stage) except -1
    cdef int64_t time_ns(self, double now_s) noexcept nogil
    cdef double next_s(self) noexcept nogil
    cdef int step(self, Exchange exchange, double now_s) except -1
    cdef int publish_index(self, Exchange exchange) except -1
    cdef int jump(self, Exchange exchange) except -1
    cdef int makers_act(self, Exchange exchange, Stage* stage) except -1
    cdef int recentre(self, Exchange exchange, Stage* stage) except -1
    cdef int quote_touch(self, Exchange exchange, Stage* stage, int32_t side,
                         int32_t slot) except -1
    cdef int quote_deep(self, Exchange exchange, Stage* stage, int32_t side,
                        int32_t slot) except -1
    cdef int put(self, Exchange exchange, Stage* stage, int32_t side, int32_t slot,
                 int64_t price_ticks, int64_t contracts) except -1
    cdef int pull(self, Exchange exchange, Stage* stage, int32_t side, int32_t slot) except -1
    cdef int burst(self, Exchange exchange, Stage* stage) except -1
    cdef int take(self, Exchange exchange, const Stage* stage, int32_t account, int32_t side,
                  int64_t limit_ticks, int64_t contracts) except -1
