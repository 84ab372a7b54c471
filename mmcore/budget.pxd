"""Budget: what the venue lets us send. Continuous credit pool, unanswered cap, own rate cap."""
from libc.stdint cimport int32_t, int64_t


cdef class Budget:
    cdef double burst               # requests the pool holds when full
    cdef double rate                # requests refilled per second
    cdef double level               # requests available at level_ns
    cdef int64_t level_ns
    cdef int32_t unanswered    # matching-engine requests in flight

    cdef double available(self, int64_t now_ns) noexcept nogil
    cdef void spend(self, double requests, int64_t now_ns) noexcept nogil
    cdef void set_limits(self, double burst, double rate) noexcept nogil
    cdef void answered(self, int32_t requests) noexcept nogil


cdef struct RateCap:
    double level
    int64_t level_ns

cdef bint rate_allows(RateCap* cap, double per_s, int64_t now_ns) noexcept nogil
cdef void rate_spend(RateCap* cap) noexcept nogil
