"""GateTrial: random proposals against the risk gate, each judged a second time by other code."""
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.market cimport Market
from mmcore.risk cimport GATE_REASONS, RiskGate
from mmcore.stats cimport LogHistogram
from mmcore.types cimport Action

cdef enum:
    TRIAL_MARKETS = 2
    TRIAL_VERDICTS = 14


cdef class GateTrial:
    cdef readonly RiskGate gate
    cdef readonly list markets
    cdef uint64_t rng
    cdef int64_t now_ns
    cdef int64_t passed_ns[256]             # when the last orders passed
    cdef uint64_t passed
    cdef uint64_t proposed
    cdef double before_btc                  # of the side, before the order at hand
    cdef uint64_t reasons[GATE_REASONS]
    cdef uint64_t violations[TRIAL_VERDICTS]
    cdef LogHistogram cost_ns

    cdef uint64_t draw(self) noexcept nogil
    cdef int64_t between(self, int64_t low, int64_t high) noexcept nogil
    cdef double uniform(self, double low, double high) noexcept nogil
    cdef void new_world(self) noexcept
    cdef void fill_orders(self, Market market) noexcept nogil
    cdef void count_again(self) noexcept
    cdef void propose(self, Action* action, Market market) noexcept nogil
    cdef void judge(self, const Action* action, Market market, int64_t before) noexcept
    cdef void judge_exposure(self, const Action* action, Market market,
                             int64_t before) noexcept
    cdef int64_t side_contracts(self, Market market, int32_t side) noexcept nogil
    cdef double side_btc(self, Market market, int32_t side) noexcept nogil
