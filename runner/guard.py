"""The guard: a process of its own that can cancel everything when the reactor cannot.

It holds the keys and a warm HTTPS connection. Lines on its standard input: settings as JSON first,
then `.` while the reactor's loop runs and sees the market, `~` while it runs and does not, `?` when
orders or positions should be looked at, an instrument's name or `*` to cancel there or everywhere,
`bye` before an orderly end. No `.` or `~` for a while means a hung reactor: everything is cancelled
and the reactor ended, so that its socket closes and cancel-on-disconnect works. An end without
`bye` is a reactor that died: everything is cancelled too. What happens is told as JSON lines.

It also keeps the dead-man stop (deadman.py), and reduces a position whose market the reactor does
not see (blind.py).
"""

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from typing import Any

import msgspec

from runner.blind import BlindReduction
from runner.deadman import GET_OPEN_ORDERS, DeadMan
from runner.rest import UNHEARD, GuardSettings, Rest, Venue

CANCEL_ALL = "private/cancel_all"
CANCEL_BY_INSTRUMENT = "private/cancel_all_by_instrument"
TEST = "public/test"
EVERYWHERE = "*"
WARM_S = 10.0
PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
GOODBYE_S = 3.0         # to leave each position with its stop in an orderly end
LAST_WORD_S = 20.0      # to cancel for a reactor that is gone
KILL_AFTER_S = 2.0      # a hung reactor ends so long after, cancelled or not
STEP_S = 1.0            # between two clips of a blind reduction, and two looks at least
GRACE_S = 0.3           # after a machine's sleep both wake together; the reactor beats first


