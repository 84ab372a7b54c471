"""`mm import`: recordings of any known form into one mapped file of events, and what is in them."""

import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from connectors.replay.player import play_rows
from connectors.replay.reader import detect_format, open_recording, recordings
from connectors.replay.recording import Recording, RecordingError
from connectors.replay.store import STORE_SUFFIX, is_store, write_store
from connectors.replay.tables import BadLinesError, read_tables
from runner.backtest_session import clock_shift
from runner.options import EXIT_CLEAN, EXIT_USAGE


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `mm import`."""

    data: tuple[Path, ...]
    out: Path
    skip_bad: bool = False
    as_json: bool = False


def main(options: ImportOptions) -> int:
    """Read, write, and say what the recording holds; the exit code."""
    try:
        recording = read(options)
        by_exchange_time = recording.format in ("collector", "tables")
        rows = recording.rows
        if rows is None:
            rows = play_rows(recording.events, by_exchange_time)
        out = options.out
        if out.suffix != STORE_SUFFIX:
            out = out.with_name(out.name + STORE_SUFFIX)
        write_store(recording, rows, out)
    except BadLinesError as error:
        return refuse(error.lines)
    except OSError as error:
        return refuse([f"{error.filename}: {error.strerror}; check the path"])
    except RecordingError as error:
        return refuse([str(error)])
    figures = report(recording, out)
    if options.as_json:
        sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
    else:
        sys.stdout.write(text_of(figures))
    return EXIT_CLEAN


def refuse(lines: list[str]) -> int:
    """Say what is wrong, one line each."""
    for line in lines:
        sys.stderr.write(f"mm import: {line}\n")
    return EXIT_USAGE


def read(options: ImportOptions) -> Recording:
    """Read the recording, with a bar where somebody is looking."""
    paths = recordings(options.data)
    tables = not any(is_store(p) for p in paths) and all(
        detect_format(path) == "tables" for path in paths)
    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
                  TimeRemainingColumn(), console=console, transient=True,
                  disable=options.as_json or not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None if not tables else unpacked_bytes(paths))
        if tables:
            return read_tables(paths, skip_bad=options.skip_bad,
                               progress=lambda size: progress.advance(task, size))
        return open_recording(paths)


def unpacked_bytes(paths: list[Path]) -> int:
    """Guess how much text the files hold: tables pack to about a sixth."""
    return sum(p.stat().st_size * (6 if p.suffix == ".gz" else 1) for p in paths)


def report(recording: Recording, out: Path) -> dict[str, Any]:
    """Return what was imported and what is odd in it."""
    events = recording.events
    behind_ns = clock_shift(events, 0)
    return {"file": str(out), "bytes": out.stat().st_size, "format": recording.format,
            "events": len(events),
            "lasted_s": (int(events["exch_ns"].max()) - int(events["exch_ns"].min())) * 1e-9,
            "clock_behind_s": behind_ns * 1e-9,
            "instruments": [spec.name for spec in recording.instruments],
            "integrity": dict(recording.integrity.rows()),
            "problems": recording.integrity.problems()}


def text_of(figures: dict[str, Any]) -> str:
    """Return the integrity report."""
    names = ", ".join(figures["instruments"])
    head = (f"{figures['file']}: {figures['events']:,} events of {names}, "
            f"{figures['lasted_s']:.1f} s, {figures['bytes'] / 1e6:.1f} MB")
    lines = [head]
    lines += [f"  {name.replace('_', ' '):<24}{count:>14,}"
              for name, count in figures["integrity"].items() if count]
    if figures["clock_behind_s"]:
        lines.append(f"  recorder's clock behind the venue's by {figures['clock_behind_s']:.3f} s; "
                     "a backtest moves it")
    problems = ", ".join(f"{count} {name}" for name, count in figures["problems"].items())
    lines.append(f"  problems: {problems or 'none'}")
    return "\n".join(lines) + "\n"
