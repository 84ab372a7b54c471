"""08:00 UTC: session profit to the balance, expiry, delivery, listing."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exchange_floor import (
    ARCHIVIZED,
    BUY,
    DELIVERED,
    EXPIRY,
    FAR,
    FAR_EXPIRY,
    GTD,
    HOUR,
    LIMIT,
    NEAR,
    OPEN,
    PERP,
    SECOND,
    SELL,
    SETTLING,
    SPREAD,
    Floor,
    contract,
)

IN_SETTLEMENT = 10041


def e8(value: Fraction) -> int:
    """BTC in 1e-8, half away from zero."""
    scaled = value * 10**8
    whole = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    return whole if scaled >= 0 else -whole


@pytest.fixture
def floor() -> Floor:
    floor = Floor(EXPIRY - 600 * SECOND)
    floor.prices(60_000.0)
    return floor


def test_session_profit_becomes_balance_at_the_mark(floor: Floor) -> None:
    floor.trade(floor.a, floor.b, FAR, 120_000, 600)
    before = floor.money(floor.a)[0]
    floor.prices(60_000.0, far=61_234.56)
    floor.until(EXPIRY)
    balance, session, _, _ = floor.money(floor.a)
    won = e8(Fraction(6000) / 60_000 - Fraction(6000) / Fraction("61234.56"))
    assert balance - before == won
    assert session == 0
    assert floor.exchange.settlement_price(FAR) == 61_234.56
    position = floor.desk.position(floor.a, FAR)
    # The position keeps the price it was opened at; what floats begins again at the settlement.
    assert position["average_price"] == 60_000.0
    assert position["floating_profit_loss"] == 0.0
    assert position["total_profit_loss"] == pytest.approx(won / 1e8, abs=1e-8)
    assert position["settlement_price"] == 61_234.56
    assert floor.money(floor.b)[0] - before == pytest.approx(-won, abs=200_000)


def test_markets_pause_refuse_and_open_again(floor: Floor) -> None:
    day = floor.placed(floor.a, PERP, BUY, 119_000, 10, tif=GTD)
    kept = floor.placed(floor.a, PERP, BUY, 119_000, 10)
    floor.until(EXPIRY)
    assert floor.exchange.market_state_of(PERP) == SETTLING
    ended = floor.order(floor.a, day)
    assert (ended["order_state"], ended["cancel_reason"]) == ("cancelled", "settlement")
    assert floor.send(floor.a, PERP, BUY, 119_000, 10)[0] == IN_SETTLEMENT
    assert floor.desk.cancel(floor.t, floor.a, int(kept["order_id"]))[0] == IN_SETTLEMENT
    assert floor.desk.edit(floor.t, floor.a, int(kept["order_id"]),
                           price_ticks=118_000)[0] == IN_SETTLEMENT
    assert floor.desk.cancel_many(floor.t, floor.a)[0] == IN_SETTLEMENT
    floor.pass_ns(6 * SECOND)
    assert floor.exchange.market_state_of(PERP) == OPEN
    assert floor.order(floor.a, kept)["order_state"] == "open"
    assert floor.desk.cancel(floor.t, floor.a, int(kept["order_id"]))[0] == 0


def test_a_dated_contract_delivers_at_the_mean_of_the_index() -> None:
    floor = Floor(EXPIRY - 2 * HOUR)
    floor.prices(50_000.0, near=60_000.0)
    floor.trade(floor.a, floor.b, NEAR, 120_000, 600)
    fee = floor.money(floor.a)[2]
    resting = floor.placed(floor.a, NEAR, BUY, 99_000, 10)
    floor.until(EXPIRY - 1800 * SECOND - 1)   # what was before does not count
    floor.exchange.market_index(floor.t, "btc_usd", 60_000.0)
    floor.until(EXPIRY - 900 * SECOND - 1)
    floor.exchange.market_index(floor.t, "btc_usd", 62_000.0)
    floor.until(EXPIRY - SECOND // 2)
    estimate = floor.desk.ticker(NEAR, floor.t)["estimated_delivery_price"]
    assert estimate == pytest.approx(61_000.0, abs=0.01)
    floor.until(EXPIRY)
    ticker = floor.desk.ticker(NEAR, floor.t)
    assert ticker["delivery_price"] == estimate
    price = Fraction(str(ticker["delivery_price"]))
    won = e8(Fraction(6000) / 60_000 - Fraction(6000) / price)
    delivery_fee = e8(Fraction(6000) / price * Fraction(25, 100_000))
    balance, session, fees, _ = floor.money(floor.a)
    assert balance == 10**10 - fee + won - delivery_fee
    assert (session, fees) == (0, fee + delivery_fee)
    assert floor.size(floor.a, NEAR) == floor.size(floor.b, NEAR) == 0
    order = floor.order(floor.a, resting)
    assert order["order_state"] == "cancelled"
    assert "cancel_reason" not in order
    (row,) = [r for r in floor.exchange.settlements if r[1] == floor.a]
    assert (row[2], row[3], row[4]) == (NEAR, True, 6000.0)     # delivered, in USD
    assert row[-1] == floor.money(floor.a)[0]
    floor.pass_ns(6 * SECOND)
    assert floor.exchange.market_state_of(NEAR) == DELIVERED
    assert floor.send(floor.a, NEAR, BUY, 120_000, 10)[0] == 10012
    floor.pass_ns(HOUR)
    assert floor.exchange.market_state_of(NEAR) == ARCHIVIZED
    assert floor.exchange.market_state_of(FAR) == OPEN


def test_a_spread_dies_with_its_first_leg() -> None:
    floor = Floor(FAR_EXPIRY - 60 * SECOND)
    floor.prices(60_000.0)
    floor.until(FAR_EXPIRY + 6 * SECOND)
    assert floor.exchange.market_state_of(SPREAD) == DELIVERED


def test_the_lister_is_asked_after_a_settlement(floor: Floor) -> None:
    asked: list[int] = []

    def lister(now_ns: int) -> list[tuple[object, str, bool]]:
        asked.append(now_ns)
        return [(contract("BTC-25DEC26", FAR_EXPIRY), "btc_usd", False),
                (contract("BTC-29JAN27", FAR_EXPIRY + 35 * 24 * HOUR), "btc_usd", False)]

    floor.exchange.set_lister(lister)   # type: ignore[arg-type]
    floor.until(EXPIRY + 10 * SECOND)
    assert asked == [EXPIRY + 5 * SECOND]
    assert [spec.name for spec in floor.exchange.specs[4:]] == ["BTC-29JAN27"]
    floor.exchange.market_mark(floor.t, 4, 60_000.0)
    assert floor.send(floor.a, 4, SELL, 120_000, 10, kind=LIMIT)[0] == 0


def test_the_mark_of_a_dated_contract_is_not_bound_to_the_index() -> None:
    floor = Floor(EXPIRY - 24 * HOUR)
    floor.exchange.market_index(floor.t, "btc_usd", 60_000.0)
    for market, mid in ((PERP, 121_200), (FAR, 124_000)):
        floor.level(market, BUY, mid - 1, 100)
        floor.level(market, SELL, mid + 1, 100)
    floor.pass_ns(300 * SECOND)
    assert floor.exchange.mark_price(FAR) == pytest.approx(62_000.0, abs=1.0)
    assert floor.exchange.mark_price(PERP) == 60_300.0      # clamped to half a per cent


def test_settlements_of_two_days_add_up(floor: Floor) -> None:
    floor.trade(floor.a, floor.b, FAR, 120_000, 777)
    start = floor.money(floor.a)[0]
    for day, price in enumerate((61_111.11, 59_999.99)):
        floor.exchange.market_mark(floor.t, FAR, price)
        floor.until(EXPIRY + day * 24 * HOUR + 10 * SECOND)
    balance, _, _, rest = floor.money(floor.a)
    # 7770 USD from 60,000 to the second price, whatever lay between, to the last digit.
    exact = Fraction(7770) / 60_000 - Fraction(7770) / Fraction("59999.99")
    assert abs((balance - start) * 10**4 + rest - exact * 10**12) <= 2
    assert abs(balance - start - exact * 10**8) < 2
