"""What a request may do: the venue's checks, in the venue's order, and its codes."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport OrderRequest, Outcome, SimOrder
from connectors.sim.registry cimport Registry

cpdef enum SimError:
    """Codes of the venue (`SIM_OK` = done); the wire adds message and data."""
    SIM_OK = 0
    SIM_PENDING = 1                 # no code: the outcome comes later, under the ticket
    SIM_ORDER_NOT_FOUND = 10004
    SIM_PRICE_TOO_LOW = 10005       # limit_ticks of the result is the bound
    SIM_PRICE_TOO_HIGH = 10007
    SIM_NOT_ENOUGH_FUNDS = 10009
    SIM_INVALID_AMOUNT = 10021
    SIM_TOO_MANY_REQUESTS = 10028
    SIM_NOT_OWNER = 10029
    SIM_TRIGGER_TOO_HIGH = 10034
    SIM_TRIGGER_TOO_LOW = 10035
    SIM_SETTLEMENT = 10041
    SIM_PRICE_WRONG_TICK = 10043
    SIM_TRIGGER_WRONG_TICK = 10044
    SIM_QUEUE_FULL = 10047
    SIM_LOCK_TIME = 10050
    SIM_ALREADY_FILLED = 11008
    SIM_POST_ONLY_IMPOSSIBLE = 11021
    SIM_BOOK_CLOSED = 10012
    SIM_REDUCE_ONLY = 11030         # other_reject: no position to reduce
    SIM_NOT_OPEN = 11044
    SIM_POST_ONLY_REJECT = 11054
    SIM_POST_ONLY_NOT_ALLOWED = 11055
    SIM_MMP_TRIGGER = 13030
    SIM_LABEL_NOT_UNIQUE = 13032
    SIM_MMP_REQUIRED = 13040
    SIM_COD_REQUIRED = 13042
    SIM_QUOTES_FROZEN = 13043
    SIM_CANCELLED_BY_USER = 13666
    SIM_REPLACED = 13777
    SIM_TIMED_OUT = 13888
    SIM_QUOTES_DISABLED = 13902
    SIM_TOO_MANY_QUOTES = 13903

cdef class Checks(Registry):
    cdef int begin(self, int32_t market, Outcome* out) except -1
    cdef int check(self, int32_t account, OrderRequest* request, const SimOrder* old,
                   Outcome* out) except -1
    cdef int check_price(self, OrderRequest* request, Outcome* out) except -1
    cdef int check_trigger(self, OrderRequest* request, Outcome* out) except -1
    cdef int clip_reduce_only(self, int32_t account, OrderRequest* request, int64_t filled,
                              Outcome* out) except -1
    cdef int slide(self, MatchBook book, OrderRequest* request, Outcome* out) except -1
    cdef bint affords(self, int32_t account, const OrderRequest* request,
                      const SimOrder* old) except -1
    cdef bint mmp_blocks(self, int32_t account, int32_t market, int32_t group) except -1
    cdef int64_t band_ticks(self, int32_t market, int32_t side) noexcept
    cdef double trigger_price(self, int32_t market, int32_t by) noexcept
