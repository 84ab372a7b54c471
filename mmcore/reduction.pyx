"""See reduction.pxd. Called after reaction.stance_of(), whose stance it completes."""
from libc.math cimport fabs, floor
from libc.stdint cimport int32_t, int64_t

from mmcore.book cimport NO_ASK, NO_BID
from mmcore.reaction cimport wake_at
from mmcore.types cimport (
    REMOVED_COVER, SIDE_ASK, SIDE_BID, SLOTS_MAX, TAKE_COVER, TAKE_CUT, TAKE_NONE, TIF_IOC,
    LevelChange, contracts_of_btc, delta_btc, lots_down, price_usd, ticks_down, ticks_up)

cdef int64_t MOVE_NS = 100_000_000      # the mid is looked at this often: a flicker is no move


cdef void count_moves(Reaction* state, double mid_usd, const InventoryParams* params,
                      int64_t now_ns) noexcept nogil:
    """Count the moves of the mid in one direction, each sampled mid against the one before."""
    if params.cut_adverse_moves <= 0.0 or mid_usd <= 0.0 or (
            state.move_mid_usd > 0.0 and now_ns - state.move_ns < MOVE_NS):
        return
    if state.move_mid_usd > 0.0 and mid_usd > state.move_mid_usd:
        state.moves = state.moves + 1 if state.moves > 0 else 1
    elif mid_usd < state.move_mid_usd:
        state.moves = state.moves - 1 if state.moves < 0 else -1
    state.move_mid_usd, state.move_ns = mid_usd, now_ns


cdef bint moves_rest(const Reaction* state, const InventoryParams* params,
                     int64_t now_ns) noexcept nogil:
    """Whether the mid need not be looked at yet."""
    return params.cut_adverse_moves <= 0.0 or now_ns - state.move_ns < MOVE_NS


cdef void reduce_stance(Reaction* state, const Instrument* spec, const SignalState* signal,
                        const ParamValues* params, int64_t contracts, int64_t now_ns,
                        Stance* out) noexcept nogil:
    """Say what a cover or a cut asks for at this decision."""
    cover(state, signal, params, contracts, now_ns, out)
    if out.take == TAKE_NONE:
        cut(state, spec, signal, &params.inventory, contracts, out)


cdef void cover(Reaction* state, const SignalState* signal, const ParamValues* params,
                int64_t contracts, int64_t now_ns, Stance* out) noexcept nogil:
    """Only the covering side, a step nearer each time; past its time or loss the rest is taken.

    Over when the fill is covered, the position flat, or half of what triggered it recovered.
    """
    cdef int32_t side = state.cover_side
    cdef double signed = 1.0 if side == SIDE_ASK else -1.0
    cdef double elapsed, loss_bps = 0.0
    cdef int64_t held, step_ns = <int64_t>(params.cover.step_s * 1e9)
    if state.cover_ns == 0:
        return
    held = contracts if side == SIDE_ASK else -contracts
    if signal.mid_usd > 0.0:
        loss_bps = signed * (state.cover_fill_usd / signal.mid_usd - 1.0) * 1e4
        if loss_bps < 0.5 * params.cover.trigger_bps:
            state.cover_contracts = 0
    if held <= 0 or state.cover_contracts <= 0:
        state.cover_ns = 0
        return
    elapsed = <double>(now_ns - state.cover_ns) * 1e-9
    out.removed[1 - side] |= REMOVED_COVER
    if elapsed >= params.cover.max_s or (
            0.0 < params.cover.max_loss_bps <= loss_bps):
        out.removed[side] |= REMOVED_COVER      # the rest is taken, not waited for
        if state.take_ns == 0 or now_ns - state.take_ns >= step_ns:
            out.take, out.take_side = TAKE_COVER, side
            out.take_contracts = state.cover_contracts if state.cover_contracts < held else held
        else:
            wake_at(out, state.take_ns + step_ns, now_ns)
        return
    wake_at(out, state.cover_ns + <int64_t>(params.cover.max_s * 1e9), now_ns)
    if step_ns > 0:
        out.cover_bps[side] = params.cover.step_bps * (1.0 + floor(elapsed / params.cover.step_s))
        wake_at(out, now_ns + step_ns - (now_ns - state.cover_ns) % step_ns, now_ns)


