"""The scripted market of three contracts: each moves by itself, and the maker quotes them all."""

from three_contracts import INSTRUMENTS, ThreeContracts, TripleScene

from mmcore.types import MarketState, RemovedReason

ASK = 1


def test_all_three_are_quoted_and_each_moves_alone() -> None:
    """The near contract halts, the far one's book moves, the perpetual's funding changes."""
    def halt(market: ThreeContracts) -> None:
        market.near.state(MarketState.MARKET_HALTED)

    def move(market: ThreeContracts) -> None:
        market.far.move(20.0)
        market.perpetual.funding(0.001)

    scene = TripleScene([(2.0, halt), (3.0, move)], seconds=5.0)
    before = [scene.at(number, 1.9) for number in range(3)]
    assert [look.mid for look in before] == [75_000.0, 75_500.0, 76_500.0]
    assert all(look.resting[0] and look.resting[1] for look in before)
    halted = scene.at(1, 2.9)
    assert halted.resting == ([], [])
    assert halted.why["removed"][ASK] & RemovedReason.REMOVED_STATE
    assert scene.at(0, 4.9).mid == 75_000.0
    assert scene.at(1, 4.9).mid == 75_500.0
    assert scene.at(2, 4.9).mid == 76_520.0
    assert scene.engine.markets[0].signals.read()["current_funding"] == 0.001


def test_a_taker_who_comes_down_fills_the_bid_there_alone() -> None:
    scene = TripleScene([(2.0, lambda m: m.far.hit(ASK, 76_480.0, 150))], seconds=3.0)
    assert [look.contracts for look in (scene.at(n, 2.9) for n in range(3))] == [0, 0, 150]
    assert scene.account().position(2)[0] == 150
    assert len(INSTRUMENTS) == 3
