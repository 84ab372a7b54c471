"""A session in virtual time that starts anew when other contracts are to be traded, as `mm run`.

And its clock may be coarse: a day passes in seconds where only contracts come and go.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from three_contracts import ThreeContracts
from virtual_session import URL, VirtualSession

from connectors.deribit.reconcile import InstrumentChangedError
from connectors.sim.wire.server import SimConfig, SimServer, serve
from mmcore.journal import Journal
from mmcore.telemetry import PAGE_SIZE
from runner import live, reactor
from runner.accounts import Accounts, Day
from runner.assemble import assemble
from runner.config import credentials
from runner.options import RunOptions
from runner.shutdown import leave

RESTART_S = 1.0         # of a process
COARSE_S = 2.0
COARSE_SETS = ("risk.stale_ms=30000", "risk.ticker_stale_ms=30000", "risk.book_silence_ms=30000",
               "risk.max_feed_lag_ms=60000", "venue.dead_after_s=30", "orders.refresh_s=60")


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds between two looks of maker and exchange: a day is short then."""
    def set_timer(self: SimServer, _t_ns: int) -> None:
        if self.timer is None and not self.stopped:
            self.timer = asyncio.get_running_loop().call_later(COARSE_S, self.on_timer)

    monkeypatch.setattr(reactor, "TICK_S", COARSE_S)
    monkeypatch.setattr(reactor, "TICK_NS", round(COARSE_S * 1e9))
    monkeypatch.setattr(SimServer, "set_timer", set_timer)


class RollingSession(VirtualSession):
    """One exchange, and one maker after the other at it; `folder` keeps their accounts."""

    def __init__(self, *, sets: tuple[str, ...], market: ThreeContracts, start_ns: int,
                 folder: Path | None = None) -> None:
        super().__init__(seed=1, sets=sets, ring_mib=1, market=lambda _: market)
        self.wall_offset_ns = start_ns - self.now_ns()
        self.folder = folder
        self.starts: list[tuple[float, list[str]]] = []     # seconds, contracts
        self.reasons: list[str] = []        # of each end but the last
        self.days: list[Day] = []
        self.pages: list[bytearray] = []    # they outlive their makers
        self.began_s = self.loop.time()
        self.equity_btc: list[float] = []       # at the first start and at the last end

    async def session(self, seconds: float,
                      meanwhile: Callable[[VirtualSession], None] | None,
                      every_s: float) -> None:
        assert self.make_market is not None
        self.server = await serve(
            SimConfig(market=self.make_market(self.wall_ns()), port=9000, http=False,
                      seed=self.seed, use_aiofastnet=False), self.wall_ns)
        await self.before()
        end_s = self.loop.time() + seconds
        options: RunOptions | None = RunOptions()
        while options is not None:
            options = await self.one(options, end_s, meanwhile, every_s)
            if options is not None:
                await asyncio.sleep(RESTART_S)
        await self.server.stop()

    async def one(self, options: RunOptions, end_s: float,
                  meanwhile: Callable[[VirtualSession], None] | None,
                  every_s: float) -> RunOptions | None:
        """Run one maker; return with what the next one starts, if there is one."""
        self.pages.append(bytearray(PAGE_SIZE))
        maker = self.maker = await assemble(
            self.config, credentials(self.config), url=URL, journal=Journal(),
            page_memory=self.pages[-1], rng=random.Random(self.seed), clock=self.now_ns,
            use_aiofastnet=False, before=options.before, positions=options.positions)
        self.starts.append((self.loop.time() - self.began_s,
                            [market.name for market in maker.engine.markets]))
        accounts = None
        if self.folder is not None:
            accounts = Accounts(self.folder, maker.engine, lambda: self.wall_ns() / 1e9)
            accounts.open(maker.session.control)
        reconciler = maker.client.reconciler
        reconciler.on_account = lambda told: self.equity_btc.append(told.equity)
        maker.reactor.start()
        keeping = asyncio.ensure_future(maker.client.run())
        while self.loop.time() < end_s and not keeping.done():
            await asyncio.wait({keeping}, timeout=min(every_s, end_s - self.loop.time()))
            if accounts is not None:
                self.keep(accounts, accounts.step())
            if meanwhile is not None:
                meanwhile(self)
        error = keeping.exception() if keeping.done() else None
        if error is None:
            self.equity_btc.append((await reconciler.read_account()).equity)
        self.verified = await leave(maker.client, maker.session, 20.0, asyncio.Event())
        maker.reactor.stop()
        keeping.cancel()
        await asyncio.wait({keeping})
        if accounts is not None:
            self.keep(accounts, accounts.step())
            self.keep(accounts, accounts.figures())
        if error is None:
            return None
        if not isinstance(error, InstrumentChangedError):
            raise error
        self.reasons.append(f"{type(error).__name__}: {error}")
        assert self.verified
        reason = live.ROLL if isinstance(error, live.RosterChangedError) else "delivered"
        return live.following(RunOptions(), live.Outcome(
            reason, 0, maker=maker, changed=reason == live.ROLL), 0.0)

    def keep(self, accounts: Accounts, day: Day | None) -> None:
        if day is not None:
            day.held = {}
            accounts.write(day)
            self.days = [d for d in self.days if d.date != day.date] + [day]
