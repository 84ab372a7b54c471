"""Signals of one instrument, on the venue's book minus our own orders."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.book cimport OrderBook
from mmcore.flow cimport FlowState
from mmcore.microprice cimport MicroTable
from mmcore.orders cimport OrderTable
from mmcore.params cimport ParamValues, SignalParams
from mmcore.types cimport (
    ALPHA_TERMS_MAX, SLOTS_MAX, Instrument, LevelChange, TickerUpdate, TradePrint)
from mmcore.volatility cimport VolState

cdef int64_t SAMPLE_NS

cpdef enum ReferenceSource:
    REFERENCE_MID = 0
    REFERENCE_MICRO = 1
    REFERENCE_LAST = 2
    REFERENCE_MARK = 3
    REFERENCE_NONE = 4
    REFERENCE_LEAD = 5          # the perpetual's micro-price plus the fair basis to it

# What a term of one's own may keep from one decision to the next; zero after a gap in the data.
cdef struct TermMemory:
    double values[4]
    int64_t at_ns

cdef struct SignalState:
    int64_t best_ticks[2]       # venue's touch, own orders included; NO_BID / NO_ASK
    int64_t others_ticks[2]     # touch without our own orders
    int64_t others_contracts[2]
    bint two_sided              # others quote both sides
    double mid_usd              # of the others; 0 while not two-sided
    double micro_usd            # by the table, else the size-weighted mid of the others' touch
    double spread_usd
    double imbalance            # (bids - asks) / (bids + asks) over the levels, in [-1, 1]
    double vol_usd              # EWMA of mid moves, USD per sqrt(s)
    double reference_usd        # what quotes are built on; 0: none
    int32_t reference_source    # ReferenceSource
    double last_usd
    double mark_usd
    double index_usd
    double min_price_usd        # the venue's band
    double max_price_usd
    double current_funding
    double funding_8h
    double vol_year             # one-minute realised, annualised
    double depth_contracts      # both sides over the imbalance levels
    double mean_depth_contracts     # its EWMA; 0 until seeded
    double flow                 # signed over whole taker volume, in [-1, 1]
    double ofi                  # order-flow imbalance in mean touch sizes, in [-1, 1]
    double terms[ALPHA_TERMS_MAX]   # of mmcore.alpha, in [-1, 1], up above 0
    int32_t run                 # taker orders in a row with an up-tick (> 0) or down-tick
    double fair_basis_usd       # EWMA of mid minus index
    bint has_basis
    double basis_year           # (mark - index) / index of a dated contract, a year
    double lead_basis_usd       # EWMA of own mid minus the lead's micro-price
    bint has_lead_basis
    int64_t lead_sample_ns
    # no ladder is made from what follows: mmcore.standing compares what stands before it
    int64_t ticker_ns           # when the last ticker came
    double variance             # USD^2 per s
    double sample_mid_usd
    int64_t sample_ns           # 0: the next sample only sets the base
    bint seeded                 # variance holds at least one move's time
    double top_rate             # changes of the best prices in the last second
    double top_rise             # of them rises minus falls


# What the touch and the depth of a side were computed from; see Signals.top.
cdef struct Depth:
    uint64_t near_changes
    int32_t depth
    int32_t own_count
    LevelChange own[SLOTS_MAX]
    double contracts


@cython.final
cdef class Signals:
    cdef SignalState s
    cdef Depth sides[2]
    cdef FlowState flow
    cdef VolState windows
    cdef MicroTable micro_table
    cdef TermMemory[ALPHA_TERMS_MAX] memory

    cdef void restart(self) noexcept nogil
    cdef int32_t on_trade(self, const Instrument* spec, const TradePrint* trade,
                          const ParamValues* params, int64_t now_ns) noexcept nogil
    cdef void on_ticker(self, const Instrument* spec, const TickerUpdate* ticker,
                        int64_t now_ns) noexcept nogil
    cdef void update(self, const Instrument* spec, OrderBook book, OrderTable orders,
                     const ParamValues* params, int64_t now_ns) noexcept nogil
    cdef bint is_near_same(self, OrderBook book) noexcept nogil
    cdef bint is_still(self, const ParamValues* params, int64_t now_ns) noexcept nogil
    cdef void refer(self, const ParamValues* params) noexcept nogil
    cdef void refer_to_lead(self, const SignalState* lead, const SignalParams* params,
                            bint fit, int64_t now_ns) noexcept nogil
    cdef void top(self, OrderBook book, OrderTable orders, int32_t depth) noexcept nogil
    cdef void top_side(self, OrderBook book, OrderTable orders, int32_t side,
                       int32_t depth) noexcept nogil
    cdef void sample(self, const SignalParams* params, int64_t now_ns) noexcept nogil
    cdef void sample_variance(self, double half_life_s, double dt) noexcept nogil


cdef inline int32_t strong_signal(const SignalState* s,
                                  const SignalParams* params) noexcept nogil:
    """+1 or -1 where depth and tape agree on the direction; 0 otherwise."""
    if params.imbalance_threshold <= 0.0:
        return 0
    if s.imbalance >= params.imbalance_threshold and s.run >= <int32_t>params.run_trades:
        return 1
    if s.imbalance <= -params.imbalance_threshold and -s.run >= <int32_t>params.run_trades:
        return -1
    return 0
