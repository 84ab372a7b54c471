"""Preference: which instrument and which side keeps its size."""

import pytest
from pair_desk import ASK, BID, LEAD, MIDS, NEAR, PairDesk

ON = {"preference.enabled": 1.0, "hedge.enabled": 0.0, "preference.hysteresis": 0.1,
      "quote.fee_floor": 0.0, "inventory.limit_btc": 10.0, "quote.base_half_spread_bps": 4.0}


def size(desk: PairDesk, index: int, side: int) -> int:
    rungs = desk.quoted(index, side)
    return rungs[0][1] if rungs else 0


def ran(changes: dict[str, float] | None = None, seconds: int = 3) -> PairDesk:
    desk = PairDesk({**ON, **(changes or {})})
    for _ in range(seconds * 2):
        desk.step(500)
    return desk


def test_equals_keep_their_size() -> None:
    desk = ran()
    assert [round(m.preference, 3) for m in desk.engine.markets] == [1.0, 1.0, 1.0]


def test_the_one_that_is_filled_is_preferred() -> None:
    """Ten fills of the perpetual within a second: the others keep a quarter."""
    desk = ran()
    for _ in range(10):
        row = next(r for r in desk.of(LEAD).orders.rows() if r["side"] == BID)
        desk.fill({**row, "market": LEAD}, 1)
        desk.step(100)
    for _ in range(4):
        desk.step(500)
    assert [round(m.preference, 3) for m in desk.engine.markets] == [1.0, 0.25, 0.25]
    whole = ran({"preference.enabled": 0.0})
    assert size(desk, NEAR, BID) == pytest.approx(0.25 * size(whole, NEAR, BID), abs=1)
    kept = ran({"preference.least_factor": 0.6})
    assert kept.of(NEAR).preference == 1.0


def test_a_small_change_moves_nothing() -> None:
    desk = ran({"preference.hysteresis": 0.9})
    for _ in range(10):
        row = next(r for r in desk.of(LEAD).orders.rows() if r["side"] == BID)
        desk.fill({**row, "market": LEAD}, 1)
        desk.step(200)
    for _ in range(4):
        desk.step(500)
    assert desk.of(NEAR).preference == 1.0


@pytest.mark.parametrize(("rate", "smaller"), [
    (0.0005, {(LEAD, BID), (NEAR, ASK)}),       # longs pay: the perpetual's bid would
    (-0.0005, {(LEAD, ASK), (NEAR, BID)}),
    (0.0004, set()),
])
def test_a_high_rate_halves_the_side_that_pays(rate: float,
                                               smaller: set[tuple[int, int]]) -> None:
    desk = PairDesk({**ON, "preference.funding_factor": 0.5})
    sizes = {}
    for step in range(6):
        desk.wait(100)
        for i, mid in enumerate(MIDS):
            desk.face.ticker(i, desk.now_ns, mark=mid, index=mid,
                             current_funding=rate if i == LEAD and step else 0.0)
        desk.accept(desk.timer())
        sizes[step] = {(i, s): size(desk, i, s) for i in (LEAD, NEAR) for s in (BID, ASK)}
    for at, before in sizes[0].items():
        assert sizes[5][at] == (pytest.approx(before / 2, abs=1) if at in smaller else before)
