"""See calendar.pxd."""
from libc.string cimport memset

from mmcore.params cimport Params
from mmcore.types cimport MARKET_HALTED, MARKET_INACTIVE, MARKET_LOCKED, MARKET_OPEN
from mmcore.types cimport MARKET_SETTLEMENT

cdef int64_t SECOND_NS = 1_000_000_000
cdef int64_t DAY_S = 86_400
cdef int64_t SETTLEMENT_S = 8 * 3_600       # the venue's session ends at 08:00 UTC
cdef int64_t DELIVERY_S = 1_800             # the delivery price is the mean index of this long
cdef int64_t LOOK_AHEAD_S = 60


cdef bint settlement_hour(const ParamValues* params, int64_t second,
                          int64_t* until_s) noexcept nogil:
    """Whether a UTC second lies in the settlement; until_s says when that changes."""
    cdef int64_t since = (second - SETTLEMENT_S) % DAY_S
    cdef int64_t before = <int64_t>params.settlement.pull_before_s
    cdef int64_t after = <int64_t>params.settlement.resume_after_s
    if since < 0:
        since += DAY_S
    if since < after:
        until_s[0] = after - since
        return True
    if DAY_S - since <= before:
        until_s[0] = DAY_S - since + after
        return True
    until_s[0] = DAY_S - since - before
    return False


cdef void follow_state(Calendar* calendar, int32_t state, int64_t now_ns) noexcept nogil:
    """Note when a market that was closed opens again; an unknown state closes nothing."""
    if state in (MARKET_SETTLEMENT, MARKET_LOCKED, MARKET_HALTED, MARKET_INACTIVE):
        calendar.reopening = True
        calendar.opened_ns = 0
    elif state == MARKET_OPEN and calendar.reopening and calendar.opened_ns == 0:
        calendar.opened_ns = now_ns
    calendar.state = state


cdef void near_expiry(Calendar* calendar, int64_t expiry_s, int64_t roll_s,
                      const ParamValues* params, int64_t second) noexcept nogil:
    """Size falls in a straight line from the start of the wind-down to the last quote.

    roll_s: when another contract takes the place, at the latest when this one expires.
    """
    cdef double left_s = <double>(roll_s - second)
    cdef double wind_down_s = params.expiry.wind_down_h * 3600.0
    cdef double out_s = params.expiry.out_before_h * 3600.0
    calendar.leaving = left_s <= out_s
    if calendar.leaving:
        calendar.size_factor = 0.0
    elif left_s < wind_down_s:
        calendar.size_factor = (left_s - out_s) / (wind_down_s - out_s)
    left_s = <double>(expiry_s - second)
    calendar.ending = 0.0 < left_s <= out_s
    if left_s <= 0.0:
        calendar.delta_share = 0.0
    elif left_s < <double>DELIVERY_S:
        calendar.delta_share = left_s / <double>DELIVERY_S


cdef void calendar_update(Calendar* calendar, int64_t expiry_ms, int64_t rolls_ms, int32_t state,
                          const ParamValues* params, int64_t wall_ns,
                          int64_t now_ns) noexcept nogil:
    """Bring the figures to a wall time; wall_ns 0: not known yet, only the state counts.

    rolls_ms: when its place is taken, where that is before the expiry; 0: at the expiry.
    The settlement holds from settlement.pull_before_s before 08:00 UTC until
    settlement.resume_after_s after it and after the venue's state is open again.
    """
    cdef int64_t second = wall_ns // SECOND_NS
    cdef int64_t until_s = LOOK_AHEAD_S
    cdef int64_t resume_ns = <int64_t>(params.settlement.resume_after_s * 1e9)
    cdef bint reopened
    if state != calendar.state:
        follow_state(calendar, state, now_ns)
    elif second == calendar.second and not calendar.reopening:
        return
    calendar.second = second
    calendar.settling = calendar.leaving = calendar.ending = False
    calendar.size_factor = calendar.delta_share = 1.0
    if wall_ns > 0:
        calendar.settling = settlement_hour(params, second, &until_s)
        if expiry_ms > 0:
            near_expiry(calendar, expiry_ms // 1_000, (rolls_ms or expiry_ms) // 1_000, params,
                        second)
    if until_s > LOOK_AHEAD_S:
        until_s = LOOK_AHEAD_S
    calendar.next_ns = until_s * SECOND_NS - (wall_ns - second * SECOND_NS)
    if calendar.reopening:
        reopened = calendar.opened_ns != 0 and now_ns - calendar.opened_ns >= resume_ns
        if reopened:
            calendar.reopening = False
        else:
            calendar.settling = True
            if calendar.opened_ns != 0 and calendar.opened_ns + resume_ns - now_ns < (
                    calendar.next_ns):
                calendar.next_ns = calendar.opened_ns + resume_ns - now_ns


cdef class CalendarDay:
    """A calendar in Python's hands."""

    def __cinit__(self):
        memset(&self.calendar, 0, sizeof(Calendar))

    def at(self, Params params not None, int64_t wall_ns, int64_t now_ns, int32_t state=0,
           int64_t expiry_ms=0, int64_t rolls_ms=0):
        """The figures at a wall time, as a dict."""
        calendar_update(&self.calendar, expiry_ms, rolls_ms, state, &params.v, wall_ns, now_ns)
        return {"settling": bool(self.calendar.settling), "leaving": bool(self.calendar.leaving),
                "ending": bool(self.calendar.ending),
                "size_factor": self.calendar.size_factor,
                "delta_share": self.calendar.delta_share, "next_ns": self.calendar.next_ns}
