"""What the exchange tells its front: the wire formats it, the direct front hands it to an engine.

Calls come synchronously, in the order of effects, while an entry point of `Exchange` runs. Pointers
are valid during the call only, and an implementation must not call back into the exchange.
"""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.orders cimport Outcome, SimOrder, SimTrade, TradeLeg

cpdef enum ChangeAction:
    CHANGE_NEW = 0
    CHANGE_CHANGE = 1
    CHANGE_DELETE = 2

cdef struct BookChange:
    int64_t price_ticks
    int64_t amount_contracts    # 0 for a delete
    int32_t action              # ChangeAction

# One flush of one market's book; sides best price first.
cdef struct BookUpdate:
    int64_t change_id
    int64_t prev_change_id
    int64_t t_ns
    int32_t market
    int32_t interval
    int32_t count[2]
    const BookChange* changes[2]


cdef class Outputs:
    """Base class: every call does nothing."""
    cdef int on_book(self, const BookUpdate* update) except -1
    cdef int on_quote(self, int64_t t_ns, int32_t market) except -1
    cdef int on_window(self, int64_t t_ns, int32_t market, int32_t interval) except -1
    cdef int on_trades(self, int64_t t_ns, int32_t market, int32_t interval,
                       int64_t first, int64_t end) except -1
    cdef int on_ticker(self, int64_t t_ns, int32_t market, int32_t interval) except -1
    cdef int on_index(self, int64_t t_ns, int32_t index) except -1
    cdef int on_market_state(self, int64_t t_ns, int32_t market) except -1
    cdef int on_order(self, int64_t t_ns, const SimOrder* order) except -1
    cdef int on_user_trade(self, int64_t t_ns, const SimOrder* order, const SimTrade* trade,
                           const TradeLeg* leg) except -1
    cdef int on_outcome(self, int64_t t_ns, const Outcome* outcome) except -1
    cdef int on_mmp(self, int64_t t_ns, int32_t account, int32_t index, str group,
                    int64_t frozen_until_ns) except -1
    cdef int on_listed(self, int64_t t_ns, int32_t market) except -1
    cdef int on_event_end(self, int64_t t_ns) except -1
