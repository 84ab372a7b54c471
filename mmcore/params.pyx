"""The table from config keys to the core's parameters; see params.pxd."""

cdef ParamValues LAYOUT

cdef size_t offset_of(const void* field) noexcept:
    return <size_t>field - <size_t>&LAYOUT

OFFSETS = {
    "signals.vol_half_life_s": offset_of(&LAYOUT.signals.vol_half_life_s),
    "signals.warmup_s": offset_of(&LAYOUT.signals.warmup_s),
    "signals.imbalance_levels": offset_of(&LAYOUT.signals.imbalance_levels),
    "signals.imbalance_threshold": offset_of(&LAYOUT.signals.imbalance_threshold),
    "signals.flow_half_life_s": offset_of(&LAYOUT.signals.flow_half_life_s),
    "signals.run_trades": offset_of(&LAYOUT.signals.run_trades),
    "signals.sweep_bps": offset_of(&LAYOUT.signals.sweep_bps),
    "signals.ofi_half_life_s": offset_of(&LAYOUT.signals.ofi_half_life_s),
    "signals.top_rate_max": offset_of(&LAYOUT.signals.top_rate_max),
    "signals.vol_window_s": offset_of(&LAYOUT.signals.vol_window_s),
    "signals.basis_half_life_s": offset_of(&LAYOUT.signals.basis_half_life_s),
    "signals.regime": offset_of(&LAYOUT.signals.regime),
    "signals.calm_vol": offset_of(&LAYOUT.signals.calm_vol),
    "signals.volatile_vol": offset_of(&LAYOUT.signals.volatile_vol),
    "signals.trend_z": offset_of(&LAYOUT.signals.trend_z),
    "signals.regime_hysteresis": offset_of(&LAYOUT.signals.regime_hysteresis),
    "signals.calm_spread_factor": offset_of(&LAYOUT.signals.calm_spread_factor),
    "signals.calm_size_factor": offset_of(&LAYOUT.signals.calm_size_factor),
    "signals.volatile_spread_factor": offset_of(&LAYOUT.signals.volatile_spread_factor),
    "signals.volatile_size_factor": offset_of(&LAYOUT.signals.volatile_size_factor),
    "signals.trending_spread_factor": offset_of(&LAYOUT.signals.trending_spread_factor),
    "signals.trending_size_factor": offset_of(&LAYOUT.signals.trending_size_factor),
    "signals.volatile_sides": offset_of(&LAYOUT.signals.volatile_sides),
    "signals.trending_sides": offset_of(&LAYOUT.signals.trending_sides),
    "quote.size_btc": offset_of(&LAYOUT.quote.size_btc),
    "quote.levels": offset_of(&LAYOUT.quote.levels),
    "quote.level_spacing_bps": offset_of(&LAYOUT.quote.level_spacing_bps),
    "quote.min_half_spread_bps": offset_of(&LAYOUT.quote.min_half_spread_bps),
    "quote.min_half_spread_usd": offset_of(&LAYOUT.quote.min_half_spread_usd),
    "quote.min_edge_bps": offset_of(&LAYOUT.quote.min_edge_bps),
    "quote.base_half_spread_bps": offset_of(&LAYOUT.quote.base_half_spread_bps),
    "quote.vol_k": offset_of(&LAYOUT.quote.vol_k),
    "quote.horizon_s": offset_of(&LAYOUT.quote.horizon_s),
    "quote.max_half_spread_bps": offset_of(&LAYOUT.quote.max_half_spread_bps),
    "quote.gamma": offset_of(&LAYOUT.quote.gamma),
    "quote.skew_usd_at_limit": offset_of(&LAYOUT.quote.skew_usd_at_limit),
    "quote.skew_reference_vol_bps": offset_of(&LAYOUT.quote.skew_reference_vol_bps),
    "quote.max_skew_bps": offset_of(&LAYOUT.quote.max_skew_bps),
    "quote.imbalance_shift_bps": offset_of(&LAYOUT.quote.imbalance_shift_bps),
    "quote.fee_floor": offset_of(&LAYOUT.quote.fee_floor),
    "quote.micro_price": offset_of(&LAYOUT.quote.micro_price),
    "quote.max_reference_spread_bps": offset_of(&LAYOUT.quote.max_reference_spread_bps),
    "quote.model": offset_of(&LAYOUT.quote.model),
    "quote.intensity_a": offset_of(&LAYOUT.quote.intensity_a),
    "quote.intensity_k": offset_of(&LAYOUT.quote.intensity_k),
    "quote.stand_aside_vol": offset_of(&LAYOUT.quote.stand_aside_vol),
    "quote.resume_vol": offset_of(&LAYOUT.quote.resume_vol),
    "quote.wide_action": offset_of(&LAYOUT.quote.wide_action),
    "quote.tiny_size_btc": offset_of(&LAYOUT.quote.tiny_size_btc),
    "quote.funding_hold_s": offset_of(&LAYOUT.quote.funding_hold_s),
    "quote.max_carry_bps": offset_of(&LAYOUT.quote.max_carry_bps),
    "quote.flow_shift_bps": offset_of(&LAYOUT.quote.flow_shift_bps),
    "quote.ofi_shift_bps": offset_of(&LAYOUT.quote.ofi_shift_bps),
    "quote.max_alpha_bps": offset_of(&LAYOUT.quote.max_alpha_bps),
    "quote.market_spread_share": offset_of(&LAYOUT.quote.market_spread_share),
    "quote.drought_depth_share": offset_of(&LAYOUT.quote.drought_depth_share),
    "quote.drought_widen": offset_of(&LAYOUT.quote.drought_widen),
    "quote.latency_z": offset_of(&LAYOUT.quote.latency_z),
    "quote.markout_widen": offset_of(&LAYOUT.quote.markout_widen),
    "quote.max_markout_bps": offset_of(&LAYOUT.quote.max_markout_bps),
    "quote.markout_fills": offset_of(&LAYOUT.quote.markout_fills),
    "quote.placement": offset_of(&LAYOUT.quote.placement),
    "quote.hang_back_ticks": offset_of(&LAYOUT.quote.hang_back_ticks),
    "quote.undercut_per_min": offset_of(&LAYOUT.quote.undercut_per_min),
    "quote.undercut_delta_bps": offset_of(&LAYOUT.quote.undercut_delta_bps),
    "quote.spacing": offset_of(&LAYOUT.quote.spacing),
    "quote.level_spacing_vol": offset_of(&LAYOUT.quote.level_spacing_vol),
    "quote.level_size_factor": offset_of(&LAYOUT.quote.level_size_factor),
    "quote.refill": offset_of(&LAYOUT.quote.refill),
    "quote.size_mode": offset_of(&LAYOUT.quote.size_mode),
    "quote.size_share": offset_of(&LAYOUT.quote.size_share),
    "quote.size_edge_k": offset_of(&LAYOUT.quote.size_edge_k),
    "quote.size_vol_k": offset_of(&LAYOUT.quote.size_vol_k),
    "quote.jitter_ticks": offset_of(&LAYOUT.quote.jitter_ticks),
    "quote.jitter_seed": offset_of(&LAYOUT.quote.jitter_seed),
    "orders.requote_bps": offset_of(&LAYOUT.orders.requote_bps),
    "orders.retreat_bps": offset_of(&LAYOUT.orders.retreat_bps),
    "orders.off_center_bps": offset_of(&LAYOUT.orders.off_center_bps),
    "orders.keep_ticks": offset_of(&LAYOUT.orders.keep_ticks),
    "orders.refresh_s": offset_of(&LAYOUT.orders.refresh_s),
    "orders.max_updates_per_s": offset_of(&LAYOUT.orders.max_updates_per_s),
    "orders.reserve_requests": offset_of(&LAYOUT.orders.reserve_requests),
    "orders.valid_for_ms": offset_of(&LAYOUT.orders.valid_for_ms),
    "orders.unknown_ms": offset_of(&LAYOUT.orders.unknown_ms),
    "orders.max_unanswered": offset_of(&LAYOUT.orders.max_unanswered),
    "orders.momentum_bps": offset_of(&LAYOUT.orders.momentum_bps),
    "orders.momentum_ms": offset_of(&LAYOUT.orders.momentum_ms),
    "orders.pull_trade_usd": offset_of(&LAYOUT.orders.pull_trade_usd),
    "orders.post_fill_hold_ms": offset_of(&LAYOUT.orders.post_fill_hold_ms),
    "orders.run_bps": offset_of(&LAYOUT.orders.run_bps),
    "orders.reentry_stagger_ms": offset_of(&LAYOUT.orders.reentry_stagger_ms),
    "orders.small_fill_share": offset_of(&LAYOUT.orders.small_fill_share),
    "orders.mode": offset_of(&LAYOUT.orders.mode),
    "orders.stale_s": offset_of(&LAYOUT.orders.stale_s),
    "orders.stale_trades": offset_of(&LAYOUT.orders.stale_trades),
    "orders.otv_brake": offset_of(&LAYOUT.orders.otv_brake),
    "orders.otv_soft": offset_of(&LAYOUT.orders.otv_soft),
    "orders.otv_hard": offset_of(&LAYOUT.orders.otv_hard),
    "orders.take_limit_bps": offset_of(&LAYOUT.orders.take_limit_bps),
    "inventory.limit_btc": offset_of(&LAYOUT.inventory.limit_btc),
    "inventory.target_btc": offset_of(&LAYOUT.inventory.target_btc),
    "inventory.capital_btc": offset_of(&LAYOUT.inventory.capital_btc),
    "inventory.fills_in_row_shrink": offset_of(&LAYOUT.inventory.fills_in_row_shrink),
    "inventory.fills_in_row_pause": offset_of(&LAYOUT.inventory.fills_in_row_pause),
    "inventory.fills_in_row_pause_s": offset_of(&LAYOUT.inventory.fills_in_row_pause_s),
    "inventory.cut_above_btc": offset_of(&LAYOUT.inventory.cut_above_btc),
    "inventory.cut_adverse_moves": offset_of(&LAYOUT.inventory.cut_adverse_moves),
    "inventory.cut_clip_btc": offset_of(&LAYOUT.inventory.cut_clip_btc),
    "risk.stale_ms": offset_of(&LAYOUT.risk.stale_ms),
    "risk.book_silence_ms": offset_of(&LAYOUT.risk.book_silence_ms),
    "risk.ticker_stale_ms": offset_of(&LAYOUT.risk.ticker_stale_ms),
    "risk.max_feed_lag_ms": offset_of(&LAYOUT.risk.max_feed_lag_ms),
    "risk.max_mark_deviation_bps": offset_of(&LAYOUT.risk.max_mark_deviation_bps),
    "risk.price_collar_bps": offset_of(&LAYOUT.risk.price_collar_bps),
    "risk.max_order_usd": offset_of(&LAYOUT.risk.max_order_usd),
    "risk.max_open_orders": offset_of(&LAYOUT.risk.max_open_orders),
    "risk.reject_storm_count": offset_of(&LAYOUT.risk.reject_storm_count),
    "risk.reject_storm_s": offset_of(&LAYOUT.risk.reject_storm_s),
    "risk.max_index_deviation_bps": offset_of(&LAYOUT.risk.max_index_deviation_bps),
    "cover.trigger_bps": offset_of(&LAYOUT.cover.trigger_bps),
    "cover.step_bps": offset_of(&LAYOUT.cover.step_bps),
    "cover.step_s": offset_of(&LAYOUT.cover.step_s),
    "cover.max_s": offset_of(&LAYOUT.cover.max_s),
    "cover.max_loss_bps": offset_of(&LAYOUT.cover.max_loss_bps),
    "expiry.wind_down_h": offset_of(&LAYOUT.expiry.wind_down_h),
    "expiry.out_before_h": offset_of(&LAYOUT.expiry.out_before_h),
    "settlement.pull_before_s": offset_of(&LAYOUT.settlement.pull_before_s),
    "settlement.resume_after_s": offset_of(&LAYOUT.settlement.resume_after_s),
}


cdef class Params:
    """Values of every key in OFFSETS; 0 until set. Copyable, so a market may override some."""

    @staticmethod
    def keys():
        """All config keys the core reads."""
        return list(OFFSETS)

    def set(self, str key not None, double value):
        """Set one key; KeyError where the core has no such key."""
        (<double*>(<char*>&self.v + <size_t>OFFSETS[key]))[0] = value

    def get(self, str key not None):
        """Value of one key."""
        return (<double*>(<char*>&self.v + <size_t>OFFSETS[key]))[0]

    def copy(self):
        """A second, independent set of the same values."""
        cdef Params other = Params()
        other.v = self.v
        return other
