"""A day at twice the recorded peak: the whole maker against the whole exchange, in virtual time.

    PYTHONPATH=build/release/lib python -P benchmarks/peak_day.py --hours 0..23 --processes 2

Each hour is a seed, a process and a line of the file of its own (`--keep`); hours that are there
are not run again, so a day may be run in pieces, and by several commands that share the file.
`--table` runs nothing and prints what there is. The peak of the recordings is 109 book messages
with 5,821 level changes a second; here it is 218 and 11,642, every second. Must be 0: the venue's
errors 10028 (credits) and 10047 (more than 8 requests waiting). No queue may grow.

An hour costs about 80 s of one CPU. The collector is off as in `mm run`, so that what is
left behind would show. Memory grows by some 15 MiB when a second session follows in one process
and never again: glibc raises its threshold for mapping large blocks when the first session's are
freed (with MALLOC_MMAP_THRESHOLD_=131072 it does not); no object is left. Hence a process an hour.
"""

import argparse
import asyncio
import concurrent.futures
import gc
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from connectors.sim.wire.server import SimConfig, SimServer, serve
from mmcore.budget import Budget
from mmcore.journal import Journal
from mmcore.publish import summary
from mmcore.telemetry import PAGE_SIZE
from mmcore.types import InstrumentSpec
from runner.assemble import Maker, assemble
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
LOOK_S = 0.05                                       # between two looks at the queues
# Each queue and the depth it may have; the table names them by their first words.
QUEUES = {"link": 10,           # writes under way on a virtual link
          "cold": 8,            # questions without an answer
          "matching": 12,       # trading requests without one: 8 and the cancels
          "tasks": 20,
          "timers": 200,        # of the loop, cancelled ones too
          "ready": 60}          # callbacks of one iteration


