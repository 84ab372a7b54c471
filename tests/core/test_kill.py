"""A kill writes cancel_all in the turn it happens in, whatever else is wrong."""

from collections.abc import Callable

import pytest
from desk import Desk

from mmcore.faults import FaultCode
from mmcore.journal import Journal
from mmcore.types import ControlKind

QUOTES = {"ACTION_NEW", "ACTION_EDIT"}


def quoting(desk: Desk) -> Desk:
    desk.accept(desk.turn())
    return desk


def limiter_empty() -> Desk:
    desk = quoting(Desk())
    desk.engine.budget.configure(1, 0.001)
    desk.snapshot(bid=74_990.0, ask=74_991.0)
    desk.turn()
    return desk


def book_invalid() -> Desk:
    desk = quoting(Desk())
    desk.delta([], [], gap=7)
    return desk


def journal_full() -> Desk:
    desk = quoting(Desk(journal=Journal(bytearray(4096 + 4096))))
    for _ in range(1_000):
        desk.snapshot()
        desk.turn()
    assert desk.engine.journal.lost
    return desk


def unanswered() -> Desk:
    desk = Desk()
    desk.turn()                         # two new orders, and no answer to either
    return desk


def paused() -> Desk:
    desk = quoting(Desk())
    desk.control(ControlKind.CONTROL_PAUSE)
    desk.turn()
    return desk


@pytest.mark.parametrize("situation", [
    limiter_empty, book_invalid, journal_full, unanswered, paused])
def test_cancel_all_leaves_in_the_same_turn(situation: Callable[[], Desk]) -> None:
    desk = situation()
    desk.sink.take()
    desk.control(ControlKind.CONTROL_KILL)
    sent = desk.turn()
    assert sent[0]["kind"] == "ACTION_CANCEL_ALL"
    assert not QUOTES & {a["kind"] for a in sent}
    for _ in range(20):
        desk.wait(1_000)
        desk.ticker()
        desk.snapshot()
        assert not QUOTES & {a["kind"] for a in [*desk.turn(), *desk.timer()]}


def test_the_loss_of_the_day_cancels_in_the_tick_that_sees_it() -> None:
    desk = Desk({"risk.day_kill_btc": 0.01, "inventory.limit_btc": 1})
    desk.control(ControlKind.CONTROL_POSITION, value=2250, real=75_000.0)
    quoting(desk)
    desk.ticker(mark=70_000.0)
    sent = desk.timer()
    assert desk.engine.faults.code == FaultCode.FAULT_DRAWDOWN
    assert sent[0]["kind"] == "ACTION_CANCEL_ALL"


def test_a_batch_the_gate_did_not_see_stays_and_kills() -> None:
    desk = Desk()
    assert desk.face.send_unseen(desk.now_ns) == 1
    sent = desk.sink.take()
    assert [a["kind"] for a in sent] == ["ACTION_CANCEL_ALL"]
    assert desk.engine.faults.code == FaultCode.FAULT_INVARIANT
    assert desk.engine.risk.state_name == "RISK_KILLED"
