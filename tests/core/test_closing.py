"""A position is closed in every state that leaves its book and its count to be trusted."""

import pytest
from desk import ASK, SECOND, Desk
from test_limits import ONE_FULL_LIMIT, desk_with, price

from mmcore.states import RiskReason
from mmcore.types import ControlKind

STOP = {"risk.stop_loss_btc": 0.015, "risk.flatten_clip_btc": 0.05,
        "risk.kill_flatten_cap_bps": 50, "risk.price_collar_bps": 1000}
LOST_USD = 71_420.0                 # 0.3 BTC long from 75,000 have lost 0.015 BTC there
ORDERS = {"ACTION_NEW", "ACTION_EDIT"}


def closes(desk: Desk, usd: float = LOST_USD) -> list[tuple[int, int, int]]:
    """The price is there: the closing slices that leave (side, ticks, contracts), nothing else."""
    found = []
    for _ in range(3):                  # the quotes go first; slices have 250 ms between them
        desk.wait(300)
        desk.ticker(mark=usd)
        desk.snapshot(bid=usd - 0.5, ask=usd + 0.5, contracts=100_000)
        found += slices(desk)
    return found


def slices(desk: Desk) -> list[tuple[int, int, int]]:
    sent = [*desk.timer(), *desk.turn()]
    orders = [a for a in sent if a["kind"] in ORDERS]
    assert all(a["reduce_only"] and a["side"] == ASK for a in orders), orders
    desk.accept(sent)
    for a in orders:                    # nothing filled: it is gone, and asked for again
        desk.cancelled(a["slot"], a["generation"])
    return [(a["side"], a["price_ticks"], a["amount_contracts"]) for a in orders]


def resync(desk: Desk, usd: float) -> None:
    """The chain of the book breaks in the fall, and a fresh snapshot comes."""
    desk.accept(desk.turn())
    desk.delta([], [], gap=7)
    desk.accept(desk.turn())
    desk.ticker(mark=usd)
    desk.snapshot(bid=usd - 0.5, ask=usd + 0.5, contracts=100_000)


def test_a_stop_does_not_wait_for_the_warm_up_after_a_resync() -> None:
    desk = desk_with({**STOP, "signals.warmup_s": 120}, ONE_FULL_LIMIT)
    resync(desk, LOST_USD)
    assert closes(desk)[0] == (ASK, 142_126, 357)       # 0.05 BTC, 50 bps under the mark
    assert desk.market.stopping
    assert desk.market.quotes() == ([], [])


def test_a_kill_of_the_day_does_not_wait_for_it_either() -> None:
    desk = desk_with({**STOP, "risk.stop_loss_btc": 0, "risk.day_kill_btc": 0.015,
                      "risk.kill_flatten": 0, "signals.warmup_s": 120}, ONE_FULL_LIMIT)
    resync(desk, LOST_USD)
    assert closes(desk)[0] == (ASK, 142_126, 357)
    assert desk.engine.risk.state_name == "RISK_KILLED"


def test_beyond_the_cap_it_rests_in_the_warm_up_too() -> None:
    """The mark is 2 % over the book: nobody within 50 bps of it."""
    desk = desk_with({**STOP, "signals.warmup_s": 120, "risk.price_collar_bps": 5000,
                      "risk.max_mark_deviation_bps": 5000}, ONE_FULL_LIMIT)
    resync(desk, LOST_USD)
    desk.ticker(mark=73_000.0)
    desk.timer()
    desk.turn()
    assert desk.engine.limits.at_cap
    assert desk.market.take() is None
    bids, asks = desk.market.quotes()
    assert (bids, asks) == ([], [(145_270, 365)])       # 72,635: 50 bps under the mark


@pytest.mark.parametrize("trouble", ["invalid", "silent", "lost", "closed"])
def test_without_a_book_to_judge_by_nothing_is_taken(trouble: str) -> None:
    desk = desk_with(STOP, ONE_FULL_LIMIT)
    assert closes(desk)
    desk.wait(1_000)
    if trouble == "invalid":
        desk.delta([], [], gap=3)
    elif trouble == "silent":
        desk.now_ns += 2 * SECOND
    elif trouble == "lost":
        desk.control(ControlKind.CONTROL_DISCONNECTED)
    else:
        desk.ticker(mark=LOST_USD, state=1)
    assert desk.market.stopping
    assert not slices(desk)


@pytest.mark.parametrize("reason", [
    RiskReason.REASON_OPERATOR, RiskReason.REASON_REJECTS, RiskReason.REASON_JOURNAL,
    RiskReason.REASON_FOREIGN, RiskReason.REASON_LIQUIDATION])
def test_a_stop_runs_in_a_pause_that_pulls_every_quote(reason: RiskReason) -> None:
    desk = desk_with(STOP, ONE_FULL_LIMIT)
    desk.accept(desk.turn())
    desk.control(ControlKind.CONTROL_PAUSE, real=float(reason))
    desk.accept(desk.turn())
    assert desk.engine.risk.state_name == "RISK_PAUSED"
    assert closes(desk)
    assert desk.market.stopping
    assert desk.engine.risk.state_name == "RISK_PAUSED"


@pytest.mark.parametrize("reason", [RiskReason.REASON_RECONCILE, RiskReason.REASON_ERROR])
def test_none_runs_on_a_position_that_is_in_doubt(reason: RiskReason) -> None:
    desk = desk_with(STOP, ONE_FULL_LIMIT)
    desk.control(ControlKind.CONTROL_PAUSE, real=float(RiskReason.REASON_JOURNAL))
    desk.control(ControlKind.CONTROL_PAUSE, value=SECOND, real=float(reason))
    assert not closes(desk)
    assert desk.market.stopping
    desk.control(ControlKind.CONTROL_RESUME)
    assert closes(desk)


def test_a_cut_waits_out_such_a_pause_and_no_warm_up() -> None:
    cut = {"inventory.cut_above_btc": 0.1, "inventory.cut_adverse_moves": 3,
           "inventory.cut_clip_btc": 0.05, "risk.price_collar_bps": 1000}
    for changes, pause, expected in (({}, False, True), ({"signals.warmup_s": 120}, False, True),
                                     ({}, True, False)):
        desk = desk_with({**cut, **changes}, ONE_FULL_LIMIT)
        if pause:
            desk.control(ControlKind.CONTROL_PAUSE, real=float(RiskReason.REASON_FOREIGN))
        for step in range(1, 6):
            desk.wait(150)
            price(desk, 75_000.0 - 20 * step)
            desk.turn()
            if desk.market.take() is not None:
                break
        assert (desk.market.take() is not None) == expected, (changes, pause)
