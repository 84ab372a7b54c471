"""The reactor's side of the guard: starts it, tells it that the loop runs, hears what it does."""

import json
import logging
import time
from collections.abc import Callable, Hashable

from mmcore.engine import Engine
from mmcore.types import RemovedReason
from runner.children import Child
from runner.config import Config, Credentials, http_address
from runner.proxy import proxy_url

LEAVE_S = 5.0
BLIND = RemovedReason.REMOVED_BOOK_INVALID | RemovedReason.REMOVED_STALE
AGAIN_S = 1.0     # between two starts of a guard that does not stay
log = logging.getLogger("mm.guard")


class Guarding:
    """One guard after another. starts: how many there were.

    warm: it reaches the venue. unprotected: a position may have no dead-man stop.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.child: Child | None = None
        self.rest_url = ""          # of the exchange that is a child of ours
        self.settings = b""
        self.sight: Callable[[], tuple[bool, Hashable]] = lambda: (False, None)
        self.held: Hashable = None
        self.starts = 0
        self.started_s = 0.0
        self.warm = False
        self.unprotected = False

    def start(self, secrets: Credentials) -> None:
        """Start the guard. It hears its keys over the pipe alone."""
        venue = self.config.venue
        self.settings = json.dumps({
            "rest_url": self.rest_url or http_address(venue), "client_id": secrets.client_id,
            "client_secret": secrets.client_secret, "hang_s": self.config.runtime.hang_s,
            "ca_file": venue.ca_file or None, "proxy": proxy_url(self.config),
            "label_prefix": venue.label_prefix, "deadman_pct": self.config.risk.deadman_pct,
            "deadman_every_s": self.config.risk.deadman_every_s,
            "blind_after_s": self.config.risk.blind_after_s,
            "blind_btc": self.config.risk.blind_btc,
            "clip_btc": self.config.risk.flatten_clip_btc,
            "cap_bps": self.config.risk.kill_flatten_cap_bps}).encode() + b"\n"
        self.launch()

    def launch(self) -> None:
        self.child = Child("runner.guard", capture=True, cpu=self.config.runtime.helper_cpu)
        self.child.say(self.settings)
        self.starts += 1
        self.started_s = time.monotonic()
        self.warm = False

    def cancel(self, instrument: str) -> None:
        """Let it cancel an instrument's orders, or everything where the name is empty."""
        if self.child is not None and not self.child.say((instrument or "*").encode() + b"\n"):
            log.error("the guard does not hear us: no second path for a cancel")

    def beat(self) -> None:
        """Tell it that the loop runs, whether it sees the market, and when to look at orders."""
        if self.child is None:
            return
        blind, held = self.sight()
        self.child.say(b"~\n" if blind else b".\n")
        if held != self.held:
            self.held = held
            self.child.say(b"?\n")

    def mend(self) -> None:
        """Hear what it says; start one that died anew."""
        if self.child is None:
            return
        for line in self.child.heard():
            self.told(json.loads(line))
        if not self.child.running() and time.monotonic() - self.started_s > AGAIN_S:
            log.error("the guard ended (exit code %s): no second path until it is back",
                      self.child.process.returncode)
            self.child.leave(0.0)
            self.launch()

    def told(self, said: dict[str, object]) -> None:
        event = said.pop("event", "")
        if event in ("warm", "unreachable"):
            self.warm = event == "warm"
        elif event in ("unprotected", "stops"):
            self.unprotected = event == "unprotected"
        facts = ", ".join(f"{name} {value}" for name, value in said.items() if value != "")
        log.log(logging.INFO if event == "warm" else logging.WARNING, "guard: %s %s", event, facts)

    def leave(self) -> None:
        """End it in order: what is open is the reactor's own affair."""
        if self.child is not None:
            self.child.say(b"bye\n")
            self.child.leave(LEAVE_S)


def sight_of(engine: Engine, connects: int) -> tuple[bool, Hashable]:
    """Return whether a position's market is not seen, and what should make the guard look."""
    held = [m.position.contracts for m in engine.markets]
    blind = any(contracts and market.blocked & BLIND
                for contracts, market in zip(held, engine.markets, strict=True))
    return blind, (tuple((c > 0) - (c < 0) for c in held), engine.risk.state, connects)
