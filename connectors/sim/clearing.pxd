"""Between a request and the books: checks, bookings of trades, the ends of orders."""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport OrderRequest, SimOrder, SimTrade, TradeLeg
from connectors.sim.registry cimport Registry

cpdef enum SimError:
    """Codes of the venue (`SIM_OK` = done); the wire adds message and data."""
    SIM_OK = 0
    SIM_ORDER_NOT_FOUND = 10004
    SIM_PRICE_TOO_LOW = 10005       # limit_ticks of the result is the bound
    SIM_PRICE_TOO_HIGH = 10007
    SIM_NOT_ENOUGH_FUNDS = 10009
    SIM_INVALID_AMOUNT = 10021
    SIM_TOO_MANY_REQUESTS = 10028
    SIM_NOT_OWNER = 10029
    SIM_SETTLEMENT = 10041
    SIM_PRICE_WRONG_TICK = 10043
    SIM_ALREADY_FILLED = 11008
    SIM_POST_ONLY_IMPOSSIBLE = 11021
    SIM_BOOK_CLOSED = 10012
    SIM_REDUCE_ONLY = 11030         # other_reject: no position to reduce
    SIM_NOT_OPEN = 11044
    SIM_POST_ONLY_REJECT = 11054
    SIM_POST_ONLY_NOT_ALLOWED = 11055
    SIM_LABEL_NOT_UNIQUE = 13032
    SIM_TIMED_OUT = 13888

# What a request came to. The trades are trades.at(first_trade) .. trades.at(end_trade - 1).
cdef struct Outcome:
    int32_t error               # SimError
    int32_t slot                # of the order; SLOT_NONE where the request made none
    int32_t market
    int64_t limit_ticks         # of SIM_PRICE_TOO_LOW and SIM_PRICE_TOO_HIGH
    int64_t first_trade
    int64_t end_trade


cdef class Clearing(Registry):
    cdef int check(self, int32_t account, OrderRequest* request, const SimOrder* old,
                   Outcome* out) except -1
    cdef int clip_reduce_only(self, int32_t account, OrderRequest* request, int64_t filled,
                              Outcome* out) except -1
    cdef int slide(self, MatchBook book, OrderRequest* request, Outcome* out) except -1
    cdef bint affords(self, int32_t account, const OrderRequest* request,
                      const SimOrder* old) except -1
    cdef int64_t band_ticks(self, int32_t market, int32_t side) noexcept
    cdef int book_fills(self, int64_t t_ns, int32_t market, int32_t side, int32_t taker,
                        int32_t flags) except -1
    cdef SimTrade* book_trade(self, int64_t t_ns, int32_t market, int32_t side,
                              int64_t price_ticks, int64_t contracts, int32_t flags) except NULL
    cdef int book_leg(self, SimTrade* trade, TradeLeg* leg, int32_t slot, int32_t side,
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
