"""See hysteresis.pxd. Chase late, retreat early; a good place in a queue is worth patience."""
from libc.math cimport fabs

from mmcore.orders cimport mm_low_slot
from mmcore.priority cimport far_up
from mmcore.types cimport SIDE_BID, price_usd

cdef enum:
    SLACK_SHARE = 20

cdef int64_t NEVER_NS = 0x7FFFFFFFFFFFFFFF
cdef double FRONT_PATIENCE = 2.0    # thresholds of an order far up its queue are this much wider


cdef bint is_stale(const Order* order, const OrderParams* params, int64_t now_ns) noexcept nogil:
    """Whether the order stood for long, or saw many prints near it, without being looked at."""
    if params.stale_s > 0.0 and <double>(now_ns - order.looked_ns) * 1e-9 >= params.stale_s:
        return True
    return params.stale_trades > 0.0 and order.near_prints >= <int32_t>params.stale_trades


cdef int64_t stale_at_ns(int64_t looked_ns, const OrderParams* params) noexcept nogil:
    """The earliest time at which time alone makes an order stale."""
    return looked_ns + <int64_t>(params.stale_s * 1e9) if params.stale_s > 0.0 else NEVER_NS


cdef bint price_due(const Patience* p, const Order* order, int64_t price_ticks) noexcept nogil:
    """Whether a live order must leave its price for that of a rung."""
    cdef int64_t away = (order.price_ticks - price_ticks if order.side == SIDE_BID
                         else price_ticks - order.price_ticks)
    cdef double reference = p.signal.reference_usd
    cdef double moved_bps, at_usd, patience
    if away == 0 or (away if away > 0 else -away) <= <int64_t>p.params.keep_ticks:
        return False
    moved_bps = fabs(<double>away) * p.spec.tick_usd / reference * 1e4
    at_usd = price_usd(p.spec, order.price_ticks)
    patience = FRONT_PATIENCE if far_up(order) else 1.0
    if away > 0:                # wanted further from the market: the market came nearer
        if moved_bps > p.params.retreat_bps * patience or (
                not p.reducing and fabs(at_usd - p.fair_usd) < p.floor_usd):
            return True
    elif moved_bps > p.params.requote_bps * p.chase_factor * patience or (
            fabs(at_usd - reference) > p.params.off_center_bps * 1e-4 * reference + fabs(
                price_usd(p.spec, price_ticks) - reference)):
        return True
    return is_stale(order, p.params, p.now_ns)


cdef uint32_t due_from(const Patience* p, const Order* order, const Rung* rungs,
                       uint32_t open_rungs) noexcept nogil:
    """Rungs whose price is none that an order may stay away from."""
    cdef uint32_t due = 0
    cdef int32_t rung
    while open_rungs:
        rung = mm_low_slot(open_rungs)
        open_rungs &= open_rungs - 1
        due |= <uint32_t>price_due(p, order, rungs[rung].price_ticks) << rung
    return due


cdef bint fits(const Patience* p, const Order* order, const Rung* rung) noexcept nogil:
    """Whether a live order's size serves a rung.

    More than the rung asks for is shrunk, the twentieth part aside that a moving price adds to a
    size in BTC; less is grown once half of it is gone.
    """
    cdef int64_t resting = order.amount_contracts - order.filled_contracts
    cdef int64_t most = rung.amount_contracts
    if not p.limited:
        most += most // SLACK_SHARE
    return resting <= most and 2 * resting >= rung.amount_contracts


cdef bint keeps(const Patience* p, const Order* order, const Rung* rung) noexcept nogil:
    """Whether a live order serves a rung as it is: no message is needed."""
    return fits(p, order, rung) and not price_due(p, order, rung.price_ticks)


cdef bint stands(const Order* order, const Rung* rung) noexcept nogil:
    """Whether a live order is exactly what a rung asks for."""
    return (order.price_ticks == rung.price_ticks
            and order.amount_contracts - order.filled_contracts == rung.amount_contracts)


cdef void look_again(Order* order, int64_t now_ns) noexcept nogil:
    """A stale order was weighed anew and stays: its time and its prints count from here."""
    order.looked_ns = now_ns
    order.near_prints = 0
