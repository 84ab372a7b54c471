"""See reaction.pxd."""
from libc.math cimport fabs
from libc.string cimport memset

from mmcore.flow cimport FLOW_LARGE, FLOW_SWEEP
from mmcore.regime cimport REGIME_STAND_ASIDE
from mmcore.signals cimport strong_signal
from mmcore.types cimport (
    LEVELS_MAX, REMOVED_FILLS, REMOVED_HOLD, REMOVED_MOMENTUM, REMOVED_REGIME,
    REMOVED_SIGNAL, REMOVED_SWEEP, REMOVED_TOP_RATE, REMOVED_VOL, REMOVED_WINDOW, SIDE_ASK,
    SIDE_BID, SLOTS_QUOTE)

cdef enum:
    EXTENSIONS_MAX = 10         # a price that never settles holds no longer than this many times


cdef int64_t ns_of_ms(double ms) noexcept nogil:
    return <int64_t>(ms * 1e6)


cdef void react_to_mid(Reaction* state, double mid_usd, const OrderParams* params,
                       int64_t now_ns) noexcept nogil:
    """Pull the side the mid has moved towards by more than momentum_bps within momentum_ms."""
    cdef int64_t width = ns_of_ms(params.momentum_ms) // (MOVE_BUCKETS - 1)
    cdef int64_t bucket, gap, i
    cdef double high, low, limit, old = state.moved_mid_usd
    if params.momentum_bps <= 0.0 or mid_usd <= 0.0 or width <= 0:
        return
    bucket = now_ns // width
    if bucket == state.move_bucket and mid_usd == old:
        return
    state.moved_mid_usd = mid_usd
    gap = bucket - state.move_bucket
    if old <= 0.0 or gap < 0:           # nothing is known of the time before
        old, gap = mid_usd, MOVE_BUCKETS
    if gap > MOVE_BUCKETS:
        gap = MOVE_BUCKETS
    for i in range(gap):                # until now the mid stood where it was
        state.high_usd[(bucket + MOVE_BUCKETS - i) % MOVE_BUCKETS] = old
        state.low_usd[(bucket + MOVE_BUCKETS - i) % MOVE_BUCKETS] = old
    state.move_bucket = bucket
    if mid_usd > state.high_usd[bucket % MOVE_BUCKETS]:
        state.high_usd[bucket % MOVE_BUCKETS] = mid_usd
    if mid_usd < state.low_usd[bucket % MOVE_BUCKETS]:
        state.low_usd[bucket % MOVE_BUCKETS] = mid_usd
    high = low = mid_usd
    for i in range(MOVE_BUCKETS):
        if state.high_usd[i] > high:
            high = state.high_usd[i]
        if state.low_usd[i] < low:
            low = state.low_usd[i]
    limit = params.momentum_bps * 1e-4 * mid_usd
    if mid_usd - low > limit:
        state.momentum_ns[SIDE_ASK] = now_ns + ns_of_ms(params.momentum_ms)
    if high - mid_usd > limit:
        state.momentum_ns[SIDE_BID] = now_ns + ns_of_ms(params.momentum_ms)


cdef bint reaction_rests(const Reaction* state, int64_t now_ns) noexcept nogil:
    """Whether an unchanged mid changes nothing: no side is pulled by its move, nothing covered.

    What it has not moved by within momentum_ms it will not have moved by later.
    """
    return (state.momentum_ns[SIDE_BID] <= now_ns and state.momentum_ns[SIDE_ASK] <= now_ns
            and state.cover_ns == 0)


cdef void react_to_trade(Reaction* state, int32_t bits, int32_t taker_side,
                         const OrderParams* params, int64_t now_ns) noexcept nogil:
    """A large taker order pulls the side it hits, a sweep both."""
    cdef int64_t until = now_ns + ns_of_ms(params.momentum_ms)
    cdef int32_t hit = SIDE_ASK if taker_side == SIDE_BID else SIDE_BID
    if bits & FLOW_LARGE:
        state.sweep_ns[hit] = until
    if bits & FLOW_SWEEP:
        state.sweep_ns[SIDE_BID] = state.sweep_ns[SIDE_ASK] = until


