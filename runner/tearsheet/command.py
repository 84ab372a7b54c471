"""`mm report`: write the page with its figures and tables beside it, or the figures as JSON."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from runner.options import EXIT_CLEAN, EXIT_USAGE
from runner.tearsheet.run_data import MarketRun, Run, RunError, read_run

NEEDS = "reports are drawn by plotly: pip install 'mmcore[report]'"


def main(folders: Sequence[Path], out: Path | None, *, as_json: bool) -> int:
    """Report on the first folder, compared with the others; the exit code."""
    try:
        if not as_json:
            sys.stdout.write(f"{write_page(folders, out)}\n")
            return EXIT_CLEAN
        runs = [read_run(folder) for folder in folders]
        from runner.tearsheet.page import figures
    except RunError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except ModuleNotFoundError:
        sys.stderr.write(f"{NEEDS}\n")
        return EXIT_USAGE
    sys.stdout.write(msgspec.json.encode([figures(run) for run in runs]).decode() + "\n")
    return EXIT_CLEAN


def write_page(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Write the page, its figures as JSON and its tables as Parquet; return where the page is.

    The tables are not written beside those a backtest has left.

    Raises RunError where a run cannot be read or the page not written, ModuleNotFoundError where
    what draws it is not installed.
    """
    from runner.tearsheet.page import figures, page

    runs = [read_run(folder) for folder in folders]
    path = out or folders[0] / "report.html"
    try:
        path.write_text(page(runs))
        path.with_suffix(".json").write_bytes(
            msgspec.json.format(msgspec.json.encode([figures(run) for run in runs]), indent=1))
        beside = {} if path.with_name("samples.parquet").exists() else tables(runs[0])
        for name, columns in beside.items():
            write_table(columns, path.with_name(f"{path.stem}-{name}.parquet"))
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}; name another place with --out FILE") from None
    return path


def tables(run: Run) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Return samples and fills of every instrument by column, as the page was drawn from them."""
    names = [field for field in MarketRun.__struct_fields__ if field != "why"]
    fills = [name for name in names if name.startswith("fill_")]
    samples = [name for name in names if name not in fills
               and name not in ("name", "inverse", "contract_size")]
    return {
        "samples": [(m.name, {**{n: getattr(m, n) for n in samples}, **m.why})
                    for m in run.markets],
        "fills": [(m.name, {n: getattr(m, n) for n in fills}) for m in run.markets]}


def write_table(parts: list[tuple[str, dict[str, Any]]], path: Path) -> None:
    """Write the columns of every instrument under each other."""
    import polars as pl

    frames = [pl.DataFrame({"instrument": [name] * len(next(iter(columns.values()))), **columns})
              for name, columns in parts]
    pl.concat(frames).write_parquet(path)
