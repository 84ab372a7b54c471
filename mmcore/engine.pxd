"""Engine: the machine. The venue edge feeds Intake's on_*; turn() decides."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from mmcore.intake cimport Intake
from mmcore.market cimport Market
from mmcore.types cimport Control


cdef class Engine(Intake):
    cdef int64_t prefer_ns              # when preferences are looked at again
    cdef readonly uint64_t still_turns  # decisions that stood whole, see is_still
    cdef bint unjudged                  # limits may find something they did not a tick ago
    cdef uint64_t judged_revision       # of the parameters they were last judged by
    # the operator, the connection, reconciliation
    cdef int on_control(self, const Control* control, int64_t now_ns) noexcept
    # decide: once per socket read
    cdef int turn(self, int64_t now_ns) except -1
    cdef int on_timer(self, int64_t now_ns) except -1
    # its own steps
    cdef void tick(self, int64_t now_ns) noexcept
    cdef void plan_market(self, Market market, int64_t now_ns) noexcept
    cdef void count_actions(self, Market market, int32_t first) noexcept
    cdef bint is_still(self, int32_t first, int64_t wall_ns, int64_t now_ns) noexcept
    cdef bint is_overlaid(self, Market market) noexcept
    cdef bint keep_ladder(self, Market market, int32_t blocked) noexcept
    cdef bint judge_limits(self, int64_t now_ns, int64_t wall_ns) noexcept
    cdef bint step_pairs(self, int64_t now_ns) noexcept
    cdef int send(self, int64_t now_ns) except -1
    cdef void kill(self) noexcept
    cdef void begin_batch(self, int64_t now_ns) noexcept
