"""Stop and take orders."""

from __future__ import annotations

from typing import Any

import pytest
from exchange_floor import (
    BUY,
    BY_INDEX,
    BY_LAST,
    BY_MARK,
    LIMIT,
    MARKET,
    MS,
    PERP,
    SELL,
    STOP,
    TAKE,
    Floor,
)

TOO_HIGH, TOO_LOW, WRONG_TICK = 10034, 10035, 10044


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.prices(60_000.0)
    floor.level(PERP, BUY, 119_999, 1000)
    floor.level(PERP, SELL, 120_001, 1000)
    floor.pass_ns(100 * MS)
    return floor


def stop(floor: Floor, side: int, ticks: int, *, kind: int = MARKET, trigger: int = STOP,
         by: int = BY_MARK, price: int = 0, **flags: Any) -> Any:
    return floor.send(floor.a, PERP, side, price, 10, kind=kind, trigger=trigger, trigger_by=by,
                      trigger_ticks=ticks, **flags)


def test_a_stop_waits_and_then_trades(floor: Floor) -> None:
    error, _, result = stop(floor, BUY, 120_400)
    assert error == 0
    order = result["order"]
    assert order["order_id"].startswith("SLMB-")
    assert (order["order_state"], order["order_type"]) == ("untriggered", "stop_market")
    assert (order["price"], order["trigger_price"], order["trigger"]) == (
        "market_price", 60_200.0, "mark_price")
    assert floor.desk.portfolio(floor.a, 0)["initial_margin"] == 0.0
    floor.prices(60_199.5)
    floor.pass_ns(200 * MS)
    assert floor.size(floor.a) == 0
    floor.prices(60_200.0)
    floor.pass_ns(200 * MS)
    assert floor.size(floor.a) == 10
    assert floor.order(floor.a, order)["order_state"] == "triggered"
    child = floor.desk.closed_orders(floor.a)[0]
    assert child["trigger_order_id"] == order["order_id"]
    assert (child["order_state"], child["order_type"]) == ("filled", "market")


@pytest.mark.parametrize(("trigger", "side", "ticks", "error"), [
    (STOP, BUY, 119_800, TOO_LOW), (STOP, SELL, 120_200, TOO_HIGH),
    (TAKE, BUY, 120_200, TOO_HIGH), (TAKE, SELL, 119_800, TOO_LOW),
    (STOP, BUY, 0, WRONG_TICK)])
def test_a_trigger_must_still_be_ahead(floor: Floor, trigger: int, side: int, ticks: int,
                                       error: int) -> None:
    assert stop(floor, side, ticks, trigger=trigger)[0] == error


def test_by_index_and_by_last(floor: Floor) -> None:
    by_index = stop(floor, SELL, 119_000, by=BY_INDEX)[2]["order"]
    floor.exchange.market_trade(floor.t, PERP, BUY, 120_001, 5, 0)
    by_last = stop(floor, SELL, 119_900, by=BY_LAST)[2]["order"]
    assert (by_index["order_id"][:4], by_last["order_id"][:4]) == ("SLIS", "SLTS")
    floor.exchange.market_trade(floor.t, PERP, SELL, 119_900, 5, 0)
    floor.pass_ns(2 * MS)           # the last price is looked at with the next book
    assert floor.order(floor.a, by_last)["order_state"] == "triggered"
    assert floor.order(floor.a, by_index)["order_state"] == "untriggered"
    floor.exchange.market_index(floor.t, "btc_usd", 59_500.0)
    floor.pass_ns(200 * MS)
    assert floor.order(floor.a, by_index)["order_state"] == "triggered"
    assert floor.size(floor.a) == -20


def test_a_take_limit_leaves_a_limit_order(floor: Floor) -> None:
    order = stop(floor, SELL, 120_400, kind=LIMIT, trigger=TAKE, price=120_600)[2]["order"]
    assert (order["order_type"], order["price"]) == ("take_limit", 60_300.0)
    floor.prices(60_250.0)
    floor.pass_ns(200 * MS)
    (child,) = floor.desk.open_orders(floor.a)
    assert (child["order_type"], child["price"], child["order_state"]) == (
        "limit", 60_300.0, "open")


def test_edit_and_cancel_while_it_waits(floor: Floor) -> None:
    order = stop(floor, BUY, 120_400, kind=LIMIT, price=120_500)[2]["order"]
    number = int(order["order_id"].rpartition("-")[2])
    error, _, result = floor.desk.edit(floor.t, floor.a, number, trigger_ticks=120_800,
                                       price_ticks=120_900)
    assert error == 0
    assert (result["order"]["trigger_price"], result["order"]["price"]) == (60_400.0, 60_450.0)
    floor.prices(60_300.0)
    floor.pass_ns(200 * MS)
    assert floor.order(floor.a, order)["order_state"] == "untriggered"
    assert floor.desk.cancel(floor.t, floor.a, number)[0] == 0
    floor.prices(60_500.0)
    floor.pass_ns(200 * MS)
    assert floor.size(floor.a) == 0


def test_reduce_only_is_looked_at_when_it_fires(floor: Floor) -> None:
    error, _, result = stop(floor, SELL, 119_600, reduce_only=True)
    assert error == 0
    floor.placed(floor.a, PERP, BUY, 120_001, 4)
    floor.prices(59_700.0)
    floor.pass_ns(200 * MS)
    assert floor.order(floor.a, result["order"])["order_state"] == "triggered"
    assert floor.size(floor.a) == 0          # ten were asked, four were there
