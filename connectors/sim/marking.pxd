"""Mark price, index and funding of one market, and the statistics its ticker shows.

Mark = index + the 30 s mean of (mid - index); of a perpetual the difference is clamped to 0.5 % of
the index. An index nobody records follows the mid of its first instrument. Funding accrues all the
time: premium = mark / index - 1, damped by 0.025 %, capped at 0.5 % per 8 h.
"""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.levels cimport INTERVALS
from mmcore.types cimport Instrument

cdef enum:
    INDEX_NAME_MAX = 24

cdef struct IndexState:
    int32_t name_size
    char name[INDEX_NAME_MAX]
    double price_usd            # 0: none yet
    bint recorded               # set from outside; else it follows the mid of `market`
    int32_t market
    double twap_sum_usd         # of the samples of the last half hour before 08:00 UTC
    int32_t twap_count

cdef struct MarketData:
    int32_t index               # place in the exchange's indexes
    int32_t state               # MarketState
    bint perpetual
    int32_t legs[2]             # of a spread: bought, sold; both 0 where it is none
    int64_t expiry_ns           # 0: never
    int64_t bump_ns             # what would trade at once waits so long
    double delivery_usd         # 0: not delivered
    int32_t trigger_head        # first untriggered order's slot + 1; 0: none
    bint mark_recorded          # mark comes from outside
    bint funding_recorded
    double mark_usd             # 0: none yet
    double basis_usd            # the 30 s mean of the clamped mid - index
    double settlement_usd       # mark at the last settlement; the first mark before one
    double current_funding      # damped 8 h rate of now
    double funding_8h           # realised over the last 8 h
    int64_t funding_e18         # paid since the start by one long contract, 1e-18 of the currency
    int64_t funding_ns          # up to when
    double funding_rest         # of funding_e18, below one
    int64_t last_ticks          # 0: no trade yet
    int32_t last_direction      # tick_direction of the last trade
    int64_t trade_seq
    int64_t high_ticks
    int64_t low_ticks
    int64_t first_ticks
    int64_t volume_contracts
    double volume_btc
    int64_t open_contracts      # of accounts, one side
    int64_t trades_shown[INTERVALS]     # index in the trade log up to which they are published
    int64_t trades_told[INTERVALS]      # trade_seq then
    int64_t best_bid[2]         # ticks, contracts as last told by on_quote
    int64_t best_ask[2]
    int64_t ticker_ns           # last published; the ticker comes at least every 5 s
    bint ticker_changed

cdef double funding_rate(double mark_usd, double index_usd) noexcept nogil
cdef void mark_step(MarketData* data, double mid_usd, double index_usd, int64_t t_ns,
                    int64_t step_ns) noexcept nogil
cdef void funding_step(MarketData* data, const Instrument* spec, double index_usd,
                       int64_t t_ns) noexcept nogil
cdef double band_price(double mark_usd, int32_t side) noexcept nogil
cdef void note_trade(MarketData* data, const Instrument* spec, int64_t price_ticks,
                     int64_t contracts, double at_usd) noexcept nogil
cdef double delivery_estimate(const IndexState* index) noexcept nogil
cdef double round_cents(double price_usd) noexcept nogil
