"""See volatility.pxd."""
from libc.math cimport log, sqrt

cdef int64_t SECOND_NS = 1_000_000_000
cdef double YEAR_S = 31_557_600.0
cdef enum:
    MINUTE = 60
    LEAST = 10                  # seconds before any figure is given


cdef void vol_restart(VolState* vol) noexcept nogil:
    """Forget the windows: after a gap a jump of the mid is no return."""
    vol.second_ns = 0
    vol.start = vol.head
    vol.first_bar = vol.bars
    vol.minute_year = vol.range_year = vol.window_usd = vol.drift_z = 0.0


cdef void vol_update(VolState* vol, double mid_usd, double window_s,
                     int64_t now_ns) noexcept nogil:
    """Take the mid now; a second without any event has the return 0."""
    cdef double move
    if vol.second_ns == 0 or now_ns - vol.second_ns > SECONDS_MAX * SECOND_NS:
        vol_restart(vol)
        vol.second_ns = now_ns + SECOND_NS
        vol.last_mid_usd = vol.high_usd = vol.low_usd = mid_usd
        return
    if mid_usd > vol.high_usd:
        vol.high_usd = mid_usd
    elif mid_usd < vol.low_usd:
        vol.low_usd = mid_usd
    if now_ns < vol.second_ns:
        return
    move = log(mid_usd / vol.last_mid_usd)
    vol.last_mid_usd = mid_usd
    while now_ns >= vol.second_ns:
        vol.squared[vol.head % SECONDS_MAX] = move * move
        vol.mids[vol.head % SECONDS_MAX] = mid_usd
        move = 0.0
        vol.head += 1
        vol.second_ns += SECOND_NS
        if (vol.head - vol.start) % BAR_SECONDS == 0:
            close_bar(vol, mid_usd)
    renew(vol, mid_usd, <int64_t>window_s)


cdef void close_bar(VolState* vol, double mid_usd) noexcept nogil:
    cdef double span = log(vol.high_usd / vol.low_usd)
    vol.ranges[vol.bars % BARS_MAX] = span * span
    vol.bars += 1
    vol.high_usd = vol.low_usd = mid_usd


cdef double realised(const VolState* vol, int64_t seconds) noexcept nogil:
    """Sum of squared returns over the last seconds."""
    cdef double total = 0.0
    cdef int64_t i
    for i in range(vol.head - seconds, vol.head):
        total += vol.squared[i % SECONDS_MAX]
    return total


cdef void renew(VolState* vol, double mid_usd, int64_t window) noexcept nogil:
    """Realised variance is the sum of squared returns; range after Parkinson (1980)."""
    cdef int64_t held = vol.head - vol.start
    cdef int64_t bars = vol.bars - vol.first_bar
    cdef int64_t seconds, wanted, i
    cdef double total
    if held < LEAST:
        return
    seconds = held if held < MINUTE else MINUTE
    vol.minute_year = sqrt(realised(vol, seconds) / <double>seconds * YEAR_S)
    if window < LEAST:
        window = LEAST
    if window > SECONDS_MAX - 1:
        window = SECONDS_MAX - 1
    seconds = held if held < window else window
    total = realised(vol, seconds)
    vol.window_usd = mid_usd * sqrt(total / <double>seconds)
    vol.drift_z = 0.0
    if total > 0.0 and held > seconds:
        vol.drift_z = log(mid_usd / vol.mids[(vol.head - 1 - seconds) % SECONDS_MAX]) / sqrt(total)
    wanted = window // BAR_SECONDS
    if bars > wanted:
        bars = wanted
    total = 0.0
    for i in range(vol.bars - bars, vol.bars):
        total += vol.ranges[i % BARS_MAX]
    vol.range_year = 0.0
    if bars > 0:                # sigma^2 = sum ln(H / L)^2 / (4 n ln 2) of one bar
        vol.range_year = sqrt(total / (4.0 * <double>bars * log(2.0)) * YEAR_S / BAR_SECONDS)
