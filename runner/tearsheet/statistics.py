"""The figures of a run: markouts with their uncertainty, drawdown, round trips, uptime."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from mmcore.alpha import TERM_NAMES
from runner.tearsheet.run_data import Floats, MarketRun, Run

HORIZONS_S = (0.1, 1.0, 5.0, 30.0, 300.0)
RESAMPLES = 1_000
BLOCK = 10                  # fills drawn together: their outcomes are not independent
SIGNAL_BLOCK_S = 60.0       # of samples drawn together
Mask = npt.NDArray[np.bool_]


class Mean(msgspec.Struct, frozen=True):
    """A mean with its 95 % interval; nan where there is nothing to average."""

    mean: float
    low: float
    high: float
    count: int


class RoundTrips(msgspec.Struct, frozen=True):
    """Trips from flat to flat: how many, how long, how they ended."""

    count: int
    median_s: float
    won: int
    mean: float             # profit before fees, settlement currency


def mean_of(values: Floats, weights: Floats | None = None, seed: int = 1) -> Mean:
    """Return a weighted mean and its interval by moving-block bootstrap."""
    keep = np.isfinite(values)
    values = values[keep]
    weights = np.ones(len(values)) if weights is None else weights[keep]
    if not len(values):
        return Mean(np.nan, np.nan, np.nan, 0)
    mean = float(np.average(values, weights=weights))
    if len(values) < 2:
        return Mean(mean, np.nan, np.nan, len(values))
    block = min(BLOCK, max(1, len(values) // 4))
    blocks = -(-len(values) // block)
    starts = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, blocks))
    places = ((starts[:, :, None] + np.arange(block)) % len(values)).reshape(RESAMPLES, -1)
    drawn = (values[places] * weights[places]).sum(1) / weights[places].sum(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Mean(mean, float(low), float(high), len(values))


def at_or_before(times: Floats, values: Floats, when: Floats) -> Floats:
    """Return the value in force at each time; nan before the first and after the last sample."""
    places = np.searchsorted(times, when, side="right") - 1
    found = values[np.clip(places, 0, len(values) - 1)].copy()
    found[(places < 0) | (when > times[-1])] = np.nan
    return found


def markouts_bps(market: MarketRun, horizon_s: float) -> Floats:
    """Return side * (mid a horizon later - price) / price of each fill, in bps.

    Huang & Stoll (1996): what is left of the half-spread once the market has moved. A horizon
    shorter than the time between two samples is nan: the mid then is not known well enough.
    """
    if len(market.t_s) < 2 or horizon_s < 0.99 * float(np.median(np.diff(market.t_s))):
        return np.full(len(market.fill_s), np.nan)
    later = at_or_before(market.t_s, market.mid_usd, market.fill_s + horizon_s)
    return market.fill_side * (later - market.fill_usd) / market.fill_usd * 1e4


def captured_bps(market: MarketRun) -> Floats:
    """Return how much better than the mid each fill was, in bps."""
    return (market.fill_side * (market.fill_mid_usd - market.fill_usd)
            / market.fill_mid_usd * 1e4)


def markout_table(market: MarketRun, chosen: Mask | None = None) -> dict[str, Mean]:
    """Return captured half-spread and markouts by horizon, weighted by amount."""
    chosen = np.ones(len(market.fill_s), dtype=bool) if chosen is None else chosen
    weights = market.fill_amount[chosen]
    found = {"fill": mean_of(captured_bps(market)[chosen], weights)}
    for horizon_s in HORIZONS_S:
        found[f"{horizon_s:g} s"] = mean_of(markouts_bps(market, horizon_s)[chosen], weights)
    return found


def signal_values(market: MarketRun) -> dict[str, dict[str, Mean]]:
    """Return the rank correlation of each signal's shift with the mid's move after it, by horizon.

    Over samples that had a reference price; the interval resamples blocks of 60 s, as moves of
    neighbouring samples overlap. A signal that never shifted a price is left out.
    """
    known = (market.why["reference_usd"] > 0.0) & np.isfinite(market.mid_usd)
    t_s, mid = market.t_s[known], market.mid_usd[known]
    found: dict[str, dict[str, Mean]] = {}
    if len(t_s) < 3:
        return found
    step_s = float(np.median(np.diff(t_s)))
    for name in TERM_NAMES:
        term = market.why[f"alpha_{name}_usd"][known]
        if np.ptp(term) == 0.0:
            continue
        found[name] = {f"{h:g} s": rank_correlation(
            term, at_or_before(t_s, mid, t_s + h) - mid, max(1, round(SIGNAL_BLOCK_S / step_s)))
            for h in HORIZONS_S[1:4] if h >= 0.99 * step_s}
    return found


def rank_correlation(one: Floats, other: Floats, block: int, seed: int = 1) -> Mean:
    """Return Spearman's correlation and its interval by moving-block bootstrap of the ranks."""
    kept = np.isfinite(one) & np.isfinite(other)
    count = int(kept.sum())
    if count < 3:
        return Mean(np.nan, np.nan, np.nan, count)
    ranks = [centred_ranks(values[kept]) for values in (one, other)]
    if not all(r.any() for r in ranks):
        return Mean(np.nan, np.nan, np.nan, count)
    # sums over blocks, so that a draw costs as many additions as it has blocks
    edges = np.arange(0, count, min(block, max(1, count // 4)))
    sums = np.array([np.add.reduceat(x * y, edges) for x, y in (
        (ranks[0], ranks[1]), (ranks[0], ranks[0]), (ranks[1], ranks[1]))])
    whole = sums.sum(1)
    places = np.random.default_rng(seed).integers(0, len(edges), (RESAMPLES, len(edges)))
    drawn = sums[:, places].sum(2)
    scale = np.sqrt(drawn[1] * drawn[2])
    low, high = np.percentile(drawn[0][scale > 0.0] / scale[scale > 0.0], (2.5, 97.5))
    return Mean(float(whole[0] / np.sqrt(whole[1] * whole[2])), float(low), float(high), count)


def centred_ranks(values: Floats) -> Floats:
    """Return ranks less their mean; equal values share theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - 0.5 * (counts - 1)
    ranks: Floats = middle[place] - middle[place].mean()
    return ranks


def regime_of_fills(market: MarketRun) -> npt.NDArray[np.int64]:
    """Return the regime in force at each fill; -1 before the first sample."""
    places = np.searchsorted(market.t_s, market.fill_s, side="right") - 1
    return np.where(places < 0, -1, market.regime[np.clip(places, 0, len(market.regime) - 1)])


def drawdown(equity: Floats) -> Floats:
    """Return equity less its highest so far; never positive."""
    return equity - np.maximum.accumulate(equity)


def round_trips(market: MarketRun) -> RoundTrips:
    """Cut the fills where the position returns to or passes zero."""
    profits: list[float] = []
    lengths: list[float] = []
    position = cash = opened_s = 0.0
    lot = market.contract_size * 1e-6
    for t_s, side, price, amount in zip(market.fill_s, market.fill_side, market.fill_usd,
                                        market.fill_amount, strict=True):
        worth = -1.0 / price if market.inverse else price
        before, signed = position, side * amount
        closing = min(abs(signed), abs(before)) if before * signed < 0.0 else 0.0
        if abs(before) < lot:
            opened_s, cash = t_s, 0.0
        position = before + signed
        if closing and (abs(position) < lot or position * before < 0.0):
            profits.append(cash - side * closing * worth)
            lengths.append(t_s - opened_s)
            opened_s, cash = t_s, -(signed - side * closing) * worth
        else:
            cash -= signed * worth
    if not profits:
        return RoundTrips(0, np.nan, 0, np.nan)
    return RoundTrips(len(profits), float(np.median(lengths)), int(sum(p > 0 for p in profits)),
                      float(np.mean(profits)))


def shares(values: npt.NDArray[np.int64], names: dict[int, str]) -> dict[str, float]:
    """Return the share of samples with each value, largest first."""
    kinds, counts = np.unique(values, return_counts=True)
    found = {names.get(int(k), str(k)): float(n) / len(values)
             for k, n in zip(kinds, counts, strict=True)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def uptime(market: MarketRun) -> dict[str, float]:
    """Return the share of samples with both quotes, one, none."""
    quoted = np.isfinite(market.quote_bid_usd).astype(int) + np.isfinite(market.quote_ask_usd)
    return {"both sides": float((quoted == 2).mean()), "one side": float((quoted == 1).mean()),
            "no quote": float((quoted == 0).mean())}


def volume_btc(market: MarketRun) -> float:
    """Return what was traded, in BTC at the fills' prices."""
    return float(market.btc_of(market.fill_amount, market.fill_usd).sum())


def headline(run: Run) -> dict[str, Any]:
    """Return the figures above the fold; profits in BTC and bps of volume."""
    summary = run.summary
    volume = sum(volume_btc(m) for m in run.markets)
    volume_usd = sum(float((m.btc_of(m.fill_amount, m.fill_usd) * m.fill_usd).sum())
                     for m in run.markets)
    before_fees = summary["realized_btc"] + summary["unrealized_btc"] + summary["funding_btc"]
    profit = before_fees - summary["fees_btc"]
    days = run.lasted_s / 86_400.0
    messages = summary["orders_new"] + summary["orders_edit"] + summary["orders_cancel"]
    fills, maker = summary["fills"], summary["maker_fills"]
    lead = run.markets[0]
    price = float(lead.mark_usd[np.isfinite(lead.mark_usd)][-1:].sum()) or np.nan
    return {
        "profit_btc": profit, "profit_usd": profit * price,
        "before_fees_btc": before_fees, "fees_btc": summary["fees_btc"],
        "funding_btc": summary["funding_btc"],
        "profit_bps": profit / volume * 1e4 if volume else np.nan,
        "before_fees_bps": before_fees / volume * 1e4 if volume else np.nan,
        "btc_a_day": profit / days if days else np.nan,
        "volume_btc": volume, "volume_usd": volume_usd,
        "volume_usd_30_days": volume_usd / days * 30 if days else np.nan,
        "fills": fills, "maker_share": maker / fills if fills else np.nan,
        "round_trips": sum(round_trips(m).count for m in run.markets),
        "max_drawdown_btc": min((float(drawdown(m.equity).min()) for m in run.markets
                                 if m.inverse), default=np.nan),
        "max_abs_delta_btc": summary["max_abs_delta_btc"],
        "messages_a_btc": messages / volume if volume else np.nan,
        "uptime_both_sides": float(np.mean([uptime(m)["both sides"] for m in run.markets])),
        "lasted_s": run.lasted_s,
    }
