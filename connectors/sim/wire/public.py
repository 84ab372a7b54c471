"""The public methods, and the subscriptions of both scopes."""

from __future__ import annotations

from typing import Any

from connectors.sim.margin import rates
from connectors.sim.wire.access import AccessLog
from connectors.sim.wire.broadcast import STATES
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.errors import RpcError, invalid
from connectors.sim.wire.params import Params
from connectors.sim.wire.venue import Venue, kind_of

MAX_LEVERAGE = round(1.0 / rates()["initial"])
LIQUIDATION_FEE = round(rates()["liquidation_fee"], 8)
VERSION = "1.2.26"
DEPTHS = (1, 5, 10, 20, 50, 100, 1000, 10000)
FOREVER_MS = 32503708800000
DELIVERED = 5   # MarketState: this one and the later ones are over


class Public:
    """Handlers of public methods; each takes (caller, params, t_ns) and returns the result."""

    def __init__(self, venue: Venue, access: AccessLog) -> None:
        self.venue = venue
        self.access = access
        self.exchange = venue.exchange
        self.desk = venue.desk
        self.login = venue.auth
        self.subscriptions = venue.subscriptions
        self.listings = venue.listings
        self.least_s = venue.settings.heartbeat_min_s

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
        locked = sorted(self.subscriptions.locked)
        return {"locked": "true", "locked_indices": locked} if locked else {"locked": "false"}

    def auth(self, caller: Caller, params: Params, t_ns: int) -> Any:
        grant_type = params.choice(
            "grant_type", ("client_credentials", "client_signature", "refresh_token"))
        asked = params.text("scope", "")
        if grant_type == "refresh_token":
            old = self.login.use_refresh(params.text("refresh_token"))
            client_id = old.client_id
            asked = asked or (f"session:{old.session}" if old.session else "")
        else:
            client_id = params.text("client_id")
            if grant_type == "client_credentials":
                self.login.check_secret(client_id, params.text("client_secret"))
            else:
                self.login.check_signature(params.values, client_id, t_ns)
        account = self.exchange.open_account(
            client_id, t_ns, *self.venue.settings.balance_e8, False)
        if account == 0:
            raise RpcError(13004)
        grant, result = self.login.grant(client_id, account, asked, caller.connection, t_ns)
        caller.adopt(grant, t_ns)
        self.access.note(account, t_ns)
        if isinstance(state := params.values.get("state"), str):
            result["state"] = state
        return result

    def logout(self, caller: Caller, params: Params, t_ns: int) -> None:
        caller.leave()

    def set_heartbeat(self, caller: Caller, params: Params, t_ns: int) -> str:
        interval = params.number("interval")
        if interval is None or interval < self.least_s:
            raise invalid("interval", f"must be at least {self.least_s:g}")
        caller.set_heartbeat(min(interval, 86400.0), t_ns)
        return "ok"

    def disable_heartbeat(self, caller: Caller, params: Params, t_ns: int) -> str:
        caller.set_heartbeat(0.0, t_ns)
        return "ok"

    def subscribe(self, caller: Caller, params: Params, t_ns: int) -> list[str]:
        return self.subscriptions.subscribe(caller, params.channels(), t_ns)

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
        state = self.venue.exchange.market_state_of(market)
        return {
            "price_index": listing.index_name,
            "kind": kind_of(spec.name),
            "instrument_name": spec.name,
            "max_leverage": MAX_LEVERAGE, "maker_commission": spec.maker_fee,
            "taker_commission": spec.taker_fee,
            "instrument_type": "reversed" if spec.inverse else "linear",
            "expiration_timestamp": spec.expiry_ms or FOREVER_MS,
            "creation_timestamp": listing.creation_ms, "is_active": state < DELIVERED,
            "tick_size": spec.tick_usd, "contract_size": spec.contract_size,
            "instrument_id": listing.instrument_id,
            "min_trade_amount": spec.lot_contracts * spec.contract_size,
            "future_type": "reversed" if spec.inverse else "linear",
            "max_liquidation_commission": LIQUIDATION_FEE, "max_non_default_leverage": 5,
            "block_trade_commission": 0.00025, "block_trade_min_trade_amount": 200000,
            "block_trade_tick_size": 0.01,
            "settlement_currency": base if spec.inverse else "USDC",
            "settlement_period": listing.settlement_period, "base_currency": base,
            "counter_currency": "USD" if spec.inverse else "USDC",
            "quote_currency": "USD" if spec.inverse else "USDC",
            "tick_size_steps": self.desk.tick_steps(market), "underlying_type": "crypto",
            "product_group": "inverse" if spec.inverse else "linear",
            "lot_size": spec.lot_contracts,
            "qty_tick_size": spec.lot_contracts * spec.contract_size,
            "state": STATES[state],
        }

    def get_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.instrument_view(self.venue.market(params))

    def get_instruments(self, caller: Caller, params: Params, t_ns: int) -> Any:
        expired = bool(params.flag("expired"))
        return [self.instrument_view(m) for m in self.venue.covered(params)
                if (self.venue.exchange.market_state_of(m) >= DELIVERED) == expired]

    def get_order_book(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.venue.market(params)
        asked = params.integer("depth", 5, 1, 10000)
        return self.desk.order_book(market, t_ns, next(d for d in DEPTHS if d >= asked))

    def ticker(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.venue.market(params)
        return self.desk.ticker(market, t_ns)

    def get_index_price(self, caller: Caller, params: Params, t_ns: int) -> Any:
        index = self.desk.index_number(params.text("index_name"))
        if index is None:
            raise invalid("index_name", "index not found")
        price = self.desk.index_price(index)
        return {"index_price": price, "estimated_delivery_price": price}
