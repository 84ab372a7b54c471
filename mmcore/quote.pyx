"""Reservation price, width, ladder and sizes (SPEC 2); each term is kept in TargetQuotes.why."""
from libc.math cimport fabs, sqrt
from libc.string cimport memset

from mmcore.book cimport NO_ASK, NO_BID
from mmcore.params cimport QuoteParams
from mmcore.types cimport (
    LEVELS_MAX, REMOVED_REFERENCE, REMOVED_SIZE, REMOVED_WIDTH, SIDE_ASK, SIDE_BID, Why,
    contracts_of_btc, lots_down, price_usd, ticks_down, ticks_up)


cdef double skew_usd(const QuoteParams* params, double reference_usd, double vol_usd,
                     const Inventory* inventory) noexcept nogil:
    """Reservation shift -q gamma sigma^2 tau, |shift| capped (Avellaneda and Stoikov 2008).

    Without a gamma it is derived from the shift wanted at the limit at a reference volatility:
    gamma = shift / (limit sigma_ref^2 tau).
    """
    cdef double gamma = params.gamma
    cdef double reference_vol, cap, shift
    if gamma <= 0.0:
        reference_vol = params.skew_reference_vol_bps * 1e-4 * reference_usd
        if reference_vol <= 0.0 or inventory.limit_btc <= 0.0 or params.horizon_s <= 0.0:
            return 0.0
        gamma = params.skew_usd_at_limit / (
            inventory.limit_btc * reference_vol * reference_vol * params.horizon_s)
        # a quiet market must not switch the skew off: sigma never counts below the reference
        if vol_usd < reference_vol:
            vol_usd = reference_vol
    shift = -inventory.net_btc * gamma * vol_usd * vol_usd * params.horizon_s
    cap = params.max_skew_bps * 1e-4 * reference_usd
    if shift > cap:
        return cap
    return -cap if shift < -cap else shift


cdef void set_width(const Instrument* spec, const SignalState* signal,
                    const QuoteParams* params, Why* why) noexcept nogil:
    """Half-spread = max(minimum, base + k sigma sqrt(tau)); the fee floor is the adding side's."""
    cdef double minimum = params.min_half_spread_usd
    cdef double bps = 1e-4 * why.reference_usd
    if params.min_half_spread_bps * bps > minimum:
        minimum = params.min_half_spread_bps * bps
    why.half_vol_usd = params.vol_k * signal.vol_usd * sqrt(params.horizon_s)
    why.half_usd = params.base_half_spread_bps * bps + why.half_vol_usd
    if why.half_usd < minimum:
        why.half_usd = minimum
    why.half_floor_usd = 0.0
    if params.fee_floor > 0.5:
        why.half_floor_usd = (<double>spec.maker_fee_e8 * 1e-8 * why.reference_usd
                              + 0.5 * params.min_edge_bps * bps)


cdef int64_t on_step(const Instrument* spec, int64_t ticks, int32_t side) noexcept nogil:
    """The nearest price outwards that the venue's coarser tick steps allow."""
    if spec.tick_step_count == 0:
        return ticks
    if side == SIDE_BID:
        return ticks_down(spec, price_usd(spec, ticks))
    return ticks_up(spec, price_usd(spec, ticks))


cdef int64_t rung_ticks(const Instrument* spec, const SignalState* signal, int32_t side,
                        double distance_usd, double floor_usd, const Why* why,
                        bint reducing) noexcept nogil:
    """Price of one rung: outward rounding, never crossing, and by the side's own bounds."""
    cdef double fair = why.reference_usd + why.carry_usd + why.alpha_usd
    cdef double price
    cdef int64_t ticks, bound
    if side == SIDE_BID:
        price = fair + why.skew_usd - distance_usd
        if not reducing:
            if price > fair - floor_usd:
                price = fair - floor_usd
            if price > why.reference_usd:       # an adding quote never stands through mid
                price = why.reference_usd
        ticks = ticks_down(spec, price)
        if reducing and signal.others_ticks[SIDE_BID] > NO_BID:
            bound = signal.others_ticks[SIDE_BID] + 1
            if ticks > bound:
                ticks = bound
        if ticks >= signal.others_ticks[SIDE_ASK]:
            ticks = signal.others_ticks[SIDE_ASK] - 1
        return on_step(spec, ticks, side)
    price = fair + why.skew_usd + distance_usd
    if not reducing:
        if price < fair + floor_usd:
            price = fair + floor_usd
        if price < why.reference_usd:
            price = why.reference_usd
    ticks = ticks_up(spec, price)
    if reducing and signal.others_ticks[SIDE_ASK] < NO_ASK:
        bound = signal.others_ticks[SIDE_ASK] - 1
        if ticks < bound:
            ticks = bound
    if ticks <= signal.others_ticks[SIDE_BID]:
        ticks = signal.others_ticks[SIDE_BID] + 1
    return on_step(spec, ticks, side)