class Hour(msgspec.Struct):
    """The figures of one hour."""

    hour: int
    seconds: float
    wall_s: float
    messages: int
    messages_per_s: int     # of book changes the maker took, in the busiest second
    level_changes: int
    level_changes_per_s: int
    orders: int
    fills: int
    code_10028: int
    code_10047: int
    errors: dict[str, int]
    queues: dict[str, int]  # the deepest of each
    rss_start_mib: float    # once quotes stand
    rss_end_mib: float
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
        step, mid, set_level = self.step, self.mid, exchange.market_set_level
        place, amount = step * 31, 1000 + step * 13 % 4096
        for k in range(step & 1, CHANGES, 2):           # one side, then the other
            set_level(t_ns, 0, 0, mid - 1 - (place + k * 7) % DEPTH, amount + k)
        for k in range(1 - (step & 1), CHANGES, 2):
            set_level(t_ns, 0, 1, mid + 1 + (place + k * 7) % DEPTH, amount + k)
        self.changes += CHANGES
        if step % 40 == 0:              # takers, one of whom in ten reaches through the touch
            side = draw.randrange(2)
            reach = 25 if draw.random() < 0.1 else 1
            exchange.market_trade(t_ns, 0, side, mid + (reach if side == 0 else -reach),
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
        self.matching_max = 0
        self.budget: Budget | None = None
        self.deliver = MemoryTransport.expect

    def expect(self, to: MemoryTransport, data: bytes | None) -> None:
        if data is not None and b'"error":{' in data:
            for part in data.split(b'"error":{')[1:]:
                code = part.partition(b'"code":')[2][:7].partition(b",")[0].strip(b"} ").decode()
                self.errors[code] = self.errors.get(code, 0) + 1
        self.deliver(to, data)
        if len(to.arriving) > self.under_way_max:
            self.under_way_max = len(to.arriving)
        if self.budget is not None and self.budget.in_flight > self.matching_max:
            self.matching_max = self.budget.in_flight


class Trial:
    """One hour while it runs."""

    def __init__(self, hour: int, seconds: float) -> None:
        self.hour = hour
        self.seconds = seconds
        self.loop = VirtualLoop()
        self.wire = Wire()
        self.market = PeakMarket(hour)
        self.queues = dict.fromkeys(QUEUES, 0)
        self.rate = [0, 0]              # messages and level changes of the busiest second
        self.rss_start = 0.0
        self.figures: dict[str, Any] = {}
        self.verified = False

    async def run(self) -> None:
        """Trade, look at the queues, leave in order."""
        server = await serve(
            SimConfig(market=self.market, port=9000, http=False, seed=self.hour,
                      use_aiofastnet=False),
            lambda: self.loop.now_ns() + WALL_NS)
        config = load(None, list(SETS), URL)
        maker = await assemble(
            config, credentials(config), url=URL, journal=Journal(),
            page_memory=bytearray(PAGE_SIZE), rng=random.Random(self.hour),
            clock=self.loop.now_ns, use_aiofastnet=False)
        self.wire.budget = maker.engine.budget
        maker.reactor.start()
        keeping = asyncio.ensure_future(maker.client.run())
        await self.watch(maker)
        self.verified = await leave(maker.client, maker.session, 10.0, asyncio.Event())
        self.figures = summary(maker.engine)
        await self.end(maker, server, keeping)

    async def watch(self, maker: Maker) -> None:
        end_s = self.loop.time() + self.seconds
        looks, seen = 0, (0, 0)
        while self.loop.time() < end_s:
            await asyncio.sleep(LOOK_S)
            self.look(maker)
            looks += 1
            if looks % round(1 / LOOK_S):
                continue
            now = (summary(maker.engine)["book_updates"], self.market.changes)
            if seen[0]:                 # the first second is not a whole one
                self.rate = [max(r, n - s) for r, n, s in zip(self.rate, now, seen, strict=True)]
            seen = now
            if looks == round(5 / LOOK_S):
                self.rss_start = rss_mib()

    def look(self, maker: Maker) -> None:
        loop: Any = self.loop
        depths = (self.wire.under_way_max, maker.client.rpc.outstanding,
                  self.wire.matching_max, len(asyncio.all_tasks(loop)),
                  len(loop._scheduled), len(loop._ready))
        for name, depth in zip(QUEUES, depths, strict=True):
            self.queues[name] = max(self.queues[name], depth)

    async def end(self, maker: Maker, server: SimServer, keeping: "asyncio.Future[None]") -> None:
        maker.reactor.stop()
        keeping.cancel()
        await asyncio.wait({keeping})
        await server.stop()


def run_hour(hour: int, seconds: float) -> Hour:
    """Trade one hour, or as long as told, and return its figures."""
    began = time.perf_counter()
    trial = Trial(hour, seconds)
    wire = trial.wire
    collected = gc.isenabled()
    gc.disable()
    MemoryTransport.expect = lambda to, data: wire.expect(to, data)  # type: ignore[method-assign]
    asyncio.set_event_loop(trial.loop)
    try:
        trial.loop.run_until_complete(trial.run())
    finally:
        MemoryTransport.expect = wire.deliver   # type: ignore[method-assign]
        asyncio.set_event_loop(None)
        trial.loop.close()
        if collected:
            gc.enable()
    figures = trial.figures
    return Hour(
        hour=hour, seconds=seconds, wall_s=round(time.perf_counter() - began, 1),
        messages=figures["book_updates"], messages_per_s=trial.rate[0],
        level_changes=trial.market.changes, level_changes_per_s=trial.rate[1],
        orders=figures["orders_new"] + figures["orders_edit"] + figures["orders_cancel"],
        fills=figures["fills"], code_10028=wire.errors.get("10028", 0),
        code_10047=wire.errors.get("10047", 0), errors=wire.errors, queues=trial.queues,
        rss_start_mib=trial.rss_start, rss_end_mib=rss_mib(), verified=trial.verified)


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def faults_of(hour: Hour) -> list[str]:
    """Say what of an hour must not be."""
    found = [f"{queue} was {hour.queues[queue]} deep, more than {most}"
             for queue, most in QUEUES.items() if hour.queues.get(queue, 0) > most]
    if hour.code_10028 or hour.code_10047:
        found.append(f"{hour.code_10028} x 10028, {hour.code_10047} x 10047")
    if not hour.verified:
        found.append("the way out was not verified")
    return [f"hour {hour.hour}: {fault}" for fault in found]


def table(hours: Iterable[Hour]) -> str:
    """Return the hours as a text table, a line each and one for all."""
    done = sorted(hours, key=lambda h: h.hour)
    if not done:
        return "no hour yet"
    heads = ["hour", "s", "msg", "msg/s", "levels", "levels/s", "orders", "fills", "10028",
             "10047", *QUEUES, "RSS MiB", "at end", "verified"]
    rows = [[h.hour, round(h.seconds), h.messages, h.messages_per_s, h.level_changes,
             h.level_changes_per_s, h.orders, h.fills, h.code_10028, h.code_10047,
             *(h.queues.get(queue, 0) for queue in QUEUES), h.rss_start_mib, h.rss_end_mib,
             "yes" if h.verified else "NO"] for h in done]
    rows.append([
        "all", *(sum(h[i] for h in rows) for i in (1, 2)), max(h[3] for h in rows),
        sum(h[4] for h in rows), max(h[5] for h in rows),
        *(sum(h[i] for h in rows) for i in (6, 7, 8, 9)),
        *(max(h[i] for h in rows) for i in range(10, 12 + len(QUEUES))),
        "yes" if all(h.verified for h in done) else "NO"])
    widths = [max(len(str(line[i])) for line in [heads, *rows]) for i in range(len(heads))]
    return "\n".join("  ".join(str(cell).rjust(width) for cell, width in zip(
        line, widths, strict=True)) for line in [heads, *rows])


def read_kept(path: Path) -> dict[int, Hour]:
    """Return the hours of a file; a line cut short by a killed process is left out."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            hour = msgspec.json.decode(line, type=Hour)
        except msgspec.DecodeError:
            continue
        found[hour.hour] = hour
    return found


def run_hours(wanted: list[int], seconds: float, processes: int, keep: Path) -> None:
    """Run hours, each in a process of its own, and append each to the file when it is done."""
    # spawn, and one hour a process: its memory is its own from the beginning
    for i in range(0, len(wanted), processes):
        with concurrent.futures.ProcessPoolExecutor(
                processes, multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(run_hour, hour, seconds) for hour in wanted[i:i + processes]]
            for future in concurrent.futures.as_completed(futures):
                with keep.open("ab") as out:
                    out.write(msgspec.json.encode(future.result()) + b"\n")
                print(table([future.result()]), flush=True)


def hours_of(text: str) -> list[int]:
    """Read A..B, both counted, or one number; ValueError otherwise."""
    first, _, last = text.replace("-", "..").partition("..")
    return list(range(int(first), int(last or first) + 1))


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hours", type=hours_of, default="0..23", help="A..B, both counted")
    options.add_argument("--seconds", type=float, default=3600.0, help="length of an hour")
    options.add_argument("--processes", type=int, default=1, help="hours at a time")
    options.add_argument("--keep", type=Path, default=Path("peak_day.jsonl"))
    options.add_argument("--table", action="store_true", help="only print what there is")
    given = options.parse_args()
    if not given.table:
        kept = read_kept(given.keep)
        run_hours([h for h in given.hours if h not in kept], given.seconds, given.processes,
                  given.keep)
    done = read_kept(given.keep).values()
    print(table(done))
    faults = [fault for hour in done for fault in faults_of(hour)]
    print("\n".join(faults) if faults else "nothing that must not be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
