"""A plain JSON-RPC client over real sockets, and an exchange of a market that stands still.

The exchange's clock runs in real time from a minute far from any full hour and from 08:00 UTC,
when funding rows and settlements are made: what a test sees does not depend on when it runs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from exchange_client import daytime_clock

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from connectors.sim.wire.server import SimConfig, SimServer, serve
from mmcore.types import InstrumentSpec

PERP = "BTC-PERPETUAL"


class StillMarket:
    """Ten levels a side around 60,000 that never move."""

    waits_for_book = True

    def __init__(self) -> None:
        self.started_at = 0

    def instruments(self) -> list[Listing]:
        return [
            Listing(spec=InstrumentSpec(PERP, tick_size=0.5, contract_size=10, min_amount=10,
                                        maker_fee=0.00015, taker_fee=0.00035)),
            Listing(spec=InstrumentSpec("BTC-25DEC26", tick_size=0.5, contract_size=10,
                                        min_amount=10, expiry_ms=1798185600000),
                    settlement_period="month"),
        ]

    def start(self, exchange: Exchange, t_ns: int) -> int | None:
        self.started_at = t_ns
        for i in range(10):
            exchange.market_set_level(t_ns, 0, 0, 120_000 - i, 100)
            exchange.market_set_level(t_ns, 0, 1, 120_001 + i, 100)
        return None

    def advance(self, exchange: Exchange, t_ns: int) -> int | None:
        raise AssertionError("it has ended")


class Client:
    """A plain JSON-RPC client."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.last_id = 0
        self.notes: list[dict[str, Any]] = []
        self.texts: list[str] = []

    async def message(self) -> dict[str, Any]:
        text = await self.socket.receive_str(timeout=5)
        self.texts.append(text)
        found: dict[str, Any] = json.loads(text)
        return found

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.last_id += 1
        await self.socket.send_str(json.dumps(
            {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))
        while True:
            message = await self.message()
            if message.get("id") == self.last_id:
                return message
            self.notes.append(message)

    async def result(self, method: str, **params: Any) -> Any:
        answer = await self.call(method, **params)
        assert "error" not in answer, answer
        return answer["result"]

    async def error(self, method: str, **params: Any) -> int:
        return int((await self.call(method, **params))["error"]["code"])

    async def note(self, channel: str) -> Any:
        """The data of the next notification of a channel."""
        while True:
            for i, note in enumerate(self.notes):
                if note.get("params", {}).get("channel") == channel:
                    return self.notes.pop(i)["params"]["data"]
            self.notes.append(await self.message())

    async def login(self, name: str = "me", **params: Any) -> Any:
        return await self.result("public/auth", grant_type="client_credentials", client_id=name,
                                 client_secret="secret", **params)


class Venue:
    def __init__(self, server: SimServer, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.http = http
        self.url = f"http://127.0.0.1:{server.http_port}/api/v2"

    def begin(self) -> None:
        """Let the market begin, as the first book subscription would."""
        self.server.start_market(self.server.clock())

    async def client(self, login: str | None = "me") -> Client:
        client = Client(await self.http.ws_connect(
            f"ws://127.0.0.1:{self.server.ws_port}/ws/api/v2"))
        if login is not None:
            await client.login(login)
        return client


@asynccontextmanager
async def venue(**settings: Any) -> AsyncIterator[Venue]:
    server = await serve(SimConfig(**{"market": StillMarket(), "tier": 0, **settings}),
                         daytime_clock())
    try:
        async with aiohttp.ClientSession() as http:
            yield Venue(server, http)
    finally:
        await server.stop()


def played(test: Callable[[Venue], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with venue(**settings) as v:
            await test(v)
    asyncio.run(main())
