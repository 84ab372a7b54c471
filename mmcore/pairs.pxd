"""Pairs: positions of opposite sign, matched one to one in USD, and the trading of their basis.

Matched contracts earn the move of the basis alone: N (1/P_dated - 1/P_lead) is locked when the two
prices meet. Of the amounts only what is *unmatched* counts for an instrument's own limit and for
what its quotes reduce; the net counts everything.

One pair, a dated contract and the lead, is traded at a time. Both legs rest at the touch, as much
on each side; a leg that is filled alone is exposure at once, waits basis.leg_timeout_ms for the
other, and then takes it, or gives the first one back.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.market cimport Market
from mmcore.orders cimport OrderTable
from mmcore.params cimport ParamValues
from mmcore.risk cimport RiskGate
from mmcore.types cimport MARKETS_MAX, Fill

cpdef enum PairPhase:
    PAIR_IDLE = 0
    PAIR_OPENING = 1
    PAIR_CLOSING = 2

# What is known of a dated contract's basis to the lead.
cdef struct Spread:
    double usd                  # now; has says whether there is one
    double fair_usd
    double variance             # of its moves, USD^2 per s
    int64_t sampled_ns
    bint has

cdef class Pairs:
    cdef Spread spreads[MARKETS_MAX]
    cdef readonly int32_t phase         # PairPhase
    cdef readonly int32_t dated         # index of the pair's dated leg
    cdef readonly int32_t side          # of the dated leg: SIDE_ASK sells it
    cdef int64_t done[2]                # contracts bought (> 0) or sold: dated leg, lead
    cdef int64_t uneven_ns              # since when one leg is ahead; 0: they are even
    cdef bint adds                      # the state of risk allows legs that open
    cdef int64_t next_ns                # nothing new begins before
    cdef readonly uint64_t opened       # clips, both legs filled
    cdef readonly uint64_t closed
    cdef readonly uint64_t taken        # legs that did not come by themselves
    cdef readonly uint64_t cut          # legs given back

    cdef void match(self, list markets, int32_t lead) noexcept
    cdef void observe(self, list markets, int32_t lead, const ParamValues* params,
                      int64_t now_ns) noexcept
    cdef bint step(self, list markets, int32_t lead, RiskGate gate, const ParamValues* params,
                   bint hedging, int64_t now_ns) noexcept
    cdef bint begin(self, list markets, int32_t lead, const ParamValues* params,
                    int64_t now_ns) noexcept
    cdef bint goes_on(self, Market dated, Market lead, const ParamValues* params) noexcept nogil
    cdef void on_fill(self, Market market, int32_t lead, const Fill* fill) noexcept nogil
    cdef void overlay(self, list markets, int32_t lead, const ParamValues* params,
                      int64_t now_ns) noexcept
    cdef void quote_leg(self, Market market, int32_t side, int64_t contracts) noexcept nogil
    cdef void even_out(self, Market lacks, Market filled,
                       const ParamValues* params) noexcept nogil
    cdef void finish(self, int64_t now_ns) noexcept nogil
    cdef void note_taken(self, int32_t why) noexcept nogil
    cdef double off_bps(self, Market dated, Market lead) noexcept nogil


cdef bint pairable(Market market, double contract_size) noexcept nogil
cdef bint taking(OrderTable orders) noexcept nogil
cdef bint ready(Market market) noexcept nogil
cdef int64_t clip_of(Market market, double size_btc) noexcept nogil
cdef void rest_at_touch(Market market, int32_t side, int64_t contracts,
                        int32_t overlay) noexcept nogil
cdef bint ask_take(Market market, int32_t why, int32_t side, int64_t contracts,
                   bint reduce_only, bint lowers_net) noexcept nogil
cdef double profit_bps(Market dated, Market lead) noexcept nogil
