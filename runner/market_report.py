"""`mm sim --report`: the synthetic market's stylised facts beside the recorded ones."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.sim.market.bands import BANDS
from connectors.sim.market.facts import Row, report
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE, parse_duration

DEFAULT_S = 3600.0
RUNS = 8    # the bands are of a mean over seeds; its standard error is a column


def judged(row: Row) -> dict[str, Any]:
    """Return a row as JSON has it; `within` is None where no band is stated."""
    band = BANDS.get(row.name)
    values = [None if math.isnan(value) else value for value in row.values]
    return {"name": row.name, "unit": row.unit, "synthetic": values[0],
            "standard_error": None if math.isnan(row.error) else row.error,
            "recorded": values[1] if len(values) > 1 else None,
            "band": [band.low, band.high] if band else None,
            "reference": band.recorded if band else None,
            "within": band.holds(row.values[0]) if band else None}


def figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(rows: list[dict[str, Any]], regime: str, seconds: float) -> str:
    head = (f"{'fact':<36}{'unit':<8}{'synthetic':>12}{'+-':>10}{'recorded':>12}  {'band':<19}"
            "within")
    title = f"{regime}, mean of {RUNS} runs of {seconds:g} s; bands are of hours of normal"
    lines = [title, head]
    for row in rows:
        band = "" if row["band"] is None else "{} to {}".format(*map(figure, row["band"]))
        verdict = {True: "yes", False: "NO", None: ""}[row["within"]]
        lines.append(f"{row['name']:<36}{row['unit']:<8}{figure(row['synthetic']):>12}"
                     f"{figure(row['standard_error']):>10}{figure(row['recorded']):>12}  "
                     f"{band:<19}{verdict:<7}{row['reference'] or ''}")
    return "\n".join(lines)


def main(seed: int, regime: str, duration: str | None, data: Sequence[Path], *,
         as_json: bool) -> int:
    """Print the table; exit code 1 where `normal` leaves a band."""
    try:
        seconds = parse_duration(duration) if duration is not None else DEFAULT_S
        rows = [judged(row) for row in report(seed, regime, seconds, data, RUNS)]
    except OSError as error:
        sys.stderr.write(f"mm sim: {error.filename}: {error.strerror}\n")
        return EXIT_USAGE
    except ValueError as error:
        sys.stderr.write(f"mm sim: {error}\n")
        return EXIT_USAGE
    outside = [row["name"] for row in rows if row["within"] is False]
    if as_json:
        sys.stdout.write(json.dumps({
            "regime": regime, "seconds": seconds, "runs": RUNS, "facts": rows,
            "outside": outside}) + "\n")
    else:
        sys.stdout.write(table(rows, regime, seconds) + "\n")
    return EXIT_FAILURE if outside and regime == "normal" else EXIT_CLEAN
