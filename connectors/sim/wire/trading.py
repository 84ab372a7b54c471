"""The private methods: orders, positions, money."""

from __future__ import annotations

from typing import Any

from connectors.sim.wire.caller import Caller
from connectors.sim.wire.errors import RpcError, bad_amount, invalid, refused
from connectors.sim.wire.later import settled
from connectors.sim.wire.params import Params
from connectors.sim.wire.stops import order_kind, trigger_of, trigger_ticks
from connectors.sim.wire.venue import CURRENCIES, Venue, kind_of

BUY, SELL = 0, 1
LIMIT, MARKET = 0, 1
TIMES_IN_FORCE = ("good_til_cancelled", "immediate_or_cancel", "fill_or_kill", "good_til_day")
SELF_TRADE_MODES = ("reject_taker", "cancel_maker")
LABEL_MAX = 64
NOT_HERE = ("linked_order_type", "otoco_config", "display_amount", "advanced", "trigger_offset")
OPEN_TYPES: dict[str, tuple[str, ...]] = {      # of get_open_orders: beginnings of order types
    "all": ("",), "limit": ("limit",), "trigger_all": ("stop_", "take_"), "stop_all": ("stop_",),
    "stop_limit": ("stop_limit",), "stop_market": ("stop_market",), "take_all": ("take_",),
    "take_limit": ("take_limit",), "take_market": ("take_market",), "trailing_all": (),
    "trailing_stop": ()}


