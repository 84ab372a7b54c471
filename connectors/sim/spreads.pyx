"""Spreads on their legs; see spreads.pxd.

Buying a spread buys its first leg and sells its second, the same amount of each. The legs' prices
lie around their marks, apart by exactly the spread's price. A participant pays the fee of the
first leg; the second is free, and so is the spread's own row.
"""
from connectors.sim.orders cimport (
    ORDER_SLOT_BITS, SLOT_NONE, TRADE_COMBO_LEG, SimOrder,
)
from connectors.sim.matching cimport MatchBook
from libc.math cimport floor
from mmcore.types cimport VENUE_ORDER_FILLED, price_usd
from libc.stdint cimport uint64_t


cdef class Spreads(Clearing):
    """Bookings of trades of spreads."""

    cdef int leg_ticks(self, int32_t market, int64_t price_ticks, int64_t* bought,
                       int64_t* sold) except -1:
        """The prices of both legs: half of what the price is off the marks on each."""
        cdef MatchBook book = self.books[market]
        cdef double far = self.data[self.data[market].legs[0]].mark_usd
        cdef double near = self.data[self.data[market].legs[1]].mark_usd
        cdef double off = price_usd(&book.spec, price_ticks) - (far - near)
        sold[0] = <int64_t>floor((near - 0.5 * off) / book.spec.tick_usd + 0.5)
        bought[0] = sold[0] + price_ticks
        return 0

    cdef int book_spread(self, SimTrade* trade, int32_t maker, int32_t taker) except -1:
        """Print and book both legs of a spread's trade for both participants."""
        cdef int32_t market = trade.market
        cdef int64_t ticks[2]
        cdef SimTrade* legs[2]
        cdef int32_t i, side
        self.leg_ticks(market, trade.price_ticks, &ticks[0], &ticks[1])
        for i in range(2):
            side = trade.side if i == 0 else 1 - trade.side
            legs[i] = self.book_trade(trade.t_ns, self.data[market].legs[i], side, ticks[i],
                                      trade.amount_contracts, trade.flags | <int>TRADE_COMBO_LEG)
            legs[i].combo = market + 1
            legs[i].combo_trade_id = trade.trade_id
        self.book_party(trade, &trade.maker, legs, maker, True)
        return self.book_party(trade, &trade.taker, legs, taker, False)

    cdef int book_party(self, SimTrade* trade, TradeLeg* leg, SimTrade** legs, int32_t slot,
                        bint maker) except -1:
        """Book one participant's legs, then the fill of its order in the spread's book."""
        cdef SimOrder* order = NULL
        cdef TradeLeg* part
        cdef MatchBook book
        cdef int64_t rate
        cdef int32_t i, side
        leg.slot = slot
        if slot != SLOT_NONE:
            order = &self.pool.items[slot]
            leg.account = order.account
        for i in range(2):
            book = self.books[legs[i].market]
            part = &legs[i].maker if maker else &legs[i].taker
            side = 1 - legs[i].side if maker else legs[i].side
            rate = book.spec.maker_fee_e8 if maker else book.spec.taker_fee_e8
            part.slot = slot
            part.account = leg.account
            self.book_side(legs[i], part, side, rate if i == 0 and order != NULL else 0)
            if order == NULL:
                continue
            self.pool.sequence += 1
            part.order_id = <int64_t>((self.pool.sequence << ORDER_SLOT_BITS) | <uint64_t>slot)
            part.parent_id = order.order_id
            part.state = VENUE_ORDER_FILLED
            self.tell_trade(legs[i], part)
        if order != NULL:
            # There is no cost of a spread: its average price is arithmetic.
            self.note_fill(trade, leg, order, trade.price_ticks * trade.amount_contracts, maker)
            for i in range(2):
                self.drop_reduce_only(trade.t_ns, leg.account, legs[i].market)
                self.note_change(trade.t_ns, legs[i].market)
        return 0
