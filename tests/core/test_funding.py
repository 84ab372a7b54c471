"""Funding: what it leans to, what it forbids, and our own count of it."""

import pytest
from desk import BID, SECOND, Desk

from mmcore.types import ControlKind, RemovedReason

HOUR_NS = 3_600 * SECOND
MIDNIGHT_NS = 1_790_035_200 * SECOND            # 00:00 UTC, 22 September 2026
LEAN = {"funding.target_max_btc": 0.05, "funding.high_rate_8h": 0.0005,
        "funding.min_rate_8h": 0.0001}


def funded(rate: float, changes: dict[str, float] | None = None,
           wall_ns: int = 0) -> Desk:
    """A desk whose perpetual pays a rate of eight hours, both as it is and as it was."""
    desk = Desk({**LEAN, **(changes or {})})
    if wall_ns:
        desk.control(ControlKind.CONTROL_WALL_OFFSET, value=wall_ns - desk.now_ns)
    desk.face.ticker(0, desk.now_ns, mark=75_000.0, index=75_000.0, current_funding=rate,
                     funding_8h=rate)
    desk.turn()
    desk.timer()
    return desk


@pytest.mark.parametrize(("rate", "changes", "target"), [
    (0.0005, {}, -0.05),                        # longs pay: short is paid
    (-0.0005, {}, 0.05),
    (0.00025, {}, -0.025),                      # in proportion
    (0.005, {}, -0.05),                         # and no further
    (0.0001, {}, 0.0),                          # too little to matter
    (0.0005, {"inventory.limit_btc": 0.06}, -0.03),     # half the limit
    (0.0005, {"funding.target_max_btc": 0.0}, 0.0),
    (0.0005, {"funding.high_rate_8h": 0.001}, -0.025),
])
def test_it_leans_to_the_side_that_is_paid(rate: float, changes: dict[str, float],
                                           target: float) -> None:
    """What the skew takes for inventory is the position less the target."""
    desk = funded(rate, changes)
    assert desk.market.why()["position_btc"] == pytest.approx(-target, abs=1e-12)


def test_a_skew_follows_the_target() -> None:
    """Flat, but aiming 0.05 BTC short: both quotes stand lower."""
    still = funded(0.0, {"quote.skew_usd_at_limit": 30.0, "quote.max_skew_bps": 50.0})
    leant = funded(0.0005, {"quote.skew_usd_at_limit": 30.0, "quote.max_skew_bps": 50.0})
    assert leant.market.why()["skew_usd"] == pytest.approx(-30.0 * 0.05 / 0.3)
    for side in (0, 1):
        assert leant.market.quotes()[side][0][0] < still.market.quotes()[side][0][0]


def test_our_count_of_what_is_paid_all_the_time() -> None:
    """10,000 USD long at 0.1 % for eight hours and two hours: a quarter of 1e-3 BTC / 7.5."""
    desk = funded(0.001, {"funding.target_max_btc": 0.0})
    desk.control(ControlKind.CONTROL_POSITION, value=1_000, real=75_000.0)
    for _ in range(120):
        desk.now_ns += 60 * SECOND
        desk.face.ticker(0, desk.now_ns, mark=75_000.0, index=75_000.0, current_funding=0.001,
                         funding_8h=0.001)
    counted = desk.market.funding_model
    assert counted == pytest.approx(-0.001 * 10_000 / 75_000 * 2 / 8, rel=1e-9)


def test_our_count_of_an_interval() -> None:
    """Held from 07:50 to 08:10 it is paid once, whole; from 08:10 to 09:00 not at all."""
    desk = funded(0.001, {"funding.model": 1.0, "funding.target_max_btc": 0.0},
                  MIDNIGHT_NS + 7 * HOUR_NS + 50 * 60 * SECOND)
    desk.control(ControlKind.CONTROL_POSITION, value=1_000, real=75_000.0)
    counted = []
    for _ in range(70):
        desk.now_ns += 60 * SECOND
        desk.face.ticker(0, desk.now_ns, mark=75_000.0, index=75_000.0, funding_8h=0.001)
        counted.append(desk.market.funding_model)
    assert counted[8] == 0.0
    assert set(counted[10:]) == {counted[10]}
    assert counted[10] == pytest.approx(-0.001 * 10_000 / 75_000)


@pytest.mark.parametrize(("rate", "minute", "removed"), [
    (0.0005, 51, (RemovedReason.REMOVED_FUNDING, 0)),
    (-0.0005, 51, (0, RemovedReason.REMOVED_FUNDING)),
    (0.0005, 49, (0, 0)),                       # flatten_before_s is ten minutes
    (0.0004, 51, (0, 0)),                       # not a high rate
])
def test_before_a_payment_the_paying_side_is_not_added_to(
        rate: float, minute: int, removed: tuple[int, int]) -> None:
    desk = funded(rate, {"funding.model": 1.0, "funding.flatten_before_s": 600.0,
                         "funding.target_max_btc": 0.0},
                  MIDNIGHT_NS + 15 * HOUR_NS + minute * 60 * SECOND)
    assert desk.market.why()["removed"] == removed


def test_paid_all_the_time_nothing_is_due() -> None:
    desk = funded(0.001, {"funding.flatten_before_s": 600.0, "funding.target_max_btc": 0.0},
                  MIDNIGHT_NS + 7 * HOUR_NS + 59 * 60 * SECOND)
    assert desk.market.why()["removed"][BID] == 0


@pytest.mark.parametrize(("hold_s", "at_s", "payments"), [
    (3_600.0, 7 * 3_600 + 1_800, 1), (3_600.0, 6 * 3_600, 0), (40_000.0, 7 * 3_600, 2),
])
def test_the_fair_value_of_an_interval_counts_whole_payments(hold_s: float, at_s: int,
                                                             payments: int) -> None:
    desk = funded(0.0005, {"funding.model": 1.0, "funding.target_max_btc": 0.0,
                           "quote.funding_hold_s": hold_s, "quote.max_carry_bps": 100.0,
                           "funding.flatten_before_s": 0.0}, MIDNIGHT_NS + at_s * SECOND)
    assert desk.market.why()["carry_usd"] == pytest.approx(-0.0005 * 75_000 * payments)
