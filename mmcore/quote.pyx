"""Fair value, width, ladder and sizes; each term is kept in TargetQuotes.why."""
from libc.math cimport fabs, floor, sqrt
from libc.string cimport memset

from mmcore.alpha cimport set_alpha, set_sides
from mmcore.book cimport NO_ASK, NO_BID
from mmcore.ladder cimport SideInput, on_step, rung_ticks, size_factor
from mmcore.params cimport FUNDING_INTERVAL, QuoteParams
from mmcore.reduction cimport set_take
from mmcore.regime cimport REGIME_TRENDING, REGIME_VOLATILE
from mmcore.signals cimport REFERENCE_LEAD
from mmcore.types cimport (
    LEVELS_MAX, REMOVED_REFERENCE, REMOVED_SIZE, REMOVED_WIDTH, SIDE_BID, TAKE_NONE, Why,
    contracts_of_btc, lots_down, sign_of)
from mmcore.width cimport Width, WidthInput, gamma_of, width_of

cdef double FUNDING_PERIOD_S = 28_800.0     # what the venue's rates are stated for
cdef double LEAST_HOLD_S = 3_600.0          # who is filled now holds for an hour at least
cdef double HELD_SHARE = 2.0 / 3.0          # of the limit, beyond which reducing is not held

# What both sides of one decision share.
cdef struct Sizing:
    double base_btc
    double adding_factor
    double share                # of the limit in use
    int64_t held                # contracts of this instrument, unsigned
    bint tiny                   # an adding quote has quote.tiny_size_btc
    bint restores               # this side brings the net delta towards its target


cdef double clamped(double value, double cap) noexcept nogil:
    if value > cap:
        return cap
    return -cap if value < -cap else value


cdef double carry_usd(const Instrument* spec, const SignalState* signal,
                      const ParamValues* params, double due_s) noexcept nogil:
    """What holding costs: funding of a perpetual, reversion of a dated contract's basis.

    Positive funding is paid by longs, so it lowers the price at which to buy. A contango is
    normal: only the distance of the basis from its own mean counts, and nothing where the
    reference holds the fair basis already.
    """
    cdef double cap = params.quote.max_carry_bps * 1e-4 * signal.reference_usd
    cdef double off, payments, hold_s = params.quote.funding_hold_s
    if spec.expiry_ms == 0:
        if 0.0 < hold_s < LEAST_HOLD_S:
            hold_s = LEAST_HOLD_S
        if <int32_t>params.funding.model == FUNDING_INTERVAL:   # whole payments within the hold
            payments = floor((hold_s - due_s) / FUNDING_PERIOD_S) + 1.0 if hold_s > due_s else 0.0
            return clamped(-signal.funding_8h * payments * signal.reference_usd, cap)
        return clamped(-signal.current_funding * hold_s / FUNDING_PERIOD_S
                       * signal.reference_usd, cap)
    if (signal.reference_source == REFERENCE_LEAD or not signal.has_basis
            or params.signals.basis_half_life_s <= 0.0):
        return 0.0
    off = signal.reference_usd - signal.index_usd - signal.fair_basis_usd
    return clamped(-off * params.quote.horizon_s / params.signals.basis_half_life_s, cap)


cdef double base_size_btc(const ParamValues* params, const Inventory* inventory) noexcept nogil:
    """Fixed, a share of the limit, or a share of the capital."""
    cdef int32_t mode = <int32_t>params.quote.size_mode
    if mode == 1:
        return params.quote.size_share * inventory.limit_btc
    if mode == 2:
        return params.quote.size_share * params.inventory.capital_btc
    return params.quote.size_btc


cdef void set_width(const Instrument* spec, const SignalState* signal, const ParamValues* params,
                    const Inventory* inventory, const Stance* stance, double size_btc,
                    Why* why) noexcept nogil:
    """Half-spread = factor * max(minimum, market, model) plus drought; the floor stands apart."""
    cdef const QuoteParams* quote = &params.quote
    cdef double bps = 1e-4 * why.reference_usd
    cdef double minimum = quote.min_half_spread_usd
    cdef double fee, depth
    cdef WidthInput at
    cdef Width width
    at.reference_usd, at.sigma_usd, at.tau_s = why.reference_usd, signal.vol_usd, quote.horizon_s
    at.net_btc, at.limit_btc, at.size_btc = inventory.net_btc, inventory.limit_btc, size_btc
    at.gamma = gamma_of(quote, why.reference_usd, inventory.limit_btc, size_btc)
    width_of(&at, quote, &width)
    why.skew_usd = clamped(width.skew_usd, quote.max_skew_bps * bps)
    why.half_base_usd, why.half_vol_usd = width.base_usd, width.risk_usd
    why.half_usd = width.base_usd + width.risk_usd
    if quote.min_half_spread_bps * bps > minimum:
        minimum = quote.min_half_spread_bps * bps
    if why.half_usd < minimum:
        why.half_usd = minimum
    why.half_market_usd = 0.0
    if signal.two_sided:
        why.half_market_usd = 0.5 * quote.market_spread_share * signal.spread_usd
        if why.half_usd < why.half_market_usd:
            why.half_usd = why.half_market_usd
    why.drought_usd = 0.0
    if quote.drought_depth_share > 0.0 and signal.mean_depth_contracts > 0.0:
        depth = signal.depth_contracts / (quote.drought_depth_share * signal.mean_depth_contracts)
        if depth < 1.0:
            why.drought_usd = why.half_usd * quote.drought_widen * (1.0 - depth)
    why.half_usd = (why.half_usd + why.drought_usd) * stance.spread_factor
    why.half_floor_usd = 0.0
    if quote.fee_floor > 0.5:
        fee = ((1.0 - inventory.taker_share) * <double>spec.maker_fee_e8
               + inventory.taker_share * <double>spec.taker_fee_e8) * 1e-8
        why.half_floor_usd = fee * why.reference_usd + 0.5 * quote.min_edge_bps * bps
    why.pad_usd = quote.latency_z * signal.vol_usd * sqrt(
        <double>inventory.round_trip_ns * 1e-9)


