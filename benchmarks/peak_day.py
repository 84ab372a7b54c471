"""A day at twice the recorded peak: the whole maker against the whole exchange, in virtual time.

    PYTHONPATH=build/release/lib python -P benchmarks/peak_day.py --hours 0-23 --keep peak.jsonl

Every hour is a seed of its own and one line of the file; hours that are there are not run again,
so a day may be run in pieces. The peak of the recordings is 109 book messages with 5,821 level
changes a second; here it is 218 and 11,642, every second. Must be 0: the venue's errors 10028
(credits) and 10047 (more than 8 requests waiting). No queue may grow.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from connectors.sim.wire.server import SimConfig, serve
from mmcore.journal import Journal
from mmcore.publish import summary
from mmcore.telemetry import PAGE_SIZE
from mmcore.types import InstrumentSpec
from runner.assemble import assemble
from runner.config import credentials, load
from runner.shutdown import leave
from runner.virtual import MemoryTransport, VirtualLoop

MESSAGES_PER_S = 2 * 109
CHANGES_PER_S = 2 * 5821
STEP_NS = 1_000_000_000 // MESSAGES_PER_S
CHANGES = CHANGES_PER_S // MESSAGES_PER_S + 1       # of one message
DEPTH = 200                                         # levels a side
WALL_NS = 1_795_000_000_000_000_000
URL = "ws://127.0.0.1:9000/ws/api/v2"
SETS = ("quote.fee_floor=false", "quote.base_half_spread_bps=0.2", "quote.min_half_spread_usd=0.5",
        "quote.min_half_spread_bps=0.05", "orders.requote_bps=0.05", "orders.retreat_bps=0.05",
        "signals.warmup_s=1", "signals.top_rate_max=0", "orders.momentum_bps=0", "quote.levels=3",
        "quote.size_btc=0.003")


class Hour(msgspec.Struct):
    """The figures of one hour."""

    hour: int
    seconds: float
    wall_s: float
    messages: int
    level_changes: int
    orders: int
    fills: int
    code_10028: int
    code_10047: int
    errors: dict[str, int]
    under_way_max: int      # messages on a link at a time
    waiting_max: int        # cold requests without an answer
    tasks_max: int
    rss_mib: float
    verified: bool


class PeakMarket:
    """A book in which every message changes as many levels as the recorded peak's do, twice."""

    waits_for_book = False

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.mid = 140_000
        self.start_ns = 0
        self.step = 0
        self.changes = 0

    def instruments(self) -> list[Listing]:
        return [Listing(spec=InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10,
                                            maker_fee=0.00015, taker_fee=0.00035))]

    def start(self, exchange: Exchange, t_ns: int) -> int:
        self.start_ns = t_ns
        exchange.market_index(t_ns, "btc_usd", self.mid / 2)
        exchange.market_mark(t_ns, 0, self.mid / 2)
        for i in range(1, DEPTH + 1):
            exchange.market_set_level(t_ns, 0, 0, self.mid - i, 5000)
            exchange.market_set_level(t_ns, 0, 1, self.mid + i, 5000)
        return t_ns + STEP_NS

    def advance(self, exchange: Exchange, t_ns: int) -> int:
        while self.start_ns + (self.step + 1) * STEP_NS <= t_ns:
            self.step += 1
            self.act(exchange, self.start_ns + self.step * STEP_NS)
        return self.start_ns + (self.step + 1) * STEP_NS

    def act(self, exchange: Exchange, t_ns: int) -> None:
        draw = self.random
        if self.step % 20 == 0:         # the mid goes up or down a tick eleven times a second
            self.move(exchange, t_ns, draw.choice((-1, 1)))
        step = self.step
        for k in range(CHANGES):
            away = 1 + (step * 31 + k * 7) % DEPTH
            side = (step + k) & 1
            exchange.market_set_level(t_ns, 0, side, self.mid + away if side else self.mid - away,
                                      1000 + (step * 13 + k) % 4096)
        self.changes += CHANGES
        if step % 40 == 0:              # takers, one of whom in ten reaches through the touch
            side = draw.randrange(2)
            reach = 25 if draw.random() < 0.1 else 1
            exchange.market_trade(t_ns, 0, side, self.mid + (reach if side == 0 else -reach),
                                  draw.randrange(1, 40), 0)

    def move(self, exchange: Exchange, t_ns: int, up: int) -> None:
        side, gone = (1, self.mid + 1) if up > 0 else (0, self.mid - 1)
        exchange.market_set_level(t_ns, 0, side, gone, 0)
        self.mid += up
        exchange.market_set_level(t_ns, 0, 1 - side, self.mid - up, 5000)
        far = self.mid + up * DEPTH
        exchange.market_set_level(t_ns, 0, side, far, 5000)
        exchange.market_mark(t_ns, 0, self.mid / 2)


