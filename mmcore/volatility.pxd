"""Windows of the mid: realised volatility, range and drift, sampled once a second."""
from libc.stdint cimport int32_t, int64_t

cdef enum:
    SECONDS_MAX = 600           # the longest window
    BAR_SECONDS = 10            # of the high-low range
    BARS_MAX = 60

cdef struct VolState:
    double squared[SECONDS_MAX]     # squared log return of each second, newest at head - 1
    double mids[SECONDS_MAX]        # mid at its end
    int64_t head                # seconds ever taken
    int64_t start               # head at the last restart
    int64_t second_ns           # end of the second that runs; 0: none
    double last_mid_usd
    double high_usd             # of the bar that runs
    double low_usd
    double ranges[BARS_MAX]     # ln(high / low)^2 of each bar
    int64_t bars
    int64_t first_bar           # bars at the last restart
    # what readers want, renewed once a second; 0 until enough is known
    double minute_year          # realised over one minute, annualised
    double range_year           # Parkinson over the window, annualised
    double window_usd           # realised over the window, USD per sqrt(s)
    double drift_z              # move over the window in realised standard deviations

cdef void vol_update(VolState* vol, double mid_usd, double window_s,
                     int64_t now_ns) noexcept nogil
cdef void vol_restart(VolState* vol) noexcept nogil
