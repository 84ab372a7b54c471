"""The life of a connection: connect, authenticate, agree, subscribe, serve; again after a loss.

Start and reconnect are one path: cancel everything, verify, reconcile, then quote.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any, Literal

import msgspec

from connectors.deribit import endpoints
from connectors.deribit.connection import ClientConfig, auth_params, ssl_context_of
from connectors.deribit.feed import DeribitFeed
from connectors.deribit.messages import AuthResult, CancelOnDisconnectResult, InstrumentData
from connectors.deribit.reconcile import Reconciler, StartRefusedError
from connectors.deribit.rpc import Rpc, RpcClosedError, RpcError
from connectors.deribit.session import CONNECT_ERRORS, DeribitSession, open_connection
from mmcore.intake import EngineFlag
from mmcore.types import ControlKind, InstrumentSpec

log = logging.getLogger("mm.deribit")

ClientState = Literal["closed", "connecting", "preparing", "ready", "stopping", "stopped"]
RETRIED: tuple[type[Exception], ...] = (
    *CONNECT_ERRORS, RpcError, msgspec.DecodeError, StartRefusedError)
REFRESH_SHARE = 0.8  # of a token's life; it is renewed then
REFRESH_AT_MOST_S = 86_400.0
HEALTHY_S = 10.0  # a connection that lived this long starts the back-off afresh
CLOCK_SAMPLES = 5


class DeribitClient:
    """Keeper of one connection. run() returns after stop(), or raises StartRefusedError at start.

    rng seeds the jitter of reconnects and the nonces of signatures.
    """

    def __init__(
        self,
        config: ClientConfig,
        session: DeribitSession,
        specs: list[InstrumentSpec],
        *,
        rng: random.Random,
    ) -> None:
        self.config = config
        self.session = session
        self.specs = specs
        self.feed: DeribitFeed = session.feed
        self.rpc = Rpc(session.send_text)
        self.reconciler = Reconciler(session, self.rpc, specs, currency=config.currency,
                                     timeout_s=config.rpc_timeout_s)
        self.state: ClientState = "closed"
        self.connects = 0
        self.resyncs = 0
        self.error: BaseException | None = None  # why the last connection failed or ended
        self._rng = rng
        self._closed = asyncio.Event()
        self._wake = asyncio.Event()  # a stop cuts every wait short
        self._tasks: set[asyncio.Task[None]] = set()
        self._resyncing: set[int] = set()
        self._resync_at: dict[int, float] = {}
        self._refresh_token = ""
        self._ever_ready = False
        self._refresh_in_s = REFRESH_AT_MOST_S
        self._logged_in = False
        self._killing = False
        self._work: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None
        session.on_closed = self._on_closed
        self.feed.on_cold = self.rpc.on_answer

    # ---------------------------------------------------------------- life
    async def run(self) -> None:
        """Keep connected until stop(); raises what forbids the first start."""
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
                if isinstance(error, StartRefusedError) and not self._ever_ready:
                    await self._disconnect()
                    self._stop_ticking()
                    raise
            await self._disconnect()
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
                if not (self._logged_in and self.session.sink.is_connected):
                    await self._disconnect()
                    await self._connect()
                    await self._log_in()
                verified = await self.reconciler.clear_orders(end - loop.time())
                await self.reconciler.recover_fills()
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

    async def _connect(self) -> None:
        if self.state != "stopping":
            self.state = "connecting"
        self._closed.clear()
        await open_connection(
            self.session, self.config.url,
            ssl_context=ssl_context_of(self.config.url, self.config.ca_file),
            use_aiofastnet=self.config.use_aiofastnet, timeout_s=self.config.rpc_timeout_s)
        self.connects += 1

    async def _prepare(self) -> None:
        """Bring a fresh connection to where quoting may begin."""
        config, call = self.config, self.rpc.call
        self.state = "preparing"
        await self._log_in()
        await self.reconciler.measure_clock(CLOCK_SAMPLES)
        listed: list[InstrumentData] = []
        for currency in dict.fromkeys("USDC" if "_" in s.name else config.currency
                                      for s in self.specs):
            listed += await call(
                endpoints.GET_INSTRUMENTS, {"currency": currency, "kind": "future"},
                list[InstrumentData], timeout_s=config.rpc_timeout_s)
        self.reconciler.check_listings(listed)
        await self.reconciler.read_account(self.config.requote_orders)
        if not await self.reconciler.clear_orders(config.stop_deadline_s):
            raise RpcClosedError("an order is open or of unknown fate; connecting again")
        await self.reconciler.recover_fills()
        await self.reconciler.adopt_positions("adopt" if self._ever_ready else config.position)
        await self._subscribe()
        self.reconciler.listening()
        self.session.control(ControlKind.CONTROL_CONNECTED)
        self.session.control(ControlKind.CONTROL_RECONCILED)
        self._ever_ready = True
        if self.state == "preparing":
            self.state = "ready"

    async def _log_in(self) -> None:
        """Authenticate, set the heartbeat, and make sure that a lost connection cancels."""
        config, call = self.config, self.rpc.call
        # The signature's clock is the venue's own: no wall clock is read here.
        server_ms = await call(endpoints.GET_TIME, {}, int, timeout_s=config.rpc_timeout_s)
        nonce = f"{self._rng.getrandbits(64):016x}"
        await self._authenticate(auth_params(config, server_ms, nonce))
        await call(endpoints.SET_HEARTBEAT, {"interval": config.heartbeat_s}, str,
                   timeout_s=config.rpc_timeout_s)
        await call(endpoints.ENABLE_CANCEL_ON_DISCONNECT, {"scope": "connection"}, str,
                   timeout_s=config.rpc_timeout_s)
        told = await call(endpoints.GET_CANCEL_ON_DISCONNECT, {"scope": "connection"},
                          CancelOnDisconnectResult, timeout_s=config.rpc_timeout_s)
        if not told.enabled:
            raise StartRefusedError("the venue does not confirm cancel-on-disconnect")
        self._logged_in = True

    async def _authenticate(self, params: dict[str, Any]) -> AuthResult:
        self.session.redact = True
        try:
            result = await self.rpc.call(endpoints.AUTH, params, AuthResult, secret=True,
                                         timeout_s=self.config.rpc_timeout_s)
        finally:
            self.session.redact = False
        self._refresh_token = result.refresh_token
        self._refresh_in_s = min(REFRESH_SHARE * result.expires_in, REFRESH_AT_MOST_S)
        return result

    async def _subscribe(self) -> None:
        channels = [c for s in self.specs
                    for c in endpoints.market_channels(s.name, self.config.interval)]
        channels += endpoints.state_channels(self.config.currency)
        for market in range(len(self.specs)):
            self.session.control(ControlKind.CONTROL_SUBSCRIBED, market)
        got = await self.rpc.call(endpoints.SUBSCRIBE, {"channels": channels}, list[str],
                                  timeout_s=self.config.rpc_timeout_s)
        missing = sorted(set(channels) - set(got) - {"platform_state"})
        if missing:
            # Unknown names are dropped without an error, so the answer is compared.
            raise StartRefusedError(f"the venue did not subscribe {', '.join(missing)}")

    async def _serve(self) -> None:
        self._spawn(self._refresh_pump(), "refresh")
        self._spawn(self._clock_pump(), "clock")
        self._spawn(self._reconcile_pump(), "reconcile")
        await self._closed.wait()
        raise RpcClosedError("the connection was closed")

    async def _disconnect(self) -> None:
        self._cancel_tasks()
        self.rpc.close()
        if self.session.transport is not None:
            self.session.close()
            try:
                async with asyncio.timeout(2.0):
                    await self._closed.wait()
            except TimeoutError:
                transport = self.session.transport
                if transport is not None:
                    transport.disconnect(graceful=False)
        if self.state != "stopping":
            self.state = "closed"

    def _on_closed(self) -> None:
        self._closed.set()
        self.reconciler.deaf()
        self._logged_in = False
        self.rpc.close()
        self._resyncing.clear()

    # ---------------------------------------------------------------- what the engine asks for
    def on_tick(self) -> None:
        """Run the engine's timer and start the cold work it asks for; every 10 ms."""
        self.session.on_timer()
        flags = self.session.engine.take_flags()
        if flags & EngineFlag.FLAG_KILLED and not self._killing:
            self._killing = True
            self._spawn(self._kill(), "kill")
        if self.state != "ready":
            return
        if flags & EngineFlag.FLAG_RECONCILE:
            self.reconciler.ask_unknown()
        mask = self.session.engine.resync_mask
        for market in range(len(self.specs)) if mask else ():
            if mask >> market & 1 and market not in self._resyncing:
                self._resyncing.add(market)
                self._spawn(self._resync(market), "resync")

    async def _resync(self, market: int) -> None:
        """Get a fresh snapshot: only unsubscribing first makes the venue send one."""
        loop = asyncio.get_running_loop()
        try:
            # Subscribing costs credits of its own pool, 3.3 a second.
            await asyncio.sleep(max(0.0, self._resync_at.get(market, 0.0) - loop.time()))
            self._resync_at[market] = loop.time() + 1.0
            self.resyncs += 1
            channels = [endpoints.book_channel(self.specs[market].name, self.config.interval)]
            for method in (endpoints.UNSUBSCRIBE, endpoints.SUBSCRIBE):
                await self.rpc.call(method, {"channels": channels}, list[str],
                                    timeout_s=self.config.rpc_timeout_s)
        finally:
            self._resyncing.discard(market)

    async def _kill(self) -> None:
        """Cancel everything until the venue says that nothing is left."""
        while not await self.reconciler.cancel_and_verify(60.0):
            log.error("killed, and orders are still open: trying again")

    # ---------------------------------------------------------------- pumps
    async def _ticker(self) -> None:
        while True:
            self.on_tick()
            await asyncio.sleep(self.config.tick_s)

    async def _refresh_pump(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_in_s)
            await self._authenticate(
                {"grant_type": "refresh_token", "refresh_token": self._refresh_token})

    async def _clock_pump(self) -> None:
        while True:
            await asyncio.sleep(self.config.clock_s)
            await self.reconciler.measure_clock(1)

    async def _reconcile_pump(self) -> None:
        while True:
            await asyncio.sleep(self.config.reconcile_s)
            await self.reconciler.read_account()
            await self.reconciler.compare_positions()

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
        if not isinstance(error, RETRIED):
            self.session.control(ControlKind.CONTROL_PAUSE)  # a mistake of ours: quote no more
        if isinstance(error, TimeoutError) and task.get_name() == "resync":
            return  # the book stays asked for, and is asked for again
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
