"""Where an order stands behind recorded liquidity, which has no identity: an estimate.

Pessimistic, the first model: everything shown at the price when the order came stands before it,
only trades at the price move it up, and never less than the level shrank to. Other models differ in
what a shrinking level means, so that is a function of its own.
"""
from libc.stdint cimport int64_t


cdef inline int64_t queue_join(int64_t liquidity_contracts) noexcept nogil:
    """Liquidity before an order that joins now."""
    return liquidity_contracts


cdef inline int64_t queue_traded(int64_t ahead_contracts, int64_t contracts) noexcept nogil:
    """After that much before the order was traded."""
    return ahead_contracts - contracts if ahead_contracts > contracts else 0


cdef inline int64_t queue_level_changed(int64_t ahead_contracts,
                                        int64_t liquidity_contracts) noexcept nogil:
    """After the level's recorded amount became `liquidity_contracts`."""
    return ahead_contracts if ahead_contracts < liquidity_contracts else liquidity_contracts
