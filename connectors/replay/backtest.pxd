"""Backtest: the engine on a recording, in virtual time, in one loop.

Four things happen at the exchange and on our side, each at a known next time: recorded events and
our requests there, recorded events and the exchange's answers here; and the engine's timer. The
loop does whatever is next.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.replay.observer cimport Observer
from connectors.replay.player cimport Player
from connectors.sim.direct cimport DirectVenue
from connectors.sim.direct_sink cimport DirectSink
from connectors.sim.inflight cimport Delivery
from mmcore.engine cimport Engine
from mmcore.types cimport MARKETS_MAX, SLOTS_MAX


cdef class Backtest:
    cdef readonly Engine engine
    cdef readonly DirectVenue venue
    cdef readonly DirectSink sink
    cdef readonly Player player
    cdef readonly Observer observer
    cdef readonly int64_t origin_ns     # the venue's clock less the engine's
    cdef int64_t begin_ns               # first event at the exchange
    cdef int64_t tick_at_ns
    cdef int64_t sample_at_ns
    cdef int64_t sample_ns              # 0: none
    cdef readonly list samples          # SAMPLE_FIELDS
    cdef readonly list whys             # of each sample, as journalled; while venue.keep_trail
    cdef public object on_sample        # called with the virtual time; for progress
    cdef readonly uint64_t ticks
    cdef int64_t asked_ns[MARKETS_MAX][SLOTS_MAX]

    cdef int loop(self, int64_t until_ns) except -1
    cdef int take_here(self, int64_t t_ns) except -1
    cdef int deliver(self, const Delivery* delivery, int64_t now_ns) except -1
    cdef int cold_work(self, int64_t t_ns) except -1
    cdef int ask_unknown(self, int64_t t_ns) except -1
    cdef int sample(self, int64_t t_ns) except -1
    cdef int32_t number_of(self, int32_t market) except -1
