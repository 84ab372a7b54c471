"""`mm backtest`: the engine on recorded data in virtual time, one process per recording."""

import gc
import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from connectors.replay.reader import recordings
from connectors.replay.recording import RecordingError
from runner.backtest_result import result_of, write_results
from runner.backtest_session import BacktestError, Session, prepare
from runner.config import Config, ConfigError, load
from runner.options import EXIT_CLEAN, EXIT_KILLED, EXIT_USAGE
from runner.report import report_text
from runner.state import plain, state_base

ADDED = ("book_updates", "book_gaps", "book_crossed", "decisions", "orders_new", "orders_edit",
         "orders_cancel", "rejects", "fills", "maker_fills", "events", "messages",
         "level_changes", "realized_btc", "unrealized_btc", "fees_btc", "funding_btc",
         "load_s", "wall_s")

Tell = Callable[[float], None]
STEPS = 100             # of a progress bar

PROFILE_WORDS = {
    "sim": "those of the embedded exchange (short warm-up, lively widths); --profile live for a "
           "live venue's",
    "live": "those of a live venue"}
PROFILE_VENUE = {"sim": "sim", "live": "prod"}     # a venue of that class; none is reached


class BacktestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `mm backtest`."""

    data: tuple[Path, ...]
    config: Path | None = None
    sets: tuple[str, ...] = ()
    out: Path | None = None
    as_json: bool = False
    no_page: bool = False           # figures only
    workers: int | None = None      # processes; None: one a core
    profile: str | None = None      # sim or live: whose defaults; None: by the file's venue


def main(options: BacktestOptions) -> int:
    """Run and report; the exit code."""
    try:
        config = load(options.config, options.sets, PROFILE_VENUE.get(options.profile or ""),
                      connects=False)
        jobs = group(recordings(options.data))
        options = msgspec.structs.replace(options, out=out_of(options))
        results = run_jobs(jobs, config, options)
    except ConfigError as error:
        return refuse(error.lines)
    except OSError as error:
        return refuse([f"{error.filename}: {error.strerror}; check the path"])
    except (RecordingError, BacktestError, ValueError) as error:
        return refuse([str(error)])
    total = results[0] if len(results) == 1 else together(results)
    if options.as_json:
        sys.stdout.write(msgspec.json.encode(total).decode() + "\n")
    else:
        for result in results:
            sys.stdout.write(text_of(result))
    for out in outs_of(jobs, options.out):
        pages(out, quiet=options.as_json)
    return EXIT_KILLED if any(r["exit"] == "killed" for r in results) else EXIT_CLEAN


def refuse(lines: Sequence[str]) -> int:
    """Say what is wrong, one line each."""
    for line in lines:
        sys.stderr.write(f"mm backtest: {line}\n")
    return EXIT_USAGE


def group(paths: Sequence[Path]) -> list[list[Path]]:
    """Return the recordings the files make: those of one folder and kind, in order, are one.

    An imported file is a recording of its own, and so is the folder of a journal.
    """
    jobs: dict[tuple[Path, str], list[Path]] = {}
    for path in paths:
        own = path.name if path.suffix == ".mmev" or path.is_dir() else "".join(path.suffixes)
        jobs.setdefault((path.parent.resolve(), own), []).append(path)
    return list(jobs.values())


def run_jobs(jobs: list[list[Path]], config: Config, options: BacktestOptions) -> list[Any]:
    """Run every recording, in processes of their own where there are several."""
    outs: list[Path | None] = [*outs_of(jobs, options.out)] or [None] * len(jobs)
    workers = min(len(jobs), options.workers or os.cpu_count() or 1)
    results = []
    with bar(options) as progress:
        task = progress.add_task("backtest", total=float(len(jobs)))
        if workers == 1:
            for done, (job, out) in enumerate(zip(jobs, outs, strict=True)):
                def tell(share: float, done: int = done) -> None:
                    progress.update(task, completed=done + share)

                results.append(run_job(job, config, out, None if progress.disable else tell))
            return results
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for result in pool.map(run_job, jobs, [config] * len(jobs), outs):
                progress.advance(task)
                results.append(result)
    return results


def bar(options: BacktestOptions) -> Progress:
    """Return the bar of a run; it shows nothing where nobody looks or a program reads."""
    console = Console(stderr=True)
    return Progress(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
                    TimeRemainingColumn(), console=console, transient=True,
                    disable=options.as_json or not console.is_terminal)


def out_of(options: BacktestOptions) -> Path | None:
    """Return the folder of the results: of who names none and reads them, one of the user's own.

    It is named after the command, so that the same again takes its place. None: no results.
    """
    if options.out is not None or options.as_json or options.no_page:
        return options.out
    if find_spec("polars") is None or find_spec("plotly") is None:
        return None
    named = msgspec.json.encode(msgspec.structs.replace(
        options, workers=None, data=tuple(path.resolve() for path in options.data)), enc_hook=str)
    stem = plain(options.data[0].name.split(".")[0])
    place = state_base() / "backtests" / f"{stem}-{hashlib.sha256(named).hexdigest()[:8]}"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:            # nobody asked for this folder: the figures are what counts
        sys.stderr.write(f"mm backtest: no page: {place}: {error.strerror}; name a folder with "
                         "--out\n")
        return None
    return place


def outs_of(jobs: list[list[Path]], out: Path | None) -> list[Path]:
    """Return the folder of every recording's results; those of several are named after files."""
    if out is None or len(jobs) == 1:
        return [] if out is None else [out]
    return [out / f"{number:03d}-{job[0].name.split('.')[0]}" for number, job in enumerate(jobs)]


