"""Hedging the net exposure: when, where, how, and what can go wrong with it."""

import itertools

import pytest
from desk import params, perpetual
from pair_desk import ASK, BID, FAR, LEAD, NEAR, PairDesk, sides

from mmcore.face import GateFace
from mmcore.types import ControlKind, MarketState

CLIP = 380                  # 0.05 BTC of a contract at 76,000
LONG = 2_250                # 0.3 BTC of the perpetual at 75,000


def long_desk(contracts: int = LONG, changes: dict[str, float] | None = None) -> PairDesk:
    """Long the perpetual, by default 0.3 BTC where 0.2 are hedged."""
    desk = PairDesk(changes)
    desk.hold(contracts)
    return desk


def net_btc(desk: PairDesk) -> float:
    return sum(float(desk.face.market_state(i)["position_btc"]) for i in range(3))


# ------------------------------------------------------------------ when
def test_beyond_the_trigger_the_other_contract_is_sold_until_release() -> None:
    """0.3 BTC long: clips of 0.05 BTC until 0.1 is left; the last one is what is still missing."""
    desk = long_desk()
    sold = []
    for _ in range(12):
        for a in desk.takes(1_010, 3):
            sold.append((a["market"], a["side"], a["amount_contracts"]))
            assert not a["reduce_only"]
            desk.done(a, a["amount_contracts"])
    assert [s[:2] for s in sold] == [(NEAR, ASK)] * len(sold)
    assert [s[2] for s in sold[:3]] == [CLIP] * 3
    assert net_btc(desk) == pytest.approx(0.1, abs=2e-4)
    assert desk.engine.hedge.figures()["phase"] == "HEDGE_IDLE"
    assert desk.engine.hedge.hedges == 1
    assert desk.engine.hedge.done_btc == pytest.approx(0.2, abs=1e-3)
    held = [m.position.contracts for m in desk.engine.markets]
    assert desk.of(LEAD).matched_contracts == -held[NEAR]


@pytest.mark.parametrize(("contracts", "changes"), [
    (1_480, {}),                                # 0.197 BTC
    (LONG, {"hedge.enabled": 0.0}),
    (LONG, {"hedge.trigger": 2.0}),             # by hand alone
    (LONG, {"hedge.trigger": 1.0, "quote.gamma": 0.0, "quote.skew_usd_at_limit": 0.0}),
])
def test_nothing_is_hedged(contracts: int, changes: dict[str, float]) -> None:
    desk = long_desk(contracts, changes)
    assert desk.takes(500) == []
    assert desk.engine.hedge.hedges == 0


def test_the_operator_may_ask_for_it() -> None:
    desk = long_desk(1_200, {"hedge.trigger": 2.0})
    assert desk.takes(500) == []
    desk.control(ControlKind.CONTROL_HEDGE, value=1)
    taken = desk.takes(500)
    assert sides(taken) == [(NEAR, "sell", CLIP)]
    desk.done(taken[0], CLIP)
    for a in desk.takes(1_010):
        desk.done(a, a["amount_contracts"])
    desk.step()
    assert net_btc(desk) == pytest.approx(0.1, abs=2e-4)
    assert not desk.engine.hedge.asked              # done: it is not asked for again


def test_cost_and_benefit_of_a_clip() -> None:
    """sigma 0 costs nothing to wait for; a wild market does. gamma 0.001, h 600 s, q 0.3 BTC.

    benefit of 0.05 BTC: 0.0005 sigma^2 (0.09 - 0.0625) 600 = 0.00825 sigma^2 USD;
    cost: 0.05 (0.00035 + 0.00005 + 2 0.00015) 76,000 + 0.5 0.05 = 2.69 USD: sigma 18 USD.
    """
    quiet = long_desk(changes={"hedge.trigger": 1.0, "quote.gamma": 0.001})
    assert quiet.takes(500) == []
    wild = long_desk(changes={"hedge.trigger": 1.0, "quote.gamma": 0.001,
                              "signals.vol_half_life_s": 1.0})
    for mid in (75_000.0, 75_060.0) * 12:
        wild.move(mid, mid + 1_000.0, mid + 2_000.0)
        wild.step(200)
    assert wild.engine.hedge.hedges > 0


# ------------------------------------------------------------------ where
def test_the_cheapest_leg_is_taken() -> None:
    """The far contract is 40 USD rich, the near one fair: selling it earns the difference."""
    desk = PairDesk()
    desk.step(1_000)
    desk.move(75_000.0, 76_000.0, 77_040.0)
    desk.step()
    desk.step()
    desk.hold(LONG)
    assert {a["market"] for a in desk.takes(500)} == {FAR}


def test_a_cut_is_cheapest_where_nothing_is_rich() -> None:
    """Closing the perpetual costs one taker fee, a hedge that and two more fills."""
    desk = long_desk(changes={"hedge.choice": 0.0})
    taken = desk.takes(500)
    assert sides(taken) == [(LEAD, "sell", 375)]
    assert taken[0]["reduce_only"]


def test_a_halted_leg_is_left_for_another_and_none_is_no_hedge() -> None:
    desk = long_desk()
    desk.halt(NEAR)
    desk.step()
    taken = desk.takes(500)
    assert {a["market"] for a in taken} == {FAR}
    desk.done(taken[0], 0)
    desk.halt(FAR)
    for _ in range(3):
        assert desk.takes(200) == []
    assert desk.engine.hedge.no_leg > 0
    desk.halt(NEAR, MarketState.MARKET_OPEN)
    assert {a["market"] for a in desk.takes(500, 8)} == {NEAR}


