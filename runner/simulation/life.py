"""One process of the maker: started as a supervisor starts it, left in order, or killed."""

import asyncio
import contextvars
import mmap
import random
from collections.abc import Callable

import msgspec

from connectors.deribit.connection import Held
from connectors.deribit.rpc import RpcError
from connectors.deribit.session import CONNECT_ERRORS
from mmcore.journal import Journal
from mmcore.telemetry import PAGE_SIZE
from runner.assemble import Maker, assemble
from runner.config import Config, credentials
from runner.shutdown import leave
from runner.simulation.wire import transports_of
from runner.virtual import VirtualLoop

URL = "ws://127.0.0.1:9000/ws/api/v2"
RING_HEADER_BYTES = 4096
RING_BYTES = 1 << 20
WRITTEN, DRAINED, DISK_FAULT = 24, 32, 257 * 8      # places in the ring's header
START_AGAIN_S = 1.0         # a supervisor's pause
LEAVE_S = 5.0
START_ERRORS: tuple[type[Exception], ...] = (*CONNECT_ERRORS, RpcError, ValueError)

# Tasks are their process's: they die with it. What the exchange does runs in no such context.
PROCESS: contextvars.ContextVar["Life | None"] = contextvars.ContextVar("process", default=None)


class Books(msgspec.Struct, frozen=True):
    """What a file written once a second would hold: positions, and profit and fees until then."""

    held: dict[str, Held] = {}
    realized_e8: tuple[int, ...] = ()
    fees_e8: tuple[int, ...] = ()
    fills: int = 0


class Life:
    """A process from its start to its end."""

    def __init__(self, loop: VirtualLoop, config: Config, rng: random.Random, books: Books,
                 wall_ns: Callable[[], int]) -> None:
        self.loop = loop
        self.config = config
        self.rng = rng
        self.before = books         # of the processes before this one
        self.wall_ns = wall_ns
        self.ring = mmap.mmap(-1, RING_HEADER_BYTES + RING_BYTES)
        self.disk_full = False
        self.maker: Maker | None = None
        self.keeping: asyncio.Future[None] | None = None
        self.tasks: set[asyncio.Task[object]] = set()
        self.over = False
        self.starts = 0
        self.second_path: Callable[[str], None] | None = None
        self.context = contextvars.copy_context()
        self.context.run(PROCESS.set, self)

    # ---------------------------------------------------------------- begin
    def begin(self) -> "asyncio.Task[None]":
        """Start, again and again until it runs, as a supervisor would."""
        return self.loop.create_task(self.start(), context=self.context)

    async def start(self) -> None:
        while not self.over:
            self.starts += 1
            try:
                maker = await assemble(
                    self.config, credentials(self.config), url=URL, journal=Journal(self.ring),
                    page_memory=mmap.mmap(-1, PAGE_SIZE), rng=random.Random(self.rng.random()),
                    clock=self.loop.now_ns, use_aiofastnet=False, held=self.before.held)
            except START_ERRORS:
                await asyncio.sleep(START_AGAIN_S)
                continue
            if self.second_path is not None:
                maker.client.second_path = self.second_path
            self.maker = maker
            maker.reactor.start()
            self.keeping = asyncio.ensure_future(maker.client.run())
            return

    @property
    def running(self) -> bool:
        """Whether there is a maker, with or without a connection."""
        return self.maker is not None and not self.over

    @property
    def ready(self) -> bool:
        """Whether it agrees with the venue and may quote."""
        return self.running and self.maker is not None and self.maker.client.state == "ready"

    @property
    def failed(self) -> BaseException | None:
        """Why it will not go on by itself."""
        if self.keeping is not None and self.keeping.done() and not self.keeping.cancelled():
            return self.keeping.exception()
        return None

    def drain(self) -> None:
        """Do what the recorder does: take everything out of the ring, where the disk takes it."""
        self.ring[DISK_FAULT] = self.disk_full
        if not self.disk_full:
            self.ring[DRAINED:DRAINED + 8] = self.ring[WRITTEN:WRITTEN + 8]

    def books(self) -> Books:
        """Return what a file of the state folder would hold now."""
        listens_ms = self.maker.client.reconciler.fills.listened_ms if self.maker else 0
        if self.maker is None or not listens_ms:
            return self.before
        markets = self.maker.engine.markets
        old = self.before
        realized = old.realized_e8 or (0,) * len(markets)
        fees = old.fees_e8 or (0,) * len(markets)
        return Books(
            held={m.name: Held(m.position.contracts, m.position.average(m.spec_object),
                               m.own_trade_seq, self.wall_ns() // 1_000_000
                               if m.own_trade_seq else listens_ms) for m in markets},
            realized_e8=tuple(r + m.position.realized_e8
                              for r, m in zip(realized, markets, strict=True)),
            fees_e8=tuple(f + m.position.fees_e8 for f, m in zip(fees, markets, strict=True)),
            fills=old.fills + sum(m.ledger.fills for m in markets))

    # ---------------------------------------------------------------- end
    async def leave(self) -> bool:
        """Leave in order; True where the venue said that nothing is left."""
        if self.maker is None or self.over:
            self.finish()
            return False
        verified = await self.loop.create_task(
            leave(self.maker.client, self.maker.session, LEAVE_S, asyncio.Event()),
            context=self.context)
        self.finish()
        return verified

    def crash(self, *, flushed: bool) -> None:
        """End as kill -9 does: not a line of it runs any more, its sockets close.

        flushed: what was written still arrives before the end of the connection does.
        """
        for near in transports_of(self.loop, maker=True):
            if flushed and near.peer is not None:
                near.closing = True
                near.arriving.clear()
                self.loop.carry(near.peer, None)
                self.loop.live.discard(near)
            else:
                near.cut()
        if self.maker is not None:
            self.maker.session.on_closed = None
            self.maker.client.state = "stopped"
        self.finish()

    def finish(self) -> None:
        self.over = True
        if self.maker is not None:
            self.maker.reactor.stop()
        for task in self.tasks:
            if not task.done() and task is not asyncio.current_task(self.loop):
                task.cancel()


def own_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task be known to the process it belongs to."""
    def make(at: asyncio.AbstractEventLoop, work: object, **more: object) -> "asyncio.Task[object]":
        task: asyncio.Task[object] = asyncio.Task(work, loop=at, **more)  # type: ignore[arg-type]
        context = more.get("context")
        life = context.get(PROCESS) if isinstance(context, contextvars.Context) else PROCESS.get()
        if life is not None:
            life.tasks.add(task)
            task.add_done_callback(life.tasks.discard)
        return task

    loop.set_task_factory(make)     # type: ignore[arg-type]
