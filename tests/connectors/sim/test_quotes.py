"""Mass quotes and their protection."""

from __future__ import annotations

from typing import Any

import pytest
from exchange_floor import BUY, MS, PERP, SECOND, SELL, Floor

MMP, FROZEN, DISABLED = 13030, 13043, 13902


class Quoter:
    """Account a quotes the perpetual in group `mm`."""

    def __init__(self, **limits: float) -> None:
        self.floor = Floor()
        self.floor.prices(60_000.0)
        self.number, group = self.floor.exchange.mmp(self.floor.a, 0, "mm", True)
        assert group is not None
        group.configure(limits.get("interval", 5.0), limits.get("frozen", 2.0),
                        limits.get("quantity", 0.1), limits.get("delta", 0.0), 0.0, 1.0)

    def put(self, side: int, ticks: int, contracts: int, **names: Any) -> Any:
        return self.floor.quotes.side(
            self.floor.t, self.floor.connection, self.floor.a, PERP, side, self.number, ticks,
            contracts, **names)

    def open(self) -> list[dict[str, Any]]:
        return self.floor.desk.open_orders(self.floor.a)


@pytest.fixture
def quoter() -> Quoter:
    return Quoter()


def test_a_side_is_one_order_replaced_by_the_next(quoter: Quoter) -> None:
    _, _, first = quoter.put(BUY, 119_990, 100, quote_id=b"q1", set_id=b"s1")
    order = first["order"]
    assert (order["quote"], order["mmp"], order["api"]) == (True, True, False)
    assert (order["quote_id"], order["quote_set_id"], order["mmp_group"]) == ("q1", "s1", "mm")
    behind = quoter.floor.placed(quoter.floor.b, PERP, BUY, 119_990, 100)
    _, _, second = quoter.put(BUY, 119_990, 60, quote_id=b"q2", set_id=b"s2")
    assert second["order"]["order_id"] == order["order_id"]
    assert second["order"]["quote_id"] == "q2"
    # Less at the same price keeps its place in the queue.
    quoter.floor.placed(quoter.floor.b, PERP, SELL, 119_990, 60)
    assert quoter.floor.order(quoter.floor.a, order)["order_state"] == "filled"
    assert quoter.floor.order(quoter.floor.b, behind)["filled_amount"] == 0.0
    quoter.put(SELL, 120_010, 50)
    assert quoter.put(SELL, 0, 0) == (0, None, None)
    assert quoter.open() == []


def test_a_refused_change_takes_the_quote_away(quoter: Quoter) -> None:
    quoter.put(BUY, 119_990, 100)
    assert quoter.put(BUY, 200_000, 100)[0] == 10007
    assert quoter.open() == []


def test_limits_trigger_cancel_and_freeze(quoter: Quoter) -> None:
    quoter.put(BUY, 119_990, 1000)
    quoter.put(SELL, 120_010, 1000)
    plain = quoter.floor.placed(quoter.floor.a, PERP, BUY, 119_980, 10)
    # 0.1 BTC are 600 contracts at 60,000.
    quoter.floor.placed(quoter.floor.b, PERP, SELL, 119_990, 590)
    assert len(quoter.open()) == 3
    quoter.floor.placed(quoter.floor.b, PERP, SELL, 119_990, 20)
    assert [o["order_id"] for o in quoter.open()] == [plain["order_id"]]
    ended = quoter.floor.desk.closed_orders(quoter.floor.a)[0]
    assert (ended["cancel_reason"], ended["mmp_cancelled"]) == ("mmp_trigger", True)
    assert quoter.put(BUY, 119_990, 10)[0] == MMP
    floor = quoter.floor
    until = floor.quotes.frozen_until_ms(floor.t, floor.a, 0, quoter.number)
    assert until == (floor.t + 2 * SECOND) // MS
    floor.pass_ns(2 * SECOND)
    assert quoter.put(BUY, 119_990, 10)[0] == 0


def test_the_count_begins_again_after_the_interval(quoter: Quoter) -> None:
    quoter.put(BUY, 119_990, 2000)
    for _ in range(4):
        quoter.floor.placed(quoter.floor.b, PERP, SELL, 119_990, 500)
        quoter.floor.pass_ns(6 * SECOND)
    assert quoter.put(BUY, 119_990, 10)[0] == 0


def test_net_delta_has_a_limit_of_its_own_and_zero_freezes_for_good() -> None:
    quoter = Quoter(quantity=1.0, delta=0.05, frozen=0.0)
    quoter.put(BUY, 119_990, 1000)
    quoter.put(SELL, 120_010, 1000)
    floor = quoter.floor
    floor.placed(floor.b, PERP, SELL, 119_990, 250)
    floor.placed(floor.b, PERP, BUY, 120_010, 250)      # nets to nothing
    assert len(quoter.open()) == 2
    floor.placed(floor.b, PERP, SELL, 119_990, 310)
    assert quoter.open() == []
    floor.pass_ns(1800 * SECOND)
    assert quoter.put(BUY, 119_990, 10)[0] == MMP
    assert floor.quotes.frozen_until_ms(floor.t, floor.a, 0, quoter.number) == 0
    assert floor.quotes.reset(floor.a, 0, quoter.number)
    assert quoter.put(BUY, 119_990, 10)[0] == 0


def test_orders_marked_mmp_come_under_the_indexs_own_group() -> None:
    floor = Floor()
    floor.prices(60_000.0)
    _, group = floor.exchange.mmp(floor.a, 0, "", True)
    assert group is not None
    group.configure(5.0, 0.0, 0.1, 0.0, 0.0, 1.0)
    floor.placed(floor.b, PERP, SELL, 120_000, 1000)
    taken = floor.placed(floor.a, PERP, BUY, 120_000, 1200, mmp=True)
    # What is left of the order that ran over the limit does not stay.
    assert (taken["order_state"], taken["cancel_reason"]) == ("cancelled", "mmp_trigger")
    assert floor.send(floor.a, PERP, BUY, 119_000, 10, mmp=True)[0] == MMP
    assert floor.send(floor.a, PERP, BUY, 119_000, 10)[0] == 0


def test_cancel_quotes_by_set_and_with_a_freeze(quoter: Quoter) -> None:
    quoter.put(BUY, 119_990, 100, set_id=b"s1")
    quoter.put(SELL, 120_010, 100, set_id=b"s2")
    floor = quoter.floor
    plain = floor.placed(floor.a, PERP, BUY, 119_980, 10)
    assert floor.exchange.drop_quotes(floor.t, floor.a, -1, -1, b"s1", 0) == 1
    assert floor.exchange.drop_quotes(floor.t, floor.a, -1, -1, None, SECOND) == 1
    assert [o["order_id"] for o in quoter.open()] == [plain["order_id"]]
    assert quoter.put(BUY, 119_990, 10)[0] == FROZEN
    floor.pass_ns(SECOND)
    assert quoter.put(BUY, 119_990, 10)[0] == 0


def test_an_account_may_be_without_mass_quotes(quoter: Quoter) -> None:
    quoter.floor.exchange.accounts[quoter.floor.a].mass_quotes = False
    assert quoter.put(BUY, 119_990, 10)[0] == DISABLED


def test_protection_reserves_margin(quoter: Quoter) -> None:
    assert quoter.floor.desk.portfolio(quoter.floor.a, 0)["initial_margin"] == 0.03