class Guard:
    """Listens to the reactor and acts for it."""

    def __init__(self, settings: GuardSettings, rest: Venue, reactor_pid: int) -> None:
        self.settings = settings
        self.deadman = (DeadMan(rest, settings.label_prefix, settings.deadman_pct)
                        if settings.deadman_pct > 0 else None)
        self.blind = BlindReduction(rest, settings.label_prefix, keep_btc=settings.blind_btc,
                                    clip_btc=settings.clip_btc, cap_bps=settings.cap_bps)
        self.blind_since_s = 0.0        # 0: the reactor sees the market
        self.look = asyncio.Event()
        self.standing: bool | None = None   # every position has its stop
        self.rest = rest
        self.reactor_pid = reactor_pid
        self.beats = 0
        self.bye = False
        self.reachable: bool | None = None
        self.firing: dict[str, asyncio.Task[bool]] = {}

    async def run(self, lines: asyncio.StreamReader) -> int:
        """Serve until the reactor leaves, dies or hangs; return the exit code."""
        tasks = [asyncio.ensure_future(work) for work in (
            self.keep_warm(), self.keep_stops(), self.reduce_blind())]
        try:
            while True:
                try:
                    async with asyncio.timeout(self.settings.hang_s if self.beats else None):
                        line = await lines.readline()
                except TimeoutError:
                    if await self.hangs(lines):
                        return 1
                    continue
                if not line:
                    return await self.left()
                self.take(line.decode("ascii", "replace").strip())
        finally:
            for task in tasks:
                task.cancel()

    def take(self, word: str) -> None:
        if word in (".", "~"):
            self.beats += 1
            if word == ".":
                self.blind_since_s = 0.0
            elif not self.blind_since_s:
                self.blind_since_s = time.monotonic()
        elif word == "?":
            self.look.set()
        elif word == "bye":
            self.bye = True
        elif word:
            self.fire(word)

    def fire(self, target: str) -> "asyncio.Task[bool]":
        """Begin to cancel an instrument's orders, or all; one attempt of each at a time."""
        task = self.firing.get(target)
        if task is None or task.done():
            task = asyncio.ensure_future(self.cancel(target))
            self.firing[target] = task
        return task

    async def cancel(self, target: str) -> bool:
        """Cancel until the venue says it has; False where it never did."""
        began = time.monotonic()
        for pause_s in itertools.chain(PAUSES_S, [0.0]):
            try:
                if target == EVERYWHERE:
                    count = await self.rest.ask(CANCEL_ALL)
                else:
                    count = await self.rest.ask(CANCEL_BY_INSTRUMENT, instrument_name=target)
                tell("cancelled", target=target, count=count,
                     ms=round((time.monotonic() - began) * 1e3, 1))
                self.look.set()         # the stop went with them
                return True
            except UNHEARD as error:
                tell("failed", target=target, why=str(error) or type(error).__name__)
                await asyncio.sleep(pause_s)
        return False

    async def cancel_and_verify(self) -> bool:
        """Cancel everything until a query shows no order, for LAST_WORD_S at most."""
        end = time.monotonic() + LAST_WORD_S
        while time.monotonic() < end:
            try:
                if await self.fire(EVERYWHERE) and not await self.quotes():
                    return True
            except UNHEARD as error:
                tell("failed", target=EVERYWHERE, why=str(error) or type(error).__name__)
            await asyncio.sleep(0.1)
        return False

    async def quotes(self) -> list[Any]:
        """Return the open orders that are no dead-man stop."""
        label = self.deadman.label if self.deadman is not None else None
        return [order for order in await self.rest.ask(GET_OPEN_ORDERS)
                if label is None or order.get("label") != label]

    # ---------------------------------------------------------------- positions
    async def stand(self, limit_s: float) -> bool:
        """Have every position's stop at the venue; False where that fails for so long."""
        if self.deadman is None:
            return True
        end = time.monotonic() + limit_s
        while True:
            try:
                if await self.deadman.keep():
                    break
                why = "orders and positions move"
            except UNHEARD as error:
                why = str(error) or type(error).__name__
            if self.standing is not False:
                self.standing = False
                tell("unprotected", why=why)
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(0.2)
        if self.standing is not True:
            self.standing = True
            tell("stops", placed=self.deadman.placed, moved=self.deadman.moved,
                 removed=self.deadman.removed)
        return True

    async def keep_stops(self) -> None:
        """Look at positions and stops every so often, and soon after something changed."""
        if self.deadman is None:
            return
        while True:
            await self.stand(0.0)
            await asyncio.sleep(STEP_S)
            try:
                async with asyncio.timeout(max(0.0, self.settings.deadman_every_s - STEP_S)):
                    await self.look.wait()
            except TimeoutError:
                pass
            self.look.clear()

    async def reduce_blind(self) -> None:
        """While the reactor does not see the market, take clips of what is held beyond it."""
        after_s = self.settings.blind_after_s
        while after_s > 0:
            await asyncio.sleep(STEP_S)
            if not self.blind_since_s or time.monotonic() - self.blind_since_s < after_s:
                continue
            try:
                for said in await self.blind.step():
                    tell("blind", did=said)
                    self.look.set()
            except UNHEARD as error:
                tell("failed", target="blind", why=str(error) or type(error).__name__)

    # ---------------------------------------------------------------- the reactor's end
    async def hangs(self, lines: asyncio.StreamReader) -> bool:
        """Make sure that the reactor's loop stands still; then cancel everything and end it."""
        try:
            async with asyncio.timeout(GRACE_S):
                line = await lines.readline()
        except TimeoutError:
            pass
        else:
            if line:
                self.take(line.decode("ascii", "replace").strip())
                return False
            await self.left()
            return True
        tell("hung", pid=self.reactor_pid)
        cancelling = asyncio.ensure_future(self.cancel_and_verify())
        await asyncio.wait({cancelling}, timeout=KILL_AFTER_S)
        if os.getppid() == self.reactor_pid:
            os.kill(self.reactor_pid, signal.SIGKILL)
        tell("ended", verified=await cancelling, stops=await self.stand(LAST_WORD_S))
        return True

    async def left(self) -> int:
        """The pipe has ended. Without a goodbye the reactor is dead and its orders may not be."""
        if self.bye:
            return 0 if await self.stand(GOODBYE_S) else 1
        verified = await self.cancel_and_verify()
        tell("orphaned", verified=verified, stops=await self.stand(LAST_WORD_S))
        return 0 if verified else 1

    async def keep_warm(self) -> None:
        """Use the connection often enough that the venue keeps it; say when it cannot be had."""
        while True:
            began = time.monotonic()
            why = ""
            try:
                await self.rest.ask(TEST)
            except UNHEARD as error:
                why = str(error) or type(error).__name__
            if self.reachable != (not why):
                self.reachable = not why
                tell("warm" if not why else "unreachable", why=why,
                     ms=round((time.monotonic() - began) * 1e3, 1))
            await asyncio.sleep(WARM_S if not why else 1.0)


def tell(event: str, **facts: Any) -> None:
    """Say one thing to the reactor; it may be gone."""
    try:
        sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()
    except OSError:
        return


async def serve() -> int:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    first = await lines.readline()
    if not first:
        return 0
    rest = Rest(msgspec.json.decode(first, type=GuardSettings))
    try:
        return await Guard(rest.settings, rest, os.getppid()).run(lines)
    finally:
        await rest.http.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
