"""One scene on the exchange per regime and per funding case.

The quotes stand 150 USD away: no step meets them. The regime needs ten seconds of mids. A mid that
steps to and fro once a second by d USD has an annualised volatility of
d / 75,000 * sqrt(31,557,600): 0.0749 per USD.
"""

from typing import Any

import pytest
from scripted_market import ASK, BID, Look, Scene, ScriptedMarket

from mmcore.types import RemovedReason

REGIME = ("signals.regime=true", "signals.calm_vol=0.15", "signals.volatile_vol=0.8",
          "quote.stand_aside_vol=1.5", "quote.resume_vol=1.0", "signals.trend_z=0",
          "signals.vol_window_s=10", "signals.calm_spread_factor=0.8",
          "signals.volatile_spread_factor=1.5", "signals.volatile_size_factor=0.5",
          "signals.trending_spread_factor=1.2", "signals.trending_size_factor=0.5",
          "quote.max_half_spread_bps=100", "quote.base_half_spread_bps=20")


def removed(look: Look) -> tuple[int, int]:
    bits: tuple[int, int] = look.why["removed"]
    return bits


def steps(ticks: int, seconds: int, start: float = 1.0) -> list[tuple[float, Any]]:
    """To and fro once a second."""
    def up(market: ScriptedMarket) -> None:
        market.around(150_000 + ticks)

    def down(market: ScriptedMarket) -> None:
        market.around(150_000)

    return [(start + i, down if i % 2 else up) for i in range(seconds)]


# ticks of the step, regime, width in USD of 150, size in contracts of 150, reasons of both sides
CASES = {
    "calm: 0.5 USD a second is 0.04": (1, "REGIME_CALM", 120.0, 150, 0),
    "normal: 5 USD is 0.37": (10, "REGIME_NORMAL", 150.0, 150, 0),
    "volatile: 15 USD is 1.1": (30, "REGIME_VOLATILE", 225.0, 75, 0),
    "stand aside: 30 USD is 2.2": (60, "REGIME_STAND_ASIDE", 150.0, 0, RemovedReason.REMOVED_VOL),
}


@pytest.mark.parametrize("name", CASES)
def test_regime(name: str) -> None:
    ticks, regime, half, size, bits = CASES[name]
    look = Scene(steps(ticks, 16), *REGIME, seconds=16).at(15.5)
    assert look.why["regime"] == regime
    assert look.why["half_usd"] == pytest.approx(half, rel=1e-3)
    assert removed(look) == (bits, bits)
    assert [amount for _, amount in look.bids + look.asks] == ([size, size] if size else [])


def test_stand_aside_with_tiny_quotes_instead() -> None:
    look = Scene(steps(60, 16), *REGIME, "quote.wide_action=tiny", "quote.tiny_size_btc=0.001",
                 seconds=16).at(15.5)
    assert look.why["regime"] == "REGIME_STAND_ASIDE"
    assert [amount for _, amount in look.bids + look.asks] == [7, 7]    # 0.001 BTC: 75 USD


def test_stand_aside_ends_only_under_its_lower_bound() -> None:
    """After 60 USD steps come 18 USD ones: 1.35, under 1.5 and over 1.0, so it stays; then calm."""
    script = steps(60, 14) + steps(36, 80, start=15.0) + steps(1, 70, start=95.0)
    scene = Scene(script, *REGIME, seconds=165)
    kept = scene.at(90.0)
    assert 1.0 < kept.why["vol_year"] < 1.5
    assert kept.why["regime"] == "REGIME_STAND_ASIDE"
    assert scene.at(164.0).why["regime"] == "REGIME_CALM"
    assert removed(scene.at(164.0)) == (0, 0)


def test_a_trend_quotes_wider_smaller_and_only_with_it() -> None:
    """2 USD up each second: ten equal returns in a window of ten are 3.2 deviations."""
    def rise(market: ScriptedMarket) -> None:
        market.around(market.mid + 4)

    scene = Scene([(1.0 + i, rise) for i in range(16)], *REGIME, "signals.trend_z=2.5", seconds=16)
    look = scene.at(15.5)
    assert look.why["regime"] == "REGIME_TRENDING"
    assert removed(look) == (0, RemovedReason.REMOVED_REGIME)
    assert look.why["half_usd"] == pytest.approx(150 * 1.2, rel=1e-3)
    assert look.bids[0][1] == 75
    both = Scene([(1.0 + i, rise) for i in range(16)], *REGIME, "signals.trend_z=2.5",
                 "signals.trending_sides=both", seconds=16).at(15.5)
    assert removed(both) == (0, 0)


def test_regime_off_changes_nothing() -> None:
    look = Scene(steps(60, 16), *REGIME, "signals.regime=false", seconds=16).at(15.5)
    assert removed(look) == (0, 0)
    assert look.why["half_usd"] == pytest.approx(150.0, rel=1e-3)


# ------------------------------------------------------------------------------------ funding
# rate per 8 h, keys, shift in USD: -rate * hold / 8 h * 75,000
FUNDING = {
    "none": (0.0, 28_800, 10.0, 0.0),
    "longs pay 0.01 %: an hour of it": (0.0001, 3_600, 10.0, -0.9375),
    "longs pay 0.05 %: eight hours of it": (0.0005, 28_800, 10.0, -37.5),
    "shorts pay 0.05 %": (-0.0005, 28_800, 10.0, 37.5),
    "longs pay 0.3 %: capped at 1 bp": (0.003, 28_800, 1.0, -7.5),
    "shorts pay 0.3 %: capped at 1 bp": (-0.003, 28_800, 1.0, 7.5),
    "held for ten minutes counts an hour": (0.0008, 600, 10.0, -7.5),
    "turned off": (0.003, 0, 10.0, 0.0),
}


@pytest.mark.parametrize("name", FUNDING)
def test_funding(name: str) -> None:
    """Positive funding is paid by longs, so both quotes go down (D2)."""
    rate, hold_s, cap_bps, shift = FUNDING[name]
    scene = Scene([(1.0, lambda m: m.funding(rate))], f"quote.funding_hold_s={hold_s}",
                  f"quote.max_carry_bps={cap_bps}", seconds=3)
    look = scene.at(2.9)
    assert look.reading["current_funding"] == pytest.approx(rate)
    assert look.why["carry_usd"] == pytest.approx(shift, abs=1e-9)
    fair = 75_000.0 + shift
    # outwards to the tick, and an adding quote never through the reference
    bid, ask = min(fair - 15.0, 75_000.0), max(fair + 15.0, 75_000.0)
    assert look.bids[0][0] == min((bid // 0.5) * 0.5, 75_000.0)
    assert look.asks[0][0] == pytest.approx(-(-ask // 0.5) * 0.5, abs=0.5)


def test_funding_that_turns_is_followed() -> None:
    scene = Scene([(1.0, lambda m: m.funding(0.0005)), (2.0, lambda m: m.funding(-0.0005))],
                  "quote.funding_hold_s=14400", "quote.max_carry_bps=10", seconds=4)
    before, after = scene.at(1.9), scene.at(3.5)
    assert before.why["carry_usd"] == pytest.approx(-18.75)
    assert after.why["carry_usd"] == pytest.approx(18.75)
    assert before.asks[0][0] < after.asks[0][0]
    assert before.bids[0][0] < after.bids[0][0]
    assert after.resting[BID] != before.resting[BID]
    assert after.resting[ASK] != before.resting[ASK]
