"""Liquidation; see liquidation.pxd.

Every tenth of a second an account below its maintenance margin loses its open orders, and a fifth
of its largest position is sold or bought at market, until the rest is backed again. The taker fee
of these orders is the liquidation fee. What an account owes beyond its money stays a negative
balance: nobody else's profit is cut.
"""
from libc.string cimport memset

from connectors.sim.account cimport CURRENCIES, Account, currency_of
from connectors.sim.margin cimport liquidation_part, maintenance_margin
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport (
    CANCEL_LIQUIDATION, SIM_ORDER_MARKET, SLOT_NONE, OrderRequest, Outcome,
)
from mmcore.types cimport (
    MARKET_OPEN, SIDE_ASK, SIDE_BID, TIF_IOC, VENUE_ORDER_CANCELLED,
)


cdef class Liquidation(Triggers):
    """Watches equity against maintenance margin."""

    cdef int check_margins(self, int64_t t_ns) except -1:
        cdef Account owner
        cdef int32_t i, currency
        cdef double needed
        for i in range(self.account_count):
            owner = self.accounts[i]
            if owner.silent:
                continue
            for currency in range(CURRENCIES):
                needed = self.maintenance_of(i, currency)
                if needed > 0.0 and self.equity_of(i, currency) < needed:
                    self.liquidate(t_ns, i, currency)
        return 0

    cdef int32_t largest(self, int32_t account, int32_t currency) except? -2:
        """The open market whose position needs the most margin, or -1."""
        cdef Account owner = self.accounts[account]
        cdef MatchBook book
        cdef int32_t market
        cdef int32_t found = -1
        cdef int64_t size
        cdef double margin
        cdef double most = 0.0
        for market in range(self.market_count):
            size = owner.positions[market].size_contracts
            book = self.books[market]
            if (size == 0 or self.data[market].state != MARKET_OPEN
                    or currency_of(&book.spec) != currency):
                continue
            margin = maintenance_margin(&book.spec, self.margin_price(market),
                                        size if size > 0 else -size)
            if margin > most:
                most = margin
                found = market
        return found

    cdef int liquidate(self, int64_t t_ns, int32_t account, int32_t currency) except -1:
        """One step: no open orders, and part of the largest position closed at market."""
        cdef OrderRequest request
        cdef Outcome out
        cdef Account owner = self.accounts[account]
        cdef int32_t market = self.largest(account, currency)
        cdef int32_t slot = owner.open_head
        cdef int32_t behind, at
        cdef int64_t size
        if market < 0:
            return 0
        while slot != SLOT_NONE:
            behind = self.pool.items[slot].account_next
            at = self.pool.items[slot].market
            if currency_of(&(<MatchBook>self.books[at]).spec) == currency:
                self.close_order(t_ns, slot, VENUE_ORDER_CANCELLED, CANCEL_LIQUIDATION)
                self.note_change(t_ns, at)
            slot = behind
        size = owner.positions[market].size_contracts
        memset(&request, 0, sizeof(request))
        request.market = market
        request.side = SIDE_ASK if size > 0 else SIDE_BID
        request.kind = SIM_ORDER_MARKET
        request.time_in_force = TIF_IOC
        request.amount_contracts = liquidation_part(
            size if size > 0 else -size, (<MatchBook>self.books[market]).spec.lot_contracts)
        request.liquidation = True
        self.accept(t_ns, -1, account, &request, 0, &out)
        return self.outputs.on_event_end(t_ns)
