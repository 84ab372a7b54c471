"""The other clients of the tick-to-order benchmark: the floor, and a maker in plain Python.

    python -P tick_clients.py floor|same|plain PORT CPUS CA

The floor is a picows listener on uvloop that answers the last frame of a read with a constant edit:
what the same reactor takes without a thought. Its edit changes nothing, so the exchange has less to
do and to say than with a maker. The second floor gives it the same to do: the maker's channels, and
two ready-made edits, to and fro, in one write. The plain maker is what one would write otherwise:
websockets and json on asyncio, a dict book, a mid, two edits.
"""

import asyncio
import gc
import json
import os
import ssl
import sys
from typing import Any

import picows
import uvloop

NAME = "BTC-PERPETUAL"
CHANNEL = f"book.{NAME}.raw"
BOOK = b'"book.'
HALF_USD = 60.0
MOVED = b"75020.0,"         # in every frame of the book in which the touch moves
CHANNELS = [CHANNEL, f"ticker.{NAME}.100ms", f"trades.{NAME}.raw", f"user.changes.{NAME}.raw"]


def request(number: int, method: str, **params: Any) -> bytes:
    """Return one JSON-RPC request."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method,
                       "params": params}).encode()


def framed(text: bytes) -> bytes:
    """Return a text as a frame of a client's, with a mask that changes nothing."""
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text


def opening(bid: float, ask: float | None, channels: list[str]) -> list[bytes]:
    """Return what a client says before it listens: login, its orders, the book."""
    requests = [request(1, "public/auth", grant_type="client_credentials",
                        **dict.fromkeys(("client_id", "client_secret"), "maker"))]
    for number, (side, price) in enumerate((("buy", bid), ("sell", ask)), 2):
        if price is not None:
            requests.append(request(number, f"private/{side}", instrument_name=NAME, amount=10,
                                    price=price, post_only=True, label=side))
    return [*requests, request(4, "private/subscribe", channels=channels)]


class Floor(picows.WSListener):
    """Answers every read that ends with a book frame with the same edit."""

    def __init__(self) -> None:
        super().__init__()
        self.edit = b""
        self.steps = opening(70_000.0, None, [CHANNEL])
        self.ended = asyncio.Event()

    def on_ws_connected(self, transport: Any) -> None:
        transport.send(picows.WSMsgType.TEXT, self.steps.pop(0))

    def on_ws_disconnected(self, transport: Any) -> None:
        self.ended.set()

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        payload = frame.get_payload_as_bytes()
        if frame.last_in_buffer and self.edit and BOOK in payload[:80]:
            transport.send(picows.WSMsgType.TEXT, self.edit)
        elif not self.edit:
            self.prepare(transport, payload)

    def prepare(self, transport: Any, payload: bytes) -> None:
        """Take the steps before the book is followed."""
        answer = json.loads(payload)
        if answer.get("id") == 2:
            order_id = answer["result"]["order"]["order_id"]
            self.edit = request(9, "private/edit", order_id=order_id, amount=10, price=70_000.0,
                                post_only=True)
        if "id" in answer and self.steps:
            transport.send(picows.WSMsgType.TEXT, self.steps.pop(0))


class SameOrders(Floor):
    """Answers every read in which the touch moves with the next of two pairs of edits."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = opening(74_940.0, 75_080.0, CHANNELS)
        self.ids: list[str] = []
        self.pairs: list[bytes] = []
        self.asked = False

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        payload = frame.get_payload_as_bytes()
        if not self.pairs:
            self.prepare(transport, payload)
            return
        self.asked |= BOOK in payload[:80] and MOVED in payload
        if frame.last_in_buffer and self.asked:
            self.asked = False
            self.pairs.reverse()
            transport.underlying_transport.write(self.pairs[0])

    def prepare(self, transport: Any, payload: bytes) -> None:
        """Take the steps before the book is followed."""
        answer = json.loads(payload)
        if answer.get("id") in {2, 3}:
            self.ids.append(answer["result"]["order"]["order_id"])
        elif answer.get("id") == 4:
            self.pairs = [b"".join(
                framed(request(9, "private/edit", order_id=order_id, amount=10,
                               price=price + moved, post_only=True, reject_post_only=True))
                for order_id, price in zip(self.ids, (74_940.0, 75_080.0), strict=True))
                for moved in (0.0, 20.0)]
        if "id" in answer and self.steps:
            transport.send(picows.WSMsgType.TEXT, self.steps.pop(0))


async def floor(address: str, tls: ssl.SSLContext | None, kind: type[Floor]) -> None:
    """Follow the book and answer it."""
    _, listener = await picows.ws_connect(kind, address, ssl_context=tls)
    gc.collect()
    gc.freeze()
    gc.disable()
    await listener.ended.wait()


FLOORS = {"floor": Floor, "same": SameOrders}


async def plain(address: str, tls: ssl.SSLContext | None) -> None:
    """Quote around the mid of a dict book."""
    from websockets.asyncio.client import connect
    async with connect(address, ssl=tls, compression=None) as socket:
        ids: dict[str, str] = {}
        sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        for step in opening(74_000.0, 76_000.0, [CHANNEL]):
            await socket.send(step)
            answer = json.loads(await socket.recv())
            order = answer.get("result", {})
            if isinstance(order, dict) and "order" in order:
                ids[order["order"]["direction"]] = order["order"]["order_id"]
        number = 10
        async for message in socket:
            data = json.loads(message)
            if data.get("method") != "subscription":
                continue
            data = data["params"]["data"]
            for side, key in zip(sides, ("bids", "asks"), strict=True):
                for action, price, amount in data[key]:
                    if action == "delete":
                        side.pop(price, None)
                    else:
                        side[price] = amount
            if not sides[0] or not sides[1]:
                continue
            mid = (max(sides[0]) + min(sides[1])) / 2
            for direction, price in (("buy", mid - HALF_USD), ("sell", mid + HALF_USD)):
                number += 1
                await socket.send(request(number, "private/edit", order_id=ids[direction],
                                          amount=10, price=round(price * 2) / 2,
                                          post_only=True).decode())


def main() -> None:
    """Run one of them."""
    kind, port, cpus, authority = sys.argv[1:5]
    os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    tls = ssl.create_default_context(cafile=authority) if authority else None
    address = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/ws/api/v2"
    if kind in FLOORS:
        uvloop.run(floor(address, tls, FLOORS[kind]))
    else:
        asyncio.run(plain(address, tls))


if __name__ == "__main__":
    main()
