"""Ticks and contracts: what the venue prints, counted exactly."""

import pytest
from desk import linear, perpetual

from mmcore.types import InstrumentSpec


def spec_of(tick: object, contract: object = 10) -> InstrumentSpec:
    return InstrumentSpec("X", tick_size=tick, contract_size=contract)  # type: ignore[arg-type]


@pytest.mark.parametrize(("tick", "price", "ticks"), [
    (0.5, 75_000.5, 150_001), ("0.5", 0.5, 1), (0.1, 0.3, 3), ("0.1", 70_000.7, 700_007),
    (2.5, 75_002.5, 30_001), (0.0005, 0.0235, 47), (1, 75_000.0, 75_000)])
def test_price_to_ticks_and_back(tick: object, price: float, ticks: int) -> None:
    spec = spec_of(tick)
    assert spec.ticks(price) == ticks
    assert spec.price(ticks) == price       # the very double the decimal text parses to


def test_prices_off_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="off the tick"):
        perpetual().ticks(75_000.25)
    with pytest.raises(ValueError, match="off the tick"):
        perpetual().ticks(float("nan"))
    with pytest.raises(ValueError, match="off the tick"):
        perpetual().ticks(float("inf"))


def test_rounding_is_outwards_and_a_price_on_the_grid_stays() -> None:
    spec = spec_of("0.1")
    assert spec.round_down(0.3) == 3        # 0.3 / 0.1 is 2.9999999999999996 in doubles
    assert spec.round_up(0.3) == 3
    assert spec.round_down(0.37) == 3
    assert spec.round_up(0.31) == 4
    wide = spec_of(2.5)
    assert (wide.round_down(75_004.9), wide.round_up(75_000.1)) == (30_001, 30_001)


def test_tick_steps_above_a_price() -> None:
    spec = InstrumentSpec("OPT", tick_size=0.0005, contract_size=1, tick_steps=[(0.005, 0.001)])
    assert spec.price(spec.round_down(0.0049)) == 0.0045
    assert spec.price(spec.round_down(0.0079)) == 0.007
    assert spec.price(spec.round_up(0.0071)) == 0.008


def test_inverse_amounts_are_usd_and_linear_amounts_btc() -> None:
    inverse = perpetual()
    assert inverse.contracts(1500.0) == 150
    assert inverse.amount(150) == 1500.0
    assert inverse.btc(150, 75_000.0) == 0.02
    assert inverse.btc(150, 0.0) == 0.0     # no price, no worth
    straight = linear()
    assert straight.contracts(0.02) == 200
    assert straight.amount(200) == 0.02
    assert straight.btc(200, 75_000.0) == 0.02
    with pytest.raises(ValueError, match="no multiple"):
        inverse.contracts(15.0)
    with pytest.raises(ValueError, match="no multiple"):
        inverse.contracts(-10.0)


def test_lot_is_the_minimum_amount() -> None:
    spec = perpetual(contract_size=1, min_amount=10)
    assert spec.lot_contracts == 10
    with pytest.raises(ValueError, match="minimum amount"):
        perpetual(min_amount=15)


@pytest.mark.parametrize(("facts", "word"), [
    ({"tick_size": 0}, "tick size"), ({"tick_size": "x"}, "tick size"),
    ({"tick_size": float("nan")}, "tick size"), ({"contract_size": -1}, "contract size"),
    ({"tick_size": 1e-12}, "tick size"), ({"tick_steps": [(1, 0.3)]}, "tick step"),
    ({"tick_steps": [(i, 1) for i in range(5)]}, "tick steps"),
    ({"min_amount": 0}, "minimum amount")])
def test_bad_facts_name_the_field(facts: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        perpetual(**facts)


def test_name_is_bounded() -> None:
    with pytest.raises(ValueError, match="47 characters"):
        perpetual("B" * 48)
    assert perpetual("B" * 47).name == "B" * 47
