"""Public trades still remembered: the newest of a market, and candles made of them."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.exchange cimport Exchange
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport SimTrade
from connectors.sim.wire.views cimport print_view
from mmcore.types cimport Instrument, delta_btc, price_usd

cdef int64_t MS = 1000000


def newest_trades(Exchange exchange not None, int32_t market, int64_t count):
    """The last `count` trades of a market (-1: of all), oldest first."""
    cdef int64_t i = exchange.trades.count
    cdef list found = []
    while i > exchange.trades.first() and len(found) < count:
        i -= 1
        if market < 0 or exchange.trades.at(i).market == market:
            found.append(print_view(exchange, exchange.trades.at(i)))
    found.reverse()
    return found


def candles(Exchange exchange not None, int32_t market, int64_t step_ms, int64_t first_ms,
            int64_t end_ms):
    """Candles [tick_ms, open, high, low, close, volume_btc, cost_usd] that begin in a time.

    A step without a trade repeats the close before it, as the venue fills its charts; before the
    first trade there is none.
    """
    cdef const SimTrade* trade
    cdef Instrument* spec = &(<MatchBook>exchange.books[market]).spec
    cdef int64_t i, tick_ms
    cdef double price, volume
    cdef list rows = []
    cdef list row = None
    for i in range(exchange.trades.first(), exchange.trades.count):
        trade = exchange.trades.at(i)
        if trade.market != market:
            continue
        tick_ms = trade.t_ns // MS // step_ms * step_ms
        if tick_ms > end_ms:
            break
        price = price_usd(spec, trade.price_ticks)
        while row is not None and row[0] + step_ms < tick_ms:
            row = [row[0] + step_ms, row[4], row[4], row[4], row[4], 0.0, 0.0]
            rows.append(row)
        if row is None or row[0] != tick_ms:
            row = [tick_ms, price, price, price, price, 0.0, 0.0]
            rows.append(row)
        row[2] = max(row[2], price)
        row[3] = min(row[3], price)
        row[4] = price
        volume = delta_btc(spec, trade.amount_contracts, price)
        row[5] += volume
        row[6] += volume * price
    while row is not None and row[0] + step_ms <= end_ms:
        row = [row[0] + step_ms, row[4], row[4], row[4], row[4], 0.0, 0.0]
        rows.append(row)
    return [[r[0], r[1], r[2], r[3], r[4], round(r[5], 8), round(r[6], 2)]
            for r in rows if r[0] >= first_ms]
