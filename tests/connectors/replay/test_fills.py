"""Fills of recorded liquidity, by hand: one market, one order, each rule by itself."""

import numpy as np
import pytest

from connectors.deribit.labels import Labels
from connectors.replay.event import EVENT_DTYPE, EventFlag, EventKind
from connectors.replay.player import Player, play_rows
from connectors.replay.script import ScriptedOrders
from connectors.sim.direct import FILL_FIELDS, DirectVenue
from connectors.sim.exchange import Exchange
from connectors.sim.latency import Latency
from mmcore.types import InstrumentSpec

MS = 1_000_000
T0 = 1_723_075_206_000 * MS         # 00:00:06 UTC, far from funding and settlement moments
BUY, SELL = 0, 1
PERPETUAL = InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10, min_amount=10,
                           maker_fee=0.00015, taker_fee=0.00035)
LAST = 900      # ms: the session's end


class Tape:
    """A recording written by hand; times in ms since T0."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.message(0, [(BUY, 1000, 50), (BUY, 999, 80), (SELL, 1001, 40), (SELL, 1002, 60)],
                     snapshot=True)

    def message(self, at: int, levels: list[tuple[int, int, int]], *, kind: int = 1,
                snapshot: bool = False) -> None:
        for i, (side, ticks, contracts) in enumerate(levels):
            flags = ((i == 0) * EventFlag.FLAG_FIRST | (i == len(levels) - 1) * EventFlag.FLAG_LAST
                     | snapshot * EventFlag.FLAG_SNAPSHOT)
            self.rows.append((T0 + at * MS, T0 + at * MS, ticks, contracts, 0, 0, 0.0, 0,
                              int(flags), kind, side))

    def level(self, at: int, side: int, ticks: int, contracts: int) -> None:
        self.message(at, [(side, ticks, contracts)])

    def trade(self, at: int, taker: int, ticks: int, contracts: int) -> None:
        self.message(at, [(taker, ticks, contracts)], kind=int(EventKind.EVENT_TRADE))

    def events(self) -> np.ndarray:
        self.level(LAST, BUY, 500, 1)
        return np.array(self.rows, dtype=EVENT_DTYPE)


class Desk:
    """Orders against a tape: place and cancel, then play; times in ms since T0."""

    def __init__(self, tape: Tape, *, latency_ms: float = 10.0, queue: int = 0,
                 power: float = 1.0, tier: int = 0) -> None:
        events = tape.events()
        exchange = Exchange(1, tier)
        exchange.add_market(PERPETUAL, "btc_usd", True)
        exchange.books[0].set_queue_model(queue, power)
        account = exchange.open_account("maker", T0, 10**10, 0, False)
        latency = round(latency_ms * MS)
        self.venue = DirectVenue(exchange, Labels("mm", run=1), [0], account=account, t_ns=T0,
                                 entry=Latency.constant(latency),
                                 response=Latency.constant(latency))
        self.orders = ScriptedOrders(self.venue, Player(events, play_rows(events, False),
                                                        ["btc_usd"]))
        self.count = 0

    def place(self, at: float, side: int, ticks: int, contracts: int) -> int:
        self.orders.place(T0 + round(at * MS), self.count, side, ticks, contracts)
        self.count += 1
        return self.count - 1

    def cancel(self, at: float, number: int) -> None:
        self.orders.cancel(T0 + round(at * MS), number)

    def play(self) -> list[tuple[int, int, int, int]]:
        """Return (ms, order, ticks, contracts) of every fill."""
        self.orders.run()
        rows = [dict(zip(FILL_FIELDS, row, strict=True)) for row in self.venue.fills]
        return [((r["t_ns"] - T0) // MS, r["generation"] - 1, r["price_ticks"],
                 r["amount_contracts"]) for r in rows]


def test_an_order_joins_the_back_of_the_queue_and_fills_in_part() -> None:
    tape = Tape()
    tape.trade(100, SELL, 1000, 50)         # all that stood before it, and not one more
    tape.trade(200, SELL, 1000, 4)
    tape.trade(300, SELL, 1000, 100)
    desk = Desk(tape)
    desk.place(50, BUY, 1000, 10)
    assert desk.play() == [(200, 0, 1000, 4), (300, 0, 1000, 6)]


def test_what_comes_after_an_order_stands_behind_it() -> None:
    tape = Tape()
    tape.level(100, BUY, 1000, 200)
    tape.trade(200, SELL, 1000, 53)
    desk = Desk(tape)
    desk.place(50, BUY, 1000, 10)
    assert desk.play() == [(200, 0, 1000, 3)]


def test_a_print_beyond_the_price_fills_whatever_the_queue() -> None:
    tape = Tape()
    tape.trade(100, SELL, 999, 30)
    desk = Desk(tape)
    desk.place(50, BUY, 1000, 10)
    assert desk.play() == [(100, 0, 1000, 10)]


def test_a_book_that_crosses_the_price_fills_up_to_its_amount() -> None:
    tape = Tape()
    tape.message(100, [(BUY, 1000, 0), (SELL, 1000, 6)])
    desk = Desk(tape)
    desk.place(50, BUY, 1000, 10)
    assert desk.play() == [(100, 0, 1000, 6)]


def test_latency_makes_a_post_only_order_cross_and_be_refused() -> None:
    tape = Tape()
    tape.message(55, [(BUY, 1000, 0), (SELL, 1000, 20)])
    late, early = Desk(tape, latency_ms=10.0), None
    late.place(50, BUY, 1000, 10)           # there at 60: the ask is at its price by then
    assert late.play() == []
    assert late.orders.refusals == {0: 11054}
    early = Desk(Tape(), latency_ms=10.0)
    early.place(50, BUY, 1000, 10)
    early.play()
    assert early.orders.refusals == {}


def test_a_cancel_is_late_where_the_fill_comes_first() -> None:
    tape = Tape()
    tape.trade(105, SELL, 999, 30)
    desk = Desk(tape)
    number = desk.place(50, BUY, 1000, 10)
    desk.cancel(100, number)                # there at 110
    assert desk.play() == [(105, 0, 1000, 10)]
    assert desk.venue.counts["late_cancels"] == 1
    timely = Desk(tape, latency_ms=4.0)
    timely.cancel(100, timely.place(50, BUY, 1000, 10))     # there at 104
    assert timely.play() == []
    assert timely.venue.counts["late_cancels"] == 0


def test_requests_beyond_the_credits_are_refused() -> None:
    desk = Desk(Tape(), tier=4)             # a burst of 20, then 5 a second
    for i in range(25):
        desk.place(50 + i * 0.01, BUY, 990 - i, 10)
    desk.play()
    assert desk.venue.counts["too_many"] == 5
    assert set(desk.orders.refusals) == {20, 21, 22, 23, 24}
    assert set(desk.orders.refusals.values()) == {10028}


@pytest.mark.parametrize(("queue", "power", "fills"), [
    (0, 1.0, []),                           # pessimistic: the cancels were all behind
    (1, 1.0, [(300, 0, 1000, 10)]),         # even: 50 of 200 before it, so 30 of 120 go: 20 left
    (2, 3.0, []),                           # power 3: nearly all of them behind: 46 left
    (3, 1.0, [(300, 0, 1000, 10)])])        # log: 44 % of them before it: none left
def test_cancels_move_an_order_up_as_the_queue_model_says(
        queue: int, power: float, fills: list[tuple[int, ...]]) -> None:
    tape = Tape()
    tape.level(100, BUY, 1000, 200)         # 150 more, behind the order
    tape.level(200, BUY, 1000, 80)          # 120 of 200 were cancelled
    tape.trade(300, SELL, 1000, 30)
    desk = Desk(tape, queue=queue, power=power)
    desk.place(50, BUY, 1000, 10)
    assert desk.play() == fills


def test_own_orders_at_one_price_share_a_print_in_their_order() -> None:
    tape = Tape()
    tape.trade(100, SELL, 1000, 65)
    desk = Desk(tape)
    desk.place(50, BUY, 1000, 10)
    desk.place(51, BUY, 1000, 10)
    assert desk.play() == [(100, 0, 1000, 10), (100, 1, 1000, 5)]