cdef double markout_usd(const QuoteParams* params, const Inventory* inventory, int32_t side,
                        const Why* why) noexcept nogil:
    """Widen a side whose fills, 5 s later, were worth less than the fee floor asks for."""
    cdef double bps = 1e-4 * why.reference_usd
    cdef double shortfall
    if params.markout_widen <= 0.0 or inventory.markout_fills[side] < (
            <int64_t>params.markout_fills):
        return 0.0
    shortfall = params.markout_widen * (
        why.half_floor_usd - inventory.markout_bps[side] * bps)
    if shortfall <= 0.0:
        return 0.0
    if shortfall > params.max_markout_bps * bps:
        return params.max_markout_bps * bps
    return shortfall


cdef double adding_factor(const QuoteParams* params, const Stance* stance,
                          const Why* why) noexcept nogil:
    """Growth with edge, shrinkage with volatility, and what regime and time of day say."""
    cdef double factor = stance.size_factor, over
    cdef double reference_vol = params.skew_reference_vol_bps * 1e-4 * why.reference_usd
    if params.size_edge_k > 0.0 and why.half_floor_usd > 0.0:
        over = params.size_edge_k * (why.half_usd / why.half_floor_usd - 1.0)
        if over > 0.0:
            factor *= 1.0 + (over if over < 1.0 else 1.0)
    if params.size_vol_k > 0.0 and reference_vol > 0.0 and why.sigma_usd > reference_vol:
        factor /= 1.0 + params.size_vol_k * (why.sigma_usd / reference_vol - 1.0)
    return factor


cdef int64_t rung_contracts(const Instrument* spec, const QuoteParams* params,
                            const Sizing* sizing, double row_factor, bint reducing,
                            int32_t level, const Why* why) noexcept nogil:
    """Amount of one rung in whole lots."""
    cdef double size = sizing.base_btc
    cdef int64_t amount, most
    while level > 0:
        size *= params.level_size_factor
        level -= 1
    if not reducing:
        size *= sizing.adding_factor * row_factor
    if reducing or not sizing.restores:     # what brings the net back is not shrunk for it
        size *= size_factor(sizing.share, reducing)
    amount = lots_down(spec, contracts_of_btc(spec, size, why.reference_usd))
    if reducing:
        most = lots_down(spec, <double>sizing.held + contracts_of_btc(
            spec, sizing.base_btc, why.reference_usd))
    elif sizing.tiny:
        most = lots_down(spec, contracts_of_btc(spec, params.tiny_size_btc, why.reference_usd))
    else:
        return amount
    return most if amount > most else amount


cdef void quote_side(const Instrument* spec, const SignalState* signal,
                     const ParamValues* params, const Stance* stance, const Sizing* sizing,
                     SideInput* at, Placement* placement, TargetQuotes* out) noexcept nogil:
    """Fill the rungs of one side, from the touch outwards."""
    cdef int32_t side = at.side, level, levels = <int32_t>params.quote.levels
    cdef int64_t sign = 1 if side == SIDE_BID else -1
    cdef int64_t previous = NO_ASK if side == SIDE_BID else NO_BID
    cdef int64_t ticks, amount
    if levels > LEVELS_MAX:
        levels = LEVELS_MAX
    out.first[side] = stance.first[side]
    for level in range(levels):
        amount = rung_contracts(spec, &params.quote, sizing, stance.row_factor[side], at.reducing,
                                level, &out.why)
        if amount <= 0:
            break
        ticks = rung_ticks(spec, signal, &params.quote, at, level, &out.why, placement)
        if (previous - ticks) * sign <= 0:
            ticks = on_step(spec, previous - sign, side)
        previous = ticks
        if ticks <= 0:
            break
        out.rungs[side][level].price_ticks = ticks
        out.rungs[side][level].amount_contracts = amount
        out.count[side] = level + 1
    if out.count[side] == 0:
        out.why.removed[side] |= REMOVED_SIZE


