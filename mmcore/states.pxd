"""RiskStates: the four states of risk and leaving, why one holds, and when it ends by itself."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from mmcore.params cimport RiskParams

cpdef enum RiskState:
    RISK_ACTIVE = 0
    RISK_REDUCING = 1           # nothing adds
    RISK_PAUSED = 2             # nothing adds; ends by itself, or by command
    RISK_STOPPED = 3            # leaving: nothing new any more
    RISK_KILLED = 4             # latched
    RISK_STATES = 5

cpdef enum RiskReason:
    """Why a state holds. Reasons to reduce hold together, a bit each."""
    REASON_NONE = 0
    REASON_OPERATOR = 1
    REASON_REJECTS = 2          # the venue refuses most of what we send
    REASON_JOURNAL = 3          # what happens is not written down
    REASON_THROTTLE = 4         # repeated execution
    REASON_STOP_LOSS = 5
    REASON_DAY = 6              # the day's loss
    REASON_MARGIN = 7
    REASON_EXPOSURE = 8         # over a limit without a trade: the price moved
    REASON_STRESS = 9
    REASON_RECONCILE = 10       # our books and the venue's differ
    REASON_FOREIGN = 11         # a trade on the account that we did not send
    REASON_LIQUIDATION = 12
    REASON_EDGE = 13            # too many fills in a row lost money
    REASON_ERROR = 14           # a mistake of ours
    REASON_STALL = 15
    RISK_REASONS = 16


cdef int32_t reason_of(int32_t fault) noexcept nogil


cdef class RiskStates:
    cdef readonly int32_t state
    cdef readonly int32_t reason        # RiskReason of the state
    cdef readonly uint32_t reducing     # a bit per RiskReason that demands it
    cdef readonly int64_t resume_ns     # end of a pause of our own; 0: only by command
    cdef readonly bint pulled           # this pause takes the reducing quotes too
    cdef readonly bint adrift           # and the position is not known well enough to close it
    cdef readonly bint flattening       # the position may be closed though killed or leaving
    cdef readonly uint64_t pauses       # of our own
    cdef readonly uint64_t reject_storms
    cdef int64_t storm_ns               # start of the window in which rejects are counted
    cdef int32_t storm_count

    cdef bint to_state(self, int32_t state, int32_t reason) noexcept nogil
    cdef bint pause_until(self, int64_t resume_ns, int32_t reason) noexcept nogil
    cdef bint resume_when_due(self, int64_t now_ns) noexcept nogil
    cdef bint reduce_while(self, int32_t reason, bint holds) noexcept nogil
    cdef bint on_reject(self, const RiskParams* params, int64_t now_ns) noexcept nogil
