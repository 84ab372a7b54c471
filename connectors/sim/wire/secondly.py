"""Channels sent once a second at most, to those who ask for them."""

from __future__ import annotations

from typing import Any

from connectors.sim.wire.broadcast import Broadcast
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.channel import Channel
from connectors.sim.wire.history import DAY_MS, MINUTE_MS, History
from connectors.sim.wire.prints import candles

KINDS = frozenset({"incremental_ticker", "chart", "statistics", "expiration"})
RESOLUTIONS = {**{str(n): n * MINUTE_MS for n in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)},
               "1D": DAY_MS}
ALWAYS = ("timestamp", "instrument_name")


class Secondly:
    """Sends these channels' data; remembers what it sent last."""

    def __init__(self, broadcast: Broadcast, history: History) -> None:
        self.broadcast = broadcast
        self.history = history
        self.names = {number: name for name, number in history.indexes.items()}
        self.channels: dict[str, Channel] = {}
        self.sent: dict[str, Any] = {}

    def join(self, channel: Channel, t_ns: int, caller: Caller) -> None:
        """Send a new subscriber the present state, and count the channel in."""
        self.channels[channel.name] = channel
        data = self.data(channel, t_ns)
        if data and channel.kind == "incremental_ticker":
            caller.send(self.note(channel, {"type": "snapshot", **data}))
            self.sent.setdefault(channel.name, data)
        elif data:
            caller.send(self.note(channel, data))
            self.sent[channel.name] = data

    def leave(self, channel: Channel) -> None:
        self.channels.pop(channel.name, None)
        self.sent.pop(channel.name, None)

    def tick(self, t_ns: int) -> None:
        """Send what changed since the last second."""
        for name, channel in list(self.channels.items()):
            data = self.data(channel, t_ns)
            before = self.sent.get(name)
            if not data or data == before:
                continue
            self.sent[name] = data
            if channel.kind == "incremental_ticker":
                changed = {k: v for k, v in data.items()
                           if k in ALWAYS or before is None or before.get(k) != v}
                if len(changed) == len(ALWAYS):
                    continue
                data = {"type": "change", **changed}
            for caller in list(channel.sessions):
                caller.send(self.note(channel, data))

    def data(self, channel: Channel, t_ns: int) -> dict[str, Any]:
        if channel.kind == "incremental_ticker":
            return self.broadcast.ticker(channel.market, t_ns)
        if channel.kind == "statistics":
            return self.history.statistics(self.names[channel.market])
        if channel.kind == "expiration":
            return self.history.expiration(self.names[channel.market], t_ns // 1_000_000)
        step_ms = RESOLUTIONS[channel.name.rpartition(".")[2]]
        t_ms = t_ns // 1_000_000
        found = candles(self.broadcast.exchange, channel.market, step_ms, t_ms - step_ms, t_ms)
        if not found:
            return {}
        tick, first, high, low, last, volume, cost = found[-1]
        return {"volume": volume, "tick": tick, "open": first, "low": low, "high": high,
                "cost": cost, "close": last}

    def note(self, channel: Channel, data: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "method": "subscription",
                "params": {"channel": channel.name, "data": data}}
