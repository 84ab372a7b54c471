"""Replies that come later: requests in the matching engine's queue, or held by a speed bump."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from connectors.sim.wire.errors import RpcError, refused

PENDING = 1
Reply = tuple[int, float | None, Any]
Finish = Callable[[Any], None]
Combine = Callable[[list[Any]], Any]    # of results, an RpcError in place of a refused one


def alone(outcomes: list[Any]) -> Any:
    """Return the result of the one request there is; raise its error."""
    (outcome,) = outcomes
    if isinstance(outcome, RpcError):
        raise outcome
    return outcome


class AnswerLaterError(Exception):
    """A handler's way to say that its result comes under tickets; no failure."""

    def __init__(self, tickets: Sequence[int], combine: Combine = alone) -> None:
        super().__init__(*tickets)
        self.tickets = tickets
        self.combine = combine


class Tickets:
    """Who waits for which ticket."""

    def __init__(self) -> None:
        self.waiting: dict[int, Finish] = {}

    def wait(self, later: AnswerLaterError, finish: Finish) -> None:
        """Call `finish` with what all the tickets come to: the result, or an RpcError."""
        found: dict[int, Any] = {}

        def take(ticket: int, outcome: Any) -> None:
            found[ticket] = outcome
            if len(found) == len(later.tickets):
                try:
                    result = later.combine([found[t] for t in later.tickets])
                except RpcError as error:
                    result = error
                finish(result)

        for ticket in later.tickets:
            self.waiting[ticket] = partial(take, ticket)

    def on_reply(self, ticket: int, reply: Reply) -> None:
        """Take an outcome from the exchange; nobody may wait for it."""
        finish = self.waiting.pop(ticket, None)
        if finish is not None:
            finish(outcome_of(reply))


def outcome_of(reply: Reply) -> Any:
    """Return a reply's result, or the venue's error."""
    error, limit, result = reply
    return refused(error, limit) if error else result


def settled(reply: Reply) -> Any:
    """Return a reply's result; raise the venue's error, or AnswerLaterError while it is open."""
    if reply[0] == PENDING:
        raise AnswerLaterError((reply[2],))
    return alone([outcome_of(reply)])


def gathered(replies: Sequence[Reply], combine: Combine) -> Any:
    """Return what several replies come to together; raise AnswerLaterError while one is open."""
    outcomes = [None if reply[0] == PENDING else outcome_of(reply) for reply in replies]
    tickets = {i: reply[2] for i, reply in enumerate(replies) if reply[0] == PENDING}
    if not tickets:
        return combine(outcomes)

    def complete(late: list[Any]) -> Any:
        for place, outcome in zip(tickets, late, strict=True):
            outcomes[place] = outcome
        return combine(outcomes)

    raise AnswerLaterError(tuple(tickets.values()), complete)
