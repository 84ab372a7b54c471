"""`mm sweep`: search keys of the config, choose on what came before, judge on what follows."""

import hashlib
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from connectors.replay.cut import LONGEST_S, cut, played, span_s
from connectors.replay.reader import open_recording, recordings
from connectors.replay.recording import Recording, RecordingError
from connectors.replay.store import write_store
from runner.backtest import PROFILE_VENUE, group
from runner.backtest_session import BacktestError
from runner.config import ConfigError, load
from runner.evaluation.judge import BLOCK_S
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE
from runner.sweep.jobs import JobError, Outcome, Part, after_each_other, digest
from runner.sweep.result import Found, as_dict, as_text, as_toml
from runner.sweep.space import Axis, SpaceError, grid, read_axes
from runner.sweep.walk import Bench, Fold, Objective, Ranked, Row, fold_of, usable
from runner.sweep.work import Alone, Kept, Processes, Workers

if TYPE_CHECKING:
    from runner.sweep.search import Search

BLOCKS_MOST = 2_000             # of the whole data: longer data has longer blocks
FOLDS = 3
NEEDS = {"optuna": "--trials searches with Optuna: pip install 'mmcore[search]'",
         "distributed": "--cluster runs on Dask: pip install 'mmcore[cluster]'"}


class SweepOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `mm sweep`."""

    data: tuple[Path, ...]
    over: tuple[str, ...]
    config: Path | None = None
    sets: tuple[str, ...] = ()
    profile: str | None = None
    trials: int | None = None       # None: a grid
    folds: int | None = None        # parts that are judged; None: 3, or a part a recording
    objective: Objective = "net_btc"
    fills_least: int = 0
    top: int = 5
    workers: int | None = None
    cluster: str | None = None
    storage: str | None = None
    study: str = "mm"
    seed: int = 1
    out: Path | None = None
    as_json: bool = False


def main(options: SweepOptions) -> int:
    """Search and tell; the exit code."""
    try:
        axes = read_axes(options.over, searched=options.trials is not None)
        base = load(options.config, options.sets, PROFILE_VENUE.get(options.profile or ""),
                    connects=False)
        if base.backtest.sample_s <= 0.0:
            raise ValueError("backtest.sample_s = 0 leaves no equity curve to judge; give 1")
        found = sweep(options, axes)
    except (ConfigError, SpaceError) as error:
        return refuse(error.lines)
    except OSError as error:
        return refuse([f"{error.filename}: {error.strerror}; check the path"])
    except (RecordingError, BacktestError, ValueError) as error:
        return refuse([str(error)])
    except JobError as error:
        return refuse([str(error)], EXIT_FAILURE)
    except ModuleNotFoundError as error:
        if error.name not in NEEDS:
            raise
        return refuse([NEEDS[error.name]])
    except KeyboardInterrupt:
        return refuse(["stopped; what is done is kept: run the same command again"], EXIT_FAILURE)
    sys.stdout.write(json.dumps(as_dict(found)) + "\n" if options.as_json else as_text(found))
    return EXIT_CLEAN


def refuse(lines: Sequence[str], code: int = EXIT_USAGE) -> int:
    """Say what is wrong, one line each."""
    for line in lines:
        sys.stderr.write(f"mm sweep: {line}\n")
    return code


def sweep(options: SweepOptions, axes: Sequence[Axis]) -> Found:
    """Cut the data, run everything, write the results; see main for what it raises."""
    began = time.perf_counter()
    out = options.out or Path(f"sweep-{fingerprint(options)}")
    out.mkdir(parents=True, exist_ok=True)
    workers, where = workers_of(options)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TimeRemainingColumn(), console=Console(stderr=True), transient=True,
                   disable=options.as_json or not sys.stderr.isatty())
    kept = None
    try:
        parts = cut_parts(options, out / "parts")
        kept = Kept(out, workers)
        with bar:
            task = bar.add_task("backtests", total=float(expected(options, axes, parts)))
            bench = Bench(
                path=options.config, sets=options.sets, parts=parts, kept=kept,
                venue=PROFILE_VENUE.get(options.profile or ""), objective=options.objective,
                fills_least=options.fills_least, done=lambda count: bar.advance(task, count),
                block_s=max(BLOCK_S, sum(p.lasted_s for p in parts) / BLOCKS_MOST))
            folds, ranked, left = (
                by_grid(bench, axes) if options.trials is None
                else by_search(bench, axes, options, out))
            found = Found(
                data=[str(p) for p in options.data], objective=options.objective,
                method="grid" if options.trials is None else "optuna",
                assumptions=assumptions(bench), parts=parts, folds=folds,
                table=top_rows(bench, ranked, options.top), unsearched=unsearched(bench),
                left_out=left, run={})
        found = msgspec.structs.replace(found, run={
            "jobs": len(kept.outcomes), "kept": kept.found, "ran": kept.ran, "workers": where,
            "wall_s": time.perf_counter() - began, "out": str(out)})
        (out / "sweep.json").write_text(json.dumps(as_dict(found), indent=1) + "\n")
        (out / "best.toml").write_text(as_toml(found))
        return found
    finally:
        workers.close() if kept is None else kept.close()


def workers_of(options: SweepOptions) -> tuple[Workers, str]:
    """Return who runs the jobs, and the words for it."""
    if options.cluster is not None:
        from runner.sweep.cluster import Cluster

        return Cluster(options.cluster), f"the cluster {options.cluster}"
    count = options.workers or len(os.sched_getaffinity(0))
    return (Alone(), "1 process") if count == 1 else (Processes(count), f"{count} processes")


def fingerprint(options: SweepOptions) -> str:
    """Name a sweep: the same command goes on where it was."""
    named = msgspec.structs.replace(options, workers=None, cluster=None, as_json=False, top=0)
    return hashlib.sha256(msgspec.json.encode(named, enc_hook=str)).hexdigest()[:8]


def cut_parts(options: SweepOptions, folder: Path) -> list[Part]:
    """Write the parts of the data where every worker finds them.

    One recording is cut into parts of the same length; several are a part each, in their order.
    """
    jobs = group(recordings(options.data))
    if len(jobs) > 1 and options.folds is not None:
        raise ValueError(f"--folds cuts one recording; these are {len(jobs)}, each a part")
    whole = [open_recording(job) for job in jobs]
    if len(whole) == 1:
        count = (options.folds or FOLDS) + 1
        length_s = span_s(whole[0]) / count
        ends = [*(length_s * i for i in range(1, count)), LONGEST_S]
        whole = [cut(whole[0], length_s * i, end) for i, end in enumerate(ends)]
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    begin_s = 0.0
    for number, recording in enumerate(whole):
        part = written(recording, number, folder / f"{number:03d}.mmev", begin_s)
        parts.append(part)
        begin_s += part.lasted_s
    return parts


def written(recording: Recording, number: int, path: Path, begin_s: float) -> Part:
    """Write one part."""
    recording.rows, _ = played(recording)
    write_store(recording, recording.rows, path)
    return Part(number=number, path=path.resolve(), sha256=digest(recording), begin_s=begin_s,
                lasted_s=span_s(recording))


def expected(options: SweepOptions, axes: Sequence[Axis], parts: Sequence[Part]) -> int:
    """Return about how many backtests there will be, for the progress bar."""
    steps = len(parts) - 1
    shown = 7 * (2 * steps + options.top)
    if options.trials is None:
        return math.prod(len(axis.values) for axis in axes) * len(parts) + shown
    return options.trials * steps * (steps + 1) // 2 + shown


Outcomes = tuple[list[Fold], list[Ranked], dict[str, str]]


def by_grid(bench: Bench, axes: Sequence[Axis]) -> Outcomes:
    """Run every point on every part, then walk forward over what is known."""
    points, left = usable(bench, list(grid(axes)))
    if not points:
        point, why = next(iter(left.items()))
        raise ConfigError([f"every point contradicts itself; the first: {point}: {why}"])
    bench.fits(points, bench.parts)         # all at once, so that no worker waits for a fold
    folds, ranked = [], []
    for part in bench.parts[1:]:
        ranked = bench.fits(points, bench.parts[:part.number])
        folds.append(fold_of(bench, ranked, part))
    return folds, ranked, left


def by_search(bench: Bench, axes: Sequence[Axis], options: SweepOptions, out: Path) -> Outcomes:
    """Search anew before every judged part, which so has no say in what is tried."""
    from runner.sweep.search import Search

    folds, ranked = [], []
    left: dict[str, str] = {}
    for part in bench.parts[1:]:
        search = Search(options.storage or str(out / "study.log"),
                        f"{options.study}-part-{part.number}", axes,
                        options.seed, owner_of(out))
        before = bench.parts[:part.number]
        searched(search, bench, before, options.trials or 0, left.update)
        judged = search.judged()
        if not judged:
            raise JobError("no point of the search could be run: " + "; ".join(left.values()))
        for _, outcomes in judged:          # those of other machines
            for key, told in outcomes.items():
                bench.kept.keep(key, msgspec.convert(told, Outcome))
        ranked = bench.fits([point for point, _ in judged], before)
        folds.append(fold_of(bench, ranked, part))
    return folds, ranked, left


def searched(search: "Search", bench: Bench, parts: Sequence[Part], trials: int,
             leave: Callable[[dict[str, str]], None]) -> None:
    """Judge trials until the study has as many as were asked for."""
    batch = search.open()
    while True:
        points, left = usable(bench, [trial.point for trial in batch])
        leave(left)
        scores = [r.score for r in bench.fits(points, parts)]
        for trial in batch:
            if trial.point in points:
                search.tell(trial, scores[points.index(trial.point)],
                            msgspec.to_builtins(bench.known(trial.point, parts)))
            else:
                search.tell(trial, None, {})
        batch = search.ask(trials)
        if not batch:
            return


def owner_of(out: Path) -> str:
    """Return the name of the sweep in a folder, by which it knows its own trials again."""
    path = out / "owner"
    if not path.exists():
        path.write_text(f"{os.uname().nodename}-{uuid.uuid4().hex}")
    return path.read_text()


def top_rows(bench: Bench, ranked: Sequence[Ranked], count: int) -> list[Row]:
    """Judge the best points of the last choice on the last part."""
    in_order = sorted(ranked, key=lambda r: -r.score)
    different = list({json.dumps(r.point): r for r in in_order}.values())
    return [bench.row(r, bench.parts[-1]) for r in different[:count]]


def unsearched(bench: Bench) -> Row:
    """Judge the configuration as it is on all judged parts."""
    first = bench.fits([{}], bench.parts[:1])[0]
    rows = [bench.row(first, part) for part in bench.parts[1:]]
    return Row({}, first.fit, after_each_other([r.out for r in rows]), {
        name: after_each_other([r.sensitivity[name] for r in rows])
        for name in rows[0].sensitivity})


def assumptions(bench: Bench) -> dict[str, str]:
    """Return in words what every figure rests on."""
    config = bench.config({})
    settings, venue = config.backtest, config.venue
    fees = [("the venue's" if fee is None else f"{fee:g}")
            for fee in (venue.maker_fee_bps, venue.taker_fee_bps)]
    return {"fees, bps": f"{fees[0]} maker, {fees[1]} taker", "queue model": settings.queue,
            "latency": settings.latency_file or (
                f"{settings.latency}: {settings.entry_ms:g} ms there, {settings.response_ms:g} ms "
                "back"),
            "defaults": config.profile}
