"""Request credits of one account: continuous refill, exact integers."""
from libc.stdint cimport int32_t, int64_t

cpdef enum CreditClass:
    CREDIT_MATCHING = 0         # orders, edits, cancels
    CREDIT_CANCEL_ALL = 1
    CREDIT_OTHER = 2            # everything else
    CREDIT_SUBSCRIBE = 3
    CREDIT_INSTRUMENTS = 4
    CREDIT_QUOTES = 5           # one of a mass quote
    CREDIT_LOG = 6              # get_transaction_log
    CREDIT_MASS = 7             # a mass quote, whatever it holds

cdef enum:
    CREDIT_CLASSES = 8

cdef struct CreditPool:
    int64_t rate                # credits a second
    int64_t burst               # credits
    int64_t cost                # credits of one request
    int64_t level_e9            # credits now, in 1e-9
    int64_t at_ns

cdef struct Credits:
    CreditPool pools[CREDIT_CLASSES]
    bint unlimited
    int64_t refused

cdef int32_t credit_class_of(int32_t kind, int64_t request_id) noexcept nogil
cdef void credits_open(Credits* credits, int32_t tier, int64_t t_ns) noexcept nogil
cdef bint credits_take(Credits* credits, int32_t credit_class, int64_t t_ns) noexcept nogil
