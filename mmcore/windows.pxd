"""Time windows of the day in which quotes are wider, smaller or gone."""
from libc.stdint cimport int32_t, int64_t

cdef enum:
    WINDOWS_MAX = 32
    EVERY_HOUR = -1

cdef struct TimeWindow:
    int32_t day_mask            # bit 0 Monday … bit 6 Sunday, of the moment itself
    int32_t at_s                # second of the UTC day; EVERY_HOUR
    int32_t before_s
    int32_t after_s
    double spread_factor
    double size_factor
    bint pull

cdef struct WindowTable:
    int32_t count
    TimeWindow items[WINDOWS_MAX]
    int64_t second              # the UTC second the figures below are of
    double spread_factor        # the widest of the windows that are open
    double size_factor          # the smallest
    bint pull

cdef void windows_update(WindowTable* table, int64_t wall_ns) noexcept nogil


cdef class TimeWindows:
    cdef WindowTable table
