"""Between a match and the accounts: bookings of trades, the ends of orders."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.checks cimport Checks
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport Outcome, SimOrder, SimTrade, TradeLeg


cdef class Clearing(Checks):
    cdef int book_fills(self, int64_t t_ns, int32_t market, int32_t side, int32_t taker,
                        int32_t flags) except -1
    cdef int book_spread(self, SimTrade* trade, int32_t maker, int32_t taker) except -1
    cdef int after_fills(self, int64_t t_ns, int32_t market, int32_t taker) except -1
    cdef SimTrade* book_trade(self, int64_t t_ns, int32_t market, int32_t side,
                              int64_t price_ticks, int64_t contracts, int32_t flags) except NULL
    cdef int book_leg(self, SimTrade* trade, TradeLeg* leg, int32_t slot, int32_t side,
                      bint maker) except -1
    cdef int64_t book_side(self, const SimTrade* trade, TradeLeg* leg, int32_t side,
                           int64_t rate_e8) except? -1
    cdef int note_fill(self, const SimTrade* trade, TradeLeg* leg, SimOrder* order, int64_t entry,
                       bint maker) except -1
    cdef int tell_trade(self, const SimTrade* trade, const TradeLeg* leg) except -1
    cdef int tell_order(self, int64_t t_ns, int32_t slot) except -1
    cdef int open_link(self, int32_t slot) except -1
    cdef int close_order(self, int64_t t_ns, int32_t slot, int32_t state,
                         int32_t reason) except -1
    cdef int drop_reduce_only(self, int64_t t_ns, int32_t account, int32_t market) except -1
    cdef int32_t open_slot(self, int32_t account, int64_t order_id, Outcome* out) except? -2
    cdef int note_change(self, int64_t t_ns, int32_t market) except -1
    cdef int want_flush(self, int64_t t_ns, MatchBook book) except -1
