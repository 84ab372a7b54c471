"""Params: the numbers the core is steered by, one field per config key of the same name.

All doubles: uniform to set while running; switches are 0 or 1, a choice is its place in the
key's list. Units are in the names. What is not set is 0, which turns a rule off.
"""

from libc.stdint cimport uint64_t

from mmcore.types cimport ALPHA_TERMS_MAX

cdef enum:                      # place of the choice in orders.mode
    MODE_EDIT = 0
    MODE_CANCEL_REPLACE = 1
    MODE_MASS_QUOTE = 2

cdef struct SignalParams:
    double vol_half_life_s
    double warmup_s
    double imbalance_levels
    double imbalance_threshold
    double flow_half_life_s
    double run_trades
    double sweep_bps
    double ofi_half_life_s
    double top_rate_max
    double vol_window_s
    double basis_half_life_s
    double regime
    double calm_vol
    double volatile_vol
    double trend_z
    double regime_hysteresis
    double calm_spread_factor
    double calm_size_factor
    double volatile_spread_factor
    double volatile_size_factor
    double trending_spread_factor
    double trending_size_factor
    double volatile_sides
    double trending_sides

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
    double shift_bps[ALPHA_TERMS_MAX]   # by term: three of the core, then own ones
    double imbalance_widen_bps
    double flow_widen_bps
    double run_widen_bps
    double fee_floor
    double micro_price
    double max_reference_spread_bps
    double model
    double intensity_a
    double intensity_k
    double stand_aside_vol
    double resume_vol
    double wide_action
    double tiny_size_btc
    double funding_hold_s
    double max_carry_bps
    double max_alpha_bps
    double market_spread_share
    double drought_depth_share
    double drought_widen
    double latency_z
    double markout_widen
    double max_markout_bps
    double markout_fills
    double placement
    double hang_back_ticks
    double undercut_per_min
    double undercut_delta_bps
    double spacing
    double level_spacing_vol
    double level_size_factor
    double refill
    double size_mode
    double size_share
    double size_edge_k
    double size_vol_k
    double jitter_ticks
    double jitter_seed

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
    double momentum_bps
    double momentum_ms
    double pull_trade_usd
    double post_fill_hold_ms
    double run_bps
    double reentry_stagger_ms
    double small_fill_share
    double mode
    double stale_s
    double stale_trades
    double otv_brake
    double otv_soft
    double otv_hard
    double take_limit_bps

cdef struct InventoryParams:
    double limit_btc
    double target_btc
    double capital_btc
    double fills_in_row_shrink
    double fills_in_row_pause
    double fills_in_row_pause_s
    double cut_above_btc
    double cut_adverse_moves
    double cut_clip_btc
    double gross_limit_btc
    double limit_usd
    double gross_limit_usd

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
    double max_index_deviation_bps
    double max_leverage
    double margin_use_max
    double fat_finger_bps
    double max_messages_per_s
    double throttle_fills
    double throttle_btc
    double throttle_s
    double throttle_pause_s
    double throttle_pauses_kill
    double stop_loss_btc
    double stop_move_pct
    double stop_pause_s
    double day_soft_btc
    double day_kill_btc
    double day_spread_factor
    double day_size_factor
    double cooloff_s
    double kill_flatten
    double kill_flatten_cap_bps
    double flatten_clip_btc
    double edge_gate
    double edge_fills
    double edge_z
    double edge_pause_s
    double net_negative_pause_s
    double stress_kill_pct
    double stress_margin_pct

cdef struct CoverParams:
    double trigger_bps
    double step_bps
    double step_s
    double max_s
    double max_loss_bps

cdef struct ExpiryParams:
    double wind_down_h
    double out_before_h
    double flatten

cdef struct SettlementParams:
    double pull_before_s
    double resume_after_s

cdef enum:                      # place of the choice in the keys of hedges, pairs and funding
    TRIGGER_NET = 0
    TRIGGER_COST = 1
    TRIGGER_MANUAL = 2
    CHOICE_CHEAPEST = 0
    CHOICE_HEDGE = 1
    LEG_TAKE = 0
    LEG_CUT = 1
    FUNDING_CONTINUOUS = 0
    FUNDING_INTERVAL = 1

cdef struct HedgeParams:
    double enabled
    double trigger
    double trigger_btc
    double release_btc
    double max_clip_btc
    double passive_s
    double cooldown_s
    double choice
    double horizon_s
    double slip_bps

cdef struct BasisParams:
    double enabled
    double band_bps
    double close_bps
    double size_btc
    double max_btc
    double leg_timeout_ms
    double leg_action
    double carry_year
    double carry_weight

cdef struct FundingParams:
    double model
    double high_rate_8h
    double min_rate_8h
    double target_max_btc
    double flatten_before_s

cdef struct PreferenceParams:
    double enabled
    double least_factor
    double hysteresis
    double funding_factor
    double dated_in_volatile

cdef struct ParamValues:
    SignalParams signals
    QuoteParams quote
    OrderParams orders
    InventoryParams inventory
    RiskParams risk
    CoverParams cover
    ExpiryParams expiry
    SettlementParams settlement
    HedgeParams hedge
    BasisParams basis
    FundingParams funding
    PreferenceParams preference


cdef inline bint pairs_on(const ParamValues* params) noexcept nogil:
    """Whether matched positions are kept apart from what quotes reduce."""
    return params.hedge.enabled > 0.5 or params.basis.enabled > 0.5


cdef class Params:
    cdef ParamValues v
    cdef uint64_t revision              # one more with each value that is set
