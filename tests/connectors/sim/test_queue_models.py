"""Where an order stands behind recorded liquidity that shrinks."""

from __future__ import annotations

import random

import pytest
from exchange_floor import BUY, PERP, SELL, Floor

PESSIMISTIC, PROPORTIONAL, POWER = range(3)
TICKS = 119_990


def floor_of(kind: int, power: float = 1.0) -> Floor:
    """100 contracts are shown, 10 of our own join, 100 more come behind."""
    floor = Floor()
    floor.prices(60_000.0)
    floor.exchange.books[PERP].set_queue_model(kind, power)
    floor.level(PERP, BUY, TICKS, 100)
    floor.placed(floor.a, PERP, BUY, TICKS, 10)
    floor.level(PERP, BUY, TICKS, 200)
    return floor


def ahead(floor: Floor) -> int:
    """How much must be printed before the order trades."""
    printed = 0
    while floor.size(floor.a) == 0:
        floor.exchange.market_trade(floor.t, PERP, SELL, TICKS, 1, 0)
        printed += 1
    return printed - 1


@pytest.mark.parametrize(("kind", "power", "left"), [
    (PESSIMISTIC, 1.0, 100), (PROPORTIONAL, 1.0, 75), (POWER, 1.0, 75), (POWER, 3.0, 75)])
def test_a_cancel_with_as_much_before_as_behind(kind: int, power: float, left: int) -> None:
    floor = floor_of(kind, power)
    floor.level(PERP, BUY, TICKS, 150)
    assert ahead(floor) == left


@pytest.mark.parametrize(("kind", "power", "left"), [
    (PESSIMISTIC, 1.0, 100), (PROPORTIONAL, 1.0, 92), (POWER, 2.0, 98), (POWER, 0.5, 85)])
def test_a_cancel_with_more_behind(kind: int, power: float, left: int) -> None:
    floor = floor_of(kind, power)
    floor.level(PERP, BUY, TICKS, 600)          # 100 before, 500 behind
    floor.level(PERP, BUY, TICKS, 550)
    # 50 gone: of them 50 / 6 = 8.3; 50 / (1 + 25) = 1.9 and 50 / (1 + sqrt 5) = 15.5 before us
    assert ahead(floor) == left


@pytest.mark.parametrize("kind", [PESSIMISTIC, PROPORTIONAL, POWER])
def test_what_was_printed_is_not_counted_twice(kind: int) -> None:
    floor = floor_of(kind, 2.0)
    floor.exchange.market_trade(floor.t, PERP, SELL, TICKS, 40, 0)
    floor.level(PERP, BUY, TICKS, 160)          # the print, and nothing else
    assert ahead(floor) == 60


@pytest.mark.parametrize("kind", [PESSIMISTIC, PROPORTIONAL, POWER])
def test_never_behind_more_than_there_is(kind: int) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    floor, shown = floor_of(kind, 2.0), 200
    for _ in range(200):
        shown = max(1, shown + rng.randint(-40, 40))
        floor.level(PERP, BUY, TICKS, shown)
    assert ahead(floor) <= min(shown, 100)


def test_the_models_are_ordered() -> None:
    fills = []
    for kind in (PESSIMISTIC, PROPORTIONAL):
        floor = floor_of(kind)
        for shown in (180, 140, 120):
            floor.level(PERP, BUY, TICKS, shown)
        fills.append(ahead(floor))
    assert fills[0] > fills[1]


def test_a_model_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="queue model 4"):
        Floor().exchange.books[PERP].set_queue_model(4)
