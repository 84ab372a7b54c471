"""Would the simulation see it? Deliberate bugs, each to be caught within 200 seeds.

    python benchmarks/mutants.py                    # all, a table at the end
    python benchmarks/mutants.py --only fill-twice  # some, by name
    python benchmarks/mutants.py --list

Each mutant is a few exact replacements in a copy of the tree, built there; the tree itself and what
is built from it stay as they are. A mutant whose text is not found is told before anything runs.
Run by the interpreter that builds the project; CC is handed on, so a compile cache works.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("mmcore", "connectors", "runner", "setup.py", "pyproject.toml", "MANIFEST.in",
          "README.md", "LICENSE", "build/release")
LIST = Path(__file__).with_suffix(".toml")
SEEDS = 200


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One replacement in one file."""

    file: str
    old: str
    new: str


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One deliberate bug."""

    name: str
    what: str
    change: tuple[Change, ...]


class Mutants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The list of them."""

    mutant: tuple[Mutant, ...]


class Caught(NamedTuple):
    """How a mutant ended; seed 0: it lived."""

    name: str
    seed: int
    breach: str
    build_s: float
    hunt_s: float


def copy_tree(root: Path, place: Path) -> None:
    """Copy sources and the release build, with their times: only what is changed is built anew."""
    for name in COPIED:
        source, target = root / name, place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy2(source, target)


def mutate(place: Path, mutant: Mutant) -> None:
    """Apply a mutant to a copy."""
    for change in mutant.change:
        path = place / change.file
        path.write_text(path.read_text().replace(change.old, change.new, 1))


def read_list(root: Path) -> tuple[Mutant, ...]:
    """Read the list; SystemExit where a text is not in its file exactly once."""
    mutants = msgspec.toml.decode(LIST.read_bytes(), type=Mutants).mutant
    for mutant in mutants:
        for change in mutant.change:
            times = (root / change.file).read_text().count(change.old)
            if times != 1:
                raise SystemExit(f"{mutant.name}: {change.file} has {change.old!r} {times} times; "
                                 f"mend {LIST.name}")
    return mutants


def build(place: Path) -> None:
    """Build the copy; SystemExit with what the build said where that fails."""
    done = subprocess.run([sys.executable, "setup.py", "-q", "build"], cwd=place, text=True,
                          capture_output=True, env={**os.environ, "MM_BUILD": "release"})
    if done.returncode:
        raise SystemExit(done.stdout[-4000:] + done.stderr[-4000:])


def hunt(place: Path, seeds: int, workers: int) -> tuple[int, str]:
    """Simulate until something breaks; the seed and what broke, or 0."""
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "benchmarks" / "mutants.py"), "--hunt", str(seeds),
         "--workers", str(workers)],
        cwd=place, text=True, capture_output=True,
        env={**os.environ,
             "PYTHONPATH": f"{place / 'build/release/lib'}:{ROOT / 'benchmarks'}"})
    if done.returncode:
        return -1, "the simulation itself failed: " + done.stderr.strip().splitlines()[-1]
    found = json.loads(done.stdout)
    return found["seed"], found["breach"]


def hunt_here(seeds: int, workers: int) -> None:
    """Hunt in this process's build; print what was found as JSON."""
    from runner.simulation.campaign import first_broken
    from runner.simulation.plan import Plan

    found = first_broken(Plan(), range(1, seeds + 1), workers)
    print(json.dumps({"seed": found.seed if found else 0,
                      "breach": found.breach if found else ""}))


def try_one(base: Path, mutant: Mutant, seeds: int, workers: int) -> Caught:
    """Build and hunt one mutant in a copy of its own: taking it back would build as much again."""
    with tempfile.TemporaryDirectory(prefix="mm-mutants-") as folder:
        place = Path(folder)
        copy_tree(base, place)
        mutate(place, mutant)
        began_s = time.monotonic()
        build(place)
        built_s = time.monotonic()
        seed, breach = hunt(place, seeds, workers)
        return Caught(mutant.name, seed, breach, built_s - began_s, time.monotonic() - built_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="names of mutants")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--hunt", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hunt:
        hunt_here(options.hunt, options.workers)
        return 0
    chosen = [m for m in read_list(ROOT) if not options.only or m.name in options.only]
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name:28} {mutant.what}")
        return 0
    lived = 0
    with tempfile.TemporaryDirectory(prefix="mm-mutants-") as folder:
        base = Path(folder)
        copy_tree(ROOT, base)
        build(base)     # all that is older than its source, once
        for mutant in chosen:
            caught = try_one(base, mutant, options.seeds, options.workers)
            lived += caught.seed <= 0
            where = f"seed {caught.seed:>4}  {caught.breach[:90]}" if caught.seed else "LIVED"
            print(f"{caught.name:28} build {caught.build_s:5.0f} s  hunt {caught.hunt_s:5.0f} s  "
                  f"{where}", flush=True)
    print(f"{len(chosen) - lived} of {len(chosen)} caught within {options.seeds} seeds")
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main())
