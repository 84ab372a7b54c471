"""Perpetual and two dated contracts together, on the exchange: hedges, pairs and funding.

The perpetual stands at 75,000, the near contract at 75,500, the far one at 76,500. Quotes lie 15
bps, 112.5 USD, from fair, so that a book may move by 80 USD without meeting them.
"""

from collections.abc import Callable
from typing import Any

import pytest
from scripted_market import ASK, BID
from three_contracts import Action, ThreeContracts, TripleScene
from virtual_session import VirtualSession

from connectors.sim.faults import Fault, FaultPlan
from mmcore.types import MarketState

WIDE = ("quote.base_half_spread_bps=15", "quote.max_half_spread_bps=50")
HEDGING = (*WIDE, "hedge.enabled=true", "hedge.choice=hedge", "hedge.trigger_btc=0.04",
           "hedge.release_btc=0.01", "hedge.passive_s=1", "hedge.cooldown_s=0.5",
           "quote.size_btc=0.05", "signals.basis_half_life_s=86400", "basis.close_bps=9",
           "hedge.max_clip_btc=0.05", "basis.leg_timeout_ms=1000", "basis.size_btc=0.05",
           "basis.max_btc=0.05")
BASIS = (*WIDE, "basis.enabled=true", "basis.band_bps=8", "basis.size_btc=0.02",
         "basis.max_btc=0.02", "basis.close_bps=0.5", "basis.leg_timeout_ms=1000",
         "signals.basis_half_life_s=86400")
LEAD, NEAR, FAR = 0, 1, 2


def buy_low(market: ThreeContracts) -> None:
    """A taker sells 3,750 USD to the perpetual's bid, 15 bps under the mid."""
    market.perpetual.hit(ASK, 74_887.5, 375)


def held(scene: TripleScene, at_s: float) -> list[int]:
    return [int(scene.at(n, at_s).contracts) for n in range(3)]


def parts(scene: TripleScene, name: str) -> float:
    """Return the sum of one part of the profit over the instruments, in BTC."""
    return sum(float(m.statement.figures(
        m.spec_object, m.signals.read()["mark_usd"])[name])  # type: ignore[literal-required]
        for m in scene.engine.markets)


def books_agree(scene: TripleScene) -> float:
    """Return the largest gap between maker and exchange: contracts exactly, funding in BTC."""
    account = scene.account()
    worst = 0.0
    for number in range(3):
        contracts, _, _, funding_e8 = account.position(number)
        market = scene.mine(number)
        assert market.position.contracts == contracts
        worst = max(worst, abs(float(market.position.funding) - funding_e8 * 1e-8))
    assert abs(parts(scene, "unexplained")) < 1e-10
    return worst


def test_hedge_on_trigger_and_unwind_in_profit(figure: Callable[[str], None]) -> None:
    """0.05 BTC long; the near contract is sold; its basis falls by 80 USD, 10.7 bps; both go."""
    def fall(market: ThreeContracts) -> None:
        market.near.move(-80.0)

    def close(market: ThreeContracts) -> None:
        market.near.hit(ASK, 75_419.5, 400)
        market.perpetual.hit(BID, 75_000.5, 400)

    scene = TripleScene([(2.0, buy_low), (8.0, fall), (10.0, close)], *HEDGING, seconds=18.0)
    assert held(scene, 1.9) == [0, 0, 0]
    hedged = held(scene, 7.9)
    assert hedged[LEAD] == 375
    assert -375 <= hedged[NEAR] + hedged[FAR] <= -300
    end = held(scene, 17.9)
    assert end == [sum(hedged), 0, 0]               # what hedge.release_btc had left open
    assert scene.engine.pairs.closed == 1
    assert parts(scene, "basis") > 0.0
    paid = parts(scene, "basis") + parts(scene, "hedge")
    assert paid > 0.0
    gap = books_agree(scene)
    figure(f"held {hedged} hedged, {end} at the end; basis {parts(scene, 'basis'):+.8f} BTC, "
           f"profit {parts(scene, 'profit'):+.8f} BTC, funding off by {gap:.1e}")


def test_a_rejected_leg_is_tried_again(figure: Callable[[str], None]) -> None:
    """The venue refuses the first three sells after the fill."""
    faults = FaultPlan(fault=(Fault(kind="error", method="private/sell", code=10041, count=3,
                                    from_s=1.9, until_s=6.0),))
    scene = TripleScene([(2.0, buy_low)], *HEDGING, "hedge.passive_s=0", seconds=9.0,
                        faults=faults)
    figures = scene.engine.hedge.figures()
    end = held(scene, 8.9)
    assert end[LEAD] == 375
    assert end[NEAR] + end[FAR] <= -300
    assert figures["takes"] >= 2
    books_agree(scene)
    figure(f"{figures['takes']} orders until {end} were held")


