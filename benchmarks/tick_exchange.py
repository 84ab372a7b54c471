"""The exchange of the tick-to-order benchmark: it moves the touch and times the answer.

It is the embedded exchange with a market that does nothing by itself. The clock runs here: from
before the frame with the change is written until the first order message that follows is read,
before it is decoded. Everything the client under test does lies between, and two passages of the
kernel.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import uvloop
from picows import WSFrame, WSTransport, WSUpgradeRequest

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from connectors.sim.wire.server import MS, PATHS, SimConfig, SimServer, wall_clock
from connectors.sim.wire.session import Session
from mmcore.types import InstrumentSpec

NAME = "BTC-PERPETUAL"
LOW_TICKS = 150_000         # the lower of the two touches, 75,000 USD
JUMP_TICKS = 40             # 20 USD: 2.7 bps, more than any hysteresis lets pass
DEPTH = 40                  # levels a side beneath the touch
AMOUNT = 500
CALM_S = 0.002             # nothing of the exchange's own is due for so long before a move
JITTER_S = 0.001
LOST_S = 0.25               # a tick without an order for so long is counted and left
BURST_QUIET_S = 0.03        # after a burst: no more orders are on their way
REFRESH_TICKS = 200
ORDERS = (b'"private/edit"', b'"private/buy"', b'"private/sell"', b'"private/cancel')


class Window(msgspec.Struct, kw_only=True):
    """What to measure: so many ticks (or bursts), each answered by so many order messages."""

    ticks: int
    answers: int
    resting: int            # orders that stand before it begins
    gap_s: float = 0.001    # 0: back to back
    burst: int = 1          # frames written at once
    warmup: int = 500
    awake: bool = False     # the exchange's loop never sleeps: what wakes up is the client alone


class TouchMarket:
    """Fulfils Market: two touches 20 USD apart above a ladder that rests."""

    waits_for_book = False

    def instruments(self) -> list[Listing]:
        """Return the perpetual alone."""
        return [Listing(spec=InstrumentSpec(NAME, tick_size=0.5, contract_size=10,
                                            maker_fee=0.00015, taker_fee=0.00035))]

    def start(self, exchange: Exchange, t_ns: int) -> int | None:
        """Put the ladder into the exchange, the touch below."""
        self.up = False
        exchange.market_index(t_ns, "btc_usd", LOW_TICKS / 2)
        exchange.market_mark(t_ns, 0, LOW_TICKS / 2)
        for i in range(DEPTH):
            exchange.market_set_level(t_ns, 0, 0, LOW_TICKS - i, AMOUNT)
            exchange.market_set_level(t_ns, 0, 1, LOW_TICKS + JUMP_TICKS + 1 + i, AMOUNT)
        exchange.market_set_level(t_ns, 0, 1, LOW_TICKS + 1, AMOUNT)
        return None

    def advance(self, exchange: Exchange, t_ns: int) -> int | None:
        """Nothing happens unless it is asked for."""
        return None

    def move(self, exchange: Exchange, t_ns: int) -> None:
        """Move the touch to the other place: one level comes, one goes."""
        ask, bid = LOW_TICKS + 1, LOW_TICKS + JUMP_TICKS
        if self.up:
            exchange.market_set_level(t_ns, 0, 0, bid, 0)
            exchange.market_set_level(t_ns, 0, 1, ask, AMOUNT)
        else:
            exchange.market_set_level(t_ns, 0, 1, ask, 0)
            exchange.market_set_level(t_ns, 0, 0, bid, AMOUNT)
        self.up = not self.up


class TimedSession(Session):
    """A client whose frames are timed as they come in and as they go out."""

    begins = True           # a read, with its first frame

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Note the time of the read first: a second order in it was there with the first."""
        if self.begins:
            self.server.read_ns = time.perf_counter_ns()    # type: ignore[attr-defined]
        self.begins = frame.last_in_buffer
        super().on_ws_frame(transport, frame)

    def write(self, frames: list[bytes], t_ns: int) -> None:
        """Keep what a move says until all else is done."""
        server: Any = self.server
        if server.moving:
            assert self.transport is not None
            server.moves.append((self.transport.underlying_transport, b"".join(frames)))
        else:
            super().write(frames, t_ns)


