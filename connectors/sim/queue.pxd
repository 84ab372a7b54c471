"""Where an order stands behind recorded liquidity, which has no identity: an estimate.

Everything shown at the price when the order came stands before it, and prints at the price move it
up. The models differ in what a level means that shrinks by more than was printed:

pessimistic    everything was cancelled behind the order, but for what cannot be: `ahead` is never
               more than the level.
proportional   cancels are spread evenly over the level: the order moves up by its share.
power          a cancel stood before the order with probability a**n / (a**n + b**n), where a stands
               before it and b behind: small n is even, large n believes in the longer part.
"""
from libc.math cimport llround, pow
from libc.stdint cimport int32_t, int64_t

cdef enum QueueKind:
    QUEUE_PESSIMISTIC = 0
    QUEUE_PROPORTIONAL = 1
    QUEUE_POWER = 2

cdef struct QueueModel:
    int32_t kind                # QueueKind
    double power                # of QUEUE_POWER


cdef inline int64_t queue_join(int64_t liquidity_contracts) noexcept nogil:
    """Liquidity before an order that joins now."""
    return liquidity_contracts


cdef inline int64_t queue_traded(int64_t ahead_contracts, int64_t contracts) noexcept nogil:
    """After that much before the order was traded."""
    return ahead_contracts - contracts if ahead_contracts > contracts else 0


cdef inline int64_t queue_level_changed(const QueueModel* model, int64_t ahead_contracts,
                                        int64_t before_contracts, int64_t now_contracts,
                                        int64_t printed_contracts) noexcept nogil:
    """After the level's recorded amount went from one to another.

    printed_contracts: of the difference, what prints have told and `ahead` has followed already.
    """
    cdef int64_t gone = before_contracts - now_contracts - printed_contracts
    cdef double before, behind, share, moved
    if model.kind == QUEUE_PESSIMISTIC or gone <= 0 or ahead_contracts <= 0:
        return min(ahead_contracts, now_contracts)
    before = <double>ahead_contracts
    behind = <double>(before_contracts - printed_contracts - ahead_contracts)
    if behind <= 0.0:
        share = 1.0
    elif model.kind == QUEUE_PROPORTIONAL:
        share = before / (before + behind)
    else:
        # Scaled by the larger part, so that no power overflows.
        share = 1.0 / (1.0 + pow(behind / before, model.power))
    moved = share * <double>gone
    # What cannot have been cancelled behind was cancelled before.
    moved = max(moved, <double>gone - behind)
    return max(<int64_t>0, min(ahead_contracts - llround(moved), now_contracts))
