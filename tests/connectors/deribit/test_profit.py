"""The running check of realised profit against the venue's, with figures by hand."""

from types import SimpleNamespace
from typing import Any

from desk import perpetual

from connectors.deribit.messages import PositionData
from connectors.deribit.profit import ProfitAudit


def session(realized_e8: int = 0, contracts: int = 0, *, settling: bool = False) -> Any:
    held = SimpleNamespace(realized_e8=realized_e8, contracts=contracts)
    market = SimpleNamespace(position=held, settling=settling)
    return SimpleNamespace(engine=SimpleNamespace(markets=[market]))


def venue(realized: float, funding: float = 0.0, settlement: float = 0.0) -> PositionData:
    """realized: as the venue prints it, funding included."""
    return PositionData("BTC-PERPETUAL", 100.0, "buy", 75_000.0, realized, 0.0,
                        realized_funding=funding, settlement_price=settlement)


def check(audit: ProfitAudit, ours_e8: int, theirs: PositionData) -> list[tuple[str, float]]:
    audit.session.engine.markets[0].position.realized_e8 = ours_e8
    return audit.differing({"BTC-PERPETUAL": theirs}, [audit.realized(0)])


def test_equal_bookings_agree_whatever_came_before() -> None:
    audit = ProfitAudit(session(contracts=10), [perpetual()])
    assert check(audit, 0, venue(0.004)) == []              # of an earlier run today
    assert check(audit, 1_000, venue(0.00401)) == []
    assert check(audit, 1_000, venue(0.00301, funding=-0.001)) == []


def test_a_millionth_too_many_is_a_difference() -> None:
    audit = ProfitAudit(session(contracts=10), [perpetual()])
    assert check(audit, 0, venue(0.0)) == []
    assert check(audit, 90, venue(0.0)) == []
    wrong = check(audit, 110, venue(0.0))
    assert [name for name, _ in wrong] == ["BTC-PERPETUAL"]
    assert abs(wrong[0][1] - 1.1e-6) < 1e-12


def test_a_fill_between_question_and_answer_is_no_difference() -> None:
    audit = ProfitAudit(session(contracts=10), [perpetual()])
    check(audit, 0, venue(0.0))
    audit.session.engine.markets[0].position.realized_e8 = 5_000
    assert audit.differing({"BTC-PERPETUAL": venue(0.0)}, [0.0]) == []


def test_settlement_suspends_until_the_position_is_flat() -> None:
    rig = session(contracts=10)
    audit = ProfitAudit(rig, [perpetual()])
    assert check(audit, 0, venue(0.0, settlement=70_000.0)) == []
    assert check(audit, 500_000, venue(0.0, settlement=71_000.0)) == []     # settled since
    assert check(audit, 900_000, venue(0.1, settlement=71_000.0)) == []
    rig.engine.markets[0].position.contracts = 0
    assert check(audit, 900_000, venue(0.1, settlement=71_000.0)) == []     # it begins again
    assert check(audit, 900_200, venue(0.1, settlement=71_000.0)) != []
