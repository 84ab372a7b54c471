"""Hysteresis: whether a live order is good enough for a rung, or must be moved to it."""
from libc.stdint cimport int32_t, int64_t, uint32_t

from mmcore.orders cimport Order
from mmcore.params cimport OrderParams
from mmcore.signals cimport SignalState
from mmcore.types cimport Instrument, Rung

# What decides besides the order and its rung; the same for a whole side of a ladder.
cdef struct Patience:
    const Instrument* spec
    const SignalState* signal
    const OrderParams* params
    double fair_usd             # what the floor is counted from, as in the ladder
    double floor_usd            # an adding quote nearer to it than this must go at once
    bint reducing
    bint limited                # cut to a limit: not a contract more may rest
    double chase_factor         # of orders.requote_bps: above 1 where messages are scarce
    int64_t now_ns

cdef bint is_stale(const Order* order, const OrderParams* params, int64_t now_ns) noexcept nogil
cdef int64_t stale_at_ns(int64_t looked_ns, const OrderParams* params) noexcept nogil
cdef bint price_due(const Patience* p, const Order* order, int64_t price_ticks) noexcept nogil
cdef uint32_t due_from(const Patience* p, const Order* order, const Rung* rungs,
                       uint32_t open_rungs) noexcept nogil
cdef bint fits(const Patience* p, const Order* order, const Rung* rung) noexcept nogil
cdef bint keeps(const Patience* p, const Order* order, const Rung* rung) noexcept nogil
cdef bint stands(const Order* order, const Rung* rung) noexcept nogil
cdef void look_again(Order* order, int64_t now_ns) noexcept nogil
