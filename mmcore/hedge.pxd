"""Hedge: the net exposure brought back where it costs least, on one instrument at a time.

It rests at the touch for hedge.passive_s and then takes, clip after clip, until the net is within
hedge.release_btc. Nothing new is sent while anything that was sent may still be filled; a leg that
cannot be traded is left for another.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.market cimport Market
from mmcore.pairs cimport Pairs
from mmcore.params cimport ParamValues
from mmcore.risk cimport RiskGate
from mmcore.types cimport Fill

cpdef enum HedgePhase:
    HEDGE_IDLE = 0
    HEDGE_RESTING = 1           # at the touch of its leg
    HEDGE_TAKING = 2

cdef class Hedge:
    cdef readonly int32_t phase         # HedgePhase
    cdef readonly int32_t leg           # index of the instrument it is done on; -1: none
    cdef readonly int32_t side
    cdef readonly bint asked            # by the operator
    cdef double net_btc                 # from its target, as of the last step
    cdef int64_t since_ns               # of the phase
    cdef int64_t next_ns                # nothing is begun or taken before
    cdef readonly uint64_t hedges       # begun
    cdef readonly uint64_t takes
    cdef readonly uint64_t no_leg       # times none could be traded
    cdef readonly double done_btc       # hedged so far, unsigned

    cdef bint step(self, list markets, Pairs pairs, RiskGate gate, const ParamValues* params,
                   double net_btc, int64_t now_ns) noexcept
    cdef bint due(self, list markets, int32_t leg, Pairs pairs,
                  const ParamValues* params) noexcept
    cdef int32_t cheapest(self, list markets, Pairs pairs, const ParamValues* params) noexcept
    cdef double cost_usd(self, Market market, Pairs pairs,
                         const ParamValues* params) noexcept nogil
    cdef void overlay(self, list markets, const ParamValues* params, double net_btc,
                      int64_t now_ns) noexcept
    cdef void note_taken(self, int32_t why, const ParamValues* params,
                         int64_t now_ns) noexcept nogil
    cdef void on_fill(self, Market market, const Fill* fill, double worth_btc) noexcept nogil
    cdef void finish(self, const ParamValues* params, int64_t now_ns) noexcept nogil


cdef bint closes(Market market, int32_t side) noexcept nogil
