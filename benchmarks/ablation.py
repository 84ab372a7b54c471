"""What each part of the strategy is worth: the same run with one part off, on every market.

    python benchmarks/ablation.py [--data FOLDER] [--json FILE] [--out FILE.md] [--seconds 600]

Markets are those of honest_table.py, cut and seeded as there. The base quotes near the touch (see
BASE), where fills are many enough to tell anything, and pays no fee; each line turns one part off.
A figure is profit before fees, in bps of volume; the change in BTC is against the base of the same
market, and its interval is a bootstrap over markets and seeds, which share nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from honest_table import (
    Case,
    config_of,
    parser_of,
    recorded_cases,
    shown,
    synthetic_case,
    tell,
)

from connectors.sim.market.latent import REGIMES
from runner.config import ConfigError
from runner.evaluation.judge import Verdict, judge

BASE = ("quote.fee_floor=false", "quote.min_half_spread_usd=0.5", "quote.min_half_spread_bps=0",
        "quote.base_half_spread_bps=0.5", "quote.vol_k=0.3")
PARTS: dict[str, tuple[str, ...]] = {
    "inventory skew": ("quote.gamma=1e-9",),
    "vol width": ("quote.vol_k=0",),
    "imbalance shift": ("quote.imbalance_shift_bps=0",),
    "flow: side removed by a run": ("signals.imbalance_threshold=0",),
    "sweep pull": ("signals.sweep_bps=0",),
    "momentum pull": ("orders.momentum_bps=0",),
    "post-fill hold": ("orders.post_fill_hold_ms=0",),
    "latency padding": ("quote.latency_z=0",),
    "markout widening": ("quote.markout_widen=0",),
    "regimes": ("signals.regime=false",),
}
RESAMPLES = 2_000


class Run(msgspec.Struct):
    """One market with one part off; part "" is the base."""

    market: str
    part: str
    fills: int
    volume_btc: float
    gross_btc: float
    gross_bps: float
    drawdown_btc: float
    markout_5s_bps: float


def run_of(market: str, part: str, found: Verdict) -> Run:
    return Run(market, part, found.fills, found.volume_btc, found.gross_btc, found.gross_bps,
               found.drawdown_btc, found.markout_bps["5 s"])


def runs_of(case: Case) -> list[Run]:
    """Judge the base and every part off on every judged part of a market."""
    name = case.judged[0].instruments[0].name
    found = []
    for number, recording in enumerate(case.judged):
        market = case.name if len(case.judged) == 1 else f"{case.name} {number + 1}"
        found.append(run_of(market, "", judge(recording, config_of(BASE, (0.0, 0.0), name))))
        for part, sets in PARTS.items():
            try:
                config = config_of((*BASE, *sets), (0.0, 0.0), name)
            except ConfigError as error:
                raise SystemExit(f"{part}: {'; '.join(error.lines)}") from None
            found.append(run_of(market, part, judge(recording, config)))
    return found


def changes(runs: Sequence[Run], part: str) -> list[tuple[str, float, float]]:
    """Return (market, what the part added in BTC, in bps of the base's volume) by market."""
    base = {run.market: run for run in runs if not run.part}
    return [(run.market, base[run.market].gross_btc - run.gross_btc,
             (base[run.market].gross_btc - run.gross_btc) / base[run.market].volume_btc * 1e4)
            for run in runs if run.part == part and base[run.market].volume_btc]


def summary(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return what every part added over all markets, and in how many it helped."""
    found = []
    for part in PARTS:
        added = changes(runs, part)
        bps = np.array([row[2] for row in added])
        draws = np.random.default_rng(1).integers(0, len(bps), (RESAMPLES, len(bps)))
        low, high = np.percentile(bps[draws].mean(1), (2.5, 97.5))
        found.append({
            "part": part, "markets": len(bps), "helped": int((bps > 0.0).sum()),
            "no_effect": int((bps == 0.0).sum()), "added_bps": float(bps.mean()),
            "low_bps": float(low), "high_bps": float(high),
            "added_btc": float(sum(row[1] for row in added))})
    return found


def markdown(runs: Sequence[Run]) -> str:
    """Return the summary, then every market."""
    text = ["| part | adds, bps of volume | 95 % | helped | hurt | no effect |",
            "|---|--:|---|--:|--:|--:|"]
    text += [
        f"| {row['part']} | {row['added_bps']:+.3f} | [{row['low_bps']:+.3f}, "
        f"{row['high_bps']:+.3f}] | {row['helped']} of {row['markets']} | "
        f"{row['markets'] - row['helped'] - row['no_effect']} | {row['no_effect']} |"
        for row in summary(runs)]
    markets = list(dict.fromkeys(run.market for run in runs))
    text += ["", "Before fees, bps of volume (fills), with the part off:", "",
             "| market | base | " + " | ".join(PARTS) + " |", "|---|" + "--:|" * (len(PARTS) + 1)]
    for market in markets:
        cells = [f"{shown(run.gross_bps, '+.2f')} ({run.fills})" for run in runs
                 if run.market == market]
        text.append(f"| {market} | " + " | ".join(cells) + " |")
    return "\n".join(text) + "\n"


def main() -> int:
    options = parser_of(__doc__, 600.0).parse_args()
    runs = [run for case in recorded_cases(options.data) for run in runs_of(case)]
    for regime in REGIMES:
        sys.stderr.write(f"{regime} ...\n")
        runs += runs_of(synthetic_case(regime, options.seconds, options.seeds))
    tell(options, markdown(runs), runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
