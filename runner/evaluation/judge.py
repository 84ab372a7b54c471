"""Judge one configuration on one recording: profit in bps of volume with its interval."""

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from connectors.replay.recording import Recording
from runner.backtest import run_session
from runner.backtest_result import result_of, tables_of
from runner.backtest_session import assemble
from runner.config import Config
from runner.tearsheet.run_data import Floats, MarketRun, run_of
from runner.tearsheet.statistics import drawdown, markout_table, round_trips, uptime

RESAMPLES = 1_000
BLOCK_S = 20.0                  # of the equity curve drawn together
MARKOUTS = ("0.1 s", "1 s", "5 s", "30 s")


class Verdict(msgspec.Struct, frozen=True):
    """What a run came to. Profits in BTC at the mid, bps of traded volume; nan without a fill."""

    fills: int
    round_trips: int
    volume_btc: float
    net_btc: float
    gross_btc: float            # before fees
    net_bps: float
    gross_bps: float
    gross_low_bps: float        # 95 %, blocks of the equity curve
    gross_high_bps: float
    capture_bps: float          # better than the mid at the fill
    drift_bps: float            # the mid's moves while holding
    funding_bps: float
    fees_bps: float             # paid; negative: received
    markout_bps: dict[str, float]
    drawdown_btc: float
    uptime: float               # share of time quoting both sides
    max_position_btc: float
    lasted_s: float
    round_trips_a_day: float
    btc_a_day: float
    breakeven_fee_bps: float    # maker fee at which the net is zero


def judge(recording: Recording, config: Config) -> Verdict:
    """Run the engine on a recording and take its profit apart; markouts need sample_s of 0.1."""
    markets, funding, _ = play(recording, config)
    return verdict(markets[0], fee_bps=None, funding=funding[0])


def play(recording: Recording, config: Config) -> tuple[list[MarketRun], list[float], bool]:
    """Run the engine on a recording; return its markets, their funding, and whether it killed."""
    session = assemble(recording, config, time.perf_counter())
    session.backtest.venue.keep_trail = True
    result = result_of(session, run_session(session))
    frames = {name: {field: np.array([row[i] for row in rows])
                     for i, field in enumerate(fields)}
              for name, (fields, rows) in tables_of(session).items()}
    run = run_of(Path("run"), result, result["specs"], frames)
    funding = [float(part["funding"]) for part in result["money"].values()]
    return run.markets, funding, result["exit"] == "killed"


def verdict(market: MarketRun, fee_bps: float | None, funding: float = 0.0) -> Verdict:
    """Judge a run of one market. fee_bps: what each fill pays; None: what it was charged."""
    volume = market.btc_of(market.fill_amount, market.fill_usd)
    whole = float(volume.sum())
    curve, position = gross_curve(market)
    to_btc = btc_of_currency(market)
    gross = float(curve[-1]) * to_btc if len(curve) else 0.0
    capture = float((market.fill_side * market.fill_amount
                     * (worth(market, market.fill_mid_usd)
                        - worth(market, market.fill_usd))).sum()) * to_btc
    fees = float(market.fill_fee.sum()) * to_btc if fee_bps is None else fee_bps * 1e-4 * whole
    funding *= to_btc
    net = gross + funding - fees
    low, high = gross_interval(market, curve * to_btc, volume)
    days = float(market.t_s[-1] - market.t_s[0]) / 86_400.0 if len(market.t_s) else np.nan
    trips = round_trips(market).count
    table = markout_table(market)

    def bps(value: float) -> float:
        return value / whole * 1e4 if whole else float("nan")

    mid = market.mid_usd
    held = np.abs(market.btc_of(position, mid))
    return Verdict(
        fills=len(market.fill_s), round_trips=trips, volume_btc=whole, net_btc=net,
        gross_btc=gross, net_bps=bps(net), gross_bps=bps(gross), gross_low_bps=low,
        gross_high_bps=high,
        capture_bps=bps(capture), drift_bps=bps(gross - capture), funding_bps=bps(funding),
        fees_bps=bps(fees), markout_bps={name: table[name].mean for name in MARKOUTS},
        drawdown_btc=float(drawdown(net_curve(market, curve * to_btc, volume, fees, whole)).min()),
        uptime=uptime(market)["both sides"],
        max_position_btc=float(np.nanmax(held)) if len(held) else 0.0,
        lasted_s=days * 86_400.0, round_trips_a_day=trips / days, btc_a_day=net / days,
        breakeven_fee_bps=bps(gross + funding))


