"""Matching by numbers one can check by hand."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sim.exchange import Exchange
from connectors.sim.wire.desk import Desk
from mmcore.types import InstrumentSpec

BUY, SELL = 0, 1
LIMIT, MARKET = 0, 1
GTC, IOC, FOK, GTD = range(4)
T0 = 1_700_000_000_000_000_000
MS = 1_000_000


class Floor:
    """An exchange with one perpetual at 60,000 USD, 0.5 USD a tick, and short calls."""

    def __init__(self, tier: int = 0) -> None:
        self.exchange = Exchange(7, tier)
        self.exchange.add_market(
            InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10, min_amount=10,
                           maker_fee=0.00015, taker_fee=0.00035), "btc_usd", True)
        self.desk = Desk(self.exchange)
        self.t = T0
        self.connection = self.exchange.connect(self.t)
        self.a = self.exchange.open_account("a", self.t, 10**9, 0, False)
        self.b = self.exchange.open_account("b", self.t, 10**9, 0, False)

    def level(self, side: int, ticks: int, contracts: int) -> None:
        self.exchange.market_set_level(self.t, 0, side, ticks, contracts)

    def send(self, account: int, side: int, ticks: int, contracts: int, *, kind: int = LIMIT,
             tif: int = GTC, **flags: Any) -> Any:
        return self.desk.place(self.t, self.connection, account, 0, side, kind, tif, ticks,
                               contracts, **flags)

    def placed(self, *args: Any, **flags: Any) -> tuple[int, dict[str, Any], list[Any]]:
        error, _, result = self.send(*args, **flags)
        assert error == 0
        return int(result["order"]["order_id"]), result["order"], result["trades"]

    def levels(self, side: int) -> list[tuple[int, int]]:
        return self.exchange.books[0].levels_of(side)

    def size(self, account: int) -> int:
        return self.exchange.accounts[account].position(0)[0]

    def order(self, account: int, order_id: int) -> dict[str, Any]:
        order = self.desk.order(order_id, account)
        assert order is not None
        return order


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.level(BUY, 120_000, 10)
    floor.level(SELL, 120_002, 10)
    return floor


def test_price_then_time(floor: Floor) -> None:
    first, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    second, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    _, order, trades = floor.placed(floor.b, BUY, 120_002, 12)
    assert [(t["price"], t["amount"]) for t in trades] == [
        (60000.5, 50.0), (60000.5, 50.0), (60001.0, 20.0)]
    assert order["order_state"] == "filled"
    # 120 USD over 100/60000.5 + 20/60001 BTC
    assert order["average_price"] == pytest.approx(60000.58, abs=0.005)
    assert floor.order(floor.a, first)["order_state"] == "filled"
    assert floor.order(floor.a, second)["order_state"] == "filled"
    assert floor.levels(SELL) == [(120_002, 8)]
    assert (floor.size(floor.a), floor.size(floor.b), floor.size(0)) == (-10, 12, -2)


def test_amount_down_keeps_the_place_and_a_price_change_loses_it(floor: Floor) -> None:
    first, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    second, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    floor.desk.edit(floor.t, floor.a, first, amount_contracts=3)
    floor.placed(floor.b, BUY, 120_001, 3)
    assert floor.order(floor.a, first)["order_state"] == "filled"
    third, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    floor.desk.edit(floor.t, floor.a, second, amount_contracts=6)
    floor.placed(floor.b, BUY, 120_001, 5)
    assert floor.order(floor.a, third)["order_state"] == "filled"
    assert floor.order(floor.a, second)["filled_amount"] == 0.0


def test_edit_amount_is_the_total_with_the_filled_part(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, SELL, 120_001, 10)
    floor.placed(floor.b, BUY, 120_001, 4)
    error, _, result = floor.desk.edit(floor.t, floor.a, order_id, amount_contracts=6)
    assert error == 0
    assert result is not None
    assert result["order"]["filled_amount"] == 40.0
    assert result["order"]["replaced"] is True
    assert floor.levels(SELL)[0] == (120_001, 2)
    assert floor.desk.edit(floor.t, floor.a, order_id, amount_contracts=4)[0] == 10021


def test_post_only_slides_or_is_refused(floor: Floor) -> None:
    _, order, _ = floor.placed(floor.a, BUY, 120_005, 5, post_only=True)
    assert order["price"] == 60000.5
    assert floor.send(floor.a, BUY, 120_005, 5, post_only=True, reject_post_only=True)[0] == 11054
    assert floor.send(floor.a, BUY, 120_000, 5, post_only=True, tif=IOC)[0] == 11055
    assert len(floor.desk.open_orders(floor.a)) == 1


def test_crossing_edit_of_a_reject_post_only_order_cancels_it(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, BUY, 119_999, 5, post_only=True, reject_post_only=True)
    error, _, _ = floor.desk.edit(floor.t, floor.a, order_id, price_ticks=120_002)
    assert error == 11054
    order = floor.order(floor.a, order_id)
    assert (order["order_state"], order["cancel_reason"]) == ("cancelled", "edit_post_only_reject")
    assert floor.levels(BUY) == [(120_000, 10)]


def test_immediate_orders(floor: Floor) -> None:
    _, order, trades = floor.placed(floor.a, BUY, 120_002, 15, tif=IOC)
    assert (order["order_state"], order["filled_amount"], len(trades)) == ("cancelled", 100.0, 1)
    floor.level(SELL, 120_002, 10)
    _, order, trades = floor.placed(floor.a, BUY, 120_002, 11, tif=FOK)
    assert (order["order_state"], order["filled_amount"], trades) == ("cancelled", 0.0, [])
    _, order, trades = floor.placed(floor.a, BUY, 120_002, 10, tif=FOK)
    assert (order["order_state"], len(trades)) == ("filled", 1)
    assert floor.levels(SELL) == []


def test_price_band_and_validity(floor: Floor) -> None:
    floor.exchange.market_mark(floor.t, 0, 60_000.0)
    error, limit, _ = floor.send(floor.a, BUY, 122_000, 1)
    assert (error, limit) == (10007, 60_900.0)
    error, limit, _ = floor.send(floor.a, SELL, 118_000, 1)
    assert (error, limit) == (10005, 59_100.0)
    assert floor.send(floor.a, BUY, 60_000, 1)[0] == 0     # far below is no danger
    assert floor.send(floor.a, BUY, 119_000, 1, valid_until_ms=T0 // MS - 1)[0] == 13888
    assert floor.send(floor.a, BUY, 119_000, 1, valid_until_ms=T0 // MS)[0] == 0
    assert floor.send(floor.a, BUY, 119_000, 0)[0] == 10021


def test_self_trade_prevention(floor: Floor) -> None:
    own, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    _, order, trades = floor.placed(floor.a, BUY, 120_002, 7)
    assert (order["order_state"], order["cancel_reason"]) == ("cancelled", "order_overlap")
    assert trades == []
    floor.desk.set_self_trade(floor.a, 1)
    _, order, trades = floor.placed(floor.a, BUY, 120_002, 7)
    assert (order["order_state"], len(trades)) == ("filled", 1)
    assert floor.order(floor.a, own)["cancel_reason"] == "order_overlap"


def test_reduce_only_is_clipped_and_follows_the_position(floor: Floor) -> None:
    assert floor.send(floor.a, SELL, 120_003, 5, reduce_only=True)[0] == 11030
    floor.placed(floor.a, BUY, 120_002, 8)
    order_id, order, _ = floor.placed(floor.a, SELL, 120_003, 20, reduce_only=True)
    assert order["amount"] == 80.0
    floor.placed(floor.a, SELL, 120_000, 5)
    assert floor.order(floor.a, order_id)["amount"] == 30.0
    floor.placed(floor.a, SELL, 120_000, 3)
    assert floor.order(floor.a, order_id)["order_state"] == "cancelled"


def test_recorded_change_that_crosses_fills_the_order_first(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    floor.level(BUY, 120_001, 12)
    order = floor.order(floor.a, order_id)
    assert (order["order_state"], order["average_price"]) == ("filled", 60000.5)
    assert floor.levels(BUY) == [(120_001, 7), (120_000, 10)]
    assert floor.levels(SELL) == [(120_002, 10)]


def test_recorded_change_smaller_than_the_order_leaves_the_rest(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    floor.level(BUY, 120_002, 2)
    assert floor.order(floor.a, order_id)["filled_amount"] == 20.0
    assert floor.levels(BUY) == [(120_000, 10)]
    assert floor.levels(SELL) == [(120_001, 3), (120_002, 10)]


def test_taken_liquidity_stays_gone_until_the_next_update(floor: Floor) -> None:
    floor.placed(floor.a, BUY, 120_002, 4)
    assert floor.levels(SELL) == [(120_002, 6)]
    floor.level(SELL, 120_002, 10)
    assert floor.levels(SELL) == [(120_002, 10)]


def test_changes_without_effect_are_counted(floor: Floor) -> None:
    floor.level(SELL, 120_002, 10)
    floor.level(SELL, 121_000, 0)
    floor.level(SELL, 2**22, 5)
    floor.level(SELL, -1, 5)
    assert floor.exchange.books[0].counters() == {
        "crossed_cleared": 0, "unknown_deletes": 1, "empty_changes": 1, "out_of_span": 2}


def test_newer_recorded_level_runs_over_an_older_one(floor: Floor) -> None:
    floor.level(BUY, 120_002, 3)
    assert floor.levels(SELL) == []
    assert floor.levels(BUY) == [(120_002, 3), (120_000, 10)]
    assert floor.exchange.books[0].counters()["crossed_cleared"] == 1


def test_prints_fill_behind_the_queue(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, SELL, 120_002, 5)    # behind 10 contracts
    floor.exchange.market_trade(floor.t, 0, BUY, 120_002, 8, 0)
    assert floor.order(floor.a, order_id)["filled_amount"] == 0.0
    floor.exchange.market_trade(floor.t, 0, BUY, 120_002, 5, 0)     # 2 ahead, 3 for the order
    assert floor.order(floor.a, order_id)["filled_amount"] == 30.0
    seen = floor.desk.last_trades(0)
    assert [t["amount"] for t in seen] == [80.0, 30.0, 20.0]


def test_queue_is_never_longer_than_the_level(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, SELL, 120_002, 5)
    floor.level(SELL, 120_002, 1)       # nine left, by cancels
    floor.level(SELL, 120_002, 50)      # the new ones stand behind
    floor.exchange.market_trade(floor.t, 0, BUY, 120_002, 4, 0)
    assert floor.order(floor.a, order_id)["filled_amount"] == 30.0


def test_print_through_a_better_order_fills_it(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    floor.exchange.market_trade(floor.t, 0, BUY, 120_004, 4, 0)
    order = floor.order(floor.a, order_id)
    assert (order["filled_amount"], order["average_price"]) == (40.0, 60000.5)


def test_block_prints_fill_nobody(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, SELL, 120_001, 5)
    floor.exchange.market_trade(floor.t, 0, BUY, 120_004, 400, 1)
    assert floor.order(floor.a, order_id)["filled_amount"] == 0.0


def test_good_til_day_ends_at_eight(floor: Floor) -> None:
    order_id, _, _ = floor.placed(floor.a, BUY, 119_000, 5, tif=GTD)
    other, _, _ = floor.placed(floor.a, BUY, 119_000, 5)
    day = 86_400_000 * MS
    eight = T0 // day * day + 8 * 3_600_000 * MS
    eight += day if eight <= T0 else 0
    floor.exchange.advance(eight - 1)
    assert floor.order(floor.a, order_id)["order_state"] == "open"
    floor.exchange.advance(eight)
    assert floor.order(floor.a, order_id)["cancel_reason"] == "settlement"
    assert floor.order(floor.a, other)["order_state"] == "open"


def test_cancel_on_disconnect_takes_the_connections_own_orders(floor: Floor) -> None:
    floor.exchange.login(floor.t, floor.connection, floor.a)
    floor.exchange.set_cancel_on_disconnect(floor.connection, False, True)
    mine, _, _ = floor.placed(floor.a, BUY, 119_000, 5)
    other = floor.exchange.connect(floor.t)
    assert floor.desk.place(floor.t, other, floor.a, 0, BUY, LIMIT, GTC, 119_001, 5)[0] == 0
    floor.exchange.disconnect(floor.t, floor.connection, True)
    assert floor.order(floor.a, mine)["cancel_reason"] == "cancel_on_disconnect"
    assert len(floor.desk.open_orders(floor.a)) == 1


def test_margin_limits_the_worst_position() -> None:
    floor = Floor()
    floor.level(BUY, 120_000, 10)
    floor.level(SELL, 120_002, 10)
    poor = floor.exchange.open_account("poor", floor.t, 10**6, 0, False)    # 0.01 BTC
    floor.exchange.refresh_marks(floor.t)
    # 2 % of 30,000 USD at 60,000 is 0.01 BTC, and the slope comes on top.
    assert floor.send(poor, BUY, 119_000, 2_900)[0] == 0
    assert floor.send(poor, BUY, 119_000, 200)[0] == 10009
    assert floor.send(poor, SELL, 121_000, 2_900)[0] == 0   # the other side is no more risk


def test_credits_of_tier_four() -> None:
    floor = Floor(tier=4)
    took = sum(floor.exchange.take_credit(floor.t, floor.a, 0) for _ in range(30))
    assert took == 20
    assert not floor.exchange.take_credit(floor.t + 199 * MS, floor.a, 0)
    assert floor.exchange.take_credit(floor.t + 200 * MS, floor.a, 0)
    later = floor.t + 10**18        # years: no overflow
    assert sum(floor.exchange.take_credit(later, floor.a, 0) for _ in range(30)) == 20
