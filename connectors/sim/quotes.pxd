"""Mass quotes and their protection."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.mmp cimport MmpGroup
from connectors.sim.orders cimport OrderRequest, Outcome, SimOrder
from connectors.sim.trading cimport Trading


cdef enum:
    MMP_GROUPS_MAX = 16


cdef class Quotes(Trading):
    cdef int quote_side(self, int64_t t_ns, int32_t connection, int32_t account,
                        const OrderRequest* request, int64_t ticket, Outcome* out) except -1
    cdef int32_t quote_slot(self, int32_t account, int32_t market, int32_t side,
                            int32_t group) except? -2
    cdef int32_t cancel_quotes(self, int64_t t_ns, int32_t account, int32_t market,
                               int32_t currency, int32_t scope, bytes set_id,
                               int64_t freeze_ns) except -1
    cdef int note_mmp(self, int64_t t_ns, const SimOrder* order, int64_t contracts,
                      double at_usd) except -1
    cdef int trigger_mmp(self, int64_t t_ns, int32_t account, MmpGroup group) except -1
