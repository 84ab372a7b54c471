"""Channel names: what they mean, who is subscribed to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.sim.orders import OrderScope
from connectors.sim.wire.auth import may_listen
from connectors.sim.wire.broadcast import Broadcast
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.channel import Channel
from connectors.sim.wire.errors import RpcError
from connectors.sim.wire.secondly import KINDS as SECONDLY
from connectors.sim.wire.secondly import RESOLUTIONS, Secondly

INTERVALS = {"raw": 0, "100ms": 1, "agg2": 2}
CURRENCIES = {"btc": 0, "usdc": 1, "any": -1}
KINDS = {"any": OrderScope.SCOPE_ANY, "future": OrderScope.SCOPE_FUTURE,
         "future_combo": OrderScope.SCOPE_COMBO, "combo": OrderScope.SCOPE_COMBO}
OWN = {"user.lock": "lock", "user.access_log": "access_log"}   # of an account as a whole
OF_INDEX = {"deribit_price_index": "index", "deribit_price_statistics": "statistics",
            "estimated_expiration_price": "expiration"}
UNROUTED = SECONDLY | {"platform", "methods_state", "announcements"}  # not by `Broadcast`
OF_ORDERS = ("orders", "trades", "changes", "combo_trades")
DEPTHS = (1, 10, 20)
GROUPS = {"none": 0, "1": 1, "2": 2, "5": 5, "10": 10}


def notification(channel: str, data: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "subscription",
            "params": {"channel": channel, "data": data}}


class Subscriptions:
    """The channels that have subscribers."""

    def __init__(self, broadcast: Broadcast, markets: dict[str, int], indexes: dict[str, int],
                 perpetuals: set[int], secondly: Secondly) -> None:
        self.broadcast = broadcast
        self.markets = markets
        self.indexes = indexes
        self.perpetuals = perpetuals
        self.secondly = secondly
        self.open: dict[tuple[str, int], Channel] = {}
        self.locked: set[str] = set()   # price indexes the platform has locked
        self.on_book: Callable[[int], None] = lambda t_ns: None  # a book is about to be shown

    def meaning(self, name: str, account: int, scope: str) -> dict[str, Any] | None:
        """Return what `Channel` takes for a name, None for a name that means nothing."""
        parts = name.split(".")
        if name == "platform_state":
            return {"kind": "platform"}
        if name == "platform_state.public_methods_state":
            return {"kind": "methods_state"}
        if name == "announcements":
            return {"kind": "announcements"}
        if name in OWN:
            return {"kind": name, "account": account} if account >= 0 and may_listen(
                scope, OWN[name]) else None
        if parts[0] == "user":
            if len(parts) < 3 or not may_listen(scope, parts[1]):
                return None
            return self.user_meaning(parts, account)
        if parts[0] in OF_INDEX:
            if len(parts) != 2 or parts[1] not in self.indexes:
                return None
            return {"kind": OF_INDEX[parts[0]], "market": self.indexes[parts[1]]}
        if name.startswith("chart.trades.") and len(parts) == 4:
            if parts[2] not in self.markets or parts[3] not in RESOLUTIONS:
                return None
            return {"kind": "chart", "market": self.markets[parts[2]]}
        if parts[0] == "instrument" and len(parts) == 4 and parts[1] in ("state", "creation"):
            return self.any_meaning(parts[1], parts[2], parts[3])
        if len(parts) < 2:
            return None
        if parts[0] == "trades" and len(parts) == 4 and parts[3] in INTERVALS:
            found = self.any_meaning("trades", parts[1], parts[2])
            return found and {**found, "interval": INTERVALS[parts[3]]}
        market = self.markets.get(parts[1])
        return None if market is None else self.market_meaning(parts, market)

    def market_meaning(self, parts: list[str], market: int) -> dict[str, Any] | None:
        """Channels of one instrument."""
        kind = parts[0]
        if kind in ("quote", "incremental_ticker") and len(parts) == 2:
            return {"kind": kind, "market": market}
        if parts[-1] not in INTERVALS:
            return None
        interval = INTERVALS[parts[-1]]
        if len(parts) == 3 and kind in ("book", "trades", "ticker"):
            return {"kind": kind, "market": market, "interval": interval}
        if len(parts) == 3 and kind == "perpetual" and market in self.perpetuals:
            return {"kind": kind, "market": market, "interval": interval}
        if (kind == "book" and len(parts) == 5 and parts[2] in GROUPS and interval > 0
                and parts[3].isdecimal() and int(parts[3]) in DEPTHS):
            return {"kind": "window", "market": market, "interval": interval,
                    "group": GROUPS[parts[2]], "depth": int(parts[3])}
        return None

    def any_meaning(self, kind: str, product: str, currency: str) -> dict[str, Any] | None:
        """Channels of all instruments of a kind and currency."""
        if product not in KINDS or currency.lower() not in CURRENCIES:
            return None
        return {"kind": kind, "currency": CURRENCIES[currency.lower()],
                "product": int(KINDS[product])}

    def user_meaning(self, parts: list[str], account: int) -> dict[str, Any] | None:
        if account < 0 or len(parts) < 3:
            return None
        if parts[1] == "portfolio" and len(parts) == 3 and parts[2].lower() in CURRENCIES:
            return {"kind": "user.portfolio", "account": account,
                    "currency": CURRENCIES[parts[2].lower()]}
        if parts[1] == "mmp_trigger" and len(parts) == 3 and (
                parts[2] == "any" or parts[2] in self.indexes):
            return {"kind": "user.mmp_trigger", "account": account,
                    "market": self.indexes.get(parts[2], -1)}
        if parts[1] not in OF_ORDERS or parts[-1] not in INTERVALS:
            return None
        found: dict[str, Any] | None = None
        if len(parts) == 4 and parts[2] in self.markets:
            found = {"kind": f"user.{parts[1]}", "market": self.markets[parts[2]]}
        elif len(parts) == 5:
            found = self.any_meaning(f"user.{parts[1]}", parts[2], parts[3])
        return found and {**found, "account": account, "interval": INTERVALS[parts[-1]]}

    def subscribe(self, caller: Caller, names: list[str], t_ns: int) -> list[str]:
        """Subscribe a caller; return the channels it is subscribed to now, of those named."""
        meant = {name: self.meaning(name, caller.account, caller.scope) for name in names}
        for name, meaning in meant.items():
            if meaning is not None and name.endswith(".raw") and caller.account < 0:
                raise RpcError(13778)
        done = []
        for name, meaning in meant.items():
            if meaning is None:
                continue
            done.append(name)
            if name in caller.channels:
                continue
            if meaning["kind"] in ("book", "window"):
                self.on_book(t_ns)
            channel = self.join(caller, name, meaning)
            self.broadcast.put_first(channel, t_ns, caller)
            channel.sessions.append(caller)
            if meaning["kind"] in SECONDLY:
                self.secondly.join(channel, t_ns, caller)
            elif meaning["kind"] == "platform":
                self.put_platform(caller)
            elif meaning["kind"] == "methods_state":
                self.tell(channel, {"allow_unauthenticated_public_requests": True})
        return done

    def join(self, caller: Caller, name: str, meaning: dict[str, Any]) -> Channel:
        key = (name, meaning.get("account", -1))
        channel = self.open.get(key)
        if channel is None:
            channel = Channel(name, **meaning)
            self.open[key] = channel
            if meaning["kind"] not in UNROUTED:
                self.broadcast.open(channel)
        caller.channels[name] = channel
        return channel

    def put_platform(self, caller: Caller) -> None:
        for index in self.indexes:
            caller.send(notification("platform_state", {
                "locked": index in self.locked, "price_index": index}))

    def tell(self, channel: Channel, data: Any) -> None:
        for session in list(channel.sessions):
            session.send(notification(channel.name, data))

    def tell_platform(self, data: dict[str, Any]) -> None:
        """Send a change of the platform's state to whoever listens for it."""
        channel = self.open.get(("platform_state", -1))
        if channel is not None:
            self.tell(channel, data)

    def unsubscribe(self, caller: Caller, names: list[str]) -> list[str]:
        """End subscriptions; return the names that were subscribed."""
        done = []
        for name in names:
            channel = caller.channels.pop(name, None)
            if channel is None:
                continue
            done.append(name)
            channel.sessions.remove(caller)
            if not channel.sessions:
                del self.open[name, channel.account]
                self.secondly.leave(channel)
                self.broadcast.close(channel)
        return done
