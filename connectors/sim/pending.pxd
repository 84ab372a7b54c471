"""The matching engine's queue: requests of an account and currency are taken up one by one.

Off (processing time 0) a request is carried out at once, inside the call. On, it is answered with
SIM_PENDING and a ticket, and told to `Outputs.on_outcome` when its turn has come. Silent accounts
never wait.
"""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.orders cimport OrderRequest, Outcome
from connectors.sim.settlement cimport Settlement
from connectors.sim.waiting cimport Waiting

cdef enum:
    QUEUE_MAX = 8               # waiting behind the one being processed


cdef class Pending(Settlement):
    cdef int64_t processing_min_ns
    cdef int64_t processing_max_ns

    cdef bint queues(self, int32_t account) except -1
    cdef int enqueue(self, int64_t t_ns, int32_t kind, int32_t connection, int32_t account,
                     int64_t order_id, const OrderRequest* request, int32_t currency,
                     bint labelled, Outcome* out, int32_t scope=*) except -1
    cdef int overtake(self, int64_t t_ns, const Waiting* entry) except -1
    cdef const Waiting* quote_head(self, int32_t account) noexcept nogil
    cdef bint overtaken(self, const Waiting* old, const Waiting* entry) except -1
    cdef int run_waiting(self, int64_t t_ns) except -1
    cdef int run_one(self, int64_t t_ns, const Waiting* entry) except -1
    cdef int tell_outcome(self, int64_t t_ns, const Waiting* entry, Outcome* out) except -1
    cdef int32_t queue_of(self, int32_t kind, int64_t order_id, const OrderRequest* request,
                          int32_t currency) except -1