cdef void cut(const Reaction* state, const Instrument* spec, const SignalState* signal,
              const InventoryParams* params, int64_t contracts, Stance* out) noexcept nogil:
    """Beyond cut_above_btc, with so many moves in a row against it: a clip of the position."""
    cdef double held_btc = delta_btc(spec, contracts, signal.reference_usd)
    cdef int32_t against = -state.moves if contracts > 0 else state.moves
    cdef int64_t held = contracts if contracts > 0 else -contracts
    if (params.cut_above_btc <= 0.0 or params.cut_adverse_moves <= 0.0
            or fabs(held_btc) <= params.cut_above_btc
            or against < <int32_t>params.cut_adverse_moves):
        return
    out.take = TAKE_CUT
    out.take_side = SIDE_ASK if contracts > 0 else SIDE_BID
    out.take_contracts = lots_down(
        spec, contracts_of_btc(spec, params.cut_clip_btc, signal.reference_usd))
    if out.take_contracts > held:
        out.take_contracts = held


cdef void reduction_taken(Reaction* state, const Take* take, int64_t now_ns) noexcept nogil:
    """The planner has sent it: a cover asks again a step later, a cut after as many moves more."""
    if take.why == TAKE_COVER:
        state.take_ns = now_ns
    elif take.why == TAKE_CUT:
        state.moves = 0


cdef void set_take(const Instrument* spec, const SignalState* signal, const Stance* stance,
                   double limit_bps, Take* out) noexcept nogil:
    """Make the request: an IOC through the other side's best by at most limit_bps.

    Nothing where that side is empty: there is nothing to take, and no price to name.
    """
    cdef int64_t touch = signal.others_ticks[1 - stance.take_side]
    cdef double price
    out.why = TAKE_NONE
    if stance.take == TAKE_NONE or not NO_BID < touch < NO_ASK:
        return
    out.why, out.side = stance.take, stance.take_side
    out.time_in_force, out.reduce_only, out.lowers_net = TIF_IOC, True, False
    out.amount_contracts = stance.take_contracts
    price = price_usd(spec, touch)
    if out.side == SIDE_BID:
        price *= 1.0 + limit_bps * 1e-4
        if 0.0 < signal.max_price_usd < price:
            price = signal.max_price_usd
        out.price_ticks = ticks_down(spec, price)
    else:
        price *= 1.0 - limit_bps * 1e-4
        if price < signal.min_price_usd:
            price = signal.min_price_usd
        out.price_ticks = ticks_up(spec, price)


cdef double exit_usd(const Instrument* spec, OrderBook book, int64_t contracts) noexcept nogil:
    """Mean price of closing a whole position, signed, into the book; 0 without a valid book."""
    cdef LevelChange[SLOTS_MAX] rows
    cdef int64_t left = contracts if contracts > 0 else -contracts
    cdef int32_t side = SIDE_BID if contracts > 0 else SIDE_ASK
    cdef int32_t i, n
    cdef double cost = 0.0, total = <double>left
    cdef int64_t part = 0
    if left == 0 or not book.valid:
        return 0.0
    if book.level_count[side] and book.amount_at(side, book.best[side]) >= left:
        return price_usd(spec, book.best[side])     # mostly the touch takes all
    n = book.walk(side, rows, SLOTS_MAX)
    if n == 0:
        return 0.0
    for i in range(n):
        part = rows[i].amount_contracts if rows[i].amount_contracts < left else left
        if i == n - 1:
            part = left             # what lies deeper is not better
        cost += <double>part * price_usd(spec, rows[i].price_ticks)
        left -= part
        if left == 0:
            break
    return cost / total