def pages(out: Path, *, quiet: bool) -> None:
    """Draw the page of a run; where that cannot be, say why and go on."""
    from runner.tearsheet.command import NEEDS, write_page
    from runner.tearsheet.run_data import RunError

    try:
        told = f"  report         {write_page([out])}\n"
    except RunError as error:
        told = f"  report         none: {error}\n"
    except ModuleNotFoundError:
        told = f"  report         none: {NEEDS}\n"
    if not quiet:
        sys.stdout.write(told)


def run_job(paths: list[Path], config: Config, out: Path | None,
            tell: Tell | None = None) -> dict[str, Any]:
    """Run one recording to its end; return its figures. tell hears what share is done."""
    session = prepare(paths, config)
    session.backtest.venue.keep_trail = out is not None
    wall_s = run_session(session, tell)
    result = result_of(session, wall_s)
    if out is not None:
        write_results(session, result, out)
    return result


def run_session(session: Session, tell: Tell | None = None) -> float:
    """Run a prepared session to its end; return the seconds the loop took.

    tell hears what share is done, a hundred times; what is decided does not depend on it.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        began = time.perf_counter()
        if tell is not None:
            run_telling(session, tell)
        session.backtest.run()
        wall_s = time.perf_counter() - began
    finally:
        gc.enable()
        gc.unfreeze()
    session.backtest.finish()
    return wall_s


def run_telling(session: Session, tell: Tell) -> None:
    """Run all but the last part in pieces of a hundredth of the recording's time."""
    begin_ns = session.backtest.due_ns
    span_ns = int(session.recording.events["local_ns"][-1]) + session.shift_ns - begin_ns
    for step in range(1, STEPS):
        session.backtest.run(begin_ns + span_ns * step // STEPS)
        tell(step / STEPS)


def together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums over several recordings, each of which started anew, and all of them."""
    total: dict[str, Any] = {name: sum(r[name] for r in results) for name in ADDED}
    digest = hashlib.sha256("".join(r["outbound_sha256"] for r in results).encode())
    killed = any(r["exit"] == "killed" for r in results)
    return {**total, "max_abs_delta_btc": max(r["max_abs_delta_btc"] for r in results),
            "exit": "killed" if killed else "end of data",
            "outbound_sha256": digest.hexdigest(), "runs": results}


def text_of(result: dict[str, Any]) -> str:
    """Return the report of one recording."""
    lasted_s = result["lasted_s"]
    speed = result["level_changes"] / result["wall_s"] / 1e6 if result["wall_s"] else 0.0
    lines = report_text(result, lasted_s, ", ".join(Path(s).name for s in result["sources"]))
    venue = result["venue"]
    lines += (f"  venue          {venue['requests']:,} requests, {venue['refused']} refused "
              f"({venue['post_only']} post-only, {venue['too_many']} too many, "
              f"{venue['too_late']} too late)\n")
    for name, part in result["money"].items():
        lines += (f"  {name}: capture {part['capture']:+.8f}, drift {part['drift']:+.8f}, mid to "
                  f"mark {part['mid_to_mark']:+.8f}, fees {-part['fees']:+.8f}, funding "
                  f"{part['funding']:+.8f}\n")
    lines += f"  defaults       {PROFILE_WORDS[result['profile']]}\n"
    if result["problems"]:
        lines += "  recording      " + ", ".join(
            f"{count} {name}" for name, count in result["problems"].items()) + "\n"
    return lines + (f"  speed          {speed:.2f} M level changes/s ({result['wall_s']:.3f} s; "
                    f"loading {result['load_s']:.2f} s)\n")
