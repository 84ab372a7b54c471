"""Planner: approved ladder against live orders, out come the fewest messages."""
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.budget cimport Budget, RateCap
from mmcore.orders cimport OrderTable
from mmcore.params cimport ParamValues
from mmcore.risk cimport Exposure, RiskGate
from mmcore.signals cimport SignalState
from mmcore.types cimport ActionBatch, ApprovedQuotes, Instrument

cdef struct PlanResult:
    int32_t deferred            # wanted, but no credits, rate or free slot now
    int32_t refused             # the gate said no
    bint taken                  # the take asked for has left

cdef struct Clock:
    int64_t now_ns
    int64_t wall_offset_ns      # wall clock minus now_ns

cdef void plan(const ApprovedQuotes* wanted, OrderTable orders, RiskGate gate,
               const Instrument* spec, const SignalState* signal, const ParamValues* params,
               Exposure* exposure, Budget budget, RateCap* rate, const Clock* clock,
               ActionBatch* batch, PlanResult* result) noexcept nogil
