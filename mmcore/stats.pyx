"""See stats.pxd."""
from libc.string cimport memset


cdef extern from *:
    """
    static inline int mm_log2(unsigned long long value) { return 63 - __builtin_clzll(value); }
    """
    int mm_log2(unsigned long long value) noexcept nogil


cdef inline int32_t bucket_of(int64_t value) noexcept nogil:
    cdef int32_t exponent, bucket
    if value < (1 << HISTOGRAM_SUB_BITS):
        return <int32_t>value if value > 0 else 0
    exponent = mm_log2(<unsigned long long>value)
    bucket = (((exponent - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)
              + <int32_t>((value >> (exponent - HISTOGRAM_SUB_BITS))
                          - (1 << HISTOGRAM_SUB_BITS)))
    return bucket if bucket < HISTOGRAM_BUCKETS else HISTOGRAM_BUCKETS - 1


cdef int64_t histogram_bucket_top(int32_t bucket) noexcept nogil:
    """Largest value that falls into a bucket."""
    cdef int32_t octave = bucket >> HISTOGRAM_SUB_BITS
    cdef int64_t part = bucket & ((1 << HISTOGRAM_SUB_BITS) - 1)
    if octave == 0:
        return part
    return (((part + (1 << HISTOGRAM_SUB_BITS) + 1) << (octave - 1)) - 1)


cdef void histogram_record(LogHistogram* histogram, int64_t value) noexcept nogil:
    """Count one value; negative ones count as 0."""
    histogram.count += 1
    histogram.sum += value if value > 0 else 0
    if value > histogram.max:
        histogram.max = value
    histogram.buckets[bucket_of(value)] += 1


cdef void tally_add(CodeTally* tally, int64_t code) noexcept nogil:
    """Count one occurrence of a code; codes beyond the table share its last row."""
    cdef int32_t i
    for i in range(tally.used):
        if tally.rows[i].code == code or i == CODES_MAX - 1:
            tally.rows[i].count += 1
            return
    tally.rows[tally.used].code = code if tally.used < CODES_MAX - 1 else 0
    tally.rows[tally.used].count = 1
    tally.used += 1


cdef int64_t histogram_quantile(const LogHistogram* histogram, double share) noexcept nogil:
    """Upper bound of the bucket in which the share of all values lies; 0 while empty."""
    cdef uint64_t wanted, seen = 0
    cdef int64_t top
    cdef int32_t i
    if histogram.count == 0:
        return 0
    wanted = <uint64_t>(share * <double>histogram.count)
    if wanted >= histogram.count:
        return histogram.max
    for i in range(HISTOGRAM_BUCKETS):
        seen += histogram.buckets[i]
        if seen > wanted:
            top = histogram_bucket_top(i)
            return top if top < histogram.max else histogram.max
    return histogram.max


cdef class Histogram:
    """Python face of a LogHistogram, for tests and readers of the telemetry page."""

    cdef LogHistogram h

    def record(self, int64_t value):
        """Count one value."""
        histogram_record(&self.h, value)

    def quantile(self, double share):
        """Value below which the share of all lies, within 6.25 %."""
        return histogram_quantile(&self.h, share)

    @property
    def count(self):
        return self.h.count

    @property
    def max(self):
        return self.h.max


def tally_of(codes):
    """What a tally holds after codes, as {code: count}, for tests; 0 is the row of the rest."""
    cdef CodeTally tally
    memset(&tally, 0, sizeof(CodeTally))
    for code in codes:
        tally_add(&tally, code)
    return {tally.rows[i].code: tally.rows[i].count for i in range(tally.used)}
