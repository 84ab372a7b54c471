"""Calendar of one instrument: the daily settlement, and the end of a dated contract."""
from libc.stdint cimport int32_t, int64_t

from mmcore.params cimport ParamValues

cdef struct Calendar:
    int64_t second              # the UTC second the figures below are of
    int32_t state               # MarketState last seen
    bint reopening              # was closed (settlement, lock, halt); opened_ns counts
    int64_t opened_ns           # when it became open again; 0 while it is not
    bint settling               # nothing may rest
    bint leaving                # too near expiry, or to the roll: nothing adds
    bint ending                 # so near its own expiry that no position should be left
    double size_factor          # of adding quotes, shrinking towards the expiry or the roll
    double delta_share          # of a contract's BTC that still moves: the delivery price averages
    int64_t next_ns             # from now until one of these changes, at most a minute

cdef void calendar_update(Calendar* calendar, int64_t expiry_ms, int64_t rolls_ms, int32_t state,
                          const ParamValues* params, int64_t wall_ns,
                          int64_t now_ns) noexcept nogil


cdef class CalendarDay:
    cdef Calendar calendar