cdef int32_t removed_bits(const Stance* stance, int32_t side, bint reducing,
                          double share) noexcept nogil:
    """Why a side is not to be quoted now."""
    cdef int32_t bits = stance.removed[side]
    if not reducing:
        bits |= stance.removed_adding[side] | stance.removed_held[side]
    elif share <= HELD_SHARE:
        bits |= stance.removed_held[side]
    return bits


cdef void begin_why(const Instrument* spec, const SignalState* signal, const ParamValues* params,
                    const Inventory* inventory, const Stance* stance,
                    TargetQuotes* out) noexcept nogil:
    """An empty ladder, what is to be taken, and what the decision looked at."""
    cdef Why* why = &out.why
    cdef int32_t side
    set_take(spec, signal, stance, params.orders.take_limit_bps, &out.take)
    why.take, why.take_contracts = out.take.why, 0
    if out.take.why != TAKE_NONE:
        why.take_contracts = sign_of(out.take.side) * out.take.amount_contracts
    for side in range(2):
        out.count[side] = out.first[side] = 0
        out.reducing[side] = False
        why.removed[side] = why.overlay[side] = 0
        why.markout_usd[side] = 0.0
    why.reference_usd = signal.reference_usd
    why.reference_source = signal.reference_source
    why.sigma_usd, why.vol_year = signal.vol_usd, signal.vol_year
    why.position_btc = inventory.net_btc
    why.regime = stance.regime
    why.model = <int32_t>params.quote.model
    why.spread_factor = stance.spread_factor


cdef void quote_compute(const Instrument* spec, const SignalState* signal,
                        const ParamValues* params, const Inventory* inventory,
                        const Stance* stance, Placement* placement, int64_t now_ns,
                        TargetQuotes* out) noexcept nogil:
    """Fill `out` with the ladder wanted now; an empty side carries its reason."""
    cdef const QuoteParams* quote = &params.quote
    cdef Why* why = &out.why
    cdef Sizing sizing
    cdef SideInput at
    cdef int32_t side
    cdef bint wide
    if signal.reference_usd <= 0.0:
        memset(why, 0, sizeof(Why))         # nothing of an earlier decision stays in the record
    begin_why(spec, signal, params, inventory, stance, out)
    out.closing = False
    if signal.reference_usd <= 0.0:
        why.removed[0] = why.removed[1] = REMOVED_REFERENCE
        return
    why.carry_usd = carry_usd(spec, signal, params, inventory.funding_due_s)
    set_alpha(signal, quote, why)
    set_sides(signal, quote, params.signals.run_trades, why)
    sizing.base_btc = base_size_btc(params, inventory)
    set_width(spec, signal, params, inventory, stance, sizing.base_btc, why)
    sizing.adding_factor = why.size_factor = adding_factor(quote, stance, why)
    sizing.share = 1.0
    if inventory.limit_btc > 0.0:
        sizing.share = fabs(inventory.net_btc) / inventory.limit_btc
    sizing.held = inventory.contracts if inventory.contracts >= 0 else -inventory.contracts
    wide = why.half_usd > quote.max_half_spread_bps * 1e-4 * why.reference_usd
    sizing.tiny = stance.tiny or (wide and quote.wide_action > 0.5)
    at.now_ns = now_ns
    at.fair_usd = why.reference_usd + why.carry_usd + why.alpha_usd
    at.floor_usd = why.half_floor_usd
    at.step_usd = quote.level_spacing_bps * 1e-4 * why.reference_usd
    if quote.spacing > 0.5:
        at.step_usd = quote.level_spacing_vol * why.sigma_usd * sqrt(quote.horizon_s)
    at.hang_back = (stance.regime == REGIME_VOLATILE or stance.regime == REGIME_TRENDING
                    or sizing.share > 0.5)
    for side in range(2):
        # reducing: this side brings both the net delta and this instrument towards zero
        at.reducing = (inventory.contracts < 0 and inventory.net_btc < 0.0) if side == SIDE_BID \
            else (inventory.contracts > 0 and inventory.net_btc > 0.0)
        at.side = side
        sizing.restores = inventory.net_btc < 0.0 if side == SIDE_BID else inventory.net_btc > 0.0
        out.reducing[side] = at.reducing
        why.removed[side] = removed_bits(stance, side, at.reducing, sizing.share)
        if wide and not at.reducing and not sizing.tiny:
            why.removed[side] |= REMOVED_WIDTH
        why.markout_usd[side] = markout_usd(quote, inventory, side, why)
        if why.removed[side]:
            placement.last_ticks[side] = placement.stepped_ticks[side] = 0
            continue
        at.distance_usd = (why.half_usd + why.pad_usd + why.markout_usd[side]
                           + why.signal_usd[side])
        if at.reducing:         # what pays for adding must not keep us in a position
            at.distance_usd = (why.half_base_usd + why.half_vol_usd) * (
                1.0 - sizing.share if sizing.share < 1.0 else 0.0)
        at.cover_usd = stance.cover_bps[side] * 1e-4 * why.reference_usd
        quote_side(spec, signal, params, stance, &sizing, &at, placement, out)