cdef void react_to_lead(Reaction* state, const Reaction* lead) noexcept nogil:
    """What pulls a side of the perpetual pulls it here too; a fill there holds it here."""
    cdef int32_t side
    if lead.hold_ns > state.follow_ns[lead.hold_side]:
        state.follow_ns[lead.hold_side] = lead.hold_ns
    for side in range(2):
        if lead.momentum_ns[side] > state.momentum_ns[side]:
            state.momentum_ns[side] = lead.momentum_ns[side]
        if lead.sweep_ns[side] > state.sweep_ns[side]:
            state.sweep_ns[side] = lead.sweep_ns[side]


cdef void add_fill(Reaction* state, const Fill* fill, double fill_usd) noexcept nogil:
    """Keep how much was filled on one side during a hold, at what mean price."""
    cdef double before = <double>state.fill_contracts
    if state.hold_ns == 0 or state.hold_side != fill.side:
        before, state.fill_contracts = 0.0, 0
    state.fill_contracts += fill.amount_contracts
    state.fill_usd = (state.fill_usd * before + fill_usd * <double>fill.amount_contracts) / (
        <double>state.fill_contracts)
    if state.cover_ns > 0:              # a late fill of what is being covered
        state.cover_contracts += fill.amount_contracts


cdef void count_row(Reaction* state, const Fill* fill, const ParamValues* params,
                    int64_t now_ns) noexcept nogil:
    """Orders of one side filled in a row; the other side's fill starts anew."""
    cdef int32_t pause = <int32_t>params.inventory.fills_in_row_pause
    if state.row > 0 and state.row_side != fill.side:
        state.row = 0
        state.row_pause_ns[state.row_side] = 0
    if state.row > 0 and fill.slot == state.row_slot and (
            fill.generation == state.row_generation):
        return                          # another trade of the same order
    state.row += 1
    state.row_side, state.row_slot, state.row_generation = fill.side, fill.slot, fill.generation
    if 0 < pause <= state.row:
        state.row_pause_ns[fill.side] = now_ns + <int64_t>(
            params.inventory.fills_in_row_pause_s * 1e9)


cdef void react_to_fill(Reaction* state, const Fill* fill, double filled_share, double fill_usd,
                        double mid_usd, const ParamValues* params, int64_t now_ns) noexcept nogil:
    """A fill of a quote: begin the hold, count the row. Dust does neither.

    What covers an earlier fill, passively or by taking, only counts against the cover.
    """
    cdef int32_t side = fill.side
    cdef int32_t level = fill.slot - side * LEVELS_MAX
    if fill.amount_contracts <= 0:
        return
    if state.cover_ns > 0 and side == state.cover_side:
        state.cover_contracts -= fill.amount_contracts
        return
    if not 0 <= fill.slot < SLOTS_QUOTE:
        return
    add_fill(state, fill, fill_usd)
    if filled_share < params.orders.small_fill_share:
        return
    if params.orders.post_fill_hold_ms > 0.0:
        if state.hold_ns == 0 or state.hold_side != side or level > state.hold_level:
            state.hold_level = level
        state.hold_ns = now_ns + ns_of_ms(params.orders.post_fill_hold_ms)
        state.stagger_ns = 0
        state.hold_side = side
        state.hold_mid_usd = mid_usd
        state.extensions = 0
    count_row(state, fill, params, now_ns)


cdef void settle_hold(Reaction* state, const SignalState* signal, const ParamValues* params,
                      int64_t now_ns) noexcept nogil:
    """End the hold once the price has stopped running; look whether the fill needs a cover."""
    cdef double mid = signal.mid_usd
    cdef double signed = 1.0 if state.hold_side == SIDE_BID else -1.0
    cdef double loss
    if state.hold_ns == 0 or now_ns < state.hold_ns:
        return
    if mid > 0.0 and state.hold_mid_usd > 0.0 and params.orders.run_bps > 0.0 and (
            state.extensions < EXTENSIONS_MAX) and fabs(
            mid - state.hold_mid_usd) > params.orders.run_bps * 1e-4 * mid:
        state.extensions += 1
        state.hold_ns = now_ns + ns_of_ms(params.orders.post_fill_hold_ms)
        state.hold_mid_usd = mid
        return
    state.hold_ns = 0
    state.stagger_ns = now_ns + ns_of_ms(params.orders.reentry_stagger_ms)
    loss = signed * (state.fill_usd - mid)
    if state.cover_ns == 0 and params.cover.trigger_bps > 0.0 and mid > 0.0 and (
            loss > params.cover.trigger_bps * 1e-4 * mid):
        state.cover_ns = now_ns
        state.cover_side = SIDE_ASK if state.hold_side == SIDE_BID else SIDE_BID
        state.cover_contracts, state.cover_fill_usd = state.fill_contracts, state.fill_usd
        state.take_ns = 0


