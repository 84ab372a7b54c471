"""Budget: what the venue lets us send. Continuous credit pool, unanswered cap, own rate cap."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t


cpdef enum CreditPool:
    """The account's pools; which one a request is paid from follows from its id."""
    POOL_TRADING = 0            # creates, edits, cancels
    POOL_CANCEL_ALL = 1
    POOL_MASS_QUOTE = 2
    POOLS = 3

cdef enum:
    UNANSWERED_MAX = 128        # requests whose answers are waited for
    OTV_HOURS = 24
    LINES_MAX = 8               # lost lines that are remembered
    RATE_MAX = 256              # sends remembered; a faster rate than this is no cap

cdef struct Pool:
    double burst                # requests it holds when full
    double rate                 # requests refilled per second
    double level                # requests available at level_ns
    int64_t level_ns
    int32_t under_way           # paid for here, and perhaps not yet at the venue
    int32_t overdue             # of these, whose answers are not waited for any more

cdef struct LostLine:
    int64_t until_ns            # nothing of it arrives any more
    int32_t under_way[POOLS]    # by pool, what still counts as under way

cdef struct Unanswered:
    int64_t request_id
    int64_t sent_ns

cdef struct RateCap:
    int64_t sent_ns[RATE_MAX]
    uint64_t count


@cython.final
cdef class Budget:
    cdef Pool pools[POOLS]
    cdef Unanswered waiting[UNANSWERED_MAX]
    cdef LostLine lost[LINES_MAX]   # by time
    cdef int32_t lost_count
    cdef int32_t unanswered         # matching-engine requests in flight
    cdef int64_t answered_sent_ns   # when the request answered last was sent
    cdef readonly double reserve_least  # always kept back: a cancel per instrument and two
    cdef double otv_messages[OTV_HOURS]
    cdef double otv_btc[OTV_HOURS]
    cdef int64_t otv_hour           # hour of now_ns that was last counted in

    cdef double available(self, int64_t now_ns) noexcept nogil
    cdef double available_in(self, int32_t pool, int64_t now_ns) noexcept nogil
    cdef void draw(self, int32_t pool, int64_t now_ns) noexcept nogil
    cdef void spend(self, int64_t request_id, int64_t now_ns) noexcept nogil
    cdef void leave(self, int32_t pool, double requests, int64_t now_ns) noexcept nogil
    cdef void set_limits(self, int32_t pool, double burst, double rate) noexcept nogil
    cdef bint answered(self, int64_t request_id, int64_t now_ns) noexcept nogil
    cdef void arrived(self, int32_t pool, int32_t requests, int64_t now_ns) noexcept nogil
    cdef void exhausted(self, int64_t request_id, int64_t now_ns) noexcept nogil
    cdef void disconnected(self, int64_t now_ns) noexcept nogil
    cdef void forget_line(self, int64_t now_ns) noexcept nogil
    cdef void turn_hour(self, int64_t now_ns) noexcept nogil
    cdef void traded(self, double btc, int64_t now_ns) noexcept nogil
    cdef double order_to_volume(self, int64_t now_ns) noexcept nogil
    cdef void expire(self, int64_t now_ns, int64_t after_ns) noexcept nogil


cdef bint rate_allows(const RateCap* cap, double per_s, int64_t now_ns) noexcept nogil
cdef int32_t rate_room(const RateCap* cap, double per_s, int64_t now_ns,
                       int32_t most) noexcept nogil
cdef void rate_spend(RateCap* cap, int64_t now_ns) noexcept nogil
