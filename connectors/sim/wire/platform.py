"""The state of the platform: maintenance and locks as a fault plan wants them."""

from __future__ import annotations

from connectors.sim.exchange import Exchange
from connectors.sim.faults import Fault, Faults
from connectors.sim.wire.channels import Subscriptions
from mmcore.types import MarketState

OPEN, LOCKED, HALTED = (MarketState.MARKET_OPEN, MarketState.MARKET_LOCKED,
                        MarketState.MARKET_HALTED)


class Platform:
    """Follows the plan's maintenance and locks; the server asks it before it serves."""

    def __init__(self, faults: Faults, exchange: Exchange, subscriptions: Subscriptions) -> None:
        self.faults = faults
        self.exchange = exchange
        self.subscriptions = subscriptions
        self.maintenance = False    # announced, sockets still open
        self.closed = False         # no socket is served
        self.locked = False

    def current(self, kind: str, t_ns: int) -> Fault | None:
        return next((f for f in self.faults.plan.fault
                     if f.kind == kind and self.faults.active(f, t_ns)), None)

    def follow(self, t_ns: int) -> bool:
        """Bring the platform to where the plan wants it; True where sockets must close now."""
        fault = self.current("maintenance", t_ns)
        if (fault is not None) != self.maintenance:
            self.maintenance = fault is not None
            self.set_state(t_ns, HALTED if self.maintenance else OPEN)
            if self.maintenance:
                self.subscriptions.tell_platform({"maintenance": True})
        was_closed, self.closed = self.closed, fault is not None and (
            t_ns >= self.faults.start_ns + int(fault.from_s * 1e9 + fault.delay_ms * 1e6))
        locked = self.current("lock", t_ns) is not None
        if locked != self.locked:
            self.locked = locked
            self.set_state(t_ns, LOCKED if locked else OPEN)
            names = list(self.subscriptions.indexes)
            self.subscriptions.locked = set(names) if locked else set()
            for name in names:
                self.subscriptions.tell_platform({"price_index": name, "locked": locked})
        return self.closed and not was_closed

    def set_state(self, t_ns: int, state: int) -> None:
        for market in range(self.exchange.market_count):
            self.exchange.market_state(t_ns, market, state)
