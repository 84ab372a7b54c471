"""Never on doubt: whatever the market does, nothing that adds leaves while something is unknown.

A key of another environment and a changed definition are tests of the whole maker:
test_client.py (wrong secret) and test_recovery.py (changed tick).
"""

import random
from collections.abc import Callable

import pytest
from desk import ASK, BID, SECOND, Desk

from mmcore.states import RiskReason
from mmcore.types import ControlKind

QUOTES = {"ACTION_NEW", "ACTION_EDIT"}
SEEDS = range(10)
STEPS = 40


def stale(desk: Desk) -> None:
    desk.now_ns += 2 * SECOND           # not a frame in two seconds


def lost(desk: Desk) -> None:
    desk.control(ControlKind.CONTROL_DISCONNECTED)


def gone_book(desk: Desk) -> None:
    desk.delta([], [], gap=3)


def not_open(desk: Desk) -> None:
    desk.control(ControlKind.CONTROL_MARKET_STATE, value=1)


def unknown_order(desk: Desk) -> None:
    sent = desk.turn()
    desk.wait(1_001)
    desk.timer()
    assert desk.market.orders.unknown_count == len(sent) > 0


def foreign_trade(desk: Desk) -> None:
    desk.face.fill(desk.now_ns, market=0, slot=-1, generation=0, side=BID, price_ticks=150_000,
                   amount_contracts=10, trade_id=999)


def mismatch(desk: Desk) -> None:
    desk.control(ControlKind.CONTROL_PAUSE, real=float(RiskReason.REASON_RECONCILE))


def liquidation(desk: Desk) -> None:
    desk.control(ControlKind.CONTROL_PAUSE, real=float(RiskReason.REASON_LIQUIDATION))


def strange_reference(desk: Desk) -> None:
    desk.ticker(mark=76_000.0)          # 1.3 % from the book


SILENT = (stale, lost, gone_book)       # no book comes while these last
DOUBTS = (*SILENT, not_open, unknown_order, foreign_trade, mismatch, liquidation,
          strange_reference)


@pytest.mark.parametrize("doubt", DOUBTS, ids=lambda d: d.__name__)
@pytest.mark.parametrize("held", [0, 750, -750])
def test_nothing_adds_while_in_doubt(doubt: Callable[[Desk], None], held: int) -> None:
    adding = {BID, ASK} if not held else {BID if held > 0 else ASK}
    decisions = 0
    for seed in SEEDS:
        rng = random.Random(seed)
        desk = Desk()
        if held:
            desk.control(ControlKind.CONTROL_POSITION, value=held, real=75_000.0)
        doubt(desk)
        middle = 75_000.0
        for _ in range(STEPS):          # whatever the market does meanwhile
            middle += rng.choice((-8.0, -0.5, 0.0, 0.5, 8.0))
            if doubt in SILENT:
                desk.now_ns += rng.randrange(1, 20) * 1_000_000
            else:
                desk.wait(rng.randrange(1, 60))
                desk.ticker(mark=76_000.0 if doubt is strange_reference else middle)
                desk.snapshot(bid=middle - 0.5, ask=middle + 0.5,
                              contracts=rng.randrange(1, 2_000))
                if doubt is not_open:
                    not_open(desk)
            decisions += 1
            for action in [*desk.turn(), *desk.timer()]:
                assert action["kind"] not in QUOTES or action["side"] not in adding, (
                    seed, action)
    print(f"{doubt.__name__}, {held} contracts held: {decisions} decisions, none adds")


def test_without_a_doubt_these_markets_are_quoted() -> None:
    """The same walk with nothing wrong: both sides are there, so the rule above can fail."""
    desk = Desk()
    sent = [a for a in desk.turn() if a["kind"] in QUOTES]
    assert {a["side"] for a in sent} == {BID, ASK}
