"""See standing.pxd. Compared in the order of what changes most; padding can only tell apart."""
from libc.string cimport memcmp, memcpy

cdef SignalState LAYOUT_SIGNAL
cdef Stance LAYOUT_STANCE
cdef size_t SIGNAL_READ = <size_t>&LAYOUT_SIGNAL.ticker_ns - <size_t>&LAYOUT_SIGNAL
cdef size_t STANCE_READ = <size_t>&LAYOUT_STANCE.wake_ns - <size_t>&LAYOUT_STANCE


cdef bint same_grounds(Grounds* grounds, uint64_t revision, const SignalState* signal,
                       const Stance* stance, const Inventory* inventory,
                       const Exposure* exposure, const Placement* placement, int32_t blocked,
                       RiskGate gate) noexcept nogil:
    """Whether a ladder made now would be made from what the last one was; else note from what."""
    if (grounds.known and memcmp(&grounds.signal, signal, SIGNAL_READ) == 0
            and memcmp(&grounds.stance, stance, STANCE_READ) == 0
            and memcmp(&grounds.inventory, inventory, sizeof(Inventory)) == 0
            and memcmp(&grounds.placement, placement, sizeof(Placement)) == 0
            and grounds.revision == revision
            and same_room(grounds, exposure, blocked, gate)):
        return True
    grounds.known = True
    grounds.blocked, grounds.revision = blocked, revision
    grounds.net_btc, grounds.net_limit_btc = gate.net_btc, gate.net_limit_btc
    grounds.state, grounds.pulled = gate.state, gate.pulled
    grounds.adrift = gate.adrift
    memcpy(&grounds.signal, signal, SIGNAL_READ)
    memcpy(&grounds.stance, stance, STANCE_READ)
    memcpy(&grounds.inventory, inventory, sizeof(Inventory))
    memcpy(&grounds.exposure, exposure, sizeof(Exposure))
    memcpy(&grounds.placement, placement, sizeof(Placement))
    return False


cdef bint same_room(const Grounds* grounds, const Exposure* exposure, int32_t blocked,
                    RiskGate gate) noexcept nogil:
    """Whether the account leaves a market what it left it then, and forbids the same."""
    return (memcmp(&grounds.exposure, exposure, sizeof(Exposure)) == 0
            and grounds.blocked == blocked and grounds.net_btc == gate.net_btc
            and grounds.net_limit_btc == gate.net_limit_btc and grounds.state == gate.state
            and grounds.pulled == gate.pulled and grounds.adrift == gate.adrift)
