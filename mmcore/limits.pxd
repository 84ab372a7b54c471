"""Limits: what losses, margin, equity and repeated fills lead to. Looked at on every tick."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.faults cimport Faults
from mmcore.market cimport Market
from mmcore.params cimport ParamValues
from mmcore.risk cimport RiskGate
from mmcore.types cimport Control, Fill

cdef enum:
    EDGES_NS = 1_000_000_000    # between two looks at what fills at a distance earned
    THROTTLE_PAUSES_MAX = 64    # pauses by repeated execution that are remembered

# What the account's loss is measured by, all in BTC.
cdef struct Day:
    int64_t number              # days since 1970 that begin at 08:00 UTC; 0: not known yet
    double base                 # profit as the day began
    double profit               # since then
    double high                 # best of the day; at least 0
    int32_t trips               # losses of risk.day_soft_btc
    bint armed                  # a further loss counts as another trip


cdef inline int64_t day_number(int64_t wall_ns) noexcept nogil:
    """The venue's session a wall time lies in: days that begin at 08:00 UTC; 0: time unknown."""
    return (wall_ns // 1_000_000_000 - 28_800) // 86_400 if wall_ns > 0 else 0


@cython.final
cdef class Limits:
    cdef Day day
    cdef double total_btc               # profit since the start of this process
    cdef double unrealized_btc          # of it: what is open
    cdef int64_t throttled_ns[THROTTLE_PAUSES_MAX]
    cdef readonly uint64_t throttles
    cdef readonly uint64_t stops        # positions closed for their loss
    cdef readonly bint at_cap           # a position to be closed rests at its worst price
    cdef int64_t stop_until_ns          # nothing adds before
    cdef int64_t learnt_ns              # when edges were last judged
    cdef readonly double margin_use     # initial margin over margin balance
    cdef readonly double leverage       # gross exposure over equity
    cdef bint priced                    # every position has a mark

    cdef bint on_control(self, const Control* control, RiskGate gate) noexcept nogil
    cdef void on_fill(self, Market market, const Fill* fill, RiskGate gate, Faults faults,
                      const ParamValues* params, int64_t now_ns) noexcept nogil
    cdef bint check(self, void** markets, int32_t count, RiskGate gate, Faults faults,
                    const ParamValues* params, int64_t now_ns, int64_t wall_ns) noexcept
    cdef void add_up(self, void** markets, int32_t count) noexcept
    cdef void check_day(self, RiskGate gate, Faults faults, const ParamValues* params,
                        int64_t now_ns, int64_t wall_ns) noexcept nogil
    cdef void check_account(self, void** markets, int32_t count, RiskGate gate,
                            const ParamValues* params) noexcept
    cdef void set_stress(self, RiskGate gate, double rate, const ParamValues* params) noexcept nogil
    cdef void check_stops(self, void** markets, int32_t count, RiskGate gate,
                          const ParamValues* params, int64_t now_ns) noexcept
    cdef void judge_edges(self, void** markets, int32_t count, RiskGate gate,
                          const ParamValues* params, int64_t now_ns) noexcept
    cdef bint waits_for_other(self, Market market, RiskGate gate) noexcept nogil
    cdef void plan_exit(self, Market market, RiskGate gate, int64_t now_ns) noexcept nogil
    cdef void close_out(self, Market market, const ParamValues* params, int32_t why,
                        int64_t now_ns) noexcept nogil
