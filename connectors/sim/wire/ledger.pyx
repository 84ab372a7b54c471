"""Bookings as they happen; see ledger.pxd."""
from collections import deque

from connectors.sim.account cimport Account, currency_of
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport TRADE_LIQUIDATION
from connectors.sim.wire.bookings import Booking
from mmcore.types cimport SIDE_BID, Instrument, amount_of, price_usd

cdef int KEPT = 100000      # per account


cdef class Ledger:
    """The trades of every account, as long as the exchange runs; the newest KEPT of each."""

    def __cinit__(self):
        self.rows = {}

    cdef int note(self, Exchange exchange, const SimTrade* trade, const TradeLeg* leg,
                  bint taker) except -1:
        """Note one side of a trade that has just been booked; a spread's legs, not itself."""
        cdef Instrument* spec = &(<MatchBook>exchange.books[trade.market]).spec
        cdef Account owner = exchange.accounts[leg.account]
        cdef int32_t currency = currency_of(spec)
        if exchange.is_spread(trade.market):
            return 0
        rows = self.rows.get(leg.account)
        if rows is None:
            rows = self.rows[leg.account] = deque(maxlen=KEPT)
        rows.append(Booking(
            trade.t_ns // 1000000, trade.market, trade.trade_id, leg.order_id,
            (trade.side == SIDE_BID) == taker, not taker, leg.reduced,
            (trade.flags & <int>TRADE_LIQUIDATION) != 0,
            amount_of(spec, trade.amount_contracts), trade.amount_contracts,
            price_usd(spec, trade.price_ticks), round(trade.mark_usd, 2),
            round(trade.index_usd, 2), leg.fee_e8, leg.profit_e8,
            owner.positions[trade.market].funding_e8, owner.balance_e8[currency],
            owner.session_e8[currency], round(exchange.equity_of(leg.account, currency), 8),
            amount_of(spec, owner.positions[trade.market].size_contracts)))
        return 0

    def bookings(self, int32_t account):
        """What was booked on an account, oldest first."""
        return self.rows.get(account, ())
