"""A scripted client of the exchange in virtual time: what it sends when, and every byte it gets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import picows
import pytest

from connectors.sim.wire.server import SimConfig, SimServer
from runner.virtual import START_NS, VirtualLoop

EPOCH_NS = 1_790_000_000_000_000_000    # 2026-09-21 14:13:20 UTC
PERP = "BTC-PERPETUAL"


class Client(picows.WSListener):
    """Keeps every text it gets in `texts`, with the (virtual) time in `times_ns`."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[bytes] = []
        self.times_ns: list[int] = []
        self.close_code: int | None = None
        self.ended = False
        self.last_id = 0
        self.transport: Any = None

    def on_ws_connected(self, transport: Any) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            self.close_code = int(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == picows.WSMsgType.TEXT:
            self.texts.append(frame.get_payload_as_bytes())
            self.times_ns.append(int(asyncio.get_running_loop().time() * 1e9))

    def on_ws_disconnected(self, transport: Any) -> None:
        self.ended = True

    def send(self, method: str, **params: Any) -> int:
        self.last_id += 1
        self.transport.send(picows.WSMsgType.TEXT, json.dumps(
            {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}).encode())
        return self.last_id

    async def call(self, method: str, wait_s: float = 2.0, **params: Any) -> Any:
        """Return the answer, None where none came."""
        number = self.send(method, **params)
        for _ in range(int(wait_s / 0.01)):
            await asyncio.sleep(0.01)
            found = [m for m in self.messages() if m.get("id") == number]
            if found:
                return found[0]
        return None

    def messages(self) -> list[Any]:
        return [json.loads(text) for text in self.texts]

    def data(self, channel: str) -> list[Any]:
        """Data of every notification of a channel so far."""
        return [m["params"]["data"] for m in self.messages()
                if m.get("params", {}).get("channel") == channel]


def daytime_clock() -> Callable[[], int]:
    """Return a clock that runs in real time from EPOCH_NS on, 13 minutes past an hour."""
    offset = EPOCH_NS - time.monotonic_ns()
    return lambda: time.monotonic_ns() + offset


def machine_shows_daytime(patch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let the machine's clock show what `daytime_clock` does, and return that clock.

    For clients that nobody here wrote: they sign with their machine's time.
    """
    clock = daytime_clock()
    patch.setattr(time, "time_ns", clock)
    patch.setattr(time, "time", lambda: clock() / 1e9)
    return clock


def virtual_clock(loop: VirtualLoop, epoch_ns: int = EPOCH_NS) -> Callable[[], int]:
    return lambda: epoch_ns + loop.now_ns() - START_NS


async def connect(server: SimServer, login: str | None = "me") -> Client:
    _, client = await picows.ws_connect(
        Client, f"ws://127.0.0.1:{server.ws_port}/ws/api/v2", use_aiofastnet=False)
    if login is not None:
        answer = await client.call("public/auth", grant_type="client_credentials",
                                   client_id=login, client_secret="x")
        assert "result" in answer
    return client


def in_virtual_time(config: SimConfig, script: Callable[[SimServer], Awaitable[Any]],
                    epoch_ns: int = EPOCH_NS) -> Any:
    """Run a script against a server in virtual time; return what it returns."""
    loop = VirtualLoop()

    async def main() -> Any:
        server = SimServer(config, virtual_clock(loop, epoch_ns))
        await server.start()
        try:
            return await script(server)
        finally:
            await server.stop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
