"""The matching engine's queue and the speed bump."""

from __future__ import annotations

from typing import Any

import pytest
from exchange_floor import BUY, FAR, IOC, MS, PENDING, PERP, SELL, Floor

from connectors.sim.wire.broadcast import Broadcast

QUEUE_FULL, LOCK_TIME, CANCELLED, REPLACED, NOT_OPEN = 10047, 10050, 13666, 13777, 11044


class Waiter:
    """A floor whose answers may come later, kept by ticket."""

    def __init__(self, seed: int = 7) -> None:
        self.floor = Floor(seed=seed)
        self.floor.prices(60_000.0)
        self.answers: dict[int, Any] = {}
        self.order: list[int] = []
        self.broadcast = Broadcast(self.floor.exchange)
        self.broadcast.on_reply = self.on_reply

    def on_reply(self, ticket: int, reply: Any) -> None:
        self.answers[ticket] = reply
        self.order.append(ticket)

    def ticket(self, reply: Any) -> int:
        assert reply[0] == PENDING, reply
        ticket: int = reply[2]
        return ticket

    def buy(self, ticks: int = 119_000, **flags: Any) -> int:
        return self.ticket(self.floor.send(self.floor.a, PERP, BUY, ticks, 10, **flags))


@pytest.fixture
def waiter() -> Waiter:
    found = Waiter()
    found.floor.exchange.set_processing(MS, MS)
    return found


def test_requests_are_taken_up_one_after_the_other(waiter: Waiter) -> None:
    tickets = [waiter.buy() for _ in range(3)]
    assert waiter.answers == {}
    waiter.floor.pass_ns(MS)
    assert waiter.order == tickets[:1]
    waiter.floor.pass_ns(2 * MS)
    assert waiter.order == tickets
    assert all(waiter.answers[t][0] == 0 for t in tickets)
    assert len(waiter.floor.desk.open_orders(waiter.floor.a)) == 3


def test_eight_wait_behind_the_one_being_processed(waiter: Waiter) -> None:
    for _ in range(9):
        waiter.buy()
    floor = waiter.floor
    assert floor.send(floor.a, PERP, BUY, 119_000, 10)[0] == QUEUE_FULL
    # Another account has a queue of its own, and a place comes free.
    assert floor.send(floor.b, PERP, BUY, 119_000, 10)[0] == PENDING
    floor.pass_ns(MS)
    assert floor.send(floor.a, PERP, BUY, 119_000, 10)[0] == PENDING


def test_cancel_all_overtakes_what_waits(waiter: Waiter) -> None:
    floor = waiter.floor
    tickets = [waiter.buy() for _ in range(3)]
    last = waiter.ticket(floor.desk.cancel_many(floor.t, floor.a))
    assert [waiter.answers[t][0] for t in tickets[1:]] == [CANCELLED, CANCELLED]
    floor.pass_ns(10 * MS)
    assert waiter.answers[tickets[0]][0] == 0       # it was being processed
    assert waiter.answers[last] == (0, None, 1)
    assert floor.desk.open_orders(floor.a) == []


def test_cancel_by_label_overtakes_only_its_own(waiter: Waiter) -> None:
    floor = waiter.floor
    waiter.buy()
    mine, other = waiter.buy(label=b"x"), waiter.buy(label=b"y")
    floor.desk.cancel_many(floor.t, floor.a, label=b"x")
    assert waiter.answers[mine][0] == CANCELLED
    assert other not in waiter.answers


def test_a_newer_edit_replaces_one_that_waits(waiter: Waiter) -> None:
    floor = waiter.floor
    ticket = waiter.buy()
    floor.pass_ns(MS)
    order_id = int(waiter.answers[ticket][2]["order"]["order_id"])
    waiter.buy()
    first = waiter.ticket(floor.desk.edit(floor.t, floor.a, order_id, price_ticks=119_100))
    second = waiter.ticket(floor.desk.edit(floor.t, floor.a, order_id, price_ticks=119_200))
    assert waiter.answers[first][0] == REPLACED
    floor.pass_ns(10 * MS)
    assert waiter.answers[second][2]["order"]["price"] == 59_600.0


def test_who_cannot_start_in_five_seconds_is_refused() -> None:
    waiter = Waiter()
    waiter.floor.exchange.set_processing(6_000 * MS, 6_000 * MS)
    waiter.buy()
    late = waiter.buy()
    waiter.floor.pass_ns(5_000 * MS)
    assert waiter.answers[late][0] == LOCK_TIME


