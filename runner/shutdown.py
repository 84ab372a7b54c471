"""Leaving: the position closed where wanted, no new order, everything cancelled, and the venue's
own word that nothing is left.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Protocol

from mmcore.engine import Engine
from mmcore.types import ControlKind

log = logging.getLogger("mm.shutdown")
LOOK_S = 0.05

HURRIED_S = 2.0         # what is left of the deadline once somebody asks twice


class Client(Protocol):
    """What leaving needs of a venue connection."""

    async def stop(self) -> bool:
        """Stop quoting, cancel, verify by query, close; False where not verified in time."""


class Wire(Protocol):
    """The short way out: bytes to the socket, no question asked."""

    def send_cancel_all(self) -> int:
        """Write a cancel_all at once; 0 where there is no connection."""


async def leave(client: Client, wire: Wire, deadline_s: float, hurry: asyncio.Event) -> bool:
    """Leave in order; return whether the venue said that no order is open.

    deadline_s bounds it all. A set `hurry` cancels once more by the short way and leaves
    HURRIED_S for the answer: asked twice, a maker still cancels before it goes.
    """
    stopping = asyncio.ensure_future(client.stop())
    hurried = asyncio.ensure_future(hurry.wait())
    try:
        waited: set[asyncio.Future[Any]] = {stopping, hurried}
        await asyncio.wait(waited, timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            wire.send_cancel_all()
            await asyncio.wait({stopping}, timeout=HURRIED_S)
    finally:
        hurried.cancel()
    if stopping.done():
        return stopping.result()
    stopping.cancel()
    await asyncio.wait({stopping})
    return False


async def flatten(engine: Engine, control: Callable[[ControlKind, int, int, float], None],
                  limit_s: float, hurry: asyncio.Event) -> bool:
    """Close what is held by reduce-only slices; False where some is left after so long.

    A set `hurry` ends it. A killed maker closes by its own policy, and not here.
    """
    if is_flat(engine):
        return True
    control(ControlKind.CONTROL_REDUCE, 0, 1, 0.0)
    control(ControlKind.CONTROL_FLATTEN, 0, 1, 0.0)
    loop = asyncio.get_running_loop()
    end_s = loop.time() + limit_s
    while not is_flat(engine) and loop.time() < end_s and not hurry.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await hurry.wait()
    control(ControlKind.CONTROL_FLATTEN, 0, 0, 0.0)
    return is_flat(engine)


def is_flat(engine: Engine) -> bool:
    return all(market.position.contracts == 0 for market in engine.markets)


def left_open(engine: Engine) -> str:
    """Say what is still held, or nothing."""
    held = [f"{m.name} {m.spec_object.amount(abs(m.position.contracts)):g} "
            f"{'long' if m.position.contracts > 0 else 'short'}"
            for m in engine.markets if m.position.contracts]
    return ", ".join(held)
