"""Anonymous memory of a backtest of hours: the mapped recording must not count.

    python benchmarks/backtest_memory.py [--hours 10] [--json]

A made-up session of ten minutes is repeated to the length asked for, imported, and backtested in a
process of its own, which tells its anonymous memory at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from connectors.replay.event import EVENT_DTYPE, EventFlag
from connectors.replay.player import play_rows
from connectors.replay.reader import open_recording
from connectors.replay.recording import Recording
from connectors.replay.store import write_store

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from collector_files import write_collector

BLOCK_S = 600
BOUND_MB = 1000
CHILD = """
import json, sys
from pathlib import Path
from runner.backtest import run_session
from runner.backtest_session import prepare
from runner.config import load
session = prepare([Path(sys.argv[1])], load(None, [], connects=False))
wall_s = run_session(session)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "anonymous_mb": int(status["RssAnon"].split()[0]) / 1024,
    "file_mb": int(status["RssFile"].split()[0]) / 1024, "wall_s": wall_s,
    "events": session.backtest.observer.events, "lasted_s": session.backtest.lasted_s}))
"""


def repeat(block: Recording, times: int, folder: Path) -> Path:
    """Write a recording that plays a block again and again; each begins with its snapshot."""
    raw = folder / "events"
    count = len(block.events)
    events = np.memmap(raw, EVENT_DTYPE, "w+", shape=(count * times,))
    # What came before the first snapshot of the block belongs to no later one.
    assert block.events["flags"][0] & EventFlag.FLAG_SNAPSHOT
    for i in range(times):
        part = events[i * count:(i + 1) * count]
        part[:] = block.events
        part["exch_ns"] += i * BLOCK_S * 10**9
        part["local_ns"] += i * BLOCK_S * 10**9
        part["sequence"] += i * 10**6
    events.flush()
    whole = Recording(np.memmap(raw, EVENT_DTYPE, "r"), block.instruments, block.integrity,
                      block.format, block.sources)
    write_store(whole, play_rows(whole.events, True), folder / "long.mmev")
    raw.unlink()
    return folder / "long.mmev"


def measure(hours: float) -> dict[str, Any]:
    """Return what a backtest of so many hours took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        block = open_recording([write_collector(folder / "block.gz", BLOCK_S, 11)])
        path = repeat(block, max(1, round(hours * 3600 / BLOCK_S)), folder)
        size = path.stat().st_size
        done = subprocess.run([sys.executable, "-P", "-c", CHILD, str(path)], check=True,
                              capture_output=True, text=True)
    return {"recording_mb": size / 2**20, **json.loads(done.stdout)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.hours)
    sys.stdout.write(json.dumps(found) + "\n" if options.json else (
        "{lasted_s:.0f} s, {events:,} events, recording {recording_mb:.0f} MB: anonymous memory "
        "{anonymous_mb:.0f} MB, {wall_s:.1f} s\n".format(**found)))
    return 0 if found["anonymous_mb"] < BOUND_MB else 1


if __name__ == "__main__":
    sys.exit(main())
