"""Print callgrind instructions per item of every stage; needs valgrind, says so without it.

    PYTHONPATH=build/release/lib python -P benchmarks/count_instructions.py
    … --parts       # what a turn and a frame are made of
    … --check       # against baseline.json: exit 1 where a stage moved by more than its share
    … --write       # take today's counts as the baseline

Counts repeat to within a few instructions, so they may gate where times may not. All stages run in
one process, whose counters are dumped and cleared at the end of every loop. --json for keeping;
--child FILE is that process's own call.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import stages

COUNT = 2_000      # so many that what happens once does not show
BASELINE = Path(__file__).with_name("baseline.json")
LOOPS = "*Drive_*_loop"     # of connectors/replay/drive.pyx
SHARE = 0.03            # a stage may move by this much
SHARE_ELSEWHERE = 0.15  # where compiler, Python or C library are not those of the baseline
PARTS = {
    "turn, two edits": {
        "signals, stance": "observe_markets", "quote": "quote_compute", "risk": "RiskGate_approve",
        "plan, gate": "diff_plan", "release, submit": "Engine_send"},
    "frame to book": {"scan": "scan_book", "apply": "Intake_on_book"},
    "tick": {"limits": "Limits_check", "orders": "Intake_watch_orders"},
}


def tools() -> dict[str, str]:
    """Return what a count depends on besides the sources."""
    compiler = subprocess.run([shutil.which("gcc") or "gcc", "-dumpfullversion"],
                              capture_output=True, text=True, check=False).stdout.strip()
    return {"gcc": compiler, "python": ".".join(platform.python_version_tuple()[:2]),
            "libc": "-".join(platform.libc_ver()), "machine": platform.machine()}


def child(out: Path) -> None:
    """Run every stage in the process that valgrind watches; print which dumps are whose."""
    found: dict[str, list[str]] = {}

    def dumps() -> set[str]:
        return {path.name for path in out.parent.glob(out.name + ".*")}

    for stage in stages.STAGES:
        run = stage.make()
        before = dumps()
        run(COUNT)
        run.check(stage)
        found[stage.name] = sorted(dumps() - before)
    print(json.dumps(found))


def total(path: Path) -> int:
    """Return the instructions of one dump."""
    found = re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def parts_of(stage: str, dumps: list[Path]) -> dict[str, int]:
    """Return instructions per item of the named functions, with all they call."""
    found = dict.fromkeys(PARTS[stage], 0)
    for dump in dumps:
        text = subprocess.run(
            [shutil.which("callgrind_annotate") or "callgrind_annotate", "--inclusive=yes",
             "--threshold=100", str(dump)], capture_output=True, text=True, check=True).stdout
        for part, function in PARTS[stage].items():
            if line := re.search(rf"^ *([\d,]+) .*{function}(?:\.\w+)* \[", text, re.MULTILINE):
                found[part] += int(line.group(1).replace(",", ""))
    return {part: round(count / COUNT) for part, count in found.items()}


def counted(*, parts: bool) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Return instructions per item of every stage, and of the parts of some."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        result = subprocess.run(
            [shutil.which("valgrind") or "valgrind", "--tool=callgrind",
             f"--callgrind-out-file={out}", "--collect-atstart=no",
             # one pattern for all: several would each switch the counting on and off again
             f"--toggle-collect={LOOPS}", *(f"--dump-after=*{loop}" for loop in sorted(
                 {stage.loop for stage in stages.STAGES})),
             sys.executable, "-P", __file__, "--child", str(out)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True, text=True, check=False)
        if result.returncode:
            raise SystemExit(f"valgrind failed\n{result.stderr[-2000:]}")
        names: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
        dumps = {stage: [Path(place) / name for name in mine] for stage, mine in names.items()}
        found = {stage: round(sum(map(total, mine)) / COUNT) for stage, mine in dumps.items()}
        inner = {stage: parts_of(stage, dumps[stage]) for stage in PARTS if parts}
    if unseen := [stage for stage, count in found.items() if count == 0]:
        raise SystemExit(f"callgrind saw nothing of {', '.join(unseen)}")
    return found, inner


def complaints(found: dict[str, int], baseline: dict[str, Any]) -> list[str]:
    """Return what moved by more than its share, up or down, or is not in the baseline."""
    share = SHARE if baseline["tools"] == tools() else SHARE_ELSEWHERE
    kept: dict[str, int] = baseline["instructions"]
    said = [f"{name}: {count} instructions, {kept[name]} in the baseline "
            f"({count / kept[name] - 1:+.1%}, {share:.0%} allowed)"
            for name, count in found.items()
            if name in kept and abs(count - kept[name]) > share * kept[name]]
    said += [f"{name}: not in the baseline" for name in found if name not in kept]
    return said + [f"{name}: only in the baseline" for name in kept if name not in found]


def checked() -> list[str]:
    """Count, and compare with the baseline."""
    return complaints(counted(parts=False)[0], json.loads(BASELINE.read_text()))


def main() -> int:
    """Count every stage; print the table, compare, or keep."""
    if "--child" in sys.argv:
        child(Path(sys.argv[sys.argv.index("--child") + 1]))
        return 0
    if shutil.which("valgrind") is None:
        print("instruction counts: valgrind is not installed, none taken")
        return 1 if "--check" in sys.argv or "--write" in sys.argv else 0
    found, inner = counted(parts="--parts" in sys.argv)
    if "--write" in sys.argv:
        BASELINE.write_text(json.dumps({"tools": tools(), "instructions": found}, indent=2) + "\n")
    if "--check" in sys.argv:
        said = complaints(found, json.loads(BASELINE.read_text()))
        print("\n".join(said) or f"{len(found)} stages as in the baseline")
        return 1 if said else 0
    if "--json" in sys.argv:
        print(json.dumps(found))
        return 0
    print(f"{'stage':22s} {'instructions':>12s} {'own':>8s}")
    for stage in stages.STAGES:
        own = found[stage.name] - found.get(stage.without, 0)
        print(f"{stage.name:22s} {found[stage.name]:12d} {own:8d}")
        for part, count in inner.get(stage.name, {}).items():
            print(f"  {part:20s} {'':12s} {count:8d}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