def test_a_stale_leg_is_no_leg() -> None:
    """The near contract's book is silent for longer than its limit."""
    desk = long_desk(1_200, {"hedge.trigger": 2.0})
    for _ in range(12):
        desk.wait(1_000)
        for i, mid in ((LEAD, 75_000.0), (FAR, 77_000.0)):
            desk.ticker(market=i, mark=mid)
            desk.touch(i, mid)
    desk.control(ControlKind.CONTROL_HEDGE, value=1)
    assert {a["market"] for a in desk.takes(100)} == {FAR}


# ------------------------------------------------------------------ how
def test_it_rests_at_the_touch_before_it_takes() -> None:
    desk = long_desk(changes={"hedge.passive_s": 3.0})
    desk.step()
    desk.step()
    assert desk.of(NEAR).why()["overlay"][ASK] == "OVERLAY_HEDGE"
    assert desk.quoted(NEAR, ASK) == [(76_000.5, CLIP)]
    row = next(r for r in desk.of(NEAR).orders.rows() if r["side"] == ASK)
    desk.fill({**row, "market": NEAR}, 200)
    assert desk.engine.hedge.done_btc == pytest.approx(2_000 / 76_000.5)
    taken = desk.takes(700, 8)
    assert sides(taken) == [(NEAR, "sell", CLIP)]
    # nothing of ours rests on that side while it is out
    assert [r for r in desk.of(NEAR).orders.rows() if r["side"] == ASK and r["slot"] < 20] == []


def test_a_partial_fill_is_gone_on_with() -> None:
    desk = long_desk()
    taken = desk.takes(500)
    desk.done(taken[0], 100)
    again = desk.takes(1_010)
    assert sides(again) == [(NEAR, "sell", CLIP)]


def test_a_refused_leg_is_tried_again_after_the_cooldown() -> None:
    desk = long_desk()
    taken = desk.takes(500)
    desk.refuse(taken, 10009)
    assert desk.takes(100, 3) == []
    assert sides(desk.takes(500)) == [(NEAR, "sell", CLIP)]


def test_it_is_never_doubled() -> None:
    """No answer, then a lost connection: nothing more is taken before the venue's own word."""
    desk = long_desk()
    assert len(desk.takes(500)) == 1
    assert desk.takes(300, 10) == []
    desk.control(ControlKind.CONTROL_DISCONNECTED)
    desk.control(ControlKind.CONTROL_CONNECTED)
    desk.mids.clear()
    desk.move(75_000.0, 76_000.0, 77_000.0)
    desk.control(ControlKind.CONTROL_RECONCILED)
    assert desk.takes(300, 10) == []
    desk.control(ControlKind.CONTROL_UNKNOWN_RESOLVED, market=NEAR, value=20)
    assert len(desk.takes(500, 8)) == 1


def test_holds_and_covers_are_not_for_hedges() -> None:
    """A quote's fill pulls the other side; a hedge's does not."""
    desk = long_desk(changes={"hedge.passive_s": 60.0, "orders.post_fill_hold_ms": 5_000.0})
    desk.step()
    desk.step()
    row = next(r for r in desk.of(NEAR).orders.rows() if r["side"] == ASK)
    desk.fill({**row, "market": NEAR}, CLIP)
    desk.step()
    assert desk.of(NEAR).why()["removed"][BID] == 0


def test_it_runs_while_nothing_may_be_added_and_stops_when_leaving() -> None:
    desk = long_desk()
    desk.control(ControlKind.CONTROL_REDUCE, value=1)
    assert sides(desk.takes(500)) == [(NEAR, "sell", CLIP)]
    leaving = long_desk()
    leaving.control(ControlKind.CONTROL_STOP)
    assert leaving.takes(500) == []


# ------------------------------------------------------------------ the gate
@pytest.mark.parametrize(("net", "side", "contracts", "verdict"), [
    (0.3, ASK, 300, "GATE_OK"), (0.3, BID, 300, "GATE_NET"), (-0.3, BID, 300, "GATE_OK"),
    (0.03, ASK, 300, "GATE_NET"),               # through zero: 0.04 BTC against 0.03
    (0.0, ASK, 10, "GATE_NET"),
])
def test_the_gate_holds_a_hedge_to_what_it_says(net: float, side: int, contracts: int,
                                               verdict: str) -> None:
    gate = GateFace(perpetual(), params({"risk.max_order_usd": 1e6}))
    gate.situation(reference=75_000.0)
    assert gate.admit(1, 20, side, 150_000, contracts, other_net_btc=net,
                      lowers_net=True) == verdict
    gate.to_state(1)            # reducing: a hedge may open what a quote may not
    assert gate.admit(1, 20, side, 150_000, contracts, other_net_btc=net,
                      lowers_net=True) == verdict
    assert gate.admit(1, 21, side, 150_000, contracts, other_net_btc=net) == "GATE_STATE"


def test_a_pair_is_closed_leg_by_leg_so_that_the_net_falls() -> None:
    """Long 0.3, short 0.2 BTC, and told to flatten: never further from zero than a clip."""
    desk = PairDesk({"hedge.enabled": 0.0, "risk.flatten_clip_btc": 0.05})
    desk.hold(2_250, -1_520)
    desk.step()
    desk.control(ControlKind.CONTROL_FLATTEN, value=1)
    widest = [abs(net_btc(desk))]
    for _ in range(40):
        for a in desk.takes(260, 1):
            desk.done(a, a["amount_contracts"])
        widest.append(abs(net_btc(desk)))
    assert [m.position.contracts for m in desk.engine.markets] == [0, 0, 0]
    rises = [b - a for a, b in itertools.pairwise(widest)]
    assert max(rises) <= 0.05
    assert max(widest) <= widest[0] + 1e-9
