"""What an account can read of its past and of its money."""

from __future__ import annotations

from typing import Any

from connectors.sim.wire.caller import Caller
from connectors.sim.wire.params import Params
from connectors.sim.wire.trading import SELF_TRADE_MODES, Trading
from connectors.sim.wire.venue import CURRENCIES, Venue

CLOSED_MAX = 20_000


class Records:
    """Handlers of private methods; each takes (caller, params, t_ns) and returns the result."""

    NAMES = (
        "get_account_summaries", "get_user_trades_by_instrument",
        "get_user_trades_by_instrument_and_time", "get_user_trades_by_currency",
        "get_user_trades_by_currency_and_time", "get_user_trades_by_order",
        "get_order_history_by_instrument", "get_order_history_by_currency", "get_subaccounts")

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self.venue = venue
        self.desk = venue.desk
        self.exchange = venue.exchange
        self.trading = trading

    # ---- orders and trades
    def get_user_trades_by_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.venue.page(params, self.desk.user_trades(
            caller.account, market=self.venue.market(params)))

    def get_user_trades_by_instrument_and_time(self, caller: Caller, params: Params,
                                               t_ns: int) -> Any:
        params.span(half=True)
        return self.get_user_trades_by_instrument(caller, params, t_ns)

    def get_user_trades_by_currency(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.venue.page(params, self.desk.user_trades(
            caller.account, currency=self.venue.currency(params)))

    def get_user_trades_by_currency_and_time(self, caller: Caller, params: Params,
                                             t_ns: int) -> Any:
        params.span(half=True)
        return self.get_user_trades_by_currency(caller, params, t_ns)

    def get_user_trades_by_order(self, caller: Caller, params: Params, t_ns: int) -> Any:
        found = self.desk.user_trades(caller.account, order_id=params.order_id())
        if params.choice("sorting", ("asc", "desc", "default"), "default") == "desc":
            found.reverse()
        return found

    def orders(self, caller: Caller, params: Params, market: int, currency: int) -> Any:
        """Return a page of closed orders, newest first; with a continuation where asked for."""
        count = params.integer("count", 20, 1, 1000)
        offset = params.integer("offset", 0, 0, CLOSED_MAX)
        if params.values.get("continuation") is not None:
            offset = Params({"offset": params.values["continuation"]}, lenient=True).integer(
                "offset", 0, 0, CLOSED_MAX)
        found = self.desk.closed_orders(
            caller.account, market=market, currency=currency, count=offset + count + 1,
            unfilled=bool(params.flag("include_unfilled")))
        page = found[offset:offset + count]
        if not params.flag("with_continuation"):
            return page
        more = len(found) > offset + count
        return {"orders": page, "continuation": str(offset + count) if more else None}

    def get_order_history_by_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.orders(caller, params, self.venue.market(params), -1)

    def get_order_history_by_currency(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.orders(caller, params, -1, self.venue.currency(params))

    # ---- money
    def get_account_summaries(self, caller: Caller, params: Params, t_ns: int) -> Any:
        account = self.exchange.accounts[caller.account]
        summaries = []
        for number in CURRENCIES.values():
            summary = self.desk.portfolio(caller.account, number)
            summary["limits"] = self.venue.limits
            if params.flag("extended"):
                summary["fees"] = self.venue.fees()
            summaries.append(summary)
        view: dict[str, Any] = {"summaries": summaries}
        if params.flag("extended"):
            view |= {
                "id": account.user_id, "type": "main", "username": caller.client_id,
                "system_name": caller.client_id, "email": "", "referrer_id": None,
                "creation_timestamp": account.created_ms, "mmp_enabled": False,
                "security_keys_enabled": False, "interuser_transfers_enabled": False,
                "self_trading_reject_mode": SELF_TRADE_MODES[
                    self.desk.self_trade(caller.account)],
                "self_trading_extended_to_subaccounts": False}
        return view

    def get_subaccounts(self, caller: Caller, params: Params, t_ns: int) -> Any:
        account = self.exchange.accounts[caller.account]
        view: dict[str, Any] = {
            "username": caller.client_id, "type": "main", "system_name": caller.client_id,
            "security_keys_enabled": False, "security_keys_assignments": [],
            "receive_notifications": False, "is_password": True, "login_enabled": True,
            "id": account.user_id, "email": ""}
        if params.flag("with_portfolio"):
            view["portfolio"] = {name.lower(): self.desk.portfolio(caller.account, number)
                                 for name, number in CURRENCIES.items()}
        return [view]