cdef void wake_at(Stance* out, int64_t when_ns, int64_t now_ns) noexcept nogil:
    if when_ns > now_ns and (out.wake_ns == 0 or when_ns < out.wake_ns):
        out.wake_ns = when_ns


cdef void hold(const Reaction* state, const ParamValues* params, int64_t now_ns,
               Stance* out) noexcept nogil:
    """While a fill is fresh: the other side gone, its own rung empty, then nothing adds."""
    cdef int32_t filled = state.hold_side
    if state.hold_ns > now_ns:
        wake_at(out, state.hold_ns, now_ns)
        out.removed_held[1 - filled] |= REMOVED_HOLD
        if params.quote.refill < 0.5:
            out.first[filled] = state.hold_level + 1
        if state.momentum_ns[filled] > now_ns or state.sweep_ns[filled] > now_ns:
            out.removed_held[filled] |= REMOVED_HOLD    # the deeper levels too
    elif state.stagger_ns > now_ns:
        wake_at(out, state.stagger_ns, now_ns)
        out.removed_adding[SIDE_BID] |= REMOVED_HOLD
        out.removed_adding[SIDE_ASK] |= REMOVED_HOLD


cdef void stand_by_market(const SignalState* signal, const RegimeState* regime,
                          const WindowTable* windows, const ParamValues* params,
                          Stance* out) noexcept nogil:
    """Regime, time of day, speed of the touch and strong signals."""
    cdef int32_t side, strong
    cdef double speed
    out.regime = regime.regime
    out.spread_factor = regime.spread_factor * windows.spread_factor
    out.size_factor = regime.size_factor * windows.size_factor
    strong = strong_signal(signal, &params.signals)
    for side in range(2):
        if not regime.adds[side]:
            out.removed_adding[side] |= REMOVED_REGIME
        if windows.pull:
            out.removed[side] |= REMOVED_WINDOW
        if regime.regime == REGIME_STAND_ASIDE:
            if params.quote.wide_action > 0.5:
                out.tiny = True
            else:
                out.removed_adding[side] |= REMOVED_VOL
    if strong != 0:
        out.removed_adding[SIDE_ASK if strong > 0 else SIDE_BID] |= REMOVED_SIGNAL
    if params.signals.top_rate_max > 0.0:
        speed = signal.top_rate / params.signals.top_rate_max
        if speed >= 2.0:
            out.removed[SIDE_BID] |= REMOVED_TOP_RATE
            out.removed[SIDE_ASK] |= REMOVED_TOP_RATE
        elif speed > 1.0:
            out.spread_factor *= speed


cdef void stance_of(Reaction* state, const SignalState* signal, const RegimeState* regime,
                    const WindowTable* windows, const ParamValues* params, int64_t now_ns,
                    Stance* out) noexcept nogil:
    """Fill `out` with what may be quoted at this decision."""
    cdef int32_t side
    cdef int32_t shrink = <int32_t>params.inventory.fills_in_row_shrink
    memset(out, 0, sizeof(Stance))
    stand_by_market(signal, regime, windows, params, out)
    settle_hold(state, signal, params, now_ns)
    hold(state, params, now_ns, out)
    for side in range(2):
        out.row_factor[side] = 1.0
        if state.momentum_ns[side] > now_ns:
            out.removed[side] |= REMOVED_MOMENTUM
            wake_at(out, state.momentum_ns[side], now_ns)
        if state.sweep_ns[side] > now_ns:
            out.removed[side] |= REMOVED_SWEEP
            wake_at(out, state.sweep_ns[side], now_ns)
        if state.follow_ns[side] > now_ns:
            out.removed_adding[side] |= REMOVED_HOLD
            wake_at(out, state.follow_ns[side], now_ns)
        if state.row_pause_ns[side] > now_ns:
            out.removed_adding[side] |= REMOVED_FILLS
            wake_at(out, state.row_pause_ns[side], now_ns)
    if state.row > 0 and 0 < shrink <= state.row:
        out.row_factor[state.row_side] = 0.5