class TouchExchange(SimServer):
    """Moves the touch as a window says, and gathers the times."""

    def __init__(self, config: SimConfig) -> None:
        super().__init__(config, wall_clock())
        self.read_ns = self.moved_ns = self.first_ns = self.last_ns = 0
        self.ahead_ns = 0
        self.moving = False
        self.moves: list[tuple[Any, bytes]] = []        # to be written: where to, what
        self.window: Window | None = None
        self.count = self.done = self.lost = self.refreshed = 0
        self.rng = random.Random(1)
        self.why: list[str] = []
        self.last_order = b""
        self.samples: list[tuple[int, int, int]] = []   # to the first, to the last; messages
        self.over: asyncio.Future[None] | None = None
        self.watchdog: asyncio.TimerHandle | None = None
        self.tell = self.heard
        # what a client is told it may send: this bench is of speed, not of credits
        self.methods.venue.limits["matching_engine"]["trading"]["total"] = {   # type: ignore[index]
            "rate": 100_000, "burst": 100_000}

    def on_upgrade(self, request: WSUpgradeRequest) -> Session | None:
        """Take a client whose frames are timed."""
        return TimedSession(self) if request.path in PATHS else None

    async def run_window(self, window: Window) -> dict[str, Any]:
        """Wait for the client's orders, move, return nanoseconds to the first and last order."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while sum(a.open_orders for a in self.exchange.accounts) < window.resting:
            if loop.time() - began > 60.0:
                raise RuntimeError(f"{window.resting} orders never stood")
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        self.window, self.samples = window, []
        self.done = self.lost = self.refreshed = 0
        self.why = []
        self.over = loop.create_future()
        gc.collect()
        gc.disable()
        if window.awake:
            self.stay_awake()
        self.move()
        await self.over
        gc.enable()
        self.window = None
        kept = self.samples[window.warmup:]
        return {"first_ns": [s[0] for s in kept], "last_ns": [s[1] for s in kept],
                "messages": [s[2] for s in kept], "lost": self.lost, "why": self.why}

    def stay_awake(self) -> None:
        """Keep the loop from sleeping while a window lasts."""
        if self.window is not None:
            asyncio.get_running_loop().call_soon(self.stay_awake)

    def move(self) -> None:
        """Change the touch, write it, wait for orders."""
        window = self.window
        if window is None:
            return
        if window.gap_s > 0.0 and not self.is_calm():
            asyncio.get_running_loop().call_later(JITTER_S, self.move)
            return
        t_ns = self.clock()
        market: Any = self.market
        # An odd number of moves ends at the other touch. Changes of one millisecond are one frame.
        self.ahead_ns = max(self.ahead_ns, t_ns)
        for _ in range(window.burst + (window.burst % 2 == 0)):
            market.move(self.exchange, self.ahead_ns)
            self.ahead_ns = (self.ahead_ns // MS + 1) * MS
            self.exchange.advance(self.ahead_ns)
        self.count = 0
        self.moving = True
        self.flush(t_ns)
        self.moving = False
        self.watchdog = asyncio.get_running_loop().call_later(
            BURST_QUIET_S if window.burst > 1 else LOST_S, self.give_up)
        # The write comes last: on a processor they share, what the exchange does after it would be
        # counted as the client's.
        moves, self.moves = self.moves, []
        for below, payload in moves:
            self.moved_ns = time.perf_counter_ns()
            below.write(payload)

    def settle(self) -> None:
        """Say what the last orders led to; the touch moves a gap later."""
        if self.window is not None:
            self.run_due(self.clock())
            asyncio.get_running_loop().call_later(self.window.gap_s, self.move)

    def is_calm(self) -> bool:
        """Whether the exchange has nothing to say about now but the move; index and mark go ahead.

        Both loops sleep by whole milliseconds. A touch that moves where their timers end would
        measure the timers; it moves anywhere in the millisecond.
        """
        t_ns = self.clock()
        if self.done >= self.refreshed + REFRESH_TICKS:
            self.refreshed = self.done
            self.exchange.market_index(t_ns, "btc_usd", LOW_TICKS / 2)
            self.exchange.market_mark(t_ns, 0, LOW_TICKS / 2)
            self.flush(t_ns)
            return False
        if self.timer is not None and self.timer_due_ns <= t_ns + CALM_S * 1e9:
            return False
        time.sleep(self.rng.random() * JITTER_S)
        return True

    def heard(self, kind: str, _session: Session | None, payload: bytes) -> None:
        """Note an order message."""
        window = self.window
        if kind != "in" or window is None or not any(name in payload[:80] for name in ORDERS):
            return
        self.count += 1
        self.last_order = payload
        self.last_ns = self.read_ns
        if self.count == 1:
            self.first_ns = self.read_ns
        if self.count == window.answers and window.burst == 1:
            self.note_sample()

    def give_up(self) -> None:
        """Nothing more comes: the end of a burst, or a tick nobody answered in full.

        A client may answer two changes at once, which is right; here the next change waits for the
        orders of the one before, so a tick without its orders is one that was not answered.
        """
        window = self.window
        assert window is not None
        if self.count == 0 or window.burst == 1:
            self.why.append(f"tick {self.done}: {self.count} of {window.answers} messages in "
                            f"{LOST_S:g} s; the last so far: {self.last_order[:100].decode()}")
        if self.count == 0:
            self.lost += 1
            self.next_move()
        else:
            self.lost += window.burst == 1
            self.note_sample()

    def note_sample(self) -> None:
        """Keep the times, go on."""
        self.samples.append((self.first_ns - self.moved_ns, self.last_ns - self.moved_ns,
                             self.count))
        self.next_move()

    def next_move(self) -> None:
        """Move again after the gap, or end."""
        window, over = self.window, self.over
        assert window is not None
        assert over is not None
        if self.watchdog is not None:
            self.watchdog.cancel()
        self.done += 1
        if self.done >= window.ticks + window.warmup:
            if not over.done():
                over.set_result(None)
        elif window.gap_s > 0.0:
            asyncio.get_running_loop().call_later(window.gap_s, self.settle)
        else:
            asyncio.get_running_loop().call_soon(self.move)


async def serve_windows(pipe: Connection, tls: tuple[str, str] | None) -> None:
    """Serve until the pipe says stop: (cpu, Window) in, a window's times out."""
    exchange = TouchExchange(SimConfig(
        market=TouchMarket(), tier=0, http=False, spread=False, shuffle_replies=False,
        tls_cert=tls[0] if tls else None, tls_key=tls[1] if tls else None))
    await exchange.start()
    loop = asyncio.get_running_loop()
    pipe.send(exchange.ws_port)
    asked: asyncio.Queue[Any] = asyncio.Queue()

    def ask() -> None:
        try:
            asked.put_nowait(pipe.recv())
        except EOFError:                # who asks is gone
            loop.remove_reader(pipe.fileno())
            asked.put_nowait(None)

    loop.add_reader(pipe.fileno(), ask)
    while (order := await asked.get()) is not None:
        cpus, window = order
        os.sched_setaffinity(0, cpus)
        try:
            pipe.send(await exchange.run_window(window))
        except RuntimeError as error:
            pipe.send({"error": str(error)})
    loop.remove_reader(pipe.fileno())
    await exchange.stop()


def main(pipe: Connection, tls: tuple[str, str] | None) -> None:
    """Run in a process of its own."""
    uvloop.run(serve_windows(pipe, tls))
