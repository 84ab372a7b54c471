"""Future spreads: a book of their own, booked and printed on their legs."""

from __future__ import annotations

from typing import Any

import pytest
from exchange_floor import BUY, FAR, PERP, SELL, SPREAD, Floor, contract

from connectors.sim.exchange import Exchange
from connectors.sim.wire.broadcast import Broadcast
from connectors.sim.wire.channel import Channel


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.prices(60_000.0, far=60_100.0)
    floor.exchange.set_speed_bump(SPREAD, 0)
    floor.pass_ns(200_000_000)
    return floor


def test_the_mark_is_the_difference(floor: Floor) -> None:
    assert floor.exchange.mark_price(SPREAD) == 100.0
    ticker = floor.desk.ticker(SPREAD, floor.t)
    assert (ticker["min_price"], ticker["max_price"]) == (-800.0, 1000.0)


@pytest.mark.parametrize("price", [120.0, 100.0, -3.5, 0.0])
def test_both_legs_are_booked_apart_by_the_price(floor: Floor, price: float) -> None:
    ticks = round(price * 2)
    floor.placed(floor.b, SPREAD, SELL, ticks, 60)
    order = floor.placed(floor.a, SPREAD, BUY, ticks, 60)
    assert (order["order_state"], order["price"], order["average_price"]) == (
        "filled", price, price)
    for account, sign in ((floor.a, 1), (floor.b, -1)):
        assert floor.size(account, FAR) == 60 * sign
        assert floor.size(account, PERP) == -60 * sign
        assert floor.size(account, SPREAD) == 0
    far, near, whole = rows(floor, floor.a)
    assert far["price"] - near["price"] == price
    assert abs(far["price"] - 60_100.0 - (price - 100.0) / 2) <= 0.5
    assert (far["direction"], near["direction"], whole["direction"]) == ("buy", "sell", "buy")
    assert far["combo_id"] == near["combo_id"] == "BTC-FS-25DEC26_PERP"
    assert far["combo_trade_id"] == near["combo_trade_id"] == whole["trade_id"]
    assert "combo_id" not in whole
    assert (near["fee"], whole["fee"], whole["profit_loss"]) == (0.0, 0.0, None)
    assert far["fee"] == pytest.approx(600 / far["price"] * 0.00035, abs=1e-8)
    assert (far["api"], near["api"], whole["api"]) == (False, False, True)
    assert len({far["order_id"], near["order_id"], order["order_id"]}) == 3


def rows(floor: Floor, account: int) -> list[dict[str, Any]]:
    """The three rows of an account's trade: first leg, second leg, the spread."""
    found = {t["instrument_name"]: t for t in floor.desk.user_trades(account)}
    return [found[n] for n in ("BTC-25DEC26", "BTC-PERPETUAL", "BTC-FS-25DEC26_PERP")]


def test_the_legs_are_printed_with_the_spreads_trade(floor: Floor) -> None:
    floor.placed(floor.b, SPREAD, SELL, 200, 60)
    floor.placed(floor.a, SPREAD, BUY, 200, 60)
    (whole,) = floor.desk.last_trades(SPREAD)
    for market in (PERP, FAR):
        (leg,) = floor.desk.last_trades(market)
        assert leg["combo_id"] == "BTC-FS-25DEC26_PERP"
        assert leg["combo_trade_id"] == whole["trade_id"]
    assert list(leg)[-4:] == ["contracts", "combo_id", "combo_trade_id", "trade_id"]


class Listener:
    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send_frame(self, frame: bytes) -> None:
        self.frames.append(frame)


def test_three_notifications_first_the_legs(floor: Floor) -> None:
    broadcast = Broadcast(floor.exchange)
    channel = Channel("user.trades.any.any.raw", "user.trades", account=floor.a)
    listener = Listener()
    channel.sessions.append(listener)
    broadcast.open(channel)
    floor.placed(floor.b, SPREAD, SELL, 200, 60)
    floor.placed(floor.a, SPREAD, BUY, 200, 60, label=b"mine")
    assert len(listener.frames) == 3
    for frame, name in zip(listener.frames, (b"BTC-25DEC26", b"BTC-PERPETUAL", b"BTC-FS-"),
                           strict=True):
        assert b'"instrument_name":"' + name in frame
        assert b'"label":"mine"' in frame


def test_the_band_is_around_the_difference(floor: Floor) -> None:
    assert floor.send(floor.a, SPREAD, BUY, 2001, 10)[0] == 10007
    assert floor.send(floor.a, SPREAD, SELL, -1601, 10)[0] == 10005
    assert floor.send(floor.a, SPREAD, SELL, -1600, 10)[0] == 0


def test_legs_must_fit() -> None:
    exchange = Exchange(1, 0)
    exchange.add_market(contract("BTC-PERPETUAL"), "btc_usd", True)
    with pytest.raises(ValueError, match="must be listed markets"):
        exchange.add_spread(contract("BTC-FS-X_PERP"), 0, 1)


def test_a_recorded_block_is_printed_as_one(floor: Floor) -> None:
    floor.level(PERP, BUY, 119_990, 100)
    resting = floor.placed(floor.a, PERP, BUY, 119_990, 10)
    floor.exchange.market_trade(floor.t, PERP, SELL, 119_000, 20_000, 1)
    (block,) = floor.desk.last_trades(PERP)
    assert block["block_trade_id"] == f"BLOCK-{block['trade_id']}"
    assert floor.order(floor.a, resting)["filled_amount"] == 0.0
