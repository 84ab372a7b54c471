"""The table from config keys to the core's parameters; see params.pxd."""

cdef ParamValues LAYOUT

cdef size_t offset_of(const void* field) noexcept:
    return <size_t>field - <size_t>&LAYOUT

OFFSETS = {
    "signals.vol_half_life_s": offset_of(&LAYOUT.signals.vol_half_life_s),
    "signals.warmup_s": offset_of(&LAYOUT.signals.warmup_s),
    "signals.imbalance_levels": offset_of(&LAYOUT.signals.imbalance_levels),
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
    "inventory.limit_btc": offset_of(&LAYOUT.inventory.limit_btc),
    "inventory.target_btc": offset_of(&LAYOUT.inventory.target_btc),
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
