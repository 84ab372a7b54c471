"""Log-bucket histogram: fixed memory, no allocation, 6 % resolution."""
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum:
    HISTOGRAM_SUB_BITS = 4                  # 16 buckets per power of two
    HISTOGRAM_BUCKETS = 640                 # up to 2^43 ns, two hours

cdef struct LogHistogram:
    uint64_t count
    int64_t sum
    int64_t max
    uint64_t buckets[HISTOGRAM_BUCKETS]

cdef void histogram_record(LogHistogram* histogram, int64_t value) noexcept nogil
cdef int64_t histogram_quantile(const LogHistogram* histogram, double share) noexcept nogil
cdef int64_t histogram_bucket_top(int32_t bucket) noexcept nogil
