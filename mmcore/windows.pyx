"""See windows.pxd."""

cdef int64_t SECOND_NS = 1_000_000_000
cdef int64_t DAY_S = 86_400
cdef int64_t HOUR_S = 3_600
cdef int64_t EPOCH_WEEKDAY = 3          # 1 January 1970 was a Thursday


cdef bint day_listed(const TimeWindow* window, int64_t second) noexcept nogil:
    cdef int64_t weekday = (second // DAY_S + EPOCH_WEEKDAY) % 7
    return (window.day_mask >> weekday) & 1


cdef bint is_open(const TimeWindow* window, int64_t second) noexcept nogil:
    """Whether a UTC second lies within [moment - before, moment + after)."""
    cdef int64_t period = HOUR_S if window.at_s == EVERY_HOUR else DAY_S
    cdef int64_t phase = 0 if window.at_s == EVERY_HOUR else window.at_s
    cdef int64_t since = (second - phase) % period      # after the last such moment
    if since < window.after_s and day_listed(window, second - since):
        return True
    return period - since <= window.before_s and day_listed(window, second - since + period)


cdef void windows_update(WindowTable* table, int64_t wall_ns) noexcept nogil:
    """Bring the figures to a wall time; computed once a second."""
    cdef int64_t second = wall_ns // SECOND_NS
    cdef const TimeWindow* window
    cdef int32_t i
    if second == table.second:
        return
    table.second = second
    table.spread_factor = table.size_factor = 1.0
    table.pull = False
    for i in range(table.count):
        window = &table.items[i]
        if is_open(window, second):
            if window.spread_factor > table.spread_factor:
                table.spread_factor = window.spread_factor
            if window.size_factor < table.size_factor:
                table.size_factor = window.size_factor
            table.pull = table.pull or window.pull


cdef class TimeWindows:
    """The time windows of one engine."""

    def __cinit__(self):
        self.table.spread_factor = self.table.size_factor = 1.0

    def replace(self, windows not None):
        """Take rows of (day_mask, at_s, before_s, after_s, spread_factor, size_factor, pull).

        at_s is a second of the UTC day, -1 every full hour; bit 0 of day_mask is Monday.
        ValueError where a row does not fit.
        """
        cdef TimeWindow* window
        if len(windows) > WINDOWS_MAX:
            raise ValueError(f"at most {WINDOWS_MAX} time windows, not {len(windows)}")
        for i, row in enumerate(windows):
            window = &self.table.items[<int>i]
            (window.day_mask, window.at_s, window.before_s, window.after_s,
             window.spread_factor, window.size_factor, window.pull) = row
            if not EVERY_HOUR <= window.at_s < DAY_S:
                raise ValueError(f"time window {i}: at_s {window.at_s} is no second of a day")
        self.table.count = <int32_t>len(windows)
        self.table.second = 0
        self.table.spread_factor = self.table.size_factor = 1.0
        self.table.pull = False

    def at(self, int64_t wall_ns):
        """(spread_factor, size_factor, pull) at a wall time."""
        windows_update(&self.table, wall_ns)
        return self.table.spread_factor, self.table.size_factor, bool(self.table.pull)
