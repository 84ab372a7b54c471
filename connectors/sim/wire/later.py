"""Replies that come later: requests in the matching engine's queue, or held by a speed bump."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.sim.wire.errors import RpcError, refused

PENDING = 1
Reply = tuple[int, float | None, Any]
Finish = Callable[[Any], None]


class AnswerLaterError(Exception):
    """A handler's way to say that the result comes under a ticket; no failure."""

    def __init__(self, ticket: int) -> None:
        super().__init__(ticket)
        self.ticket = ticket


class Tickets:
    """Who waits for which ticket; a finish takes the result, or the RpcError."""

    def __init__(self) -> None:
        self.waiting: dict[int, Finish] = {}

    def wait(self, ticket: int, finish: Finish) -> None:
        """Call `finish` with what the ticket comes to."""
        self.waiting[ticket] = finish

    def on_reply(self, ticket: int, reply: Reply) -> None:
        """Take an outcome from the exchange; nobody may wait for it."""
        finish = self.waiting.pop(ticket, None)
        if finish is not None:
            try:
                outcome = settled(reply)
            except RpcError as error:
                outcome = error
            finish(outcome)


def settled(reply: Reply) -> Any:
    """Return a reply's result; raise the venue's error, or AnswerLaterError while it is open."""
    error, limit, result = reply
    if error == PENDING:
        raise AnswerLaterError(result)
    if error:
        raise refused(error, limit)
    return result
