"""Maker slots and the orders in them; see stage.pxd."""
from libc.string cimport memset

from connectors.sim.checks cimport SIM_OK
from connectors.sim.orders cimport SIM_ORDER_LIMIT, OrderRequest, Outcome, SimOrder
from mmcore.types cimport SIDE_BID, TIF_GTC, TIF_IOC, VENUE_ORDER_OPEN

cdef double HOLD_TICKS = 0.9        # the latent price may leave the touch by this before it moves


cdef void stage_set(Stage* stage, int32_t market, double tick_usd, double depth,
                    double basis_usd, double life_s) noexcept nogil:
    """Set up the perpetual (market 0) or a dated contract: thinner, wider, slower."""
    memset(stage, 0, sizeof(Stage))
    stage.market = market
    stage.tick_usd = tick_usd
    stage.taker_sign = 1
    if market == 0:     # levels 5, 10, 25 lie 6, 11.75 and 30.5 USD from the mid
        stage.touch_count, stage.near_end, stage.count = 6, 50, 62
        stage.near_ticks, stage.far_ticks, stage.half_gap_ticks = 92, 800, 0
        stage.pace, stage.depth = 1.0, depth
        return
    stage.touch_count, stage.near_end, stage.count = 2, 14, 18
    stage.near_ticks, stage.far_ticks, stage.half_gap_ticks = 120, 800, 2 + min(market, 3)
    stage.pace, stage.depth = 0.06, 0.5 * depth
    stage.basis_usd = basis_usd
    stage.basis_per_s = basis_usd / life_s if life_s > 0.0 else 0.0


cdef bint misplaced(const Stage* stage, double price_usd) noexcept nogil:
    """Has the latent price left the stage's touch?"""
    cdef double at = (price_usd + stage.basis_usd) / stage.tick_usd
    cdef double hold = HOLD_TICKS + 0.5 * <double>stage.half_gap_ticks
    return at < <double>stage.bid_ticks - hold or at > <double>(stage.bid_ticks + 1) + hold


cdef int64_t touch_ticks(const Stage* stage, int32_t side) noexcept nogil:
    """Where the best price of a side belongs."""
    if side == SIDE_BID:
        return stage.bid_ticks - stage.half_gap_ticks
    return stage.bid_ticks + 1 + stage.half_gap_ticks


cdef bint touch_missing(Exchange exchange, const Stage* stage, int32_t side) noexcept:
    """Is nothing at the touch of a side, or better?"""
    cdef int64_t best = 0
    cdef int64_t own = touch_ticks(stage, side)
    if not exchange.best_ticks(stage.market, side, &best):
        return True
    return best < own if side == SIDE_BID else best > own


cdef void limit_request(OrderRequest* request, const Stage* stage, int32_t side,
                        int64_t price_ticks, int64_t contracts,
                        int32_t time_in_force) noexcept nogil:
    """A limit order of one contract at least on the stage's book."""
    memset(request, 0, sizeof(OrderRequest))
    request.market = stage.market
    request.side = side
    request.kind = SIM_ORDER_LIMIT
    request.time_in_force = time_in_force
    request.price_ticks = price_ticks
    request.amount_contracts = contracts if contracts > 0 else 1


cdef int put_order(Exchange exchange, int64_t t_ns, const Participants* who, Stage* stage,
                   int32_t side, int32_t slot, int64_t price_ticks, int64_t contracts,
                   SyntheticCounters* counts) except -1:
    """Have the slot's order at a price with that much open: an edit where it lives."""
    cdef MakerSlot* place = &stage.slots[side][slot]
    cdef int32_t account = who.makers[slot % MAKERS]
    cdef const SimOrder* order = NULL
    cdef OrderRequest request
    cdef Outcome out
    limit_request(&request, stage, side, price_ticks, contracts, TIF_GTC)
    memset(&out, 0, sizeof(Outcome))
    request.post_only = True
    request.reject_post_only = True
    if place.order_id:
        order = exchange.order(place.order_id)
    if order != NULL and order.state == VENUE_ORDER_OPEN:
        request.amount_contracts += order.filled_contracts
        exchange.edit(t_ns, account, place.order_id, &request, &out)
        counts.edits += 1
    else:
        place.order_id = 0
        exchange.submit(t_ns, -1, account, &request, &out)
        counts.new_orders += 1
        if out.error == SIM_OK:
            place.order_id = exchange.pool.items[out.slot].order_id
    if out.error == SIM_OK:
        place.price_ticks = price_ticks
        return 0
    counts.refused += 1
    order = exchange.order(place.order_id) if place.order_id else NULL
    if order == NULL or order.state != VENUE_ORDER_OPEN:
        place.order_id = 0      # a refused post-only edit ends the order
    return 0


cdef int pull_order(Exchange exchange, int64_t t_ns, const Participants* who, Stage* stage,
                    int32_t side, int32_t slot, SyntheticCounters* counts) except -1:
    """Cancel the slot's order if it lives."""
    cdef MakerSlot* place = &stage.slots[side][slot]
    cdef Outcome out
    memset(&out, 0, sizeof(Outcome))
    if place.order_id:
        exchange.cancel(t_ns, who.makers[slot % MAKERS], place.order_id, &out)
        counts.cancels += 1
        place.order_id = 0
    return 0


cdef int take_order(Exchange exchange, int64_t t_ns, int32_t account, const Stage* stage,
                    int32_t side, int64_t limit_ticks, int64_t contracts) except -1:
    """Send an immediate order; what finds no counterpart down to the limit is gone."""
    cdef OrderRequest request
    cdef Outcome out
    limit_request(&request, stage, side, limit_ticks, contracts, TIF_IOC)
    memset(&out, 0, sizeof(Outcome))
    return exchange.submit(t_ns, -1, account, &request, &out)
