"""The loop the engine lives in: one thread, one clock, a tick every 10 ms."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable

from mmcore.engine import Engine
from mmcore.publish import publish
from mmcore.telemetry import TelemetryPage
from runner.watch import ProcessWatch

TICK_S = 0.010
TICKS_PER_PUBLISH = 5           # 20 pages a second; a reader draws at most 4
TICKS_PER_WATCH = 20
TICKS_PER_BEAT = 25             # the guard hears four times a second that the loop runs
STALL_NS = 50_000_000
TICK_NS = 10_000_000


class Reactor:
    """Runs the periodic work, publishes the page, watches the loop."""

    def __init__(self, engine: Engine, page: TelemetryPage, on_tick: Callable[[], None],
                 loop: asyncio.AbstractEventLoop, now_ns: Callable[[], int],
                 watch: ProcessWatch) -> None:
        self.engine = engine
        self.page = page
        self.on_tick = on_tick
        self.loop = loop
        self.now_ns = now_ns
        self.watch = watch
        self.ticks = 0
        self.before_ns = 0
        self.handle: asyncio.TimerHandle | None = None
        self.spinning = False
        self.beat: Callable[[], None] = lambda: None

    def start(self, *, spin: bool = False) -> None:
        """Begin to tick. spin: keep the loop from ever sleeping."""
        self.before_ns = self.now_ns()
        self.handle = self.loop.call_later(TICK_S, self.tick)
        if spin:
            self.spinning = True
            self.loop.call_soon(self.spin)

    def stop(self) -> None:
        """Stop ticking; publish a last page."""
        self.spinning = False
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None
        self.publish(self.now_ns())

    def publish(self, now_ns: int) -> None:
        """Write everything readers see."""
        publish(self.engine, self.page, now_ns)
        self.page.put(self.watch.facts(), now_ns)

    def tick(self) -> None:
        now_ns = self.now_ns()
        self.handle = self.loop.call_later(TICK_S, self.tick)
        late_ns = now_ns - self.before_ns - TICK_NS
        self.before_ns = now_ns
        if late_ns > STALL_NS:
            self.watch.stalled(late_ns)
        self.on_tick()
        self.ticks += 1
        if self.ticks % TICKS_PER_WATCH == 0:
            self.watch.guard_journal(now_ns)
            self.publish(now_ns)
        elif self.ticks % TICKS_PER_PUBLISH == 0:
            publish(self.engine, self.page, now_ns)
        if self.ticks % TICKS_PER_BEAT == 1:
            self.beat()

    def spin(self) -> None:
        if self.spinning:
            self.loop.call_soon(self.spin)


class Signals:
    """SIGINT, SIGTERM and SIGHUP: once asks to leave in order, twice to leave at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.leave = asyncio.Event()
        self.hurry = asyncio.Event()
        self.name = ""

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup(1) asks for a session that outlives its terminal by ignoring SIGHUP.
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            self.loop.add_signal_handler(number, self.caught, signal.Signals(number).name)

    def caught(self, name: str) -> None:
        if self.leave.is_set():
            self.hurry.set()
        self.name = self.name or name
        self.leave.set()


def pin(cpu: int) -> None:
    """Keep this process on one CPU; -1 leaves it to the kernel. OSError where there is none."""
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})


def freeze_garbage() -> None:
    """Take everything made so far out of the collector's sight and switch it off.

    The hot path makes no cycles; a full collection over the modules alone would stall the loop
    for milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
