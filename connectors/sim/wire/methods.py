"""JSON-RPC: from one request's bytes to one response's bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.sim.wire import cancels, combos, maker, money
from connectors.sim.wire.access import NAMES as ACCESS
from connectors.sim.wire.access import AccessLog
from connectors.sim.wire.auth import allows
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.cancels import Cancels
from connectors.sim.wire.combos import Combos
from connectors.sim.wire.data import PublicData
from connectors.sim.wire.errors import RpcError
from connectors.sim.wire.later import AnswerLaterError, Tickets
from connectors.sim.wire.maker import Maker
from connectors.sim.wire.money import Money
from connectors.sim.wire.params import Params
from connectors.sim.wire.public import Public
from connectors.sim.wire.records import Records
from connectors.sim.wire.roll import Roll
from connectors.sim.wire.trading import Trading
from connectors.sim.wire.venue import Venue
from connectors.sim.wire.writer import frame as as_frame

REQUEST_MAX = 32 * 1024
MAINTENANCE = b'{"jsonrpc":"2.0","error":{"message":"system_maintenance","code":11051}}'
CREDIT_MATCHING, CREDIT_CANCEL_ALL, CREDIT_OTHER, CREDIT_SUBSCRIBE, CREDIT_INSTRUMENTS = range(5)
CREDIT_LOG = 6
CREDIT_MASS = 7
MATCHING = frozenset({
    "private/buy", "private/sell", "private/edit", "private/edit_by_label", "private/cancel",
    "private/cancel_all_by_instrument", "private/cancel_all_by_currency",
    "private/cancel_all_by_currency_pair", "private/cancel_all_by_kind_or_type",
    "private/close_position", "private/mass_quote", "private/cancel_quotes"})
WEBSOCKET_ONLY = frozenset({
    "public/hello", "public/set_heartbeat", "public/disable_heartbeat", "public/subscribe",
    "public/unsubscribe", "public/unsubscribe_all", "private/subscribe", "private/unsubscribe",
    "private/unsubscribe_all", "private/logout", "private/enable_cancel_on_disconnect",
    "private/disable_cancel_on_disconnect", "private/get_cancel_on_disconnect"})

Handler = Callable[[Caller, Params, int], Any]


class Methods:
    """Answers the requests of one exchange's clients."""

    def __init__(self, venue: Venue, roll: Roll) -> None:
        self.venue = venue
        self.exchange = venue.exchange
        self.maintenance = False
        self.testnet = venue.settings.testnet
        self.encode = msgspec.json.Encoder().encode
        self.tickets = Tickets()
        venue.subscriptions.broadcast.on_reply = self.tickets.on_reply
        access = AccessLog(venue.subscriptions.broadcast)
        self.public = public = Public(venue, access)
        trading = Trading(venue)
        data, records, money_ = PublicData(venue), Records(venue, trading), Money(venue)
        combos_ = Combos(venue, roll)
        self.handlers: dict[str, Handler] = {}
        for scope, owner, names in (
                ("public", public, PUBLIC + BOTH), ("private", public, (*BOTH, "logout")),
                ("private", trading, PRIVATE), ("private", Maker(venue), maker.NAMES),
                ("private", Cancels(venue), cancels.NAMES), ("public", data, data.NAMES),
                ("private", records, records.NAMES), ("private", access, ACCESS),
                ("public", money_, money.PUBLIC), ("private", money_, money.PRIVATE),
                ("public", combos_, combos.PUBLIC), ("private", combos_, combos.PRIVATE)):
            self.handlers |= {f"{scope}/{name}": getattr(owner, name) for name in names}

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
        except AnswerLaterError as later:
            self.tickets.wait(later, lambda found: caller.send_frame(
                as_frame(self.envelope(request_id, found, clock, t_ns))))
            return b""
        except RpcError as error:
            outcome = error
        if caller.leaving:
            return b""
        return self.envelope(request_id, outcome, clock, t_ns)

    def envelope(self, request_id: Any, outcome: Any, clock: Callable[[], int],
                 t_ns: int) -> bytes:
        if isinstance(outcome, RpcError) and outcome.code == 11051:
            return MAINTENANCE      # the one answer without an id
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
        if self.maintenance:
            raise RpcError(11051)
        handler = self.handlers.get(method)
        if handler is None:
            raise RpcError(-32601)
        if method in WEBSOCKET_ONLY and not caller.is_socket:
            raise RpcError(10030)
        token = params.values.get("access_token")
        if token is not None:
            caller.adopt(self.venue.auth.by_token(token, caller.connection, t_ns), t_ns)
        if method.startswith("private/"):
            if caller.account < 0 or caller.expires_ns < t_ns:
                raise RpcError(13009, data={"reason": "invalid_token"})
            if not allows(caller.scope, method):
                raise RpcError(13021)
        if caller.account >= 0 and not self.exchange.take_credit(
                t_ns, caller.account, credit_class(method, params)):
            if method == "private/mass_quote":
                raise RpcError(13903)
            caller.on_limit()
            raise RpcError(10028)
        return handler(caller, params, t_ns)


def credit_class(method: str, params: Params) -> int:
    """Return the pool a request is paid from."""
    if method == "private/cancel_by_label":
        return CREDIT_MATCHING if "currency" in params.values else CREDIT_CANCEL_ALL
    if method == "private/cancel_all":
        return CREDIT_CANCEL_ALL
    if method == "private/mass_quote":
        return CREDIT_MASS
    if method in MATCHING:
        return CREDIT_MATCHING
    if method.endswith("/subscribe"):
        return CREDIT_SUBSCRIBE
    if method == "private/get_transaction_log":
        return CREDIT_LOG
    return CREDIT_INSTRUMENTS if method == "public/get_instruments" else CREDIT_OTHER


BOTH = ("subscribe", "unsubscribe", "unsubscribe_all")
PUBLIC = (
    "hello", "auth", "test", "get_time", "status", "set_heartbeat", "disable_heartbeat",
    "get_instrument", "get_instruments", "get_order_book", "ticker", "get_index_price")
PRIVATE = (
    "buy", "sell", "edit", "edit_by_label", "cancel", "close_position", "get_open_orders",
    "get_open_orders_by_currency", "get_open_orders_by_instrument", "get_open_orders_by_label",
    "get_order_state", "get_order_state_by_label", "get_position", "get_positions",
    "get_account_summary", "get_margins",
    "set_self_trading_config", "enable_cancel_on_disconnect", "disable_cancel_on_disconnect",
    "get_cancel_on_disconnect")
