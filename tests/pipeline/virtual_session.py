"""The whole maker against the whole exchange, in one process and in virtual time."""

import asyncio
import mmap
import random
import struct
from collections.abc import Callable, Iterator

from connectors.replay.replay import JournalReplay
from connectors.sim.faults import FaultPlan
from connectors.sim.market import Market, open_market
from connectors.sim.wire.server import SimConfig, SimServer, serve
from mmcore.journal import Journal, JournalKind
from mmcore.telemetry import PAGE_SIZE
from runner.assemble import Maker, assemble
from runner.config import Config, credentials, load
from runner.replay import rebuild
from runner.shutdown import leave
from runner.virtual import VirtualLoop

WALL_OFFSET_NS = 1_795_000_000_000_000_000     # November 2026
RING_DATA = 4096
RECORD = struct.Struct("<IHHq")      # size, kind, source, now_ns
URL = "ws://127.0.0.1:9000/ws/api/v2"
LIVELY = ("quote.fee_floor=false", "quote.base_half_spread_bps=0.2",
          "quote.min_half_spread_usd=0.5", "quote.min_half_spread_bps=0.05",
          "orders.start_requests=1000")         # nobody was there before


class VirtualSession:
    """One session: its exchange and maker while it runs, its journal afterwards."""

    def __init__(self, *, seed: int, sets: tuple[str, ...] = LIVELY, ring_mib: int = 64,
                 market: Callable[[int], Market] | None = None,
                 faults: FaultPlan | None = None) -> None:
        """market: makes the exchange's market from its wall time in ns; None: synthetic."""
        self.faults = faults
        self.seed = seed
        self.config: Config = load(None, list(sets), URL)
        self.ring = mmap.mmap(-1, RING_DATA + (ring_mib << 20))
        self.make_market = market
        self.loop = VirtualLoop()
        self.wall_offset_ns = WALL_OFFSET_NS
        self.server: SimServer | None = None
        self.maker: Maker | None = None
        self.verified = False

    def now_ns(self) -> int:
        """Return the maker's clock."""
        return self.loop.now_ns()

    def wall_ns(self) -> int:
        """Return the exchange's clock."""
        return self.loop.now_ns() + self.wall_offset_ns

    def run(self, seconds: float, *, meanwhile: Callable[["VirtualSession"], None] | None = None,
            every_s: float = 1.0) -> None:
        """Trade for so long, calling `meanwhile` between events, then leave in order."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self.session(seconds, meanwhile, every_s))
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    async def before(self) -> None:
        """Do what must have happened at the exchange before the maker connects."""

    async def session(self, seconds: float,
                      meanwhile: Callable[["VirtualSession"], None] | None,
                      every_s: float) -> None:
        market = (self.make_market(self.wall_ns()) if self.make_market
                  else open_market((), seed=self.seed, now_ns=self.wall_ns()))
        self.server = await serve(
            SimConfig(market=market, port=9000, http=False, seed=self.seed,
                      use_aiofastnet=False, faults=self.faults), self.wall_ns)
        await self.before()
        self.maker = await assemble(
            self.config, credentials(self.config), url=URL, journal=Journal(self.ring),
            page_memory=bytearray(PAGE_SIZE), rng=random.Random(self.seed), clock=self.now_ns,
            use_aiofastnet=False)
        self.maker.reactor.start()
        keeping = asyncio.ensure_future(self.maker.client.run())
        end_s = self.loop.time() + seconds
        while self.loop.time() < end_s:
            await asyncio.sleep(min(every_s, end_s - self.loop.time()))
            if meanwhile is not None:
                meanwhile(self)
        self.verified = await leave(self.maker.client, self.maker.session, 5.0, asyncio.Event())
        self.maker.reactor.stop()
        keeping.cancel()
        await asyncio.wait({keeping})
        await self.server.stop()

    def records(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (kind, now_ns, payload) of everything in the ring, which never wraps here."""
        at = 0
        while at < self.written():
            size, kind, _, now_ns = RECORD.unpack_from(self.ring, RING_DATA + at)
            start = RING_DATA + at + RECORD.size
            yield kind, now_ns, self.ring[start:start + size]
            at += (RECORD.size + size + 15) & ~15

    def frames_from(self, at: int) -> tuple[int, list[bytes]]:
        """Return the frames received since a place in the ring, and the place after them."""
        frames = []
        while at < self.written():
            size, kind, _, _ = RECORD.unpack_from(self.ring, RING_DATA + at)
            if kind == JournalKind.JOURNAL_FRAME_IN:
                start = RING_DATA + at + RECORD.size
                frames.append(self.ring[start:start + size])
            at += (RECORD.size + size + 15) & ~15
        return at, frames

    def written(self) -> int:
        """Return the bytes of records in the ring."""
        return int.from_bytes(self.ring[24:32], "little")

    def replay(self, config: tuple[bytes, bytes] | None = None) -> JournalReplay:
        """Run the journal through a fresh engine built from its header.

        config: bytes of the header to replace, and by what.
        """
        header = next(payload for kind, _, payload in self.records()
                      if kind == JournalKind.JOURNAL_HEADER)
        replay = rebuild(header if config is None else header.replace(*config))
        for kind, now_ns, payload in self.records():
            replay.take(kind, now_ns, payload)
        return replay
