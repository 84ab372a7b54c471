"""Outcomes for Python; see replies.pxd."""
from libc.stdint cimport int64_t

from connectors.sim.checks cimport SIM_OK, SIM_PENDING
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport SimOrder, SimTrade, TradeLeg
from connectors.sim.waiting cimport WAIT_CANCEL, WAIT_CANCEL_ALL
from connectors.sim.wire.views cimport order_view, trade_view
from mmcore.types cimport price_usd


cdef tuple outcome_reply(Exchange exchange, const Outcome* outcome):
    """The reply to a request; of a pending one the result is its ticket."""
    cdef const SimTrade* trade
    cdef const TradeLeg* leg
    cdef const SimOrder* order
    cdef list trades = []
    cdef int64_t i
    cdef object limit = None
    if outcome.error == SIM_PENDING:
        return outcome.error, None, outcome.ticket
    if outcome.error != SIM_OK:
        if outcome.limit_ticks:
            limit = price_usd(&(<MatchBook>exchange.books[outcome.market]).spec,
                              outcome.limit_ticks)
        return outcome.error, limit, None
    if outcome.kind == WAIT_CANCEL_ALL:
        return SIM_OK, None, outcome.count
    order = &exchange.pool.items[outcome.slot]
    if outcome.kind == WAIT_CANCEL:
        return SIM_OK, None, order_view(exchange, order)
    for i in range(outcome.first_trade, outcome.end_trade):
        trade = exchange.trades.at(i)
        leg = &trade.taker
        if leg.order_id == order.order_id or (
                leg.parent_id != 0 and leg.parent_id == order.order_id):
            trades.append(trade_view(exchange, order, trade, leg))
    return SIM_OK, None, {"order": order_view(exchange, order), "trades": trades}
