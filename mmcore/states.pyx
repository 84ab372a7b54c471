"""See states.pxd. The table below is every transition there is."""

from mmcore.faults cimport FAULT_DRAWDOWN, FAULT_OPERATOR, FAULT_THROTTLE

# May go from (row) to (column). Killed is left by a restart after `mm ctl unkill`, by nothing
# else; who is leaving only leaves or is killed.
cdef bint[RISK_STATES][RISK_STATES] MAY = [
    # active reducing paused stopped killed
    [True, True, True, True, True],         # active
    [True, True, True, True, True],         # reducing
    [True, True, True, True, True],         # paused
    [False, False, False, False, True],     # stopped
    [False, False, False, False, False],    # killed
]

# What these say is that position or orders are not known well enough even to reduce by quotes.
cdef uint32_t PULLING = (1 << REASON_REJECTS | 1 << REASON_JOURNAL | 1 << REASON_RECONCILE
                         | 1 << REASON_FOREIGN | 1 << REASON_LIQUIDATION | 1 << REASON_ERROR)
# And these that not even a stop may count on the position.
cdef uint32_t ADRIFT = 1 << REASON_RECONCILE | 1 << REASON_ERROR


cdef int32_t reason_of(int32_t fault) noexcept nogil:
    """The RiskReason of a kill, by the FaultCode it is for."""
    if fault == FAULT_OPERATOR:
        return REASON_OPERATOR
    if fault == FAULT_DRAWDOWN:
        return REASON_DAY
    if fault == FAULT_THROTTLE:
        return REASON_THROTTLE
    return REASON_ERROR


cdef class RiskStates:
    """State, reason and what ends it; the gate and the loss limits move it."""

    cdef bint to_state(self, int32_t state, int32_t reason) noexcept nogil:
        """Move to a state; False where the table does not have it."""
        if not 0 <= state < RISK_STATES or not MAY[self.state][state]:
            return False
        if state == RISK_ACTIVE and self.reducing:
            state = RISK_REDUCING           # what demands it still holds
        elif state == RISK_REDUCING:
            self.reducing |= <uint32_t>1 << reason
        self.state = state
        self.reason = reason
        self.resume_ns = 0
        self.pulled = state == RISK_PAUSED and (PULLING >> reason & 1)
        self.adrift = state == RISK_PAUSED and (ADRIFT >> reason & 1)
        return True

    cdef bint pause_until(self, int64_t resume_ns, int32_t reason) noexcept nogil:
        """Pause of our own accord, or prolong such a pause; a person's pause stays a person's.

        resume_ns 0: until somebody resumes.
        """
        cdef bint pulled = self.pulled, adrift = self.adrift
        if self.state > RISK_PAUSED or (self.state == RISK_PAUSED and self.resume_ns == 0):
            if self.state == RISK_PAUSED:   # for a stronger reason, too
                self.pulled |= <bint>(PULLING >> reason & 1)
                self.adrift |= <bint>(ADRIFT >> reason & 1)
            return False
        if self.state == RISK_PAUSED and resume_ns != 0 and resume_ns < self.resume_ns:
            resume_ns = self.resume_ns
        self.to_state(RISK_PAUSED, reason)
        self.resume_ns = resume_ns
        self.pulled |= pulled
        self.adrift |= adrift
        self.pauses += 1
        return True

    cdef bint resume_when_due(self, int64_t now_ns) noexcept nogil:
        """End a pause of our own when its time is over; True where that happened."""
        if self.resume_ns == 0 or now_ns < self.resume_ns or self.state != RISK_PAUSED:
            return False
        return self.to_state(RISK_ACTIVE, REASON_NONE)

    cdef bint reduce_while(self, int32_t reason, bint holds) noexcept nogil:
        """Demand that nothing adds while a reason holds; True where the state changed."""
        cdef uint32_t bit = <uint32_t>1 << reason
        if holds == ((self.reducing & bit) != 0):
            return False
        if holds:
            self.reducing |= bit
            return self.state == RISK_ACTIVE and self.to_state(RISK_REDUCING, reason)
        self.reducing &= ~bit
        return self.state == RISK_REDUCING and self.reducing == 0 and self.to_state(
            RISK_ACTIVE, REASON_NONE)

    cdef bint on_reject(self, const RiskParams* params, int64_t now_ns) noexcept nogil:
        """Count a refusal of the venue; True where too many in too short a time now pause us."""
        cdef int64_t window_ns = <int64_t>(params.reject_storm_s * 1e9)
        if now_ns - self.storm_ns > window_ns:
            self.storm_ns = now_ns
            self.storm_count = 0
        self.storm_count += 1
        if (params.reject_storm_count <= 0.0 or self.state != RISK_ACTIVE
                or self.storm_count <= <int32_t>params.reject_storm_count):
            return False
        self.reject_storms += 1
        return self.pause_until(now_ns + window_ns, REASON_REJECTS)

    @property
    def state_name(self):
        """Name of the risk state."""
        return RiskState(self.state).name

    @property
    def reason_name(self):
        """Name of the reason it holds for."""
        return RiskReason(self.reason).name


def may_go(int32_t before, int32_t after):
    """Whether the table has a transition."""
    return bool(MAY[before][after])
