"""Margin of positions and orders, and liquidation."""

from __future__ import annotations

import pytest
from exchange_floor import BUY, FAR, LIMIT, PERP, SECOND, SELL, Floor, contract

from connectors.sim.margin import margins_of, rates

NOT_ENOUGH = 10009


def test_margin_by_hand() -> None:
    # 100,000 USD at 50,000 are 2 BTC: 2 % + 0.01 % and 1 % + 0.01 % of it.
    initial, maintenance = margins_of(contract("BTC-PERPETUAL"), 50_000.0, 10_000)
    assert initial == pytest.approx(2 * (0.02 + 0.00005 * 2))
    assert maintenance == pytest.approx(2 * (0.01 + 0.00005 * 2))
    assert rates()["liquidation_fee"] == 0.01


@pytest.fixture
def floor() -> Floor:
    floor = Floor(balance_e8=5_000_000)      # 0.05 BTC carry about 2.49 BTC of position
    floor.prices(50_000.0)
    return floor


def test_orders_reserve_margin(floor: Floor) -> None:
    # 0.05 = x (0.02 + 0.00005 x): x = 2.4846 BTC, 12,423 contracts of 10 USD
    assert floor.send(floor.a, PERP, BUY, 99_000, 12_400)[0] == 0
    assert floor.send(floor.a, PERP, BUY, 99_000, 100)[0] == NOT_ENOUGH
    # The other side does not add to the worst case until it is the larger one.
    assert floor.send(floor.a, PERP, SELL, 101_000, 12_400)[0] == 0
    view = floor.desk.portfolio(floor.a, 0)
    assert view["initial_margin"] == pytest.approx(2.48 * (0.02 + 0.00005 * 2.48), abs=1e-8)
    assert view["available_funds"] == pytest.approx(view["equity"] - view["initial_margin"])
    # Another contract has a margin of its own.
    assert floor.send(floor.a, FAR, BUY, 99_000, 100)[0] == NOT_ENOUGH
    assert floor.send(floor.a, FAR, BUY, 99_000, 10)[0] == 0


def test_cancels_give_margin_back(floor: Floor) -> None:
    order = floor.placed(floor.a, PERP, BUY, 99_000, 12_400)
    floor.desk.cancel(floor.t, floor.a, int(order["order_id"]))
    assert floor.desk.portfolio(floor.a, 0)["initial_margin"] == 0.0
    assert floor.send(floor.a, PERP, BUY, 99_000, 12_400)[0] == 0


def test_an_account_below_maintenance_is_liquidated_in_parts(floor: Floor) -> None:
    for side in (BUY, SELL):
        floor.level(PERP, side, 100_000 + (1 if side else -1), 50_000)
    floor.placed(floor.a, PERP, BUY, 100_001, 10_000)
    resting = floor.placed(floor.a, PERP, BUY, 99_000, 10)
    floor.pass_ns(SECOND)
    assert floor.size(floor.a) == 10_000
    paid = floor.money(floor.a)[2]
    # 2 BTC bought at 50,000.5; equity is 0.05 - 2 (50,000.5 / mark - 1) less fees.
    floor.prices(49_200.0)
    floor.pass_ns(100_000_000)
    assert floor.size(floor.a) == 8_000
    gone = floor.order(floor.a, resting)
    assert (gone["order_state"], gone["cancel_reason"]) == ("cancelled", "autoliquidation")
    trade = floor.desk.user_trades(floor.a)[-1]
    assert trade["liquidation"] == "T"
    assert trade["fee"] == pytest.approx(20_000 / trade["price"] * 0.01, abs=1e-8)
    order = floor.desk.order(int(trade["order_id"]), floor.a)
    assert order is not None
    assert order["is_liquidation"]
    assert floor.money(floor.a)[2] - paid == pytest.approx(20_000 / 49_999.5 * 1e6, abs=1)
    floor.pass_ns(60 * SECOND)
    view = floor.desk.portfolio(floor.a, 0)
    assert floor.size(floor.a) == 0 or view["equity"] > view["maintenance_margin"]


def test_an_account_above_maintenance_is_left_alone(floor: Floor) -> None:
    floor.trade(floor.a, floor.b, PERP, 100_000, 10_000)
    floor.prices(49_700.0)
    floor.pass_ns(10 * SECOND)
    assert floor.size(floor.a) == 10_000


def test_the_margin_oracle_states_the_same_rule(floor: Floor) -> None:
    found = floor.desk.margins(PERP, 10_000, 50_000.0)
    assert found["buy"] == pytest.approx(2 * (0.02 + 0.00005 * 2))
    assert (found["min_price"], found["max_price"]) == (49_250.0, 50_750.0)
    assert floor.send(floor.a, PERP, BUY, 101_501, 10, kind=LIMIT)[0] == 10007
