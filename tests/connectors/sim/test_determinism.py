"""Same seed, same client messages: the same bytes out, over the wire front and from a trace."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from exchange_client import EPOCH_NS, PERP, connect, in_virtual_time, virtual_clock

from connectors.sim.faults import Fault, FaultPlan
from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.server import SimConfig, SimServer
from connectors.sim.wire.trace import Tracer, read_trace, replay
from runner.virtual import VirtualLoop

CHANNELS = [f"book.{PERP}.raw", f"trades.{PERP}.raw", f"ticker.{PERP}.100ms", f"quote.{PERP}",
            f"book.{PERP}.none.10.100ms", "user.changes.any.any.raw", "user.portfolio.btc",
            f"incremental_ticker.{PERP}", f"chart.trades.{PERP}.1", "platform_state"]


def config(seed: int = 7, **settings: Any) -> SimConfig:
    return SimConfig(market=SyntheticMarket(seed=seed, now_ns=EPOCH_NS), seed=seed, http=False,
                     use_aiofastnet=False, **settings)


async def session(server: SimServer) -> list[bytes]:
    """Trade for some seconds on one socket, look on from another."""
    maker, viewer = await connect(server), await connect(server, None)
    viewer.send("public/subscribe", channels=[f"trades.{PERP}.100ms", f"ticker.{PERP}.agg2"])
    maker.send("private/subscribe", channels=CHANNELS)
    await asyncio.sleep(1.0)
    order = None
    for i in range(30):
        bid = maker.data(f"quote.{PERP}")[-1]["best_bid_price"]
        if order is None or i % 7 == 0:
            answer = await maker.call("private/buy", instrument_name=PERP, amount=20 + 10 * i,
                                      price=bid, label=f"n{i}")
            order = answer["result"]["order"]["order_id"]
        else:
            maker.send("private/edit", order_id=order, amount=50, price=bid - 0.5)
        if i % 5 == 4:
            maker.send("private/sell", instrument_name=PERP, amount=10, type="market")
        await asyncio.sleep(0.5)
    maker.send("private/cancel_all")
    await asyncio.sleep(1.0)
    return [b"\n".join(c.texts) for c in (maker, viewer)]


def test_twice_the_same_bytes() -> None:
    first, second = (in_virtual_time(config(), session) for _ in range(2))
    assert [len(t) for t in first] == [len(t) for t in second]
    assert [hashlib.sha256(t).digest() for t in first] == [
        hashlib.sha256(t).digest() for t in second]
    assert len(first[0]) > 500_000
    assert first != in_virtual_time(config(seed=8), session)


def test_twice_the_same_bytes_with_faults() -> None:
    plan = FaultPlan(seed=3, fault=(Fault(kind="drop", channel="trades.*", share=0.3),
                                    Fault(kind="delay", channel="quote.*", share=0.2,
                                          delay_ms=40.0)))
    first, second = (in_virtual_time(config(faults=plan), session) for _ in range(2))
    assert first == second
    assert first != in_virtual_time(config(), session)


def payloads(stream: bytes) -> list[bytes]:
    """Take a server's frames apart."""
    found, at = [], stream.index(b"\x81")
    while at < len(stream):
        size, start = stream[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(stream[at + 2:at + 4], "big"), at + 4
        elif size == 127:
            size, start = int.from_bytes(stream[at + 2:at + 10], "big"), at + 10
        found.append(stream[start:start + size])
        at = start + size
    return found


def test_a_trace_replays_to_the_same_bytes(tmp_path: Path) -> None:
    loop = VirtualLoop()
    path = tmp_path / "exchange.trace"

    async def main() -> list[bytes]:
        tracer = Tracer(path, {"seed": 7}, virtual_clock(loop))
        server = SimServer(config(), tracer.clock)
        server.tell = tracer.tell
        await server.start()
        out = await session(server)
        await server.stop()
        tracer.close()
        return out
    try:
        live = loop.run_until_complete(main())
    finally:
        loop.close()
    header, entries = read_trace(path)
    assert header.facts == {"seed": 7}
    again = replay(config(), entries)
    for text, written in zip(live, again.values(), strict=True):
        came = b"\n".join(payloads(written))
        assert came[:len(text)] == text     # the last frames were under way at the end
        assert len(came) - len(text) < 20_000
