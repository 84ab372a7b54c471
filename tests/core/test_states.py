"""The states of risk: their table, their reasons, and what ends them."""

import pytest
from desk import BID, SECOND, Desk

from mmcore.states import RiskReason, RiskState, may_go
from mmcore.types import ControlKind

STATES = [RiskState(i) for i in range(5)]
LEFT_BY_NOBODY = {RiskState.RISK_KILLED}


def test_the_whole_table() -> None:
    for before in STATES:
        for after in STATES:
            allowed = before not in (RiskState.RISK_STOPPED, RiskState.RISK_KILLED) or (
                before == RiskState.RISK_STOPPED and after == RiskState.RISK_KILLED)
            assert may_go(before, after) == allowed, (before.name, after.name)


def position(desk: Desk, contracts: int, average: float = 75_000.0) -> None:
    desk.control(ControlKind.CONTROL_POSITION, value=contracts, real=average)


def sides(desk: Desk) -> set[int]:
    desk.turn()
    bids, asks = desk.market.quotes()
    return {side for side, rungs in ((0, bids), (1, asks)) if rungs}


@pytest.mark.parametrize("control, state", [  # noqa: PT006 read as one sentence
    (ControlKind.CONTROL_PAUSE, "RISK_PAUSED"), (ControlKind.CONTROL_REDUCE, "RISK_REDUCING")])
def test_paused_and_reducing_keep_the_reducing_side_only(control: ControlKind, state: str) -> None:
    desk = Desk()
    position(desk, 750)
    assert sides(desk) == {0, 1}
    desk.control(control, value=control == ControlKind.CONTROL_REDUCE)
    assert sides(desk) == {1}
    assert desk.engine.risk.state_name == state
    _, asks = desk.market.quotes()
    assert sum(amount for _, amount in asks) <= 750
    desk.control(ControlKind.CONTROL_REDUCE, value=0)
    desk.control(ControlKind.CONTROL_RESUME)
    assert sides(desk) == {0, 1}


def test_paused_without_a_position_quotes_nothing() -> None:
    desk = Desk()
    desk.control(ControlKind.CONTROL_PAUSE)
    assert sides(desk) == set()


def test_an_invalid_book_ends_reducing_quotes_too() -> None:
    desk = Desk()
    position(desk, 750)
    desk.control(ControlKind.CONTROL_PAUSE)
    assert sides(desk) == {1}
    desk.delta([], [], gap=5)
    assert sides(desk) == set()


def test_a_pause_for_doubt_about_the_position_pulls_everything() -> None:
    desk = Desk()
    position(desk, 750)
    desk.control(ControlKind.CONTROL_PAUSE, real=RiskReason.REASON_RECONCILE)
    assert sides(desk) == set()
    assert desk.engine.risk.reason_name == "REASON_RECONCILE"


def test_a_pause_with_an_end_resumes_on_its_own() -> None:
    desk = Desk()
    desk.control(ControlKind.CONTROL_PAUSE, value=2 * SECOND, real=RiskReason.REASON_DAY)
    assert sides(desk) == set()
    desk.wait(1_999)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_PAUSED"
    desk.wait(2)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_ACTIVE"


def test_resume_does_not_end_what_still_demands_reducing() -> None:
    desk = Desk()
    desk.control(ControlKind.CONTROL_REDUCE, value=1)
    desk.control(ControlKind.CONTROL_PAUSE)
    desk.control(ControlKind.CONTROL_RESUME)
    assert desk.engine.risk.state_name == "RISK_REDUCING"
    desk.control(ControlKind.CONTROL_REDUCE, value=0)
    assert desk.engine.risk.state_name == "RISK_ACTIVE"


def test_a_late_trade_of_a_process_that_is_gone_is_ours() -> None:
    desk = Desk()
    desk.face.fill(desk.now_ns, market=0, slot=-2, generation=0, side=BID, price_ticks=150_000,
                   amount_contracts=10, trade_id=998)
    assert desk.engine.risk.state_name == "RISK_ACTIVE"
    assert desk.market.position.contracts == 10


def test_a_trade_we_did_not_send_pauses_until_somebody_resumes() -> None:
    desk = Desk()
    position(desk, 750)
    assert sides(desk) == {0, 1}
    desk.face.fill(desk.now_ns, market=0, slot=-1, generation=0, side=BID, price_ticks=150_000,
                   amount_contracts=10, trade_id=999)
    assert sides(desk) == set()
    assert (desk.engine.risk.state_name, desk.engine.risk.reason_name) == (
        "RISK_PAUSED", "REASON_FOREIGN")
    desk.now_ns += 3600 * SECOND
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_PAUSED"
    assert desk.market.position.contracts == 760        # booked all the same
