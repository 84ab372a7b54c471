"""A dated contract beside the perpetual: priced from it, and pulled with it.

The perpetual stands at 75,000, the contract at 76,000 and, being thin, does not move by itself.
Two bps are 15 and 15.2 USD; ticks are 0.5 USD.
"""

from datetime import UTC, datetime

import pytest
from scripted_market import ASK, BID, Look, Scene, Script, ScriptedMarket

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from mmcore.types import InstrumentSpec, RemovedReason

NAME = "BTC-26MAR27"
EXPIRY_MS = int(datetime(2027, 3, 26, 8, tzinfo=UTC).timestamp() * 1000)
DATED_MID = 152_000             # ticks: 76,000 USD
SETS = ("instrument.0.name=perpetual", f"instrument.1.name={NAME}",
        "signals.basis_half_life_s=86400")
DATED = ([75_984.5], [76_015.5])


class WithDated(ScriptedMarket):
    """The scripted perpetual, and a contract whose book only breathes far behind its best."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.dated = InstrumentSpec(NAME, tick_size="0.5", contract_size="10", min_amount="10",
                                    maker_fee=0.00015, taker_fee=0.00035, expiry_ms=EXPIRY_MS)

    def instruments(self) -> list[Listing]:
        return [Listing(spec=self.spec), Listing(spec=self.dated, settlement_period="month",
                                                 instrument_id=124_973)]

    def start(self, exchange: Exchange, t_ns: int) -> int:
        for side, away in ((BID, -1), (ASK, 1)):
            for i in range(5):
                exchange.market_set_level(t_ns, 1, side, DATED_MID + away * (1 + i), 200)
        return super().start(exchange, t_ns)

    def breathe(self) -> None:
        super().breathe()
        self.exchange.market_mark(self.now_ns, 1, 76_000.0 + 0.01 * self.breath)
        for side, away in ((BID, -100), (ASK, 100)):
            self.exchange.market_set_level(self.now_ns, 1, side, DATED_MID + away,
                                           50 + self.breath)


def play(script: Script, *sets: str, seconds: float) -> Scene:
    return Scene(script, *SETS, *sets, seconds=seconds, market=WithDated(script))


def removed(look: Look) -> tuple[int, int]:
    bits: tuple[int, int] = look.why["removed"]
    return bits


def test_it_is_quoted_round_the_perpetual_and_its_basis() -> None:
    """The perpetual goes up by 10 USD, the contract's own book stays: its quotes go up by 10."""
    scene = play([(2.0, lambda m: m.around(150_020))], seconds=3.0)
    before, after = scene.dated_at(1.9), scene.dated_at(2.9)
    assert before.why["reference_source"] == after.why["reference_source"] == 5     # the lead
    assert before.reading["lead_basis_usd"] == pytest.approx(1_000.0, abs=0.01)
    assert before.why["reference_usd"] == pytest.approx(76_000.0, abs=0.01)
    assert before.resting == DATED
    assert after.mid == before.mid == 76_000.0
    assert after.why["reference_usd"] == pytest.approx(76_010.0, abs=0.01)
    # 15.202 USD round it, outwards to the tick
    assert after.resting == ([75_994.5], [76_025.5])
    assert scene.at(2.9).resting == ([74_994.5], [75_025.5])


def test_a_run_of_the_perpetual_pulls_the_same_side_there() -> None:
    """20 USD, 2.7 bps, in 0.2 s where 2 bps in 0.5 s are allowed; the contract does not move."""
    steps = [(2.0 + 0.05 * i, lambda m: m.around(m.mid + 10)) for i in range(4)]
    scene = play(steps, "orders.momentum_bps=2", "orders.momentum_ms=500", seconds=4.0)
    assert scene.dated_at(1.9).resting == DATED
    for pulled in (scene.at(2.3), scene.dated_at(2.3)):
        assert removed(pulled) == (0, RemovedReason.REMOVED_MOMENTUM)
        assert len(pulled.resting[BID]) == 1
        assert pulled.resting[ASK] == []
    for calm in (scene.at(3.6), scene.dated_at(3.6)):
        assert removed(calm) == (0, 0)
        assert len(calm.resting[ASK]) == 1


def test_a_fill_of_the_perpetual_holds_the_same_direction_there() -> None:
    """Bought at 74,985: no more is bought of the contract for a second; its ask stays."""
    def hit(market: ScriptedMarket) -> None:
        market.sweep(ASK, 74_995.0)
        market.trade(ASK, 150, market.spec.ticks(74_985.0))
        market.around(market.mid)

    scene = play([(2.0, hit)], "orders.post_fill_hold_ms=1000", "orders.run_bps=0",
                 "orders.reentry_stagger_ms=0", seconds=5.0)
    filled, follows = scene.at(2.5), scene.dated_at(2.5)
    assert filled.contracts == 150
    assert removed(filled) == (0, RemovedReason.REMOVED_HOLD)   # and its own rung stays empty
    assert filled.resting == ([], [])
    assert removed(follows) == (RemovedReason.REMOVED_HOLD, 0)
    assert follows.resting == ([], DATED[ASK])
    assert follows.contracts == 0
    assert removed(scene.at(3.5)) == removed(scene.dated_at(3.5)) == (0, 0)
    assert len(scene.dated_at(3.5).resting[BID]) == 1
