"""Settlements of accounts and of markets, and the log of what changed an account's cash."""

from __future__ import annotations

from typing import Any

from connectors.sim.wire.bookings import Booking
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.errors import invalid
from connectors.sim.wire.params import STAMP_MAX, Params
from connectors.sim.wire.venue import CURRENCIES, Venue

TYPES = ("settlement", "delivery", "bankruptcy")
LAST_PAGE = "none"      # a word, on the venue too
FIRST_ID = 1_000_000
PUBLIC = ("get_last_settlements_by_instrument", "get_last_settlements_by_currency")
PRIVATE = ("get_settlement_history_by_instrument", "get_settlement_history_by_currency",
           "get_transaction_log")
Row = dict[str, Any]


class Money:
    """Handlers; each takes (caller, params, t_ns) and returns the result."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.exchange = venue.exchange

    # ---- settlements
    def page(self, params: Params, found: list[Row]) -> Row:
        """Return a page of settlements (newest first) of the type and time asked for."""
        kind = params.choice("type", TYPES) if "type" in params.values else None
        latest_ms = params.integer("search_start_timestamp", STAMP_MAX, 0, STAMP_MAX)
        count = params.integer("count", 20, 1, 1000)
        start = params.text("continuation", "") or "0"
        if start == LAST_PAGE:
            return {"settlements": [], "continuation": LAST_PAGE}
        if not start.isascii() or not start.isdigit() or len(start) > 9:
            raise invalid("continuation", "is not one of ours")
        rows = [row for row in found if kind in (None, row["type"])
                and row["timestamp"] <= latest_ms]
        end = int(start) + count
        return {"settlements": rows[int(start):end],
                "continuation": str(end) if end < len(rows) else LAST_PAGE}

    def view(self, t_ms: int, market: int, deliver: bool, position: float, price: float,
             index: float, profit_e8: int, funding_e8: int) -> Row:
        row: Row = {
            "type": "delivery" if deliver else "settlement", "timestamp": t_ms,
            "session_profit_loss": profit_e8 / 1e8, "profit_loss": profit_e8 / 1e8,
            "position": position, "mark_price": price,
            "instrument_name": self.exchange.specs[market].name, "index_price": round(index, 2),
            "funding": funding_e8 / 1e8}
        return row

    def mine(self, account: int, market: int = -1, currency: int = -1) -> list[Row]:
        """Return the settlements and deliveries of an account, newest first."""
        return [self.view(t_ms, at, deliver, size, price, index, profit_e8, funding_e8)
                for t_ms, owner, at, deliver, size, price, index, profit_e8, funding_e8, _, _
                in reversed(self.exchange.settlements)
                if owner == account and market in (-1, at)
                and currency in (-1, self.venue.desk.settles_in(at))]

    def get_settlement_history_by_instrument(self, caller: Caller, params: Params,
                                             t_ns: int) -> Any:
        return self.page(params, self.mine(caller.account, market=self.venue.market(params)))

    def get_settlement_history_by_currency(self, caller: Caller, params: Params,
                                           t_ns: int) -> Any:
        return self.page(params, self.mine(caller.account, currency=self.venue.currency(params)))

    def get_last_settlements_by_instrument(self, caller: Caller, params: Params,
                                           t_ns: int) -> Any:
        market = self.venue.market(params)
        return self.page(params, [self.view(*row) for row in reversed(
            self.exchange.settled_markets) if row[1] == market])

    def get_last_settlements_by_currency(self, caller: Caller, params: Params, t_ns: int) -> Any:
        currency = self.venue.currency(params)
        return self.page(params, [self.view(*row) for row in reversed(
            self.exchange.settled_markets)
            if currency in (-1, self.venue.desk.settles_in(row[1]))])

    # ---- the transaction log
    def get_transaction_log(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Return what changed the cash of an account and why, newest first."""
        currency = self.venue.currency(params)
        first_ms, end_ms = params.span()
        count = params.integer("count", 100, 1, 250)
        offset = params.integer("continuation", 0, 0, 1_000_000)
        query = params.text("query", "")
        logs = [log for log in self.logs(caller, currency) if first_ms <= log["timestamp"]
                <= end_ms and all(word in words(log) for word in query.split())]
        more = len(logs) > offset + count
        return {"logs": logs[offset:offset + count],
                "continuation": offset + count if more else None}

    def logs(self, caller: Caller, currency: int) -> list[Row]:
        """Return the whole log, newest first; each entry's balance is what it left."""
        settles_in = self.venue.desk.settles_in
        found: list[Row] = []
        funding: dict[int, int] = {}        # of each position at its last entry
        trades = [b for b in self.venue.subscriptions.broadcast.ledger.bookings(caller.account)
                  if currency in (-1, settles_in(b.market))]
        settled = [s for s in self.exchange.settlements
                   if s[1] == caller.account and currency in (-1, settles_in(s[2]))]
        deposits = [(name, number) for name, number in CURRENCIES.items()
                    if currency in (-1, number)]
        for name, number in deposits:
            amount_e8 = self.venue.settings.balance_e8[number]
            if amount_e8:
                found.append(self.deposit(caller, name, amount_e8))
        at = 0
        for row in settled:
            while at < len(trades) and trades[at].t_ms <= row[0]:
                found.append(self.trade(trades[at], funding))
                at += 1
            found.append(self.settlement(row))
            funding[row[2]] = 0
        found += [self.trade(booking, funding) for booking in trades[at:]]
        user_id = self.exchange.accounts[caller.account].user_id
        for number, log in enumerate(found, 1):
            log |= {"id": FIRST_ID + number, "user_seq": number, "user_id": user_id,
                    "username": caller.client_id}
        return found[::-1]

    def deposit(self, caller: Caller, currency: str, amount_e8: int) -> Row:
        amount = amount_e8 / 1e8
        return {"type": "deposit", "timestamp": self.exchange.accounts[caller.account].created_ms,
                "currency": currency, "commission": 0.0, "cashflow": amount, "change": amount,
                "balance": amount, "equity": amount, "side": "-", "instrument_name": None,
                "position": None, "trade_id": None, "order_id": None, "price": None,
                "interest_pl": None, "info": {"deposit_type": "wallet"}}

    def trade(self, b: Booking, funding: dict[int, int]) -> Row:
        role = "maker" if b.maker else "taker"
        listing = self.venue.listings[b.market]
        interest_e8 = b.funding_e8 - funding.get(b.market, 0)
        funding[b.market] = b.funding_e8
        return {
            "currency": self.venue.currency_of(listing.spec.name), "timestamp": b.t_ms,
            "commission": b.fee_e8 / 1e8, "cashflow": b.profit_e8 / 1e8,
            "balance": b.balance_e8 / 1e8, "change": -b.fee_e8 / 1e8, "type": "trade",
            "info": "Source: api", "equity": b.equity, "mark_price": b.mark_price,
            "index_price": b.index_price, "instrument_name": listing.spec.name,
            "position": b.size,
            "side": f"{'close' if b.closing else 'open'} {'buy' if b.bought else 'sell'}",
            "amount": b.amount, "contracts": float(b.contracts), "price": b.price,
            "price_currency": "USD", "trade_id": str(b.trade_id), "order_id": str(b.order_id),
            "user_role": role, "fee_role": role, "profit_as_cashflow": False,
            "interest_pl": interest_e8 / 1e8, "total_interest_pl": b.funding_e8 / 1e8,
            "session_rpl": b.session_e8 / 1e8}

    def settlement(self, row: tuple[Any, ...]) -> Row:
        """Return the entry of a settlement or a delivery; it moves the session to the cash."""
        t_ms, _, market, deliver, size, price, index, profit_e8, funding_e8, fee_e8, left_e8 = row
        name = self.exchange.specs[market].name
        side = ("close sell" if size > 0 else "close buy") if deliver else (
            "long" if size > 0 else "short" if size < 0 else "-")
        return {
            "type": "delivery" if deliver else "settlement", "timestamp": t_ms,
            "currency": self.venue.currency_of(name), "commission": fee_e8 / 1e8,
            "cashflow": profit_e8 / 1e8, "change": (profit_e8 - fee_e8) / 1e8,
            "balance": left_e8 / 1e8, "instrument_name": name, "side": side,
            "position": 0.0 if deliver else size, "amount": abs(size), "price": price,
            "settlement_price": price, "index_price": round(index, 2), "price_currency": "USD",
            "trade_id": None, "order_id": None, "interest_pl": funding_e8 / 1e8,
            "total_interest_pl": funding_e8 / 1e8, "session_rpl": profit_e8 / 1e8,
            "info": {"settlement_price": price, "floating_pl": 0.0}}


def words(log: Row) -> set[str]:
    """Return what a query may ask an entry for."""
    return {log["type"], log.get("user_role") or "", log["instrument_name"] or "",
            *log["side"].split()}
