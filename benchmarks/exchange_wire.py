"""The exchange's wire front: one simulated hour in virtual time, and messages a second for real.

    PYTHONPATH=build/release/lib python -P benchmarks/exchange_wire.py [--hour-s 3600] [--rate-s 30]

First figure: a client on real framing in virtual time sees an hour of raw book and trades; the
bound is 15 s of one core. Second: a market played faster than it is sends ten channels to ten
sockets of another process, 10,000 messages a second in all; bounds are 50 ms of exchange-clock lag
and a send queue that does not grow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import picows

from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.server import SimConfig, SimServer, wall_clock
from runner.virtual import START_NS, VirtualLoop

PERP = "BTC-PERPETUAL"
EPOCH_NS = 1_790_000_000_000_000_000
HOUR_MAX_S = 15.0
LAG_MAX_MS = 50.0
WANTED_A_SECOND = 10_000
SOCKETS = 10


class Reader(picows.WSListener):
    """Counts frames and bytes, decodes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0
        self.bytes = 0

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        self.frames += 1
        self.bytes += frame.payload_size


async def open_reader(port: int, channels: list[str], *, fast: bool | None) -> tuple[Any, Reader]:
    transport, reader = await picows.ws_connect(
        Reader, f"ws://127.0.0.1:{port}/ws/api/v2", use_aiofastnet=fast)
    for number, (method, params) in enumerate((
            ("public/auth", {"grant_type": "client_credentials", "client_id": "reader",
                             "client_secret": "x"}),
            ("private/subscribe", {"channels": channels}))):
        transport.send(picows.WSMsgType.TEXT, json.dumps(
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode())
        await asyncio.sleep(0.05)
    return transport, reader


def virtual_hour(seconds: float) -> dict[str, float]:
    """Return what one client got of a virtual hour, and the CPU time it cost."""
    loop = VirtualLoop()

    async def main() -> Reader:
        server = SimServer(
            SimConfig(market=SyntheticMarket(seed=1, now_ns=EPOCH_NS), http=False, tier=0,
                      use_aiofastnet=False),
            lambda: EPOCH_NS + loop.now_ns() - START_NS)
        await server.start()
        _, reader = await open_reader(
            server.ws_port, [f"book.{PERP}.raw", f"trades.{PERP}.raw"], fast=False)
        await asyncio.sleep(seconds)
        await server.stop()
        return reader
    begin = time.process_time()
    reader = loop.run_until_complete(main())
    loop.close()
    cpu_s = time.process_time() - begin
    return {"market_s": seconds, "cpu_s": cpu_s, "frames": reader.frames, "bytes": reader.bytes,
            "frames_a_second": reader.frames / seconds}


def read_all(port: int, pipe: Connection) -> None:
    """Run the ten readers in a process of their own; send the counts every second."""
    channels = [f"book.{PERP}.raw", f"trades.{PERP}.raw", f"ticker.{PERP}.raw", f"quote.{PERP}",
                f"book.{PERP}.100ms", f"ticker.{PERP}.100ms", f"trades.{PERP}.100ms",
                f"perpetual.{PERP}.raw", f"book.{PERP}.none.10.100ms",
                "deribit_price_index.btc_usd"]

    async def main() -> None:
        readers = [(await open_reader(port, channels, fast=None))[1] for _ in range(SOCKETS)]
        while not pipe.poll():
            await asyncio.sleep(0.2)
            pipe.send(sum(reader.frames for reader in readers))
    asyncio.run(main())


class Measured(SimServer):
    """Notes how late the market is whenever it is brought up to now."""

    def __init__(self, config: SimConfig) -> None:
        super().__init__(config, wall_clock())
        self.lags_ms: list[float] = []

    def advance(self, t_ns: int) -> None:
        if self.market_due_ns is not None and self.market_due_ns <= t_ns:
            self.lags_ms.append((t_ns - self.market_due_ns) / 1e6)
        super().advance(t_ns)


async def watch(server: Measured, pipe: Connection, seconds: float) -> dict[str, Any]:
    """Sample lag and send queues while the readers read."""
    loop = asyncio.get_running_loop()
    queues = []
    await asyncio.sleep(2.0)
    first = last = 0
    while pipe.poll():
        first = last = pipe.recv()
    server.lags_ms.clear()
    begin = loop.time()
    while loop.time() < begin + seconds:
        await asyncio.sleep(0.05)
        queues.append(sum(s.transport.underlying_transport.get_write_buffer_size()
                          for s in server.sessions if s.transport is not None))
        while pipe.poll():
            last = pipe.recv()
    took = loop.time() - begin
    lags = sorted(server.lags_ms)
    third = len(queues) // 3
    return {"seconds": took, "messages_a_second": (last - first) / took,
            "lag_ms_median": lags[len(lags) // 2], "lag_ms_max": lags[-1],
            "lag_ms_p99": lags[int(len(lags) * 0.99)],
            "queue_bytes_first_third": sum(queues[:third]) / third,
            "queue_bytes_last_third": sum(queues[-third:]) / third, "queue_bytes_max": max(queues)}


def real_rate(seconds: float, speed: float) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        server = Measured(SimConfig(
            market=SyntheticMarket(seed=1, now_ns=time.time_ns(), speed=speed), http=False,
            tier=0))
        await server.start()
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=read_all, args=(server.ws_port, theirs))
        process.start()
        try:
            while len(server.sessions) < SOCKETS:  # noqa: ASYNC110 the count is what it is
                await asyncio.sleep(0.1)
            return await watch(server, ours, seconds)
        finally:
            ours.send(None)
            await asyncio.sleep(0.5)
            await server.stop()
            process.join(5.0)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--hour-s", type=float, default=3600.0)
    parser.add_argument("--rate-s", type=float, default=30.0)
    parser.add_argument("--speed", type=float, default=10.0)
    options = parser.parse_args()
    hour = virtual_hour(options.hour_s)
    print(f"virtual: {hour['market_s']:g} s of market, {hour['frames']:,} frames "
          f"({hour['frames_a_second']:.0f}/s), {hour['bytes'] / 1e6:.0f} MB: "
          f"{hour['cpu_s']:.1f} s of one core (bound {HOUR_MAX_S:g} s for an hour)", flush=True)
    rate = real_rate(options.rate_s, options.speed)
    print(f"real: {rate['messages_a_second']:,.0f} messages/s over {SOCKETS} sockets for "
          f"{rate['seconds']:.0f} s (wanted {WANTED_A_SECOND:,}); lag median "
          f"{rate['lag_ms_median']:.1f}, p99 {rate['lag_ms_p99']:.1f}, max {rate['lag_ms_max']:.1f}"
          f" ms (bound {LAG_MAX_MS:g}); send queue {rate['queue_bytes_first_third']:,.0f} then "
          f"{rate['queue_bytes_last_third']:,.0f} bytes, max {rate['queue_bytes_max']:,}")


if __name__ == "__main__":
    main()
