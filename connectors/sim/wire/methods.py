"""JSON-RPC: from one request's bytes to one response's bytes, and the public methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from connectors.sim.wire.auth import Auth, allows
from connectors.sim.wire.channels import Subscriptions
from connectors.sim.wire.desk import Desk
from connectors.sim.wire.errors import RpcError, invalid
from connectors.sim.wire.params import Params
from connectors.sim.wire.trading import Trading

if TYPE_CHECKING:
    from connectors.sim.wire.session import Caller

VERSION = "1.2.26"
REQUEST_MAX = 32 * 1024
DEPTHS = (1, 5, 10, 20, 50, 100, 1000, 10000)
CURRENCIES = {"BTC": 0, "USDC": 1}
CREDIT_MATCHING, CREDIT_CANCEL_ALL, CREDIT_OTHER, CREDIT_SUBSCRIBE, CREDIT_INSTRUMENTS = range(5)
MATCHING = frozenset({
    "private/buy", "private/sell", "private/edit", "private/edit_by_label", "private/cancel",
    "private/cancel_all_by_instrument", "private/cancel_all_by_currency",
    "private/close_position"})
WEBSOCKET_ONLY = frozenset({
    "public/hello", "public/set_heartbeat", "public/disable_heartbeat", "public/subscribe",
    "public/unsubscribe", "public/unsubscribe_all", "private/subscribe", "private/unsubscribe",
    "private/unsubscribe_all", "private/logout", "private/enable_cancel_on_disconnect",
    "private/disable_cancel_on_disconnect", "private/get_cancel_on_disconnect"})
TIERS = {0: (100000, 100000), 1: (30, 100), 2: (20, 50), 3: (10, 30), 4: (5, 20)}
FOREVER_MS = 32503708800000

Handler = Callable[["Caller", Params, int], Any]


class Methods:
    """Answers requests of one exchange."""

    def __init__(self, exchange: Exchange, desk: Desk, auth: Auth, subscriptions: Subscriptions,
                 listings: list[Listing], *, balance_e8: tuple[int, int], tier: int,
                 testnet: bool, heartbeat_min_s: float) -> None:
        self.exchange = exchange
        self.desk = desk
        self.auth = auth
        self.subscriptions = subscriptions
        self.listings = listings
        self.balance_e8 = balance_e8
        self.testnet = testnet
        self.heartbeat_min_s = heartbeat_min_s
        self.markets = {listing.spec.name: i for i, listing in enumerate(listings)}
        self.on_book: Callable[[int], None] = lambda t_ns: None
        self.encode = msgspec.json.Encoder().encode
        rate, burst = TIERS[tier]
        self.limits = {
            "matching_engine": {
                "block_rfq_maker": {"rate": 10, "burst": 20},
                "cancel_all": {"rate": 5, "burst": 20},
                "guaranteed_mass_quotes": {"rate": 2, "burst": 2},
                "maximum_mass_quotes": {"rate": 10, "burst": 10},
                "maximum_quotes": {"rate": 500, "burst": 500},
                "spot": {"rate": rate, "burst": burst},
                "trading": {"total": {"rate": rate, "burst": burst}}},
            "limits_per_currency": False,
            "non_matching_engine": {"rate": 20, "burst": 100}}
        trading = Trading(self)
        self.handlers: dict[str, Handler] = {
            f"{scope}/{name}": getattr(owner, name)
            for scope, owner in (("public", self), ("private", trading))
            for name in vars(type(owner)) if f"{scope}/{name}" in METHODS}
        for name in ("subscribe", "unsubscribe", "unsubscribe_all"):
            self.handlers[f"private/{name}"] = self.handlers[f"public/{name}"]
        self.handlers["private/logout"] = self.logout
        # The name is taken by the logins themselves.
        self.handlers["public/auth"] = self.auth_method

    # ---- the envelope
    def handle(self, caller: Caller, payload: bytes, clock: Callable[[], int], t_ns: int) -> bytes:
        """Return the response to one request; b"" where none is due."""
        if len(payload) > REQUEST_MAX:
            return self.envelope(None, RpcError(-32600), clock, t_ns)
        try:
            request = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.envelope(None, RpcError(11050, data="invalid json"), clock, t_ns)
        if not isinstance(request, dict):
            return self.envelope(None, RpcError(11050, data="invalid request"), clock, t_ns)
        request_id = request.get("id")
        if not isinstance(request_id, int | str | float) or isinstance(request_id, bool):
            request_id = None
        values = request.get("params")
        method = request.get("method")
        try:
            if not isinstance(method, str):
                raise RpcError(11050, data="invalid request")
            if values is not None and not isinstance(values, dict):
                raise RpcError(-32602, data={"reason": "must be an object", "param": "params"})
            outcome: Any = self.call(caller, method, Params(values or {}), t_ns)
        except RpcError as error:
            outcome = error
        if caller.leaving:
            return b""
        return self.envelope(request_id, outcome, clock, t_ns)

    def envelope(self, request_id: Any, outcome: Any, clock: Callable[[], int],
                 t_ns: int) -> bytes:
        view: dict[str, Any] = {"jsonrpc": "2.0"}
        if request_id is not None:
            view["id"] = request_id
        if isinstance(outcome, RpcError):
            view["error"] = outcome.view()
        else:
            view["result"] = outcome
        us_in, us_out = t_ns // 1000, max(clock(), t_ns) // 1000
        view |= {"usIn": us_in, "usOut": us_out, "usDiff": us_out - us_in,
                 "testnet": self.testnet}
        return self.encode(view)

    def call(self, caller: Caller, method: str, params: Params, t_ns: int) -> Any:
        """Run one method: known, allowed, paid for."""
        handler = self.handlers.get(method)
        if handler is None:
            raise RpcError(-32601)
        if method in WEBSOCKET_ONLY and not caller.is_socket:
            raise RpcError(10030)
        token = params.values.get("access_token")
        if token is not None:
            caller.adopt(self.auth.by_token(token, caller.connection, t_ns), t_ns)
        if method.startswith("private/"):
            if caller.account < 0 or caller.expires_ns < t_ns:
                raise RpcError(13009, data={"reason": "invalid_token"})
            if not allows(caller.scope, method):
                raise RpcError(13021)
        if caller.account >= 0 and not self.exchange.take_credit(
                t_ns, caller.account, credit_class(method, params)):
            caller.on_limit()
            raise RpcError(10028)
        return handler(caller, params, t_ns)

    # ---- parameters many methods have
    def market(self, params: Params) -> int:
        market = self.markets.get(params.text("instrument_name"))
        if market is None:
            raise invalid("instrument_name", "instrument not found")
        return market

    def currency(self, params: Params, default: str | None = None) -> int:
        name = params.text("currency", default).upper()
        if name == "ANY":
            return -1
        if name not in CURRENCIES:
            raise invalid("currency", "must be one of BTC, USDC, any")
        return CURRENCIES[name]

    def page(self, params: Params, trades: list[dict[str, Any]]) -> dict[str, Any]:
        """Cut a list of trades (oldest first) to what was asked for."""
        count = params.integer("count", 10, 1, 1000)
        low, high = params.number("start_seq"), params.number("end_seq")
        since, until = params.number("start_timestamp"), params.number("end_timestamp")
        ordered = params.choice("sorting", ("asc", "desc", "default"), "default")
        found = [t for t in trades if (low is None or t["trade_seq"] >= low)
                 and (high is None or t["trade_seq"] <= high)
                 and (since is None or t["timestamp"] >= since)
                 and (until is None or t["timestamp"] <= until)]
        if ordered == "desc" or (ordered == "default" and low is None and since is None):
            found.reverse()
        return {"trades": found[:count], "has_more": len(found) > count}

    def traded(self, account: int) -> list[int]:
        """Return the markets an account has a position in."""
        owner = self.exchange.accounts[account]
        return [m for m in range(len(self.listings)) if owner.position(m)[0] != 0]

    def fees(self) -> dict[str, Any]:
        fees: dict[str, Any] = {}
        for listing in self.listings:
            kind = "perpetual" if listing.settlement_period == "perpetual" else "future"
            fees.setdefault(listing.index_name, {})[kind] = {"default": {
                "type": "fixed", "taker": listing.spec.taker_fee, "maker": listing.spec.maker_fee}}
        return fees

    # ---- session
    def hello(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return {"version": VERSION}

    def test(self, caller: Caller, params: Params, t_ns: int) -> Any:
        if params.values.get("expected_result") == "exception":
            raise RpcError(11094, "internal_server_error")
        return {"version": VERSION}

    def get_time(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return t_ns // 1_000_000

    def status(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return {"locked": "false"}

    def auth_method(self, caller: Caller, params: Params, t_ns: int) -> Any:
        grant_type = params.choice(
            "grant_type", ("client_credentials", "client_signature", "refresh_token"))
        asked = params.text("scope", "")
        if grant_type == "refresh_token":
            old = self.auth.use_refresh(params.text("refresh_token"))
            client_id = old.client_id
            asked = asked or (f"session:{old.session}" if old.session else "")
        else:
            client_id = params.text("client_id")
            if grant_type == "client_credentials":
                self.auth.check_secret(client_id, params.text("client_secret"))
            else:
                self.auth.check_signature(params.values, client_id, t_ns)
        account = self.exchange.open_account(client_id, t_ns, *self.balance_e8, False)
        if account == 0:
            raise RpcError(13004)
        grant, result = self.auth.grant(client_id, account, asked, caller.connection, t_ns)
        caller.adopt(grant, t_ns)
        if isinstance(state := params.values.get("state"), str):
            result["state"] = state
        return result

    def logout(self, caller: Caller, params: Params, t_ns: int) -> None:
        caller.leave()

    def set_heartbeat(self, caller: Caller, params: Params, t_ns: int) -> str:
        interval = params.number("interval")
        if interval is None or interval < self.heartbeat_min_s:
            raise invalid("interval", f"must be at least {self.heartbeat_min_s:g}")
        caller.set_heartbeat(min(interval, 86400.0), t_ns)
        return "ok"

    def disable_heartbeat(self, caller: Caller, params: Params, t_ns: int) -> str:
        caller.set_heartbeat(0.0, t_ns)
        return "ok"

    def subscribe(self, caller: Caller, params: Params, t_ns: int) -> list[str]:
        names = params.channels()
        if any(n.startswith(("book.", "quote.", "ticker.")) for n in names):
            self.on_book(t_ns)
        return self.subscriptions.subscribe(caller, names, t_ns)

    def unsubscribe(self, caller: Caller, params: Params, t_ns: int) -> list[str]:
        return self.subscriptions.unsubscribe(caller, params.channels())

    def unsubscribe_all(self, caller: Caller, params: Params, t_ns: int) -> str:
        self.subscriptions.unsubscribe(caller, list(caller.channels))
        return "ok"

    # ---- markets
    def instrument_view(self, market: int) -> dict[str, Any]:
        listing = self.listings[market]
        spec = listing.spec
        base = "BTC"
        return {
            "price_index": listing.index_name, "kind": "future", "instrument_name": spec.name,
            "max_leverage": 50, "maker_commission": spec.maker_fee,
            "taker_commission": spec.taker_fee,
            "instrument_type": "reversed" if spec.inverse else "linear",
            "expiration_timestamp": spec.expiry_ms or FOREVER_MS,
            "creation_timestamp": listing.creation_ms, "is_active": True,
            "tick_size": spec.tick_usd, "contract_size": spec.contract_size,
            "instrument_id": listing.instrument_id,
            "min_trade_amount": spec.lot_contracts * spec.contract_size,
            "future_type": "reversed" if spec.inverse else "linear",
            "max_liquidation_commission": 0.01, "max_non_default_leverage": 5,
            "block_trade_commission": 0.00025, "block_trade_min_trade_amount": 200000,
            "block_trade_tick_size": 0.01,
            "settlement_currency": base if spec.inverse else "USDC",
            "settlement_period": listing.settlement_period, "base_currency": base,
            "counter_currency": "USD" if spec.inverse else "USDC",
            "quote_currency": "USD" if spec.inverse else "USDC",
            "tick_size_steps": self.desk.tick_steps(market),
            "state": "open",
        }

    def get_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.instrument_view(self.market(params))

    def get_instruments(self, caller: Caller, params: Params, t_ns: int) -> Any:
        currency = self.currency(params)
        kind = params.text("kind", "any")
        if kind not in ("future", "any") or params.flag("expired"):
            return []
        return [self.instrument_view(m) for m in range(len(self.listings))
                if currency in (-1, self.desk.settles_in(m))]

    def get_order_book(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.market(params)
        asked = params.integer("depth", 5, 1, 10000)
        self.on_book(t_ns)
        return self.desk.order_book(market, t_ns, next(d for d in DEPTHS if d >= asked))

    def ticker(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.market(params)
        self.on_book(t_ns)
        return self.desk.ticker(market, t_ns)

    def get_last_trades_by_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.page(params, self.desk.last_trades(self.market(params)))

    def get_index_price(self, caller: Caller, params: Params, t_ns: int) -> Any:
        index = self.desk.index_number(params.text("index_name"))
        if index is None:
            raise invalid("index_name", "index not found")
        price = self.desk.index_price(index)
        return {"index_price": price, "estimated_delivery_price": price}

    def get_currencies(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return [{
            "coin_type": coin, "currency": name, "currency_long": long, "min_confirmations": 1,
            "min_withdrawal_fee": 0.0001, "withdrawal_fee": 0.0001, "withdrawal_priorities": [],
            "network_currency": network, "network_fee": 0.0001, "decimals": decimals,
            "fee_precision": decimals,
        } for coin, name, long, network, decimals in (
            ("BITCOIN", "BTC", "Bitcoin", "BTC", 8), ("ETHER", "USDC", "USD Coin", "ETH", 6))]


def credit_class(method: str, params: Params) -> int:
    """Return the pool a request is paid from."""
    if method == "private/cancel_by_label":
        return CREDIT_MATCHING if "currency" in params.values else CREDIT_CANCEL_ALL
    if method == "private/cancel_all":
        return CREDIT_CANCEL_ALL
    if method in MATCHING:
        return CREDIT_MATCHING
    if method.endswith("/subscribe"):
        return CREDIT_SUBSCRIBE
    return CREDIT_INSTRUMENTS if method == "public/get_instruments" else CREDIT_OTHER


METHODS = frozenset(
    {f"public/{n}" for n in (
        "hello", "test", "get_time", "status", "set_heartbeat", "disable_heartbeat", "subscribe",
        "unsubscribe", "unsubscribe_all", "get_instrument", "get_instruments", "get_order_book",
        "ticker", "get_last_trades_by_instrument", "get_index_price", "get_currencies")}
    | {f"private/{n}" for n in (
        "buy", "sell", "edit", "edit_by_label", "cancel", "cancel_all",
        "cancel_all_by_instrument", "cancel_all_by_currency", "cancel_by_label",
        "close_position", "get_open_orders", "get_open_orders_by_currency",
        "get_open_orders_by_instrument", "get_open_orders_by_label", "get_order_state",
        "get_order_state_by_label", "get_order_history_by_instrument",
        "get_user_trades_by_instrument", "get_user_trades_by_currency",
        "get_user_trades_by_order", "get_position", "get_positions", "get_account_summary",
        "get_margins", "set_self_trading_config", "enable_cancel_on_disconnect",
        "disable_cancel_on_disconnect", "get_cancel_on_disconnect")})
