"""Quotes that lost money where they stood are left out; two hundred that did pause everything."""

import pytest
from desk import ASK, BID, Desk

from mmcore.types import RemovedReason

GATE = {"risk.edge_gate": 1, "risk.edge_fills": 3, "risk.edge_z": 0, "risk.edge_pause_s": 600,
        "orders.unknown_ms": 1e9, "quote.skew_usd_at_limit": 0, "quote.markout_widen": 0}


def market(desk: Desk, mid: float) -> None:
    """The market is at a mid now; everything due is settled and decided."""
    desk.ticker(mark=mid)
    desk.snapshot(bid=mid - 0.5, ask=mid + 0.5)
    desk.turn()
    desk.timer()


def lose(desk: Desk, times: int, side: int = BID, move_bps: float = 5.0,
         contracts: int = 1, fee_e8: int = 2) -> float:
    """Be filled at our own distance so often, the mid going against it after each."""
    distance = 0.0
    for _ in range(times):
        market(desk, 75_000.0)
        sign = -1 if side == BID else 1
        ticks = desk.market.quotes()[side][0][0] if desk.market.quotes()[side] else (
            150_000 + sign * 60)
        distance = abs(ticks / 2 - 75_000.0) / 75_000.0 * 1e4
        desk.trade_id += 1
        desk.face.fill(desk.now_ns, market=0, slot=0 if side == BID else 10, generation=77,
                       side=side, price_ticks=ticks, amount_contracts=contracts, fee_e8=fee_e8,
                       trade_id=desk.trade_id)
        desk.wait(5_001)
        market(desk, round(75_000.0 * (1 + sign * move_bps * 1e-4) * 2) / 2)
    desk.wait(1_001)
    market(desk, 75_000.0)
    return distance


def removed(desk: Desk) -> tuple[bool, bool]:
    bids, asks = desk.market.why()["removed"]
    return (bool(bids & RemovedReason.REMOVED_EDGE), bool(asks & RemovedReason.REMOVED_EDGE))


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_side_that_loses_at_a_distance_is_left_out_there(side: int) -> None:
    desk = Desk(GATE)
    lose(desk, 2, side)
    assert removed(desk) == (False, False)          # too few to judge
    distance = lose(desk, 1, side)
    # 1.5 bps of fee and half an edge of 1 bps on top of the 5 that were lost: 7 bps
    assert distance < 7.0
    assert removed(desk) == (side == BID, side == ASK)
    assert desk.market.quotes()[side] == []
    assert desk.market.quotes()[1 - side]           # the other side goes on
    desk.wait(600_001)
    market(desk, 75_000.0)
    desk.wait(1_001)
    market(desk, 75_000.0)
    assert removed(desk) == (False, False)          # on probation
    assert desk.market.quotes()[side]


def test_a_side_that_earns_stays_and_the_gate_can_be_off() -> None:
    desk = Desk(GATE)
    lose(desk, 6, BID, move_bps=-5.0)
    assert removed(desk) == (False, False)
    desk = Desk({**GATE, "risk.edge_gate": 0})
    lose(desk, 6)
    assert removed(desk) == (False, False)


def test_the_reducing_side_is_never_left_out() -> None:
    desk = Desk(GATE)
    lose(desk, 3, ASK, contracts=1)
    assert removed(desk) == (False, True)
    for _ in range(20):                             # now long: the ask reduces
        desk.trade_id += 1
        desk.face.fill(desk.now_ns, market=0, slot=0, generation=77, side=BID,
                       price_ticks=149_970, amount_contracts=100, trade_id=desk.trade_id)
    market(desk, 75_000.0)
    assert desk.market.quotes()[ASK]


@pytest.mark.parametrize(("pause_s", "state"), [(3600.0, "RISK_PAUSED"), (0.0, "RISK_ACTIVE")])
def test_two_hundred_losing_fills_pause(pause_s: float, state: str) -> None:
    desk = Desk({**GATE, "risk.edge_gate": 0, "risk.net_negative_pause_s": pause_s,
                 "inventory.limit_btc": 10})
    lose(desk, 199, move_bps=5.0)
    assert desk.engine.risk.state_name == "RISK_ACTIVE"
    lose(desk, 1, move_bps=5.0)
    assert desk.engine.risk.state_name == state
    if pause_s:
        assert desk.engine.risk.reason_name == "REASON_EDGE"
        desk.wait(1e3 * pause_s + 1)
        market(desk, 75_000.0)
        assert desk.engine.risk.state_name == "RISK_ACTIVE"


def test_two_hundred_earning_fills_do_not() -> None:
    desk = Desk({**GATE, "risk.edge_gate": 0, "risk.net_negative_pause_s": 3600.0,
                 "inventory.limit_btc": 10})
    lose(desk, 200, move_bps=-5.0)
    assert desk.engine.risk.state_name == "RISK_ACTIVE"
