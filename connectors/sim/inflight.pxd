"""What is under way between a maker and the exchange, each way in the order it left."""
cimport cython
from libc.stdint cimport int32_t, int64_t

from mmcore.types cimport Action, Control, Fill, OrderEvent, TickerUpdate

cdef enum DeliveryKind:
    DELIVER_ORDER = 0
    DELIVER_FILL = 1
    DELIVER_TICKER = 2
    DELIVER_CONTROL = 3
    DELIVER_OWN_LEVEL = 4       # our part of a level as the venue shows it from then on
    DELIVER_RESYNC = 5          # a fresh snapshot of a market's book


# One action on its way. kind beyond ActionKind: ask for the order's state by label.
cdef struct Request:
    int64_t due_ns
    int64_t sent_ns
    Action action

cdef struct OwnLevel:
    int32_t side
    int32_t slot
    int64_t price_ticks
    int64_t amount_contracts    # 0: nothing of ours any more in that slot

cdef union Delivered:
    OrderEvent order
    Fill fill
    TickerUpdate ticker
    Control control
    OwnLevel level

cdef struct Delivery:
    int64_t due_ns
    int32_t kind                # DeliveryKind
    int32_t market              # the engine's
    Delivered what


@cython.final
cdef class RequestQueue:
    cdef Request* items
    cdef int64_t head
    cdef int64_t count
    cdef int64_t capacity       # a power of two
    cdef int64_t last_ns        # due time of the last one: nothing overtakes
    cdef int64_t due_ns         # of the oldest; NEVER_NS while there is none

    cdef Request* push(self, int64_t due_ns) except NULL
    cdef Request* pop(self) noexcept nogil


@cython.final
cdef class DeliveryQueue:
    cdef Delivery* items
    cdef int64_t head
    cdef int64_t count
    cdef int64_t capacity
    cdef int64_t last_ns
    cdef int64_t due_ns

    cdef Delivery* push(self, int64_t due_ns, int32_t kind, int32_t market) except NULL
    cdef Delivery* pop(self) noexcept nogil
