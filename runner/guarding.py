"""The reactor's side of the guard: starts it, tells it that the loop runs, hears what it does."""

import json
import logging
import time

from runner.children import Child
from runner.config import Config, Credentials, http_address
from runner.proxy import proxy_url

LEAVE_S = 2.0
AGAIN_S = 1.0     # between two starts of a guard that does not stay
log = logging.getLogger("mm.guard")


class Guarding:
    """One guard after another. warm: it reaches the venue; starts: how many there were."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.child: Child | None = None
        self.rest_url = ""          # of the exchange that is a child of ours
        self.settings = b""
        self.starts = 0
        self.started_s = 0.0
        self.warm = False

    def start(self, secrets: Credentials) -> None:
        """Start the guard. It hears its keys over the pipe alone."""
        venue = self.config.venue
        self.settings = json.dumps({
            "rest_url": self.rest_url or http_address(venue), "client_id": secrets.client_id,
            "client_secret": secrets.client_secret, "hang_s": self.config.runtime.hang_s,
            "ca_file": venue.ca_file or None, "proxy": proxy_url(self.config)}).encode() + b"\n"
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
        """Tell it that the loop runs."""
        if self.child is not None:
            self.child.say(b".\n")

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
        facts = ", ".join(f"{name} {value}" for name, value in said.items() if value != "")
        log.log(logging.INFO if event == "warm" else logging.WARNING, "guard: %s %s", event, facts)

    def leave(self) -> None:
        """End it in order: what is open is the reactor's own affair."""
        if self.child is not None:
            self.child.say(b"bye\n")
            self.child.leave(LEAVE_S)
