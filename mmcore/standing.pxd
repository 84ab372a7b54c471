"""Standing decisions: the one rule by which a ladder need not be computed and judged again.

A ladder is a function of what it is made from. While all of that is, byte for byte, what it was
when the ladder was last made, making it again would give the same: it stands. Nothing is flagged
and nothing expires: what time changes shows in what is compared (deadlines in the stance and the
gate's bits, a refilled bucket in the placement). Orders are brought to a standing ladder as to any.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.ladder cimport Placement
from mmcore.quote cimport Inventory
from mmcore.reaction cimport Stance
from mmcore.risk cimport Exposure, RiskGate
from mmcore.signals cimport SignalState

# What quote_compute() and RiskGate.approve() read, besides the instrument itself.
cdef struct Grounds:
    bint known                  # a ladder was made from this, and nothing took its place
    int32_t blocked
    int32_t state               # of the gate
    bint pulled
    bint adrift
    uint64_t revision           # of the parameters
    double net_btc
    double net_limit_btc
    SignalState signal          # up to ticker_ns
    Stance stance
    Inventory inventory
    Exposure exposure
    Placement placement

cdef bint same_grounds(Grounds* grounds, uint64_t revision, const SignalState* signal,
                       const Stance* stance, const Inventory* inventory,
                       const Exposure* exposure, const Placement* placement, int32_t blocked,
                       RiskGate gate) noexcept nogil
cdef bint same_room(const Grounds* grounds, const Exposure* exposure, int32_t blocked,
                    RiskGate gate) noexcept nogil
