"""Witness: what a maker believes against what the exchange knows, compared after every event.

It reads both sides and writes neither. One look costs under a microsecond for a dozen orders, so it
can be taken after every event of a simulation.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.sim.account cimport Account
from connectors.sim.exchange cimport Exchange
from mmcore.engine cimport Engine
from mmcore.orders cimport ORDER_STATES
from mmcore.states cimport RISK_STATES
from mmcore.types cimport MARKETS_MAX, SLOTS_MAX

cpdef enum Breach:
    """The first invariant that did not hold."""
    BREACH_NONE = 0
    BREACH_DOUBLE = 1           # a slot has two live orders
    BREACH_ORPHAN = 2           # a live order that the maker holds for closed, or never knew
    BREACH_EXPOSURE = 3         # position and rest are more than the maker's worst case
    BREACH_LIMIT = 4            # an order was added beyond an inventory limit
    BREACH_CREDITS = 5          # the venue refused for want of credits
    BREACH_UNPROTECTED = 6      # an order on a connection without cancel-on-disconnect
    BREACH_TRANSITION = 7       # the order table met what cannot be
    BREACH_FAULT = 8            # the engine killed itself
    BREACH_KILLED = 9           # an order left while killed or leaving
    BREACH_RESTRAINED = 10      # an adding order left while paused or reducing
    BREACH_STALE = 11           # an order left after a silence
    BREACH_UNREADY = 12         # an order left without connection, reconciliation or book
    BREACH_SELF_CROSS = 13      # own bid at or above own ask
    BREACH_NOT_POST_ONLY = 14   # a quote that may take
    BREACHES = 15


@cython.final
cdef class Witness:
    cdef readonly Exchange exchange
    cdef Account account                    # None before the maker's first login
    cdef Engine engine                      # None while no maker runs
    cdef bint known                         # this maker has been reconciled once
    cdef int32_t venue_market[MARKETS_MAX]  # of the maker's markets, at the exchange
    cdef readonly int64_t heard_ns          # when anything last reached the maker
    cdef public bint restrained             # somebody told it to pause or to reduce
    cdef public bint killed                 # somebody killed it
    cdef public bint flattening             # somebody told it to close the position
    cdef public int64_t refused_before      # refusals for want of credits that count for nothing
    cdef readonly int64_t looks
    cdef readonly int64_t resting           # contracts of all live orders at the last look
    cdef int64_t most[MARKETS_MAX][2]       # position and rest of a side at the last look
    cdef int64_t net_most[2]                # the same over all markets
    cdef int64_t visits[ORDER_STATES][ORDER_STATES]
    cdef int64_t risk_visits[RISK_STATES][RISK_STATES]
    cdef int32_t states[MARKETS_MAX][SLOTS_MAX]
    cdef int32_t risk_state
    cdef readonly int32_t breach            # Breach; the first one stays
    cdef readonly int32_t market            # where it was
    cdef readonly int32_t slot
    cdef readonly int32_t side
    cdef readonly int64_t there             # the exchange's figure, in contracts
    cdef readonly int64_t here              # the maker's

    cdef int32_t report(self, int32_t breach, int32_t market, int32_t slot, int32_t side,
                        int64_t there, int64_t here) noexcept nogil
    cdef void visit(self, int32_t markets) noexcept
    cdef int32_t judge_orders(self, int64_t rest[MARKETS_MAX][2]) noexcept
    cdef int32_t judge_market(self, int32_t index, const int64_t* rest) noexcept
    cdef int32_t judge_net(self, int64_t rest[MARKETS_MAX][2]) noexcept
    cdef int32_t judge(self) noexcept
