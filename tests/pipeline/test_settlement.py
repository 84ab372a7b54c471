"""Round the venue's daily settlement the book is empty, and quotes come back."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from scripted_market import ASK
from three_contracts import ThreeContracts, TripleScene
from virtual_session import VirtualSession

from runner.config import credentials

DAY_S = 86_400
DAY_NS = 1_795_046_400_000_000_000      # 00:00 UTC of a day in November 2026
EIGHT_S = 8 * 3_600


@pytest.mark.parametrize("start", [EIGHT_S - 60, EIGHT_S - 14])
def test_nothing_rests_from_before_the_settlement_until_after_the_reopening(start: int) -> None:
    """Sampled ten times a second, on the exchange's own accounts and clock."""
    resting: dict[int, int] = {}

    def look(session: VirtualSession) -> None:
        assert session.server is not None
        second = session.wall_ns() // 10**9 % DAY_S - EIGHT_S
        client_id = credentials(session.config).client_id
        orders = sum(account.open_orders for account in session.server.exchange.accounts
                     if account.client_id == client_id)
        resting[second] = max(resting.get(second, 0), orders)

    session = VirtualSession(seed=8)
    session.wall_offset_ns = DAY_NS + start * 10**9 - session.now_ns()
    session.run(EIGHT_S + 60 - start, meanwhile=look, every_s=0.1)
    print("most orders by second from 08:00:00:", resting)
    # the second of the pull is shared: cancels need a round trip
    assert {n for second, n in resting.items() if -14 <= second < 10} == {0}
    assert sum(resting[second] for second in range(15, 59)) > 40
    if start < EIGHT_S - 30:
        assert sum(n for second, n in resting.items() if second < -16) > 10
    assert session.verified


def test_three_contracts_through_the_settlement_minute(figure: Callable[[str], None]) -> None:
    """A position in each of them; profits and positions agree before and after, from a new base."""
    def fill(market: ThreeContracts) -> None:
        market.perpetual.hit(ASK, 74_985.0, 60)
        market.near.hit(ASK, 75_484.5, 70)
        market.far.hit(ASK, 76_484.5, 80)

    scene = TripleScene(
        [(10.0, fill), (200.0, fill)], seconds=330.0, start=datetime(
            2026, 11, 24, 7, 58, 30, tzinfo=UTC), begin=False, every_s=0.1)
    began_s = datetime(2026, 11, 24, 8, tzinfo=UTC).timestamp()
    resting: dict[int, list[int]] = {}

    def look(session: VirtualSession) -> None:
        TripleScene.look(scene, session)
        assert session.server is not None
        second = int(session.wall_ns() / 1e9 - began_s)
        assert session.maker is not None
        counts = [m.orders.open_count for m in session.maker.engine.markets]
        account = scene.account()
        most = resting.setdefault(second, [0, 0, 0, 0])
        for i, count in enumerate([*counts, account.open_orders]):
            most[i] = max(most[i], count)

    scene.look = look       # type: ignore[method-assign]
    scene.play()
    within = [most for second, most in resting.items() if -14 <= second < 10]
    assert within == [[0, 0, 0, 0]] * 24
    for second in (*range(-80, -20), *range(15, 230)):
        assert all(resting[second][:3]), (second, resting[second])
    back = [min(s for s, most in resting.items() if s >= 10 and most[i]) for i in range(3)]
    assert scene.session.maker is not None
    reconciler = scene.session.maker.client.reconciler
    figure(f"settlement: no order from 14 s before to {min(back)} s after 08:00 UTC on three "
           f"contracts, all quoted again after {max(back)} s; {reconciler.mismatches_total} "
           f"mismatches, profits apart by {reconciler.profit.largest:.1e} BTC at most")
    account = scene.account()
    assert [m.position.contracts for m in scene.engine.markets] == [
        account.position(n)[0] for n in range(3)] == [120, 140, 160]
    assert reconciler.mismatches_total == 0
    assert reconciler.profit.settled_at         # it was compared, before and after
