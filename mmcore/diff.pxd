"""Planner: approved ladder against live orders, out come the fewest messages."""
from libc.stdint cimport int32_t, int64_t, uint32_t

from mmcore.budget cimport Budget, RateCap
from mmcore.orders cimport OrderTable
from mmcore.params cimport ParamValues
from mmcore.planning cimport Clock, PlanResult
from mmcore.risk cimport Exposure, RiskGate
from mmcore.signals cimport SignalState
from mmcore.types cimport ActionBatch, ApprovedQuotes, Instrument

cdef void plan(const ApprovedQuotes* wanted, OrderTable orders, RiskGate gate,
               const Instrument* spec, const SignalState* signal, const ParamValues* params,
               Exposure* exposure, Budget budget, RateCap* rate, const Clock* clock,
               ActionBatch* batch, PlanResult* result) noexcept nogil
