"""Requests at the moment the matching engine takes them up, and the speed bump."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport OrderRequest, Outcome, SimOrder
from connectors.sim.spreads cimport Spreads
from connectors.sim.waiting cimport WaitList, Waiting


cdef class Trading(Spreads):
    cdef WaitList waits
    cdef int64_t last_ticket

    cdef int accept(self, int64_t t_ns, int32_t connection, int32_t account,
                    const OrderRequest* request, int64_t ticket, Outcome* out) except -1
    cdef int change(self, int64_t t_ns, int32_t account, int64_t order_id,
                    const OrderRequest* request, int64_t ticket, Outcome* out) except -1
    cdef int withdraw(self, int64_t t_ns, int32_t account, int64_t order_id,
                      Outcome* out) except -1
    cdef int withdraw_all(self, int64_t t_ns, int32_t account, int32_t market, int32_t currency,
                          int32_t connection, bytes label, int32_t reason,
                          int32_t scope, Outcome* out) except -1
    cdef bint matches(self, const SimOrder* order, int32_t market, int32_t currency,
                      int32_t connection, bytes label, int32_t scope) except -1

    # ---- private
    cdef int place(self, int64_t t_ns, int32_t slot) except -1
    cdef bint take(self, int64_t t_ns, int32_t slot) except -1
    cdef bint bumped(self, int32_t account, const OrderRequest* request, MatchBook book,
                     bint changes) except -1
    cdef int hold(self, int64_t t_ns, int32_t kind, int32_t account, int64_t order_id,
                  const OrderRequest* request, int64_t ticket, Outcome* out) except -1
    cdef int release_held(self, int64_t t_ns, const Waiting* entry) except -1
    cdef int apply_change(self, int64_t t_ns, int32_t slot, const OrderRequest* checked) except -1
    cdef int end_or_spare(self, int64_t t_ns, int32_t slot, int32_t reason) except -1
    cdef int64_t next_ticket(self) except -1
    cdef int link_trigger(self, int32_t slot) except -1
    cdef int change_trigger(self, int64_t t_ns, int32_t slot, const OrderRequest* request,
                            Outcome* out) except -1
    cdef int set_reduce_only(self, SimOrder* order, bint reduce_only) except -1