def btc_of_currency(market: MarketRun) -> float:
    """Return what one unit of the settlement currency is in BTC, at the mean price of the fills."""
    if market.inverse or not len(market.fill_usd):
        return 1.0
    return 1.0 / float(np.mean(market.fill_usd))


def worth(market: MarketRun, price_usd: Floats) -> Floats:
    """Return what profits are linear in, in the settlement currency."""
    return -1.0 / price_usd if market.inverse else price_usd


def gross_curve(market: MarketRun) -> tuple[Floats, Floats]:
    """Return (profit before fees at the mid, amount held) at every sample; carried over a gap."""
    signed = market.fill_side * market.fill_amount
    places = np.searchsorted(market.fill_s, market.t_s, side="right")
    held = np.concatenate([[0.0], np.cumsum(signed)])[places]
    cash = np.concatenate([[0.0], np.cumsum(-signed * worth(market, market.fill_usd))])[places]
    mid = market.mid_usd
    known = np.isfinite(mid)
    last = np.maximum.accumulate(np.where(known, np.arange(len(mid)), 0))
    price = np.where(np.isfinite(mid[last]), mid[last], 1.0)
    return cash + held * worth(market, price), held


def net_curve(market: MarketRun, gross: Floats, volume: Floats, fees: float,
              whole: float) -> Floats:
    """Return the profit after fees at every sample, fees in proportion to volume."""
    places = np.searchsorted(market.fill_s, market.t_s, side="right")
    traded = np.concatenate([[0.0], np.cumsum(volume)])[places]
    found: Floats = gross - (traded / whole * fees if whole else 0.0)
    return found


def blocks(market: MarketRun, curve: Floats, volume: Floats,
           block_s: float = BLOCK_S) -> tuple[Floats, Floats]:
    """Return what a curve of profit gained, and the volume, in every block of time."""
    edges = np.arange(market.t_s[0], market.t_s[-1] + block_s, block_s)
    at = np.clip(np.searchsorted(market.t_s, edges), 0, len(curve) - 1)
    traded = np.diff(np.concatenate([[0.0], np.cumsum(volume)])[
        np.searchsorted(market.fill_s, edges, side="right")])
    return np.diff(curve[at]), traded


def gross_interval(market: MarketRun, gross: Floats, volume: Floats) -> tuple[float, float]:
    """Return the 95 % interval of profit before fees over volume, in bps: moving blocks of time."""
    if len(volume) < 2:
        return float("nan"), float("nan")
    return ratio_interval_bps(*blocks(market, gross, volume))


def ratio_interval_bps(profit: Floats, traded: Floats) -> tuple[float, float]:
    """Return the 95 % interval of profit over volume, in bps, by resampling blocks of both."""
    if len(profit) < 3 or not (traded > 0.0).any():
        return float("nan"), float("nan")
    places = np.random.default_rng(1).integers(0, len(profit), (RESAMPLES, len(profit)))
    sums = traded[places].sum(1)
    ratios = profit[places].sum(1)[sums > 0.0] / sums[sums > 0.0] * 1e4
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(low), float(high)


def as_row(found: Verdict) -> dict[str, Any]:
    """Return a verdict for a program; nan becomes null there."""
    return dict(msgspec.to_builtins(found))
