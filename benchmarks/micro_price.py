"""Fit a micro-price table (Stoikov 2018) to a recording, and say what it is worth.

Usage: micro_price.py [FILE…] [--shares 10] [--spreads 2] [--out TABLE.toml] [--json]

The files are one recording, in order of time; default: the recorded inverse perpetual. The table
is fitted to the first half; the second half says how the fitted and the size-weighted micro-price
rank the mid's move ahead, and how far each lies from the mid then (root mean square, in ticks; the
mid itself for comparison). --out writes the table of the whole recording as lines for a config.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import signal_value

from runner.micro_price import Table, as_toml, fit

Floats = npt.NDArray[np.float64]
HORIZONS_S = signal_value.HORIZONS_S


def micro(rows: Floats, table: Table) -> Floats:
    """Return the adjustment of a table in ticks, one per row of observed touches."""
    values = np.array(table)
    share = rows[:, 3] / (rows[:, 3] + rows[:, 4])
    column = np.minimum((share * values.shape[1]).astype(int), values.shape[1] - 1)
    row = np.clip((rows[:, 2] - rows[:, 1]).astype(int), 1, values.shape[0]) - 1
    found: Floats = values[row, column]
    return found


def touches(rows: Floats) -> list[tuple[int, int, int, int]]:
    """Return (bid, ask, bid amount, ask amount) rows where the touch changed."""
    whole = rows[:, 1:].astype(np.int64)
    changed = np.ones(len(whole), dtype=bool)
    changed[1:] = np.any(whole[1:] != whole[:-1], axis=1)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in whole[changed]]


def worth(rows: Floats, estimates: dict[str, Floats]) -> dict[str, dict[str, dict[str, float]]]:
    """Return rank correlation and error of each estimate against the mid ahead."""
    seconds, mids = rows[:, 0], 0.5 * (rows[:, 1] + rows[:, 2])
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in estimates}
    for horizon in HORIZONS_S:
        ahead = np.searchsorted(seconds, seconds + horizon, side="right") - 1
        known = seconds + horizon <= seconds[-1]
        moves = (mids[ahead] - mids)[known]
        for name, estimate in estimates.items():
            off = moves - estimate[known]
            rank = 0.0
            if np.ptp(estimate[known]) > 0.0:
                rank = float(np.corrcoef(signal_value.ranks(estimate[known]),
                                         signal_value.ranks(moves))[0, 1])
            found[name][f"{horizon:g}"] = {"rank": round(rank, 4),
                                           "error_ticks": round(float(np.sqrt(np.mean(off**2))), 4)}
    return found


def main() -> None:
    """Fit, value, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--shares", type=int, default=10, help="buckets of the bid's share")
    parser.add_argument("--spreads", type=int, default=2, help="rows: spreads in ticks")
    parser.add_argument("--out", type=Path, help="write the table as lines of a config file")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    files = options.files or signal_value.default_files()
    if not files:
        raise SystemExit("no recording: name its files, or set MM_DATA to the folder of recordings")
    rows = signal_value.observe_touch(files)
    half = len(rows) // 2
    try:
        table = fit(touches(rows[:half]), shares=options.shares, spreads=options.spreads)
        whole = fit(touches(rows), shares=options.shares, spreads=options.spreads)
    except ValueError as error:
        raise SystemExit(f"{files[0]}: {error}; give a longer recording") from None
    later = rows[half:]
    weighted = (later[:, 2] - later[:, 1]) * (
        later[:, 3] / (later[:, 3] + later[:, 4]) - 0.5)
    found = worth(later, {"mid": np.zeros(len(later)), "weighted": weighted,
                          "table": micro(later, table)})
    if options.out is not None:
        options.out.write_text(as_toml(whole))
    if options.json:
        report: dict[str, Any] = {"touches": len(rows), "table": whole, "worth": found}
        print(json.dumps(report))
        return
    print(as_toml(whole))
    print(f"fitted to the first of {len(rows)} readings' halves, valued on the second")
    print(f"{'estimate':10s}" + "".join(f"{h:>10g} s rank  error" for h in HORIZONS_S))
    for name, values in found.items():
        print(f"{name:10s}" + "".join(
            f"{values[f'{h:g}']['rank']:+17.3f} {values[f'{h:g}']['error_ticks']:6.3f}"
            for h in HORIZONS_S))


if __name__ == "__main__":
    main()
