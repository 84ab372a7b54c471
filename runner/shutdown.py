"""Leaving: no new order, everything cancelled, and the venue's own word that nothing is left."""

import asyncio
from typing import Any, Protocol

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