def test_futures_halted_while_long_the_perpetual(figure: Callable[[str], None]) -> None:
    """Both dated contracts halt: no hedge, no more is added; they open again: hedged."""
    def halt(state: MarketState) -> Action:
        def act(market: ThreeContracts) -> None:
            market.near.state(state)
            market.far.state(state)
        return act

    scene = TripleScene([(1.5, halt(MarketState.MARKET_HALTED)), (2.0, buy_low),
                         (8.0, halt(MarketState.MARKET_OPEN))], *HEDGING,
                        "settlement.resume_after_s=0.5", seconds=14.0)
    assert held(scene, 7.9) == [375, 0, 0]
    assert scene.engine.hedge.no_leg > 0
    end = held(scene, 13.9)
    assert -375 <= end[NEAR] + end[FAR] <= -300
    books_agree(scene)
    figure(f"no leg found {scene.engine.hedge.no_leg} times, then held {end}")


class Funded(TripleScene):
    """Holds the maker's funding against the exchange's each time the maker has heard of it."""

    gaps: list[float]

    def look(self, session: VirtualSession) -> None:
        super().look(session)
        if session.maker is None or self.market.started_ns == 0:
            return
        told = float(self.mine(LEAD).position.funding)
        if told != self.__dict__.setdefault("told", 0.0):
            self.told = told
            self.__dict__.setdefault("gaps", []).append(
                abs(told - self.account().position(LEAD)[3] * 1e-8))


def test_a_funding_spike_is_earned(figure: Callable[[str], None]) -> None:
    """0.1 % in 8 h: the maker leans short, is hit at its ask, and is paid for ten minutes."""
    def spike(market: ThreeContracts) -> None:
        market.perpetual.funding(0.001)

    def lift(market: ThreeContracts) -> None:
        market.perpetual.hit(BID, 75_015.0, 375)

    scene = Funded([(2.0, spike), (4.0, lift)], "quote.size_btc=0.05",
                   "funding.target_max_btc=0.05", "quote.skew_usd_at_limit=60",
                   "quote.max_skew_bps=20", seconds=604.0, every_s=1.0)
    lean = scene.at(LEAD, 3.9)
    assert lean.why["position_btc"] == pytest.approx(0.05, abs=1e-6)    # flat, aiming at -0.05
    assert lean.asks[0][0] < 75_015.0
    assert held(scene, 10.0)[LEAD] == -375
    books_agree(scene)
    gap = max(scene.gaps)
    assert len(scene.gaps) >= 9                     # asked for once a minute
    lead = scene.mine(LEAD)
    earned = float(lead.position.funding)
    # asked for once a minute, so at most that much behind
    whole = 0.001 * 3_750 / 75_000 * 600 / 28_800
    assert 0.88 * whole < earned <= 1.001 * whole
    assert gap <= 1e-8
    assert lead.funding_model == pytest.approx(whole, rel=5e-3)
    assert parts(scene, "funding") == pytest.approx(earned, abs=1e-15)
    figure(f"funding {earned:+.8f} BTC, the exchange's own within {gap:.1e}, our own count "
           f"{lead.funding_model:+.8f}")


def test_a_basis_blow_out_is_quoted_both_sides_and_closed(figure: Callable[[str], None]) -> None:
    """The near contract is 80 USD, 10.7 bps, rich: sold there, bought here; then it comes back."""
    def both(near: float, lead: float, side: int) -> Action:
        def act(market: ThreeContracts) -> None:
            market.near.hit(1 - side, near, 400)
            market.perpetual.hit(side, lead, 400)
        return act

    script: list[tuple[float, Any]] = [
        (2.0, lambda m: m.near.move(80.0)), (4.0, both(75_580.5, 74_999.5, ASK)),
        (6.0, lambda m: m.near.move(-80.0)), (9.0, both(75_499.5, 75_000.5, BID))]
    scene = TripleScene(script, *BASIS, seconds=14.0)
    blown = scene.at(NEAR, 3.9), scene.at(LEAD, 3.9)
    assert blown[0].why["overlay"] == ("OVERLAY_NONE", "OVERLAY_OPEN")
    assert blown[1].why["overlay"] == ("OVERLAY_OPEN", "OVERLAY_NONE")
    assert [amount for _, amount in blown[0].asks] == [amount for _, amount in blown[1].bids]
    opened = held(scene, 5.9)
    assert opened[LEAD] == -opened[NEAR] > 0
    end = held(scene, 13.9)
    assert end == [0, 0, 0]
    figures = scene.engine.pairs.figures()
    assert (figures["opened"], figures["closed"]) == (1, 1)
    assert parts(scene, "basis") > 0.0
    assert parts(scene, "profit") > 0.0
    gap = books_agree(scene)
    figure(f"held {opened}, then {end}; basis {parts(scene, 'basis'):+.8f} BTC, fees "
           f"{-parts(scene, 'fees'):+.8f}, profit {parts(scene, 'profit'):+.8f}, gap {gap:.1e}")


def test_a_leg_alone_is_taken_on_the_other(figure: Callable[[str], None]) -> None:
    """The near contract's ask is filled: after a second the perpetual is bought with an IOC."""
    scene = TripleScene([(2.0, lambda m: m.near.move(80.0)),
                         (4.0, lambda m: m.near.hit(BID, 75_580.5, 400))], *BASIS, seconds=9.0)
    alone = held(scene, 4.8)
    assert alone[LEAD] == 0
    assert alone[NEAR] < 0
    end = held(scene, 8.9)
    assert end[LEAD] == -end[NEAR]
    assert scene.engine.pairs.taken == 1
    books_agree(scene)
    figure(f"held {alone}, then {end}")
