"""Params: the numbers the core is steered by, one field per config key of the same name.

All doubles: uniform to set while running; switches are 0 or 1. Units are in the names.
"""

cdef struct SignalParams:
    double vol_half_life_s
    double warmup_s
    double imbalance_levels

cdef struct QuoteParams:
    double size_btc
    double levels
    double level_spacing_bps
    double min_half_spread_bps
    double min_half_spread_usd
    double min_edge_bps
    double base_half_spread_bps
    double vol_k
    double horizon_s
    double max_half_spread_bps
    double gamma
    double skew_usd_at_limit
    double skew_reference_vol_bps
    double max_skew_bps
    double imbalance_shift_bps
    double fee_floor
    double micro_price
    double max_reference_spread_bps

cdef struct OrderParams:
    double requote_bps
    double retreat_bps
    double off_center_bps
    double keep_ticks
    double refresh_s
    double max_updates_per_s
    double reserve_requests
    double valid_for_ms
    double unknown_ms
    double max_unanswered

cdef struct InventoryParams:
    double limit_btc
    double target_btc

cdef struct RiskParams:
    double stale_ms
    double book_silence_ms
    double ticker_stale_ms
    double max_feed_lag_ms
    double max_mark_deviation_bps
    double price_collar_bps
    double max_order_usd
    double max_open_orders
    double reject_storm_count
    double reject_storm_s

cdef struct ParamValues:
    SignalParams signals
    QuoteParams quote
    OrderParams orders
    InventoryParams inventory
    RiskParams risk


cdef class Params:
    cdef ParamValues v
