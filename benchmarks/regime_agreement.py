"""Do the regimes the engine finds agree with those the synthetic markets were seeded with?

    python benchmarks/regime_agreement.py [--seeds 4] [--seconds 1200] [--json]

Every market is of one regime by its seed; a second counts as right where the engine says the same
(stand aside is the graver half of volatile). The first minutes are its warm-up and left out.
Thresholds are in units of the market, so they are shown as shipped, for BTC, and as fitted to two
seeds of these markets; what is printed is of other seeds. A flash crash begins a minute after the
start: how soon is it seen? And what hysteresis is worth: how often the regime changes without it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from connectors.replay.recording import Integrity, Recording
from connectors.sim.market.facts import synthetic_events
from runner.config import load
from runner.evaluation.judge import play
from runner.picture import REGIMES

RIGHT = {"calm": ("calm",), "normal": ("normal",), "volatile": ("volatile", "stand aside"),
         "trending": ("trending",)}
FITTED = ("signals.vol_window_s=300", "signals.calm_vol=0.08", "signals.volatile_vol=0.8",
          "signals.trend_z=2")
HYSTERESES = (0.0, 0.1, 0.2, 0.4)
FIRST_JUDGED_SEED = 3           # 1 and 2 were fitted to
WARM_UP_S, CRASH_S = 300, 60
Kinds = npt.NDArray[np.int64]


class Found(msgspec.Struct):
    """What was made of markets of one regime."""

    truth: str
    right: float                    # share of the seconds
    shares: dict[str, float]        # of each regime found
    changes_an_hour: float


def market(regime: str, seed: int, seconds: float) -> Recording:
    events, spec = synthetic_events(seed, regime, seconds)
    return Recording(events[events["instrument"] <= 0], [spec], Integrity(), "tape", ())


def regimes_of(recording: Recording, sets: Sequence[str]) -> Kinds:
    """Return the engine's regime, once a second."""
    name = recording.instruments[0].name
    config = load(None, ("backtest.sample_s=1", f"instrument.0.name={name}", *sets), "prod",
                  connects=False)
    markets, _, _ = play(recording, config)
    return markets[0].regime


def judged(truth: str, runs: Sequence[Kinds]) -> Found:
    """Compare what was found with the seeded truth."""
    later = [run[WARM_UP_S:] for run in runs]
    names = [REGIMES[kind] for kind in np.concatenate(later).tolist()]
    changes = sum(int((np.diff(run) != 0).sum()) for run in later)
    return Found(truth, sum(n in RIGHT[truth] for n in names) / len(names),
                 {name: names.count(name) / len(names) for name in dict.fromkeys(names)},
                 changes / len(names) * 3_600.0)


def crash_seen_s(sets: Sequence[str], seeds: Sequence[int]) -> list[float]:
    """Return for each seed how long after its begin a flash crash was told; nan: never."""
    found = []
    for seed in seeds:
        kinds = regimes_of(market("flash_crash", seed, 200.0), sets)
        told = [i for i, kind in enumerate(kinds.tolist())
                if i >= CRASH_S and REGIMES[kind] in RIGHT["volatile"]]
        found.append(float(told[0] - CRASH_S) if told else float("nan"))
    return found


def table(found: Sequence[Found]) -> str:
    """Return the confusion of truth and what was found."""
    lines = ["| seeded | right | " + " | ".join(REGIMES) + " | changes an hour |",
             "|---|--:|" + "--:|" * (len(REGIMES) + 1)]
    lines += [f"| {f.truth} | {f.right:.0%} | "
              + " | ".join(f"{f.shares.get(name, 0.0):.0%}" for name in REGIMES)
              + f" | {f.changes_an_hour:.0f} |" for f in found]
    mean = float(np.mean([f.right for f in found]))
    return "\n".join(lines) + f"\n\nagreement {mean:.0%}, each regime alike\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1200.0)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    seeds = range(FIRST_JUDGED_SEED, FIRST_JUDGED_SEED + options.seeds)
    markets = {name: [market(name, seed, options.seconds) for seed in seeds] for name in RIGHT}
    told = {}
    for title, sets in (("as shipped", ()), ("fitted", FITTED)):
        told[title] = [judged(name, [regimes_of(m, sets) for m in parts])
                       for name, parts in markets.items()]
        sys.stdout.write(f"{title} {' '.join(sets)}\n\n{table(told[title])}\n")
    seen = crash_seen_s((), seeds)
    sys.stdout.write(f"a flash crash is told after {', '.join(f'{s:.0f}' for s in seen)} s\n\n"
                     "| hysteresis | changes an hour | right |\n|--:|--:|--:|\n")
    for width in HYSTERESES:
        found = [judged(name, [regimes_of(m, (*FITTED, f"signals.regime_hysteresis={width}"))
                               for m in parts]) for name, parts in markets.items()]
        told[f"hysteresis {width}"] = found
        sys.stdout.write(f"| {width} | {np.mean([f.changes_an_hour for f in found]):.0f} | "
                         f"{np.mean([f.right for f in found]):.0%} |\n")
    if options.json is not None:
        options.json.write_bytes(msgspec.json.encode(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
