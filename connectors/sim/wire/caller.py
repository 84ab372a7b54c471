"""Who sends a request: what it may do and what it is subscribed to."""

from __future__ import annotations

from typing import Any

from connectors.sim.wire.auth import Grant
from connectors.sim.wire.channel import Channel


class Caller:
    """Somebody who sends requests; over HTTP it lives for one request."""

    is_socket = False

    def __init__(self, connection: int) -> None:
        self.connection = connection
        self.account = -1
        self.scope = ""
        self.client_id = ""
        self.expires_ns = 0
        self.leaving = False
        self.channels: dict[str, Channel] = {}

    def adopt(self, grant: Grant, t_ns: int) -> None:
        """Act for the account of a grant from now on."""
        self.account = grant.account
        self.scope = grant.scope
        self.client_id = grant.client_id
        self.expires_ns = grant.expires_ns

    def leave(self) -> None:
        """End the session without an answer."""
        self.leaving = True

    def on_limit(self) -> None:
        """Called when the caller has run out of credits."""

    def set_heartbeat(self, interval_s: float, t_ns: int) -> None:
        """Change the heartbeat; only a socket has one."""

    def send(self, message: Any) -> None:
        """Send a notification."""

    def send_frame(self, frame: bytes) -> None:
        """Send a ready WebSocket frame."""
