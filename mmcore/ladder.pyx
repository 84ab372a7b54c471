"""See ladder.pxd. Everything is written for a bid; an ask is its mirror, by the sign."""
from libc.stdint cimport uint64_t

from mmcore.book cimport NO_ASK, NO_BID
from mmcore.types cimport SIDE_BID, price_usd, ticks_down, ticks_up


cdef int64_t on_step(const Instrument* spec, int64_t ticks, int32_t side) noexcept nogil:
    """The nearest price outwards that the venue's coarser tick steps allow."""
    if spec.tick_step_count == 0:
        return ticks
    if side == SIDE_BID:
        return ticks_down(spec, price_usd(spec, ticks))
    return ticks_up(spec, price_usd(spec, ticks))


cdef int64_t lesser(int64_t a, int64_t b, int64_t sign) noexcept nogil:
    """The less aggressive of two prices: the lower bid (sign 1), the higher ask (sign -1)."""
    return a if (a - b) * sign < 0 else b


cdef bint may_undercut(const Instrument* spec, const QuoteParams* params, const SideInput* at,
                       int64_t best, int64_t sign, Placement* placement) noexcept nogil:
    """Whether to step ahead of this best: once stepped it is ours, else the budget decides."""
    cdef int64_t away = placement.last_ticks[at.side] - best
    if placement.stepped_ticks[at.side] == best + sign:
        return True
    if away < 0:
        away = -away
    if placement.last_ticks[at.side] != 0 and <double>away > (
            params.undercut_delta_bps * 1e-4 * <double>best):
        return False
    if not take_undercut(&placement.undercuts[at.side], params.undercut_per_min, at.now_ns):
        return False
    placement.stepped_ticks[at.side] = best + sign
    return True


cdef bint take_undercut(Undercuts* bucket, double per_min, int64_t now_ns) noexcept nogil:
    """Refill for the time gone by, and take one where a whole one is left."""
    if bucket.at_ns == 0:
        bucket.left = per_min
    elif now_ns > bucket.at_ns:
        bucket.left += <double>(now_ns - bucket.at_ns) * 1e-9 / 60.0 * per_min
    bucket.at_ns = now_ns if now_ns > 0 else 1
    if bucket.left > per_min:
        bucket.left = per_min
    if bucket.left < 1.0:
        return False
    bucket.left -= 1.0
    return True


cdef int64_t placed(const Instrument* spec, const SignalState* signal, const QuoteParams* params,
                    const SideInput* at, int64_t ticks, int64_t sign,
                    Placement* placement) noexcept nogil:
    """Hold an adding quote back to where the policy wants it; never nearer than the model."""
    cdef int64_t best = signal.others_ticks[at.side]
    cdef int32_t policy = <int32_t>params.placement
    if not NO_BID < best < NO_ASK:
        return ticks
    # The book may show our own new order before the venue's answer does: nobody to step ahead of.
    if best == placement.last_ticks[at.side] and policy <= PLACEMENT_STEP:
        return lesser(ticks, best, sign)
    if policy == PLACEMENT_MODEL:       # alone in a wide market a tick ahead is as good
        return lesser(ticks, best + sign, sign)
    if policy == PLACEMENT_AUTO:
        policy = PLACEMENT_HANG_BACK if at.hang_back else PLACEMENT_STEP
    if policy == PLACEMENT_HANG_BACK:
        return lesser(ticks, best - sign * <int64_t>params.hang_back_ticks, sign)
    if (ticks - best) * sign <= 0:      # the model itself stays behind the best
        return ticks
    if policy == PLACEMENT_STEP and may_undercut(spec, params, at, best, sign, placement):
        return lesser(ticks, best + sign, sign)
    return best


cdef int64_t jitter_ticks(const QuoteParams* params, int32_t side, int64_t ticks) noexcept nogil:
    """0 to quote.jitter_ticks, drawn from seed, side and price (splitmix64).

    The same price gives the same draw: jitter alone never moves an order.
    """
    cdef uint64_t x = <uint64_t>params.jitter_seed * 2 + <uint64_t>side
    if params.jitter_ticks < 1.0:
        return 0
    x = x * <uint64_t>0x9E3779B97F4A7C15 + <uint64_t>ticks
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return <int64_t>((x ^ (x >> 31)) % (<uint64_t>params.jitter_ticks + 1))


cdef int64_t model_ticks(const Instrument* spec, const SideInput* at, int32_t level,
                         const Why* why, double signed) noexcept nogil:
    """Where width and skew put a rung; an adding one no nearer than floor and reference."""
    cdef double price = at.fair_usd + why.skew_usd - signed * (
        at.distance_usd + level * at.step_usd)
    cdef double nearest = at.fair_usd - signed * at.floor_usd
    if not at.reducing:
        if (price - nearest) * signed > 0.0:
            price = nearest
        if (price - why.reference_usd) * signed > 0.0:  # an adding quote never stands through mid
            price = why.reference_usd
    return ticks_down(spec, price) if at.side == SIDE_BID else ticks_up(spec, price)


cdef int64_t rung_ticks(const Instrument* spec, const SignalState* signal,
                        const QuoteParams* params, SideInput* at, int32_t level,
                        const Why* why, Placement* placement) noexcept nogil:
    """Price of one rung: outward rounding, never crossing, and by the side's own bounds."""
    cdef int64_t sign = 1 if at.side == SIDE_BID else -1
    cdef int64_t ticks = model_ticks(spec, at, level, why, <double>sign)
    cdef int64_t opposite = signal.others_ticks[1 - at.side], best = signal.others_ticks[at.side]
    if level > 0:               # a first rung held back keeps its distance to the others
        ticks = lesser(ticks, at.top_ticks - sign * <int64_t>(
            level * at.step_usd / spec.tick_usd), sign)
    elif at.reducing:
        if NO_BID < best < NO_ASK:
            if at.cover_usd > 0.0:
                ticks = best + sign * <int64_t>(at.cover_usd / spec.tick_usd)
            else:
                ticks = lesser(ticks, best + sign, sign)
    else:
        ticks = placed(spec, signal, params, at, ticks, sign, placement)
        placement.last_ticks[at.side] = ticks
    if level == 0:
        at.top_ticks = ticks
    ticks -= sign * jitter_ticks(params, at.side, ticks)
    if (opposite - ticks) * sign <= 0:
        ticks = opposite - sign
    return on_step(spec, ticks, at.side)


cdef double size_factor(double share, bint reducing) noexcept nogil:
    """Adding shrinks linearly, to a half at two thirds of the limit; reducing grows to double."""
    if share > 1.0:
        share = 1.0
    return 1.0 + share if reducing else 1.0 - 0.75 * share