cdef double size_factor(double share, bint reducing) noexcept nogil:
    """Adding shrinks linearly, to a half at two thirds of the limit; reducing grows to double."""
    if share > 1.0:
        share = 1.0
    return 1.0 + share if reducing else 1.0 - 0.75 * share


cdef void quote_compute(const Instrument* spec, const SignalState* signal,
                        const ParamValues* params, const Inventory* inventory,
                        TargetQuotes* out) noexcept nogil:
    """Fill `out` with the ladder wanted now; an empty side carries its reason."""
    cdef const QuoteParams* quote = &params.quote
    cdef Why* why = &out.why
    cdef int32_t side, level, levels
    cdef bint reducing
    cdef double share, step, cap
    cdef int64_t amount, held, most, ticks, previous
    memset(out, 0, sizeof(TargetQuotes))
    why.reference_usd = signal.reference_usd
    why.reference_source = signal.reference_source
    why.sigma_usd = signal.vol_usd
    why.position_btc = inventory.net_btc
    if signal.reference_usd <= 0.0:
        why.removed[0] = why.removed[1] = REMOVED_REFERENCE
        return
    why.alpha_usd = signal.imbalance * quote.imbalance_shift_bps * 1e-4 * why.reference_usd
    why.skew_usd = skew_usd(quote, why.reference_usd, signal.vol_usd, inventory)
    set_width(spec, signal, quote, why)
    cap = quote.max_half_spread_bps * 1e-4 * why.reference_usd
    step = quote.level_spacing_bps * 1e-4 * why.reference_usd
    share = fabs(inventory.net_btc) / inventory.limit_btc if inventory.limit_btc > 0.0 else 1.0
    held = inventory.contracts if inventory.contracts >= 0 else -inventory.contracts
    levels = <int32_t>quote.levels
    if levels > LEVELS_MAX:
        levels = LEVELS_MAX
    for side in range(2):
        # reducing: this side brings both the net delta and this instrument towards zero
        reducing = (inventory.contracts < 0 and inventory.net_btc < 0.0) if side == SIDE_BID \
            else (inventory.contracts > 0 and inventory.net_btc > 0.0)
        out.reducing[side] = reducing
        if why.half_usd > cap and not reducing:
            why.removed[side] |= REMOVED_WIDTH
            continue
        amount = lots_down(spec, contracts_of_btc(
            spec, quote.size_btc * size_factor(share, reducing), why.reference_usd))
        most = lots_down(spec, <double>held + contracts_of_btc(
            spec, quote.size_btc, why.reference_usd))
        if reducing and amount > most:
            amount = most
        if amount <= 0:
            why.removed[side] |= REMOVED_SIZE
            continue
        previous = NO_ASK if side == SIDE_BID else NO_BID
        for level in range(levels):
            ticks = rung_ticks(spec, signal, side, why.half_usd + level * step,
                               why.half_floor_usd, why, reducing)
            if side == SIDE_BID and ticks >= previous:
                ticks = on_step(spec, previous - 1, side)
            elif side == SIDE_ASK and ticks <= previous:
                ticks = on_step(spec, previous + 1, side)
            previous = ticks
            if ticks <= 0:
                break
            out.rungs[side][level].price_ticks = ticks
            out.rungs[side][level].amount_contracts = amount
            out.count[side] = level + 1
