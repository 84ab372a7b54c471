"""Requests under way inside the exchange: in the matching queue, or held by a speed bump."""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.sim.orders cimport OrderRequest

cdef enum:
    WAIT_SUBMIT = 0
    WAIT_EDIT = 1
    WAIT_CANCEL = 2
    WAIT_CANCEL_ALL = 3
    WAIT_QUOTE = 4              # the first side of a mass quote
    WAIT_QUOTE_PART = 5         # a further one, taken up with the first
    HELD_SUBMIT = 6
    HELD_EDIT = 7

cdef struct Waiting:
    int64_t ticket
    int64_t due_ns
    int64_t order_id            # of an edit, a cancel, a held order
    int32_t kind
    int32_t account
    int32_t connection
    int32_t currency            # whose queue it stands in
    int32_t only_currency       # of cancel_all: -1 all
    int32_t scope               # of cancel_all: OrderScope
    bint labelled               # cancel_all goes by the request's label
    bint too_late               # it could not start within the lock time
    OrderRequest request


@cython.final
cdef class WaitList:
    """Few entries, in the order they are due; equal times in the order they came."""
    cdef Waiting* items
    cdef int32_t count
    cdef int32_t capacity

    cdef int64_t due_ns(self) noexcept nogil
    cdef int add(self, const Waiting* entry) except -1
    cdef void remove(self, int32_t place) noexcept nogil
    cdef int32_t queued(self, int32_t account, int32_t currency, int64_t* free_ns) noexcept nogil
