"""What the planner passes between its steps, and the messages it makes of them."""
from libc.stdint cimport int32_t, int64_t, uint32_t

from mmcore.budget cimport Budget, RateCap
from mmcore.orders cimport Order, OrderTable
from mmcore.params cimport ParamValues
from mmcore.risk cimport Exposure, RiskGate
from mmcore.signals cimport SignalState
from mmcore.types cimport (
    LEVELS_MAX, SLOTS_QUOTE, Action, ActionBatch, ApprovedQuotes, Instrument)

cdef enum:
    GENERATION_MAX = 0xFFFFFF   # six hex digits of the label
    QUOTE_SLOTS = (1 << SLOTS_QUOTE) - 1
    TASKS_MAX = 2 * LEVELS_MAX

# Orders that a plan found to be where they may stay; they do while nothing else is decided.
cdef struct Settled:
    int64_t until_ns            # one becomes stale then; 0: the plan found something to do
    uint32_t patient            # slots that stand off their rung, within the patience with them
    uint32_t front              # those of them that were far up their queue

cdef struct PlanResult:
    int32_t deferred            # wanted, but no credits, rate or free slot now
    int32_t refused             # the gate said no
    bint taken                  # the take asked for has left
    Settled settled

cdef struct Clock:
    int64_t now_ns
    int64_t wall_offset_ns      # wall clock minus now_ns

# One order to bring to one rung.
cdef struct Task:
    int32_t slot
    int32_t side
    int32_t level
    int32_t rank                # the lower, the more it is worth a credit
    int64_t price_ticks
    int64_t amount_contracts    # to rest
    bint due                    # chosen by its rank

# What the planner passes between its own steps.
cdef struct Planning:
    const ApprovedQuotes* wanted
    const Instrument* spec
    const SignalState* signal
    const ParamValues* params
    Exposure* exposure
    RateCap* rate
    const Clock* clock
    ActionBatch* batch
    PlanResult* result
    uint32_t go                 # slots to be cancelled by id
    double otv                  # messages per BTC traded, 0 while the brake is off
    int32_t slots               # of a side that may take a new order
    int64_t mass_ids[LEVELS_MAX]    # by rung, the mass quote of this plan; 0: none yet
    bint mass                   # creates and edits of a rung leave as one mass quote
    int32_t drift               # live orders that go up less those that go down
    int32_t task_count
    Task tasks[TASKS_MAX]

cdef int32_t room(Planning* p, Budget budget, int32_t most) noexcept nogil
cdef bint can_cancel(Planning* p, Budget budget) noexcept nogil
cdef Action* next_action(Planning* p, OrderTable orders, const Order* order,
                         int32_t kind) noexcept nogil
cdef void quote_in_mass(Planning* p, OrderTable orders, Action* action) noexcept nogil
cdef bint submit(Planning* p, OrderTable orders, RiskGate gate, Budget budget,
                 Action* action) noexcept nogil
cdef bint cancellable(const Order* order) noexcept nogil
cdef bint waits(Planning* p, const Order* order) noexcept nogil
cdef bint movable(const Order* order) noexcept nogil
cdef bint stays_settled(const Settled* settled, OrderTable orders, const ParamValues* params,
                        int64_t now_ns) noexcept nogil
cdef void plan_cancels(Planning* p, OrderTable orders, Budget budget, bint pull) noexcept nogil
cdef void cancel_slot(Planning* p, OrderTable orders, Budget budget, Order* order) noexcept nogil