def test_processing_times_come_from_the_seed() -> None:
    def times(seed: int) -> list[int]:
        waiter = Waiter(seed)
        waiter.floor.exchange.set_processing(100_000, 3 * MS)
        ticket, found = waiter.buy(), []
        start = waiter.floor.t
        while ticket not in waiter.answers:
            waiter.floor.pass_ns(10_000)
        found.append(waiter.floor.t - start)
        return found

    assert times(3) == times(3)
    assert len({times(seed)[0] for seed in range(1, 9)}) > 4


# ---- the speed bump
@pytest.fixture
def bumpy() -> Waiter:
    found = Waiter()
    found.floor.placed(found.floor.b, FAR, SELL, 120_002, 10)
    return found


def test_what_would_trade_at_once_waits_ten_milliseconds(bumpy: Waiter) -> None:
    floor = bumpy.floor
    ticket = bumpy.ticket(floor.send(floor.a, FAR, BUY, 120_002, 10))
    floor.pass_ns(10 * MS - 1)
    assert floor.size(floor.a, FAR) == 0
    floor.pass_ns(1)
    assert bumpy.answers[ticket][2]["order"]["order_state"] == "filled"
    assert floor.size(floor.a, FAR) == 10


def test_makers_the_perpetual_and_cancels_do_not_wait(bumpy: Waiter) -> None:
    floor = bumpy.floor
    order = floor.placed(floor.a, FAR, BUY, 120_001, 10)
    floor.placed(floor.a, FAR, BUY, 120_002, 10, post_only=True)
    assert floor.desk.cancel(floor.t, floor.a, int(order["order_id"]))[0] == 0
    floor.placed(floor.b, PERP, SELL, 120_002, 10)
    assert floor.placed(floor.a, PERP, BUY, 120_002, 10)["order_state"] == "filled"


def test_a_maker_can_leave_during_the_bump(bumpy: Waiter) -> None:
    floor = bumpy.floor
    (quote,) = floor.desk.open_orders(floor.b)
    ticket = bumpy.ticket(floor.send(floor.a, FAR, BUY, 120_002, 10))
    floor.pass_ns(5 * MS)
    assert floor.desk.cancel(floor.t, floor.b, int(quote["order_id"]))[0] == 0
    floor.pass_ns(5 * MS)
    order = bumpy.answers[ticket][2]["order"]
    assert (order["order_state"], order["filled_amount"]) == ("open", 0.0)


def test_a_cancelled_pending_order_is_immediate_or_cancel(bumpy: Waiter) -> None:
    floor = bumpy.floor
    ticket = bumpy.ticket(floor.send(floor.a, FAR, BUY, 120_002, 30))
    (held,) = floor.desk.open_orders(floor.a)
    assert floor.desk.edit(floor.t, floor.a, int(held["order_id"]),
                           price_ticks=119_000)[0] == NOT_OPEN
    error, _, view = floor.desk.cancel(floor.t, floor.a, int(held["order_id"]))
    assert (error, view["order_state"]) == (0, "open")
    floor.pass_ns(10 * MS)
    order = bumpy.answers[ticket][2]["order"]
    assert (order["order_state"], order["filled_amount"]) == ("cancelled", 100.0)
    assert floor.desk.open_orders(floor.a) == []


def test_an_edit_into_the_market_waits_and_may_find_its_order_gone(bumpy: Waiter) -> None:
    floor = bumpy.floor
    order = floor.placed(floor.a, FAR, BUY, 119_000, 10)
    number = int(order["order_id"])
    ticket = bumpy.ticket(floor.desk.edit(floor.t, floor.a, number, price_ticks=120_002))
    assert floor.desk.cancel(floor.t, floor.a, number)[0] == 0
    floor.pass_ns(10 * MS)
    assert bumpy.answers[ticket][0] == NOT_OPEN
    again = floor.placed(floor.a, FAR, BUY, 119_000, 10)
    ticket = bumpy.ticket(floor.desk.edit(floor.t, floor.a, int(again["order_id"]),
                                          price_ticks=120_002))
    floor.pass_ns(10 * MS)
    assert bumpy.answers[ticket][2]["order"]["order_state"] == "filled"


def test_queue_and_bump_use_one_ticket(bumpy: Waiter) -> None:
    floor = bumpy.floor
    floor.exchange.set_processing(MS, MS)
    ticket = bumpy.ticket(floor.send(floor.a, FAR, BUY, 120_002, 10, tif=IOC))
    floor.pass_ns(11 * MS - 1)
    assert bumpy.answers == {}
    floor.pass_ns(1)
    assert bumpy.answers[ticket][2]["order"]["order_state"] == "filled"
    assert len(bumpy.order) == 1
