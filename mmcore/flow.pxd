"""Order flow: taker orders off the tape, changes of the touch off the book.

Prints of one taker order (same side, same venue time) are one event; block and combo-leg prints
are no flow. Every figure decays or is counted over a window; nothing allocates.
"""
from libc.stdint cimport int32_t, int64_t

from mmcore.params cimport OrderParams, SignalParams
from mmcore.types cimport Instrument, TradePrint

cdef enum:
    TOP_BUCKETS = 10            # of the window in which changes of the touch are counted
    FLOW_LARGE = 1              # bits of flow_on_trade
    FLOW_SWEEP = 2

cdef struct FlowState:
    # the taker order whose prints are coming in
    int32_t side                # SIDE_BID bought
    int64_t timestamp_ms
    int64_t first_ticks
    int64_t last_ticks
    double amount_usd
    int32_t told                # FLOW_* bits already reported of it
    # runs of taker orders
    int32_t run                 # > 0 so many buys in a row, < 0 sells
    int64_t run_start_ticks
    int64_t print_ns
    # decaying sums of taker volume, as of volume_ns
    double signed_usd
    double volume_usd
    int64_t volume_ns
    # order-flow imbalance of the touch, as of ofi_ns
    int64_t touch_ticks[2]
    int64_t touch_contracts[2]
    double ofi_contracts
    double mean_touch_contracts
    int64_t ofi_ns
    # changes of the best prices
    int32_t changes[TOP_BUCKETS]
    int32_t rises[TOP_BUCKETS]  # of them upwards
    int32_t change_count        # of all buckets
    int32_t rise_count
    int64_t bucket              # number of the newest 100 ms bucket

cdef int32_t flow_on_trade(FlowState* flow, const Instrument* spec, const TradePrint* trade,
                           const SignalParams* params, double large_usd,
                           int64_t now_ns) noexcept nogil
cdef void flow_on_touch(FlowState* flow, const int64_t* ticks, const int64_t* contracts,
                        const SignalParams* params, int64_t now_ns) noexcept nogil
cdef void flow_restart(FlowState* flow) noexcept nogil
cdef double flow_imbalance(const FlowState* flow, double half_life_s,
                           int64_t now_ns) noexcept nogil
cdef double flow_ofi(const FlowState* flow, double half_life_s, int64_t now_ns) noexcept nogil
cdef int32_t flow_run(const FlowState* flow, double half_life_s, int64_t now_ns) noexcept nogil
cdef double flow_top_rate(const FlowState* flow, int64_t now_ns, double* upward) noexcept nogil
