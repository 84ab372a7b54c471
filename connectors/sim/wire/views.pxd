"""Orders, trades, positions and balances as the venue's JSON objects, key for key."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.exchange cimport Exchange
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport SimOrder, SimTrade, TradeLeg

cdef dict order_view(Exchange exchange, const SimOrder* order)
cdef dict trade_view(Exchange exchange, const SimOrder* order, const SimTrade* trade,
                     const TradeLeg* leg)
cdef dict print_view(Exchange exchange, const SimTrade* trade)
cdef dict position_view(Exchange exchange, int32_t account, int32_t market, bint full)
cdef dict portfolio_view(Exchange exchange, int32_t account, int32_t currency)
cdef dict ticker_view(Exchange exchange, int32_t market, int64_t t_ns)
cdef list window_of(MatchBook book, int32_t side, int32_t depth, int32_t group)
cdef list merged(list changes)
