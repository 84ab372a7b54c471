"""Estimators recover what made the data: their 95 % intervals cover it nearly that often."""

import math
from pathlib import Path

import numpy as np
import pytest
from collector_files import write_collector
from typer.testing import CliRunner

from runner.calibration.command import main
from runner.calibration.estimates import (
    effect,
    gamma_of_half_life,
    gamma_of_shift,
    hold_s,
    intensity,
    large_move_bps,
    reach_usd,
    sampled,
    volatility,
)
from runner.calibration.momentum import makers_of, threshold
from runner.calibration.regimes import by_regime
from runner.calibration.tape import Tape
from runner.cli import app
from runner.config import load

pytestmark = pytest.mark.quick
SEEDS = 100


def test_volatility_is_recovered() -> None:
    covered = 0
    for seed in range(SEEDS):
        mid = 75_000 + np.cumsum(np.random.default_rng(seed).normal(0.0, 5.0, 1_800))
        found = volatility(mid, seed=seed)
        covered += found.low <= 5.0 <= found.high
    print(f"sigma covered {covered} of {SEEDS}")
    assert covered >= 0.90 * SEEDS


@pytest.mark.parametrize(("a", "k"), [(1.0, 0.1), (0.5, 0.3)])
def test_intensity_is_recovered(a: float, k: float) -> None:
    """Marked Poisson arrivals: 2 A a second over both sides, reaches exponential."""
    covered = {"a": 0, "k": 0}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        reach = rng.exponential(1.0 / k, rng.poisson(2 * a * 1_800))
        found = intensity(reach, 1_800.0, 2.0, 60.0)
        covered["a"] += found.a.low <= a <= found.a.high
        covered["k"] += found.k.low <= k <= found.k.high
        assert found.a.refused == ""
    print(f"covered of {SEEDS}: {covered}")
    assert min(covered.values()) >= 0.90 * SEEDS


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_a_micro_prices_effect_is_recovered(share: float) -> None:
    """An imbalance that persists moves the mid by a share of what it predicts, in fat noise."""
    covered = refused = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        predicted = np.convolve(rng.normal(0.0, 0.5, 1_820), 0.8 ** np.arange(20), "valid")
        found = effect(predicted, share * predicted + rng.standard_t(3, len(predicted)), "1", seed)
        covered += found.low <= share <= found.high
        refused += found.refused != ""
    print(f"effect covered {covered} of {SEEDS}, refused {refused}")
    assert covered >= 0.90 * SEEDS
    assert refused == 0


def test_a_prediction_of_nothing_is_refused() -> None:
    refused = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        refused += effect(rng.normal(size=900), rng.normal(size=900), "1", seed).refused != ""
    assert refused >= 0.90 * SEEDS      # 97.5 % would be: the interval is of 95, and has two ends
    assert "only 30" in effect(np.ones(30), np.ones(30), "1").refused


def test_what_is_not_exponential_is_refused() -> None:
    reach = np.concatenate([np.full(500, 1.0), np.full(500, 50.0)])
    found = intensity(reach, 600.0, 0.5, 60.0)
    assert "not exponential" in found.k.refused
    assert "only 3" in intensity(np.array([1.0, 2.0, 3.0]), 600.0, 0.5, 60.0).k.refused


def test_reach_counts_past_the_mid_on_the_takers_side() -> None:
    np.testing.assert_array_equal(
        reach_usd(np.array([100.0, 100.0]), np.array([103.0, 98.5]), np.array([1.0, -1.0])),
        [3.0, 1.5])


def test_a_step_function_on_a_clock() -> None:
    np.testing.assert_array_equal(
        sampled(np.array([0.0, 0.5, 2.2, 3.5]), np.array([1.0, 2.0, 3.0, 4.0])),
        [1.0, 2.0, 2.0, 3.0])


def test_gamma_by_hand() -> None:
    # 35 USD at 0.3 BTC, 5 USD/sqrt(s), 10 s: 35 / (0.3 * 25 * 10)
    assert gamma_of_shift(35.0, 0.3, 5.0, 10.0) == pytest.approx(35 / 75)


def test_the_half_life_is_that_of_the_simulated_inventory() -> None:
    """Fill rates of both sides with the shift that gamma gives; mean inventory over paths."""
    rng = np.random.default_rng(3)
    fit = intensity(rng.exponential(10.0, 4_000), 2_000.0, 0.0, 100.0)
    half_life_s, half, size, sigma, horizon = 60.0, 5.0, 0.02, 5.0, 10.0
    gamma = gamma_of_half_life(half_life_s, sigma, horizon, fit, half, size)
    q = np.full(4_000, 0.1)
    for _ in range(int(half_life_s)):
        shift = q * gamma * sigma**2 * horizon
        buys = rng.poisson(fit.a.value * np.exp(-fit.k.value * (half + shift)))
        sells = rng.poisson(fit.a.value * np.exp(-fit.k.value * (half - shift)))
        q += size * (buys - sells)
    assert q.mean() == pytest.approx(0.05, rel=0.12)


def test_the_hold_ends_where_markouts_settle() -> None:
    horizons, errors = np.array([0.1, 1.0, 5.0, 30.0]), np.full(4, 0.1)
    assert hold_s(horizons, np.array([2.0, 0.5, 0.45, 0.5]), errors) == 1.0
    assert hold_s(horizons, np.array([4.0, 3.0, 2.0, 1.0]), errors) == 30.0
    assert math.isnan(hold_s(horizons, np.full(4, math.nan), errors))


