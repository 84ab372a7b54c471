"""What the reactor tells the guard: that it runs, whether it sees, and when to look."""

import pytest
from desk import SECOND, Desk

from mmcore.types import ControlKind
from runner.config import load
from runner.guarding import Guarding, sight_of

pytestmark = pytest.mark.quick


def holding(contracts: int = 300) -> Desk:
    desk = Desk()
    desk.control(ControlKind.CONTROL_POSITION, value=contracts, real=75_000.0)
    desk.turn()
    return desk


def test_a_position_without_a_market_is_blind() -> None:
    desk = holding()
    assert not sight_of(desk.engine, 1)[0]
    desk.delta([], [], gap=5)               # the book is lost
    desk.turn()
    assert sight_of(desk.engine, 1)[0]
    desk.snapshot()
    desk.turn()
    assert not sight_of(desk.engine, 1)[0]


@pytest.mark.parametrize("contracts", [300, -300, 0])
def test_silence_and_a_lost_connection_are_blind_where_something_is_held(contracts: int) -> None:
    desk = holding(contracts)
    desk.now_ns += 2 * SECOND
    desk.timer()
    assert sight_of(desk.engine, 1)[0] is bool(contracts)
    desk = holding(contracts)
    desk.control(ControlKind.CONTROL_DISCONNECTED)
    desk.turn()
    assert sight_of(desk.engine, 1)[0] is bool(contracts)


def test_a_position_without_its_stop_is_said_until_it_has_one() -> None:
    guard = Guarding(load(None))
    assert not guard.unprotected
    guard.told({"event": "unprotected", "why": "no answer"})
    assert guard.unprotected
    guard.told({"event": "warm", "why": "", "ms": 3.0})
    assert guard.unprotected
    guard.told({"event": "stops", "placed": 1, "moved": 0, "removed": 0})
    assert not guard.unprotected


def test_a_word_to_look_when_flat_turns_to_held_and_not_at_every_fill() -> None:
    said: list[bytes] = []

    class Heard:
        def say(self, line: bytes) -> bool:
            said.append(line)
            return True

    desk = Desk()
    guard = Guarding(load(None))
    guard.child = Heard()  # type: ignore[assignment]
    connects = 1
    guard.sight = lambda: sight_of(desk.engine, connects)
    for contracts in (0, 0, 300, 310, 290, -5, -6, 0):
        desk.control(ControlKind.CONTROL_POSITION, value=contracts, real=75_000.0)
        desk.turn()
        guard.beat()
    assert b"".join(said).decode().split() == [
        ".", "?", ".", ".", "?", ".", ".", ".", "?", ".", ".", "?"]
    connects = 2                            # a new connection began with a cancel-all
    guard.beat()
    assert said[-1] == b"?\n"