class Wire:
    """Counts on the virtual links what must not happen."""

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}
        self.under_way_max = 0
        self.deliver = MemoryTransport.expect

    def expect(self, to: MemoryTransport, data: bytes | None) -> None:
        if data is not None and b'"error":{' in data:
            for part in data.split(b'"error":{')[1:]:
                code = part.partition(b'"code":')[2][:7].partition(b",")[0].strip(b"} ").decode()
                self.errors[code] = self.errors.get(code, 0) + 1
        self.deliver(to, data)
        self.under_way_max = max(self.under_way_max, len(to.arriving))


def run_hour(hour: int, seconds: float) -> Hour:
    """Trade one hour, or as long as told, and return its figures."""
    began = time.perf_counter()
    loop, wire, market = VirtualLoop(), Wire(), PeakMarket(hour)
    waiting = [0, 0]
    found: list[Any] = []

    async def session() -> None:
        server = await serve(
            SimConfig(market=market, port=9000, http=False, seed=hour, use_aiofastnet=False),
            lambda: loop.now_ns() + WALL_NS)
        config = load(None, list(SETS), URL)
        maker = await assemble(
            config, credentials(config), url=URL, journal=Journal(),
            page_memory=bytearray(PAGE_SIZE), rng=random.Random(hour), clock=loop.now_ns,
            use_aiofastnet=False)
        maker.reactor.start()
        keeping = asyncio.ensure_future(maker.client.run())
        end_s = loop.time() + seconds
        while loop.time() < end_s:
            await asyncio.sleep(0.5)
            waiting[0] = max(waiting[0], maker.client.rpc.outstanding)
            waiting[1] = max(waiting[1], len(asyncio.all_tasks(loop)))
        verified = await leave(maker.client, maker.session, 10.0, asyncio.Event())
        maker.reactor.stop()
        keeping.cancel()
        await asyncio.wait({keeping})
        await server.stop()
        found.extend((summary(maker.engine), verified))

    MemoryTransport.expect = lambda to, data: wire.expect(to, data)  # type: ignore[method-assign]
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(session())
    finally:
        MemoryTransport.expect = wire.deliver   # type: ignore[method-assign]
        asyncio.set_event_loop(None)
        loop.close()
    figures, verified = found
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Hour(
        hour=hour, seconds=seconds, wall_s=round(time.perf_counter() - began, 1),
        messages=figures["book_updates"], level_changes=market.changes,
        orders=figures["orders_new"] + figures["orders_edit"] + figures["orders_cancel"],
        fills=figures["fills"], code_10028=wire.errors.get("10028", 0),
        code_10047=wire.errors.get("10047", 0), errors=wire.errors,
        under_way_max=wire.under_way_max, waiting_max=waiting[0], tasks_max=waiting[1],
        rss_mib=round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1), verified=verified)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", default="0-23", help="first-last, both counted")
    options.add_argument("--seconds", type=float, default=3600.0, help="length of an hour")
    options.add_argument("--keep", type=Path, default=Path("peak_day.jsonl"))
    given = options.parse_args()
    first, _, last = given.hours.partition("-")
    kept = given.keep.read_text().splitlines() if given.keep.exists() else []
    hours = {h.hour: h for h in (msgspec.json.decode(line, type=Hour) for line in kept)}
    for hour in range(int(first), int(last or first) + 1):
        if hour in hours:
            continue
        hours[hour] = run_hour(hour, given.seconds)
        line = msgspec.json.encode(hours[hour]).decode()
        with given.keep.open("a") as out:
            out.write(line + "\n")
        print(line, flush=True)
    done = list(hours.values())
    total = {"hours": round(sum(h.seconds for h in done) / 3600, 3),
             "messages": sum(h.messages for h in done),
             "level_changes": sum(h.level_changes for h in done),
             "orders": sum(h.orders for h in done), "fills": sum(h.fills for h in done),
             "10028": sum(h.code_10028 for h in done), "10047": sum(h.code_10047 for h in done),
             "under_way_max": max(h.under_way_max for h in done),
             "rss_mib_max": max(h.rss_mib for h in done),
             "all_verified": all(h.verified for h in done)}
    print(json.dumps(total))
    return 0 if total["10028"] == total["10047"] == 0 and total["all_verified"] else 1


if __name__ == "__main__":
    sys.exit(main())
