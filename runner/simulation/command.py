"""`mm simulate`: the maker against the exchange in virtual time, under seeded faults."""

import re
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from runner.config import ConfigError, load
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE
from runner.simulation.campaign import Campaign, run_seeds, traced
from runner.simulation.life import URL
from runner.simulation.plan import SETS, Plan, draw, read_plan

SHOWN_AT_MOST = 10


class SimulateOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `mm simulate`."""

    seed: int | None = None
    seeds: str | None = None        # A..B, B included
    faults: Path | None = None
    trace: bool = False
    as_json: bool = False
    workers: int | None = None


def main(options: SimulateOptions) -> int:
    """Run; 0 where no invariant was broken."""
    try:
        seeds = seeds_of(options)
        plan = read_plan(options.faults) if options.faults is not None else Plan()
        load(None, [*SETS, *plan.set], URL)     # a wrong key is told before anything runs
        if options.trace and len(seeds) > 1:
            raise ValueError("--trace shows one session; give --seed N")
    except ConfigError as error:
        return refuse(error.lines)
    except OSError as error:
        return refuse([f"{error.filename}: {error.strerror}; check the path"])
    except ValueError as error:
        return refuse([str(error)])
    if options.trace:
        return show_timeline(plan, seeds[0], as_json=options.as_json)
    bar = Progress(
        TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
        disable=options.as_json or not sys.stderr.isatty())
    with bar:
        task = bar.add_task("seeds", total=len(seeds))
        campaign = run_seeds(plan, seeds, workers=options.workers,
                             progress=lambda done: bar.advance(task, done))
    missing = campaign.missing(plan)
    if options.as_json:
        sys.stdout.write(msgspec.json.encode(facts(campaign, missing)).decode() + "\n")
    else:
        show(campaign, missing, Console())
    return EXIT_FAILURE if campaign.broken or missing else EXIT_CLEAN


def refuse(lines: list[str]) -> int:
    """Say what is wrong, one line each."""
    for line in lines:
        sys.stderr.write(f"mm simulate: {line}\n")
    return EXIT_USAGE


def seeds_of(options: SimulateOptions) -> range:
    """Return the seeds that were asked for; ValueError where that cannot be read."""
    if (options.seed is None) == (options.seeds is None):
        raise ValueError("give --seed N, or --seeds A..B")
    if options.seed is not None:
        return range(options.seed, options.seed + 1)
    found = re.fullmatch(r"(\d{1,15})\.\.(\d{1,15})", options.seeds or "")
    if found is None or int(found[2]) < int(found[1]):
        raise ValueError(f"--seeds {options.seeds!r}: write A..B, like 1..300; B is included")
    return range(int(found[1]), int(found[2]) + 1)


def show_timeline(plan: Plan, seed: int, *, as_json: bool) -> int:
    """Print one session as it went."""
    schedule = draw(plan, seed)
    outcome, lines = traced(schedule)
    if as_json:
        sys.stdout.write(msgspec.json.encode(
            {**msgspec.to_builtins(outcome), "timeline": lines}).decode() + "\n")
    else:
        head = (f"seed {seed}: {schedule.seconds:g} s, {schedule.market} market, "
                f"{' '.join(schedule.set)}")
        told = [head, *(f"  will happen: {f}" for f in schedule.fault),
                *lines, f"seed {seed}: {outcome.breach or 'no invariant broken'}"]
        sys.stdout.write("\n".join(told) + "\n")
    return EXIT_FAILURE if outcome.breach else EXIT_CLEAN


def facts(campaign: Campaign, missing: list[str]) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "seeds": campaign.seeds, "broken": len(campaign.broken),
        "virtual_hours": round(campaign.virtual_s / 3600, 3),
        "cpu_s_per_seed": round(campaign.cpu_s / max(1, campaign.seeds), 4),
        "looks": campaign.looks, "fills": campaign.fills, "messages": campaign.messages,
        "processes": campaign.lives, "connections": campaign.connects,
        "faults": dict(sorted(campaign.struck.items())),
        "never_visited": missing,
        "codes": dict(sorted(campaign.codes.items())),
        "order_transitions": dict(sorted(campaign.orders.items())),
        "risk_transitions": dict(sorted(campaign.risk.items())),
        "violations": campaign.broken}


def show(campaign: Campaign, missing: list[str], console: Console) -> None:
    """Print what was run, what was visited and what broke."""
    counted = Table("what", "how much", title="simulated")
    for name, value in (
            ("seeds", f"{campaign.seeds}"),
            ("virtual hours", f"{campaign.virtual_s / 3600:.2f}"),
            ("processor seconds a seed", f"{campaign.cpu_s / max(1, campaign.seeds):.3f}"),
            ("looks at both sides", f"{campaign.looks}"), ("own fills", f"{campaign.fills}"),
            ("messages sent", f"{campaign.messages}"), ("processes", f"{campaign.lives}"),
            ("connections", f"{campaign.connects}"),
            ("faults injected", f"{sum(campaign.struck.values())}"),
            ("invariants broken", f"{len(campaign.broken)}")):
        counted.add_row(name, value)
    console.print(counted)
    visited: tuple[tuple[str, dict[Any, int]], ...] = (
        ("faults", campaign.struck), ("error codes", campaign.codes),
        ("order states", campaign.orders), ("risk states", campaign.risk))
    for title, found in visited:
        rows = "  ".join(f"{str(k).replace('ORDER_', '').replace('RISK_', '').lower()} {n}"
                         for k, n in sorted(found.items(), key=lambda row: str(row[0])))
        console.print(f"[bold]{title}[/bold] {rows or 'none'}", highlight=False)
    if missing:
        console.print(f"never visited, though {campaign.seeds} seeds should: "
                      + ", ".join(missing), style="red")
    for broken in campaign.broken[:SHOWN_AT_MOST]:
        console.print(f"seed {broken.seed}, {broken.at_s:.4f} s: {broken.breach}", style="red",
                      markup=False)
        console.print("  drawn: " + "; ".join(broken.faults), markup=False)
        console.print("  enough: " + ("; ".join(broken.left) or "no fault at all"), markup=False)
        console.print(f"  see it: mm simulate --seed {broken.seed} --trace", markup=False)
    if len(campaign.broken) > SHOWN_AT_MOST:
        console.print(f"and {len(campaign.broken) - SHOWN_AT_MOST} more; --json has all")