def test_a_large_move_is_a_quantile() -> None:
    mid = 10_000.0 + np.cumsum(np.random.default_rng(2).normal(0.0, 1.0, 20_000))
    found = large_move_bps(mid, 4, 0.99)
    assert found.low <= found.value <= found.high
    # two-sided 99 % of a normal of deviation 2 USD is 5.15 USD, of about 10,000
    assert found.value == pytest.approx(5.15, rel=0.1)


@pytest.mark.parametrize("hurt_bps", [3.0, 1.5])
def test_the_momentum_threshold_is_recovered(hurt_bps: float) -> None:
    """Makers hit after a move of 3 bps or more lose that much more than others, in wide noise."""
    covered = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        when = np.cumsum(rng.exponential(0.3, 4_000))
        moved = rng.normal(0.0, 2.0, len(when))
        markout = rng.normal(-0.3, 2.0, len(when)) - hurt_bps * (moved >= 3.0)
        found = threshold(when, moved, markout, seed)
        covered += found.low <= 3.0 <= found.high
        assert found.refused == ""
    print(f"threshold covered {covered} of {SEEDS}")
    assert covered >= 0.90 * SEEDS


def test_no_momentum_threshold_is_made_up() -> None:
    refused = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        when = np.cumsum(rng.exponential(0.3, 2_000))
        found = threshold(when, rng.normal(0.0, 2.0, len(when)),
                          rng.normal(-0.3, 2.0, len(when)), seed)
        refused += found.refused != ""
    print(f"refused {refused} of {SEEDS}")
    assert refused >= 0.90 * SEEDS
    few = np.arange(60.0)
    assert "fewer than 50" in threshold(few, few, few).refused


def test_makers_on_a_tape_by_hand() -> None:
    """The mid stands at 100.5, is at 101.5 from 10 s on and at 103.5 from 14 s on."""
    touch = np.array([[t, 200 + up, 202 + up, 1, 1] for t, up in (
        (0.0, 0), (10.0, 2), (14.0, 6), (30.0, 6))], dtype=float)
    tape = Tape(name="X", tick_usd=0.5, lasted_s=30.0, touch=touch,
                taker_s=np.array([10.4, 28.0]), taker_side=np.array([1.0, 1.0]),
                taker_usd=np.array([102.0, 104.0]), taker_mid_usd=np.array([101.5, 103.5]))
    when, moved, markout = makers_of(tape, 0.5)
    assert when.tolist() == [10.4]                      # the other's next seconds are not known
    assert moved == pytest.approx([(101.5 / 100.5 - 1.0) * 1e4])
    assert markout == pytest.approx([(102.0 - 103.5) / 102.0 * 1e4])


def test_volatility_in_each_regime_is_recovered() -> None:
    """A minute of each in turn; what moves across a change of regime is of neither."""
    regime = np.arange(1_800) // 60 % 2 * 2             # normal and volatile
    covered = {"normal": 0, "volatile": 0}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        changes = rng.normal(0.0, 1.0, 1_800) * np.where(regime == 2, 9.0, 3.0)
        changes[::60] = 500.0
        found = by_regime(np.arange(1_800.0), 75_000.0 + np.cumsum(changes), regime)
        for name, sigma in (("normal", 3.0), ("volatile", 9.0)):
            covered[name] += found[name].low <= sigma <= found[name].high
    print(f"covered of {SEEDS}: {covered}")
    assert min(covered.values()) >= 0.90 * SEEDS


def test_a_runs_own_fills_say_how_long_to_hold(tmp_path: Path) -> None:
    """From the command on: a backtest's folder gives the key, or why it does not."""
    data = write_collector(tmp_path / "a.gz", 60, 7)
    run, out = tmp_path / "run", tmp_path / "found.toml"
    lively = ["signals.warmup_s=1", "quote.base_half_spread_bps=0.02", "quote.vol_k=0",
              "quote.min_half_spread_usd=0", "quote.min_half_spread_bps=0",
              "quote.stand_aside_vol=0", "signals.regime=false", "backtest.sample_s=0.1"]
    options = [word for text in lively for word in ("--set", text)]
    done = CliRunner().invoke(app, ["backtest", str(data), "--out", str(run), *options, "--json"])
    assert done.exit_code == 0, done.stderr
    done = CliRunner().invoke(app, ["calibrate", str(data), "--run", str(run), "--out", str(out)])
    assert done.exit_code == 0, done.stderr
    assert "post_fill_hold_ms" in out.read_text()
    load(out, ())
    done = CliRunner().invoke(app, ["calibrate", str(data), "--run", str(tmp_path)])
    assert done.exit_code == 2
    assert "summary.json" in done.stderr


def test_the_fragment_of_a_recording_is_a_config(data_dir: Path, tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted((data_dir / "binance_coinm_2024-08-08").iterdir())
    out = tmp_path / "found.toml"
    assert main(files, None, ["venue.maker_fee_bps=1.5"], instrument=None, half_life_s=60.0,
                out=out, as_json=False) == 0
    found = load(out, ())
    # a naive regression of the same counts gives 0.21 to 0.23 1/USD over these distances
    assert found.quote.intensity_k == pytest.approx(0.22, abs=0.02)
    assert found.quote.gamma > 0.0
    assert found.quote.min_half_spread_bps == pytest.approx(1.6)    # 1.5 and half of 0.2
    assert len(found.micro_table) == 2
    assert main(files, None, [], instrument="ETH-PERPETUAL", half_life_s=None, out=None,
                as_json=True) == 2
    assert "holds BTC-PERPETUAL" in capsys.readouterr().err
