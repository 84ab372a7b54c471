"""Killed at random events and started again: nothing left, position and profit as without it.

The venue's own account knows nothing of crashes, so it is what the result is compared with. What a
new process knows of the one before is what a file written once a second would hold.
"""

import asyncio
import random

import pytest
from fault_session import SETS, ScriptedMarket, Watcher
from virtual_session import URL, WALL_OFFSET_NS, VirtualSession

from connectors.deribit.connection import Held
from connectors.sim.wire.server import SimConfig, serve
from mmcore.journal import Journal
from mmcore.telemetry import PAGE_SIZE
from runner.assemble import Maker, assemble
from runner.config import credentials
from runner.shutdown import leave
from runner.virtual import MemoryTransport

CRASHES = 20
SAVED_EVERY_S = 1.0


class Lives(VirtualSession):
    """Maker after maker on one exchange, each ended at a random event but the last."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed, sets=SETS, ring_mib=1)
        self.random = random.Random(seed)
        self.watcher = Watcher(self)
        self.events_left = -1
        self.keeping: asyncio.Future[None] | None = None
        self.crashes = 0
        self.fills = 0
        self.held: tuple[Held, ...] = ()
        self.saved = (0, 0)             # realised and fees of all lives up to the last save
        self.carried = (0, 0)           # the same up to the beginning of this life
        self.saved_s = 0.0

    async def live(self) -> Maker:
        maker = await assemble(
            self.config, credentials(self.config), url=URL, journal=Journal(),
            page_memory=bytearray(PAGE_SIZE), rng=random.Random(self.random.random()),
            clock=self.now_ns, use_aiofastnet=False, held=self.held)
        self.maker = maker
        self.carried = self.saved
        maker.reactor.start()
        self.keeping = asyncio.ensure_future(maker.client.run())
        return maker

    def save(self) -> None:
        """Note what a file of the state folder would hold now; only when all is counted."""
        if self.maker is None or self.maker.client.state != "ready":
            return
        market = self.maker.engine.markets[0]
        position = market.position
        self.held = (Held(position.contracts, position.average(market.spec_object),
                          market.own_trade_seq, self.wall_ns() // 1_000_000),)
        self.saved = (self.carried[0] + position.realized_e8, self.carried[1] + position.fees_e8)
        self.saved_s = self.loop.time()

    def received(self) -> None:
        if self.events_left == 0:
            self.events_left = -1
            self.crash()
        elif self.events_left > 0:
            self.events_left -= 1
        if self.maker is not None and self.maker.client.state == "ready":
            self.watcher.look()
            if self.loop.time() - self.saved_s >= SAVED_EVERY_S:
                self.save()

    def crash(self) -> None:
        """End a process as kill -9 does: not a line of it runs any more, its socket closes."""
        maker = self.maker
        flushed = self.random.random() < 0.5
        for near in [t for t in self.loop.live if t.get_extra_info("sockname")[1] != 9000]:
            if flushed and near.peer is not None:   # what was written still arrives, then the end
                near.closing = True
                near.arriving.clear()
                near.peer.expect(None)
                self.loop.live.discard(near)
            else:
                near.cut()
        self.crashes += 1
        if maker is None or self.keeping is None:       # before it was put together
            return
        self.fills += maker.engine.markets[0].ledger.fills
        maker.session.on_closed = None
        maker.client.state = "stopped"
        maker.reactor.stop()
        self.keeping.cancel()
        for task in asyncio.all_tasks(self.loop):
            if task.get_name() in ("connection", "refresh", "clock", "reconcile", "listing",
                                   "probe", "refill", "resync", "login", "kill"):
                task.cancel()
        self.maker = None

    async def all_lives(self) -> None:
        self.server = await serve(
            SimConfig(market=ScriptedMarket(self.seed), port=9000, http=False, seed=self.seed,
                      use_aiofastnet=False), self.wall_ns)
        while self.crashes < CRASHES:
            # Some die while they still prepare, most while they trade.
            self.events_left = self.random.randrange(5, 90)
            before = self.crashes
            starting = asyncio.ensure_future(self.live())
            for _ in range(3000):
                await asyncio.sleep(0.01)
                if self.crashes > before:
                    break
            starting.cancel()
            await asyncio.sleep(self.random.choice((0.0, 0.01, 0.5, 2.0)))
        maker = await self.live()
        await asyncio.sleep(4.0)
        assert maker.client.state == "ready"
        self.verified = await leave(maker.client, maker.session, 5.0, asyncio.Event())
        maker.reactor.stop()
        assert self.keeping is not None
        self.keeping.cancel()
        self.fills += maker.engine.markets[0].ledger.fills
        await self.server.stop()

    def run_lives(self) -> None:
        receive = MemoryTransport.receive

        def received(transport: MemoryTransport) -> None:
            receive(transport)
            self.received()

        asyncio.set_event_loop(self.loop)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryTransport, "receive", received)
            try:
                self.loop.run_until_complete(self.all_lives())
            finally:
                asyncio.set_event_loop(None)
                self.loop.close()


def crash_and_compare(seed: int) -> None:
    print(f"seed {seed}")
    lives = Lives(seed)
    lives.run_lives()
    account = lives.watcher.account
    assert account is not None
    assert lives.maker is not None
    assert lives.crashes == CRASHES
    assert lives.verified
    assert account.open_orders == 0
    assert lives.watcher.found == []
    position = lives.maker.engine.markets[0].position
    size, entry, realized_e8, _ = account.position(0)
    assert lives.fills >= 5
    assert position.contracts == size
    assert lives.carried[1] + position.fees_e8 == account.money()[2]
    sign = 1 if size > 0 else -1
    off_e12 = ((lives.carried[0] + position.realized_e8 - realized_e8) * 10_000
               + sign * (position.entry_cost - entry))
    assert abs(off_e12) <= 10_000, off_e12       # 1e-8 BTC
    assert lives.maker.client.reconciler.mismatches_total == 0
    assert WALL_OFFSET_NS > 0


@pytest.mark.parametrize("seed", range(3))
def test_killed_sixty_times(seed: int) -> None:
    crash_and_compare(seed)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(3, 10))
def test_killed_two_hundred_times(seed: int) -> None:
    crash_and_compare(seed)
