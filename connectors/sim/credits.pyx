"""Request credits; see credits.pxd. Rates of api tiers 1 to 4, tier 0 is unlimited."""
from libc.string cimport memset

from mmcore.types cimport ACTION_CANCEL_ALL, ACTION_MASS_QUOTE, request_kind

cdef int64_t E9 = 1000000000


cdef void pool_open(CreditPool* pool, int64_t rate, int64_t burst, int64_t cost,
                    int64_t t_ns) noexcept nogil:
    pool.rate = rate
    pool.burst = burst
    pool.cost = cost
    pool.level_e9 = burst * E9
    pool.at_ns = t_ns


cdef void credits_open(Credits* credits, int32_t tier, int64_t t_ns) noexcept nogil:
    """Fill all pools; tier 0 takes no notice of limits."""
    cdef int64_t rate = 5
    cdef int64_t burst = 20
    if tier == 1:
        rate, burst = 30, 100
    elif tier == 2:
        rate, burst = 20, 50
    elif tier == 3:
        rate, burst = 10, 30
    memset(credits, 0, sizeof(Credits))
    credits.unlimited = tier <= 0
    pool_open(&credits.pools[<int>CREDIT_MATCHING], rate, burst, 1, t_ns)
    pool_open(&credits.pools[<int>CREDIT_CANCEL_ALL], 5, 20, 1, t_ns)
    pool_open(&credits.pools[<int>CREDIT_OTHER], 10000, 50000, 500, t_ns)
    pool_open(&credits.pools[<int>CREDIT_SUBSCRIBE], 10000, 30000, 3000, t_ns)
    pool_open(&credits.pools[<int>CREDIT_INSTRUMENTS], 10000, 500000, 10000, t_ns)
    pool_open(&credits.pools[<int>CREDIT_QUOTES], 500, 500, 1, t_ns)
    pool_open(&credits.pools[<int>CREDIT_LOG], 10000, 80000, 10000, t_ns)
    pool_open(&credits.pools[<int>CREDIT_MASS], 10, 10, 1, t_ns)


cdef int32_t credit_class_of(int32_t kind, int64_t request_id) noexcept nogil:
    """The pool that pays for an action of a kind; the id tells what is part of a mass quote."""
    if request_kind(request_id) == ACTION_MASS_QUOTE:
        return CREDIT_MASS
    return CREDIT_CANCEL_ALL if kind == ACTION_CANCEL_ALL else CREDIT_MATCHING


cdef bint credits_take(Credits* credits, int32_t credit_class, int64_t t_ns) noexcept nogil:
    """Pay for one request; False where the pool cannot."""
    cdef CreditPool* pool = &credits.pools[credit_class]
    cdef int64_t full = pool.burst * E9
    cdef int64_t missing_ns
    if credits.unlimited:
        return True
    if t_ns > pool.at_ns:
        # Compared by time first: the product of a long pause and the rate would overflow.
        missing_ns = (full - pool.level_e9) // pool.rate + 1
        if t_ns - pool.at_ns >= missing_ns:
            pool.level_e9 = full
        else:
            pool.level_e9 += (t_ns - pool.at_ns) * pool.rate
        pool.at_ns = t_ns
    if pool.level_e9 < pool.cost * E9:
        credits.refused += 1
        return False
    pool.level_e9 -= pool.cost * E9
    return True
