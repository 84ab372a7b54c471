"""Log-bucket histogram: fixed memory, no allocation, 6 % resolution."""
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum:
    HISTOGRAM_SUB_BITS = 4                  # 16 buckets per power of two
    HISTOGRAM_BUCKETS = 640                 # up to 2^43 ns, two hours
    CODES_MAX = 32                          # error codes told apart; the last row has the rest

cdef struct LogHistogram:
    uint64_t count
    int64_t sum
    int64_t max
    uint64_t buckets[HISTOGRAM_BUCKETS]

cdef struct CodeCount:
    int64_t code                # 0 in the row of the rest
    uint64_t count

cdef struct CodeTally:
    int64_t used                # rows in use
    CodeCount rows[CODES_MAX]

cdef void tally_add(CodeTally* tally, int64_t code) noexcept nogil
cdef void histogram_record(LogHistogram* histogram, int64_t value) noexcept nogil
cdef int64_t histogram_quantile(const LogHistogram* histogram, double share) noexcept nogil
cdef int64_t histogram_bucket_top(int32_t bucket) noexcept nogil
