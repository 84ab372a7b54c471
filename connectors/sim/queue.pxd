"""Where an order stands behind recorded liquidity, which has no identity: an estimate.

Everything shown at the price when the order came stands before it, and prints at the price move it
up. The models differ in what a level means that shrinks by more than was printed:

pessimistic    everything was cancelled behind the order, but for what cannot be: `ahead` is never
               more than the level.
proportional   cancels are spread evenly over the level: the order moves up by its share.
power          a cancel stood before the order with probability a**n / (a**n + b**n), where a stands
               before it and b behind: small n is even, large n believes in the longer part.
log            the same with log(1 + a) and log(1 + b): nearly even, whatever stands where.

`ahead` is a fraction: an order moves up by expectations. It is whole contracts that trade.
"""
from libc.math cimport log1p, pow
from libc.stdint cimport int32_t, int64_t

cdef enum QueueKind:
    QUEUE_PESSIMISTIC = 0
    QUEUE_PROPORTIONAL = 1
    QUEUE_POWER = 2
    QUEUE_LOG = 3
    QUEUE_KINDS                 # how many there are

cdef struct QueueModel:
    int32_t kind                # QueueKind
    double power                # of QUEUE_POWER


cdef inline double queue_join(int64_t liquidity_contracts) noexcept nogil:
    """Liquidity before an order that joins now."""
    return <double>liquidity_contracts


cdef inline double queue_traded(double ahead_contracts, int64_t contracts) noexcept nogil:
    """After that much before the order was traded."""
    return max(0.0, ahead_contracts - <double>contracts)


cdef inline double queue_share(const QueueModel* model, double before,
                               double behind) noexcept nogil:
    """The share of cancels that stood before an order."""
    if behind <= 0.0:
        return 1.0
    if model.kind == QUEUE_PROPORTIONAL:
        return before / (before + behind)
    if model.kind == QUEUE_LOG:
        return log1p(before) / (log1p(before) + log1p(behind))
    # Scaled by the larger part, so that no power overflows.
    return 1.0 / (1.0 + pow(behind / before, model.power))


cdef inline double queue_level_changed(const QueueModel* model, double ahead_contracts,
                                       int64_t before_contracts, int64_t now_contracts,
                                       int64_t printed_contracts) noexcept nogil:
    """After the level's recorded amount went from one to another.

    printed_contracts: of the difference, what prints have told and `ahead` has followed already.
    """
    cdef double gone = <double>(before_contracts - now_contracts - printed_contracts)
    cdef double behind, moved
    if model.kind == QUEUE_PESSIMISTIC or gone <= 0.0 or ahead_contracts <= 0.0:
        return min(ahead_contracts, <double>now_contracts)
    behind = <double>(before_contracts - printed_contracts) - ahead_contracts
    # What cannot have been cancelled behind was cancelled before.
    moved = max(queue_share(model, ahead_contracts, behind) * gone, gone - max(behind, 0.0))
    return max(0.0, min(ahead_contracts - moved, <double>now_contracts))
