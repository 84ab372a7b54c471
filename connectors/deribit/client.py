"""The life of a connection: connect, authenticate, agree, subscribe, serve; again after a loss.

Start and reconnect are one path: cancel everything of ours, verify, reconcile, then quote.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import msgspec

from connectors.deribit.connection import ClientConfig
from connectors.deribit.feed import DeribitFeed
from connectors.deribit.link import Link
from connectors.deribit.protection import QuoteProtection
from connectors.deribit.reconcile import InstrumentChangedError, Reconciler, StartRefusedError
from connectors.deribit.rpc import RpcClosedError, RpcError
from connectors.deribit.session import CONNECT_ERRORS, DeribitSession
from connectors.deribit.subscriptions import Subscriptions
from connectors.deribit.sweep import foreign_fault
from mmcore.intake import EngineFlag
from mmcore.types import ControlKind, InstrumentSpec

log = logging.getLogger("mm.deribit")

ClientState = Literal["closed", "connecting", "preparing", "ready", "stopping", "stopped"]
RETRIED: tuple[type[Exception], ...] = (
    *CONNECT_ERRORS, RpcError, msgspec.DecodeError, StartRefusedError)
HEALTHY_S = 10.0  # a connection that lived this long starts the back-off afresh
CLOCK_SAMPLES = 5
EVERYTHING = ""  # for the second path, instead of an instrument's name
UNLOCKED_LOOK_S = 2.0
STATES_WAIT_S = 1.0  # for the words on other instruments, and for the list to follow
COLD_TICKS = 5  # between two looks at the connections
LOOK_TICKS = 10  # between two looks at what may be asked for together


class DeribitClient:
    """Keeper of the connection. run() returns after stop(), or raises StartRefusedError.

    rng seeds the jitter of reconnects and the nonces of signatures. data: a session without
    orders, for a second connection that carries the market data; the two live and die together.
    """

    def __init__(
        self,
        config: ClientConfig,
        session: DeribitSession,
        specs: list[InstrumentSpec],
        *,
        rng: random.Random,
        data: DeribitSession | None = None,
    ) -> None:
        self.config = config
        self.session = session
        self.specs = specs
        self.feed: DeribitFeed = session.feed
        self.orders = Link(config, session, rng=rng, on_end=self._on_end,
                           session_name=config.session_name)
        self.data = self.orders if data is None else Link(
            config, data, rng=rng, on_end=self._on_end,
            session_name=config.session_name + "-data", beside=self.orders)
        self.links = [self.orders] if data is None else [self.orders, self.data]
        self.rpc = self.orders.rpc
        self.reconciler = Reconciler(session, self.rpc, specs, currency=config.currency,
                                     timeout_s=config.rpc_timeout_s,
                                     quotes=config.quotes is not None,
                                     start_requests=config.start_requests, roster=config.roster)
        self.subscriptions = Subscriptions(config, specs, self.orders, self.data)
        self.subscriptions.over = self.reconciler.over
        self.protection = None if config.quotes is None else QuoteProtection(
            session, self.rpc, specs, config.quotes, config.rpc_timeout_s)
        self.second_path: Callable[[str], None] = lambda _name: None
        self.state: ClientState = "closed"
        self.connects = 0
        self.error: BaseException | None = None  # why the last connection failed or ended
        self._rng = rng
        self._closed = asyncio.Event()
        self._wake = asyncio.Event()  # a stop cuts every wait short
        self._tasks: set[asyncio.Task[None]] = set()
        self._ever_ready = False
        self._killing = False
        self._missing = False  # own trades, perhaps
        self._refilling = False
        self._final: StartRefusedError | None = None  # no reconnect will mend it
        self._ticks = 0
        self._doubts = 0
        self._timed_out = 0
        self._states = 0  # words on the state of an instrument that were looked into
        self._listing_at = 0.0
        self._work: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self.feed.on_cold = self.rpc.on_answer

    @property
    def cancel_on_disconnect(self) -> bool:
        """Whether the venue has confirmed it for the connection at hand."""
        return self.orders.login.done

    # ---------------------------------------------------------------- life
    async def run(self) -> None:
        """Keep connected until stop(); raises what forbids the first start, or any other."""
        loop = asyncio.get_running_loop()
        attempt = 0
        if self.config.tick_s > 0:
            self._ticking = loop.create_task(self._ticker(), name="ticker")
        while self.state not in {"stopping", "stopped"}:
            began = loop.time()
            self._work = loop.create_task(self._once(), name="connection")
            try:
                await self._work
            except asyncio.CancelledError:
                if self.state not in {"stopping", "stopped"}:
                    raise
                return                      # stop() took over
            except RETRIED as error:
                self.error = error
                log.warning("connection to %s: %s", self.config.url, error)
                if isinstance(error, InstrumentChangedError) or (
                        isinstance(error, StartRefusedError) and not self._ever_ready):
                    self._final = error
            await self._disconnect()
            if self._final is not None:
                self._stop_ticking()
                self.error = self._final
                raise self._final
            attempt = 0 if loop.time() - began > HEALTHY_S else attempt + 1
            await self._sleep(self._backoff_s(attempt))

    async def _once(self) -> None:
        await self._connect()
        await self._prepare()
        await self._serve()

    def _backoff_s(self, attempt: int) -> float:
        """Return the pause before the next attempt: doubled each time, with jitter."""
        longest = min(self.config.backoff_max_s, self.config.backoff_min_s * 2.0**min(attempt, 16))
        return longest * (0.5 + 0.5 * self._rng.random())

    async def stop(self) -> bool:
        """Stop quoting, cancel everything, verify by query, close; False where not verified.

        A connection lost meanwhile is made anew until the deadline.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self.config.stop_deadline_s
        self.state = "stopping"
        self._wake.set()
        self.session.control(ControlKind.CONTROL_FLATTEN)   # no closing order any more, either
        self.session.control(ControlKind.CONTROL_STOP)
        self._cancel_tasks()
        if self._work is not None:
            # What run() is in the middle of must not connect a second time.
            self._work.cancel()
            await asyncio.wait([self._work])
        verified = False
        attempt = 0
        while not verified and loop.time() < end:
            try:
                if not (self.orders.login.done and self.session.sink.is_connected):
                    await self._disconnect()
                    await self.orders.connect()
                    self.connects += 1
                    await self.orders.login.log_in()
                verified = await self.reconciler.sweep.clear_orders(end - loop.time())
                await self.reconciler.fills.recover()
                await self.reconciler.compare_positions()
            except RETRIED as error:
                self.error = error
                log.warning("stopping: %s", error)
                pause_s = min(self._backoff_s(attempt), max(0.0, end - loop.time()))
                await asyncio.sleep(pause_s)
                attempt += 1
        await self._disconnect()
        self._stop_ticking()
        self.state = "stopped"
        return verified

    async def resume(self) -> None:
        """Quote again on a person's word; a difference of positions is then the venue's to say."""
        await self.reconciler.accept()
        self.session.control(ControlKind.CONTROL_RESUME)

    # ---------------------------------------------------------------- a fresh connection
    async def _connect(self) -> None:
        self.state = "connecting"
        self._closed.clear()
        for link in self.links:
            await link.connect()
        self.connects += 1

    async def _prepare(self) -> None:
        """Bring a fresh connection to where quoting may begin."""
        config, reconciler = self.config, self.reconciler
        self.state = "preparing"
        for link in self.links:
            await link.login.log_in()
        if self.protection is not None:
            await self.protection.set_up()
        await self._unlocked()
        await reconciler.measure_clock(CLOCK_SAMPLES)
        await reconciler.read_listings()
        await reconciler.read_account(config.requote_orders)
        await self._refuse_foreign()
        if not await reconciler.sweep.clear_orders(config.stop_deadline_s):
            raise RpcClosedError("an order is open or of unknown fate; connecting again")
        if not self._ever_ready and config.held and not reconciler.fills.listened_ns:
            await reconciler.fills.go_on(config.held)
        await reconciler.fills.recover()
        await reconciler.adopt_positions("adopt" if self._ever_ready else config.position)
        await self.subscriptions.subscribe()
        reconciler.fills.listening()
        self.session.control(ControlKind.CONTROL_CONNECTED)
        self.session.control(ControlKind.CONTROL_RECONCILED)
        self._ever_ready = True
        if self.state == "preparing":
            self.state = "ready"

    async def _unlocked(self) -> None:
        """Wait, connected and without an order, until the platform serves our instruments."""
        while await self.reconciler.locked():
            log.warning("the platform is locked; waiting")
            await asyncio.sleep(UNLOCKED_LOOK_S)

    async def _refuse_foreign(self) -> None:
        """Let the policy decide on orders that are not ours; halt keeps them and cancels ours."""
        if self.config.foreign_orders == "cancel":
            return
        foreign = await self.reconciler.sweep.find_foreign()
        if foreign:
            await self.reconciler.sweep.cancel_ours_alone(foreign)
            raise StartRefusedError(foreign_fault(foreign))

    async def _serve(self) -> None:
        for link in self.links:
            self._spawn(link.login.keep_fresh(), "refresh")
        self._spawn(self._every(self.config.clock_s, self._measure_clock), "clock")
        self._spawn(self.reconciler.read_first_margins(), "margins")
        self._spawn(self._every(self.config.reconcile_s, self.reconciler.compare), "reconcile")
        self._spawn(self._every(self.config.audit_s, self.reconciler.fills.audit), "audit")
        self._spawn(self._every(self.config.listing_s, self.reconciler.read_listings), "listing")
        await self._closed.wait()
        raise RpcClosedError("the connection was closed")

    async def _disconnect(self) -> None:
        self._cancel_tasks()
        for link in self.links:
            await link.disconnect()
        if self.state != "stopping":
            self.state = "closed"

    def _on_end(self) -> None:
        """One connection has gone: the other goes too, and what was on its way is unknown."""
        if self.state == "ready" and any(m.orders.open_count for m in self.session.engine.markets):
            self.second_path(EVERYTHING)
        self._closed.set()
        self.reconciler.fills.deaf()
        self.subscriptions.lost()
        for link in self.links:
            link.session.close()

    # ---------------------------------------------------------------- what the engine asks for
    def on_tick(self) -> None:
        """Run the engine's timer; every 10 ms. Cold work waits for its word, or the fifth tick."""
        asked = self.session.on_timer()
        self._ticks += 1
        if asked or self._ticks % COLD_TICKS == 0:
            self._start_cold_work()

    def _start_cold_work(self) -> None:
        now_ns = self.session.now_ns()
        flags = self.session.engine.take_flags()
        if flags & EngineFlag.FLAG_KILLED and not self._killing:
            self._killing = True
            self.second_path(EVERYTHING)
            self._spawn(self._kill(), "kill")
        for link in self.links:
            doubted = flags & EngineFlag.FLAG_RECONCILE and link is self.orders
            if (link.is_quiet(now_ns) or doubted) and link.may_probe(now_ns):
                self._spawn(link.probe(), "probe")
        if self.state != "ready":
            return
        if flags & EngineFlag.FLAG_RECONCILE:
            self.reconciler.sweep.ask_unknown()
        if flags & EngineFlag.FLAG_SECOND_PATH:
            mask = self.session.engine.take_second_path()
            for market, spec in enumerate(self.specs):
                if mask >> market & 1:
                    self.second_path(spec.name)
        self._missing |= bool(flags & EngineFlag.FLAG_TRADES)
        if self._ticks % LOOK_TICKS == 0:
            self._look()
        for market in self.subscriptions.books_due():
            self._spawn(self.subscriptions.resync(market), "resync")

    def _look(self) -> None:
        """Ask for trades that may be missing, and for what refused orders put in doubt."""
        if self._missing and not self._refilling:
            self._missing, self._refilling = False, True
            self.session.engine.take_trades()
            self._spawn(self._refill(), "refill")
        doubts = self.session.engine.risk.reject_storms + self.feed.own.unauthorized
        if doubts != self._doubts:      # perhaps our login is not what it was
            self._doubts = doubts
            self._spawn(self.orders.login.confirm_cancel_on_disconnect(), "login")
        if self.feed.own.timed_out != self._timed_out:  # late, or one of the clocks was set
            self._timed_out = self.feed.own.timed_out
            self._spawn(self._measure_clock(), "clock")
        if self.protection is not None and self.protection.is_frozen() and (
                not self.protection.renewing):
            self._spawn(self.protection.renew(), "protection")
        if self.feed.states != self._states:    # contracts come and go: look, once all was said
            now_s = asyncio.get_running_loop().time()
            if self._listing_at == 0.0:
                self._listing_at = now_s + STATES_WAIT_S
            elif now_s >= self._listing_at:
                self._states, self._listing_at = self.feed.states, 0.0
                self._spawn(self.reconciler.read_listings(), "listing")
        for market in self.subscriptions.snapshots_due():
            self._spawn(self.subscriptions.resync(market), "resync")
        for market in self.subscriptions.tickers_due():
            self._spawn(self.subscriptions.renew_ticker(market), "ticker")

    async def _refill(self) -> None:
        try:
            await self.reconciler.fills.recover(always=True)
        finally:
            self._refilling = False

    async def _kill(self) -> None:
        """Cancel everything until the venue says that nothing is left."""
        while not await self.reconciler.sweep.clear_killed(60.0):
            log.error("killed, and orders are still open: trying again")

    # ---------------------------------------------------------------- pumps
    async def _ticker(self) -> None:
        while True:
            self.on_tick()
            await asyncio.sleep(self.config.tick_s)

    async def _every(self, seconds: float, work: Any) -> None:
        while True:
            await asyncio.sleep(seconds)
            await work()

    async def _measure_clock(self) -> None:
        await self.reconciler.measure_clock(1)

    # ---------------------------------------------------------------- tasks
    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.get_name() == "kill":
            self._killing = False
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self.error = error
        log.warning("%s: %s", task.get_name(), error)
        if isinstance(error, InstrumentChangedError):
            self._final = error
        if not isinstance(error, RETRIED) or self._final is not None:
            self.session.control(ControlKind.CONTROL_PAUSE)  # quote no more
        if isinstance(error, TimeoutError) and task.get_name() in {"resync", "ticker"}:
            return  # what is asked for stays so, and is asked for again
        self.session.close()

    def _cancel_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _stop_ticking(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