class Trading:
    """Handlers of private methods; each takes (caller, params, t_ns) and returns the result."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.desk = venue.desk
        self.exchange = venue.exchange

    # ---- orders
    def place(self, caller: Caller, params: Params, t_ns: int, side: int) -> Any:
        market = self.venue.market(params)
        for name in NOT_HERE:
            if params.values.get(name) is not None:
                raise invalid(name, "not available on this exchange")
        kind, trigger = order_kind(params)
        tif = TIMES_IN_FORCE.index(
            params.choice("time_in_force", TIMES_IN_FORCE, "good_til_cancelled"))
        post_only = bool(params.flag("post_only"))
        reject = bool(params.flag("reject_post_only"))
        if reject and not post_only:
            raise invalid("reject_post_only", "requires post_only")
        price = 0 if kind == MARKET else self.price_ticks(params, market)
        amount = self.contracts(params, market)
        if amount is None:
            raise invalid("amount", "value required")
        if price is None:
            raise invalid("price", "value required")
        return self.answer(self.desk.place(
            t_ns, caller.connection, caller.account, market, side, kind, tif, price, amount,
            label=self.label(params), post_only=post_only, reject_post_only=reject,
            reduce_only=bool(params.flag("reduce_only")), mmp=bool(params.flag("mmp")),
            valid_until_ms=params.integer("valid_until", 0, 0, 10**14),
            **trigger_of(self.venue, params, market, trigger)))

    def buy(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.place(caller, params, t_ns, BUY)

    def sell(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.place(caller, params, t_ns, SELL)

    def edit(self, caller: Caller, params: Params, t_ns: int) -> Any:
        order_id = params.order_id()
        market = self.desk.order_market(order_id, caller.account)
        if market is None:
            raise RpcError(10004)
        return self.edit_order(caller, params, t_ns, order_id, market)

    def edit_by_label(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.venue.market(params)
        found = self.desk.open_orders(caller.account, market=market, label=self.label(params))
        if len(found) != 1:
            raise RpcError(13032 if found else 10004)
        number = int(found[0]["order_id"].rpartition("-")[2])
        return self.edit_order(caller, params, t_ns, number, market)

    def edit_order(self, caller: Caller, params: Params, t_ns: int, order_id: int,
                   market: int) -> Any:
        if params.flag("mmp") is not None:
            raise invalid("mmp", "editing mmp flag is not supported")
        return self.answer(self.desk.edit(
            t_ns, caller.account, order_id, price_ticks=self.price_ticks(params, market),
            amount_contracts=self.contracts(params, market),
            post_only=params.flag("post_only"),
            reject_post_only=params.flag("reject_post_only"),
            reduce_only=params.flag("reduce_only"),
            trigger_ticks=trigger_ticks(self.venue, params, market),
            valid_until_ms=params.integer("valid_until", 0, 0, 10**14)))

    def cancel(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.answer(self.desk.cancel(t_ns, caller.account, params.order_id()))

    def close_position(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.venue.market(params)
        kind = MARKET if params.choice("type", ("limit", "market")) == "market" else LIMIT
        price = 0 if kind == MARKET else self.price_ticks(params, market)
        if price is None:
            raise invalid("price", "value required")
        size = self.exchange.accounts[caller.account].position(market)[0]
        if size == 0:
            raise refused(11030)
        return self.answer(self.desk.place(
            t_ns, caller.connection, caller.account, market, SELL if size > 0 else BUY, kind, 0,
            price, abs(size), reduce_only=True))

    def answer(self, reply: tuple[int, float | None, Any]) -> Any:
        return settled(reply)

    def label(self, params: Params) -> bytes:
        label = params.text("label", "").encode("utf-8", "replace")
        if len(label) > LABEL_MAX:
            raise invalid("label", f"at most {LABEL_MAX} characters")
        return label

    def price_ticks(self, params: Params, market: int) -> int | None:
        price = params.number("price")
        if price is None:
            return None
        try:
            ticks = self.desk.instrument(market).ticks(price)
        except ValueError:
            raise RpcError(10043) from None
        if ticks <= 0 and self.venue.legs(market) is None:      # a spread may cost nothing
            raise RpcError(10043)
        return ticks

    def contracts(self, params: Params, market: int) -> int | None:
        """Return the amount in contracts, from `amount` or `contracts`; both must agree."""
        spec = self.desk.instrument(market)
        amount, contracts = params.number("amount"), params.number("contracts")
        if amount is None and contracts is None:
            return None
        try:
            found = (spec.contracts(amount) if amount is not None
                     else spec.contracts((contracts or 0.0) * spec.contract_size))
        except ValueError:
            raise bad_amount() from None
        if amount is not None and contracts is not None and found != contracts:
            raise invalid("contracts", "amount and contracts do not agree")
        if found <= 0 or found % spec.lot_contracts:
            raise bad_amount()
        return found

    # ---- queries
    def chosen(self, params: Params, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the orders of the `kind` and `type` asked for."""
        kind, wanted = params.text("kind", "any"), params.text("type", "all")
        if wanted not in OPEN_TYPES:
            raise invalid("type", f"must be one of {', '.join(OPEN_TYPES)}")
        return [order for order in orders
                if kind in ("any", kind_of(order["instrument_name"]))
                and order["order_type"].startswith(OPEN_TYPES[wanted])]

    def get_open_orders(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.chosen(params, self.desk.open_orders(caller.account))

    def get_open_orders_by_currency(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.chosen(params, self.desk.open_orders(
            caller.account, currency=self.venue.currency(params)))

    def get_open_orders_by_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.chosen(params, self.desk.open_orders(
            caller.account, market=self.venue.market(params)))

    def get_open_orders_by_label(self, caller: Caller, params: Params, t_ns: int) -> Any:
        label = self.label(params) if "label" in params.values else None
        return self.desk.open_orders(
            caller.account, currency=self.venue.currency(params), label=label)

    def get_order_state(self, caller: Caller, params: Params, t_ns: int) -> Any:
        order = self.desk.order(params.order_id(), caller.account)
        if order is None:
            raise RpcError(10004)
        return order

    def get_order_state_by_label(self, caller: Caller, params: Params, t_ns: int) -> Any:
        currency, label = self.venue.currency(params), self.label(params)
        return (self.desk.open_orders(caller.account, currency=currency, label=label)
                + self.desk.closed_orders(caller.account, currency=currency, label=label))

    def get_position(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.desk.position(caller.account, self.venue.market(params))

    def get_positions(self, caller: Caller, params: Params, t_ns: int) -> Any:
        currency = self.venue.currency(params, "any")
        return [self.desk.position(caller.account, m) for m in self.venue.traded(caller.account)
                if currency in (-1, self.desk.settles_in(m))]

    def get_account_summary(self, caller: Caller, params: Params, t_ns: int) -> Any:
        currency = self.venue.currency(params)
        if currency not in CURRENCIES.values():
            raise invalid("currency", "must be one of BTC, USDC")
        view = self.desk.portfolio(caller.account, currency)
        view["self_trading_reject_mode"] = SELF_TRADE_MODES[
            self.desk.self_trade(caller.account)]
        view["self_trading_extended_to_subaccounts"] = False
        view["limits"] = self.venue.limits
        view["mmp_enabled"] = False
        if params.flag("extended"):
            account = self.exchange.accounts[caller.account]
            view |= {"id": account.user_id, "type": "main", "username": caller.client_id,
                     "system_name": caller.client_id, "email": "",
                     "creation_timestamp": account.created_ms, "referrer_id": None,
                     "security_keys_enabled": False, "interuser_transfers_enabled": False,
                     "fees": self.venue.fees()}
        return view

    def get_margins(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.venue.market(params)
        amount, price = self.contracts(params, market), params.number("price")
        if amount is None or price is None or price <= 0:
            raise invalid("price" if amount is not None else "amount", "value required")
        return self.desk.margins(market, amount, price)

    def set_self_trading_config(self, caller: Caller, params: Params, t_ns: int) -> str:
        mode = params.choice("mode", SELF_TRADE_MODES)
        self.desk.set_self_trade(caller.account, SELF_TRADE_MODES.index(mode))
        return "ok"

    # ---- cancel on disconnect
    def cod_scope(self, params: Params) -> bool:
        return params.choice("scope", ("connection", "account"), "connection") == "account"

    def enable_cancel_on_disconnect(self, caller: Caller, params: Params, t_ns: int) -> str:
        self.exchange.set_cancel_on_disconnect(caller.connection, self.cod_scope(params), True)
        return "ok"

    def disable_cancel_on_disconnect(self, caller: Caller, params: Params, t_ns: int) -> str:
        self.exchange.set_cancel_on_disconnect(caller.connection, self.cod_scope(params), False)
        return "ok"

    def get_cancel_on_disconnect(self, caller: Caller, params: Params, t_ns: int) -> Any:
        account = self.cod_scope(params)
        return {"scope": "account" if account else "connection",
                "enabled": self.exchange.cancels_on_disconnect(caller.connection, account)}
