"""Profit by hand, against fractions, and the parts it comes from: they add up to it."""

import random
from fractions import Fraction

import pytest
from desk import ASK, BID, Desk, perpetual
from exact_statement import random_events, run

from mmcore.statement import Statement
from mmcore.types import ControlKind, InstrumentSpec

SEED = 20261122


def test_the_venues_published_example() -> None:
    spec, held = perpetual(), Statement()
    held.fill(spec, BID, 1200, 100)             # 1000 USD at 600
    assert held.figures(spec, 700.0)["unrealized"] == pytest.approx(0.238095, abs=5e-7)
    held.fill(spec, ASK, 1400, 100)             # 1000/600 - 1000/700
    assert abs(Fraction(held.realized) - Fraction(1000, 600) + Fraction(1000, 700)) < 1e-15
    assert held.figures(spec, 900.0)["unrealized"] == 0.0


def test_the_published_example_of_a_short() -> None:
    # sold 1000 USD at 700, bought back at 600: the mirror image
    spec, held = perpetual(), Statement()
    held.fill(spec, ASK, 1400, 100)
    held.fill(spec, BID, 1200, 100)
    assert held.realized == pytest.approx(1000 / 600 - 1000 / 700, abs=1e-15)


@pytest.mark.parametrize(("shock", "contracts", "loss"), [
    (0.95, 2250, -0.0158), (0.80, 2250, -0.0750), (1.20, -2250, -0.0500)])
def test_stress_figures_of_a_full_position(shock: float, contracts: int, loss: float) -> None:
    spec, held = perpetual(), Statement()
    held.fill(spec, BID if contracts > 0 else ASK, 150_000, abs(contracts))     # 0.3 BTC at 75,000
    assert held.figures(spec, 75_000.0 * shock)["profit"] == pytest.approx(loss, abs=5e-5)


def test_parts_by_hand() -> None:
    spec, held = perpetual(), Statement()
    held.fill(spec, BID, 149_980, 750, mid=75_000.0, fee_e8=1500)   # 7500 USD at 74,990
    parts = held.figures(spec, 75_000.0)
    assert parts["capture"] == pytest.approx(7500 / 74_990 - 7500 / 75_000, abs=1e-15)
    held.move_mid(spec, 74_900.0)
    parts = held.figures(spec, 74_910.0)
    assert parts["drift"] == pytest.approx(7500 / 75_000 - 7500 / 74_900, abs=1e-15)
    assert parts["mid_to_mark"] == pytest.approx(7500 / 74_900 - 7500 / 74_910, abs=1e-15)
    held.fill(spec, ASK, 149_780, 750, mid=74_900.0, fee_e8=3500, maker=False, aggressive=True)
    parts = held.figures(spec, 74_910.0)
    assert parts["hedge"] == pytest.approx(7500 / 74_900 - 7500 / 74_890, abs=1e-15)
    assert parts["fees"] == pytest.approx(0.00005, abs=1e-15)
    assert parts["profit"] == pytest.approx(7500 / 74_990 - 7500 / 74_890 - 0.00005, abs=1e-14)
    assert abs(parts["unexplained"]) < 1e-14
    assert (held.round_trips, held.round_trips_won) == (1, 0)
    assert held.round_trip_profit == pytest.approx(parts["profit"], abs=1e-14)
    assert (held.planned_takers, held.unplanned_takers) == (1, 0)


def test_a_post_only_quote_that_took_is_flagged() -> None:
    spec, held = perpetual(), Statement()
    held.fill(spec, BID, 149_980, 10, mid=75_000.0, maker=False)
    held.fill(spec, BID, 149_980, 30, mid=75_000.0)
    assert (held.unplanned_takers, held.planned_takers) == (1, 0)
    assert (held.volume_usd, held.maker_volume_usd) == (400.0, 300.0)


def test_rebates_keep_their_sign() -> None:
    spec, held = perpetual(), Statement()
    held.fill(spec, BID, 149_980, 10, fee_e8=-40, mid=75_000.0)
    held.fill(spec, ASK, 149_980, 10, fee_e8=100, mid=75_000.0)
    assert (held.fees_e8, held.rebates_e8) == (60, 40)
    assert held.figures(spec, 75_000.0)["fees"] == pytest.approx(6e-7)


def test_a_position_taken_over_is_carried_not_earned() -> None:
    spec, held = perpetual(), Statement()
    held.move_mid(spec, 75_000.0)
    held.take_over(spec, 750, 70_000.0)
    parts = held.figures(spec, 75_000.0)
    assert parts["carried"] == pytest.approx(7500 / 70_000 - 7500 / 75_000, abs=1e-14)
    assert parts["drift"] == 0.0
    assert abs(parts["unexplained"]) < 1e-14


def test_funding_of_two_sessions_is_added_up() -> None:
    desk = Desk()
    desk.control(ControlKind.CONTROL_FUNDING, real=-0.0001)
    desk.control(ControlKind.CONTROL_FUNDING, real=-0.0003)
    desk.ticker(state=1)                            # the settlement: the venue's figure restarts
    desk.ticker(state=0)
    desk.control(ControlKind.CONTROL_FUNDING, real=0.00005)
    assert desk.market.position.funding == pytest.approx(-0.00025, abs=1e-15)


def test_fills_reach_the_statement_of_their_market() -> None:
    desk = Desk()
    sent = desk.turn()
    desk.accept(sent)
    bid = next(a for a in sent if a["side"] == BID)
    assert desk.fill(bid, 50, fee_e8=100)
    assert desk.market.statement.contracts == 50
    assert desk.market.statement.capture > 0.0      # bought under the mid
    assert desk.market.statement.volume_usd == 500.0


def test_edge_is_learnt_from_the_mid_five_seconds_later() -> None:
    desk = Desk()
    sent = desk.turn()
    desk.accept(sent)
    bid = next(a for a in sent if a["side"] == BID)
    desk.fill(bid, 50, fee_e8=100)
    price = bid["price_ticks"] / 2
    distance = (75_000.0 - price) / 75_000.0 * 1e4
    assert desk.market.ledger.edge(BID, distance) == (0, 0.0, 0.0)
    desk.wait(5_001)
    desk.snapshot(bid=74_984.5, ask=74_985.5)       # 2 bps against us
    desk.ticker()
    desk.turn()
    desk.timer()
    fills, mean, _ = desk.market.ledger.edge(BID, distance)
    assert fills == 1
    assert mean == pytest.approx(-2.0, abs=1e-9)
    assert desk.market.ledger.adverse_total == pytest.approx(
        500 / 75_000 - 500 / 74_985, abs=1e-15)


@pytest.mark.parametrize("inverse", [True, False])
def test_random_lives_equal_the_exact_ones(inverse: bool) -> None:
    rng = random.Random(SEED)
    spec = perpetual() if inverse else InstrumentSpec(
        "L", tick_size=0.5, contract_size=0.0001, inverse=False)
    size = Fraction(10) if inverse else Fraction(1, 10_000)
    bound, closing = (1e-10, 1e-8) if inverse else (1e-5, 1e-4)      # a USD figure is 1e5 larger
    for i in range(3_000):
        error, rest = run(spec, size, random_events(rng, rng.randrange(1, 9)), 75_123.25)
        assert error <= bound, f"seed {SEED}, sequence {i}"
        assert rest <= closing, f"seed {SEED}, sequence {i}"


def test_a_long_life_does_not_drift() -> None:
    error, rest = run(perpetual(), Fraction(10), random_events(random.Random(SEED), 20_000),
                      75_123.25)
    assert error <= 1e-10, f"seed {SEED}"
    assert rest <= 1e-8, f"seed {SEED}"


