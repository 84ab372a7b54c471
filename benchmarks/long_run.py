"""A long session over sockets: memory by the minute, then the journal replayed and compared.

long_run.py [--minutes 30] [--peak] [--set KEY=VALUE…] [--json]

`mm run` quotes on the embedded exchange; with --peak on one that sends twice the recorded peak,
every second (peak_day.py's market over real sockets, in a process of its own). Once a minute are
read: resident memory and descriptors of the reactor and its helpers, the Python objects the reactor
has made and kept, its queues. At the end `mm replay` runs the journal through the same engine. Exit
code 0: left with nothing open, every outbound byte came out again, no record lost, and after a
third of the run for warming up the reactor's memory grew by no more than 1 MiB an hour (17 KiB a
minute), no descriptor was added and no object kept: the fewest of the last third are no more than
the fewest of the third before. (What is under way when a reading is taken comes and goes; the
interpreter's lists of free objects are not counted.)
"""

import argparse
import asyncio
import json
import multiprocessing
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from peak_day import SETS, PeakMarket

from connectors.sim.wire.server import SimConfig, serve
from runner.metric_source import PAGE_BYTES, PageSource
from runner.state import shared_path

SLOPE_MAX_KIB = 1024.0 / 60.0   # a minute
OBJECTS_MAX = 0.0               # kept for a million frames
LEAVE_S = 60.0
SAMPLE_S = 60.0
MM = (sys.executable, "-P", "-m", "runner")
HELPERS = {"runner.recorder": "recorder", "runner.exporter": "exporter",
           "runner.guard": "guard", "sim": "exchange"}

QUEUES = ("send_bytes", "log_records", "unanswered", "journal_bytes")


def resident_kib(process_id: int) -> int:
    """Return the resident memory of a process; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * PAGE_BYTES >> 10
    except (OSError, IndexError):
        return 0


def descriptors(process_id: int) -> int:
    """Return how many files and sockets a process has open; 0 where it is gone."""
    try:
        return len(list(Path(f"/proc/{process_id}/fd").iterdir()))
    except OSError:
        return 0


def children(process_id: int) -> dict[str, int]:
    """Return the process ids of a maker's helpers by name."""
    text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text()
    found = {}
    for child in map(int, text.split()):
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        found.update({name: child for word, name in HELPERS.items() if word in words})
    return found


def slope(rows: list[dict[str, float]], name: str) -> float:
    """Return the slope of the least squares line through a column, 0 where nothing moves."""
    at = [row["minute"] for row in rows]
    if len(set(at)) < 2:
        return 0.0
    return statistics.linear_regression(at, [row[name] for row in rows]).slope


def kept_objects(rows: list[dict[str, float]]) -> float:
    """Return how many objects more the second half keeps than the first, for a million frames."""
    half = len(rows) // 2
    if half == 0:
        return 0.0
    least = [min(part, key=lambda row: row["objects"]) for part in (rows[:half], rows[half:])]
    frames = least[1]["frames"] - least[0]["frames"]
    return max(0.0, least[1]["objects"] - least[0]["objects"]) * 1e6 / max(1.0, frames)


def watch(maker: subprocess.Popen[bytes], page: PageSource, minutes: float,
          shown: bool) -> list[dict[str, float]]:
    """Read memory and counters once a minute until the time is over or the maker is gone."""
    rows: list[dict[str, float]] = []
    began = time.monotonic()
    helpers: dict[str, int] = {}
    while maker.poll() is None and time.monotonic() - began < minutes * 60.0:
        due = began + len(rows) * min(SAMPLE_S, minutes * 6.0)
        time.sleep(max(0.0, min(due, began + minutes * 60.0) - time.monotonic()))
        reading = page.read()
        if reading is None:
            began = time.monotonic()        # not up yet
            time.sleep(0.2)
            continue
        helpers = children(maker.pid)
        row = {"minute": round((time.monotonic() - began) / 60, 2),
               "reactor": resident_kib(maker.pid),
               **{name: resident_kib(child) for name, child in sorted(helpers.items())},
               "frames": reading["frames"], "fills": reading["fills"],
               "journal_lost": reading["journal_lost"],
               "stalls": reading["process"]["loop_stalls"],
               "files": descriptors(maker.pid),
               "helper_files": sum(map(descriptors, helpers.values())),
               "objects": reading["process"]["gc_pending_objects"],
               "send_bytes": reading["process"]["send_buffer_bytes"],
               "log_records": reading["process"]["log_queue_records"],
               "unanswered": reading["unanswered"],
               "journal_bytes": reading["journal_depth_bytes"]}
        if shown:
            if not rows:
                print(" ".join(f"{name:>12}" for name in row), "  (memory in KiB)")
            print(" ".join(f"{value:>12g}" for value in row.values()), flush=True)
        rows.append(row)
    return rows


def at_peak(ready: Any) -> None:
    """Serve twice the recorded peak over sockets until this process is ended."""
    async def main() -> None:
        server = await serve(SimConfig(market=PeakMarket(1), http=True))
        ready.send(server.ports()["ws"])
        await asyncio.Event().wait()

    asyncio.run(main())


def start_exchange() -> tuple[multiprocessing.process.BaseProcess, str]:
    """Start the busy exchange; return its process and its URL."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=at_peak, args=(theirs,), daemon=True)
    process.start()
    if not ours.poll(60.0):
        raise SystemExit("the exchange did not start")
    return process, f"ws://127.0.0.1:{ours.recv()}/ws/api/v2"


def run(minutes: float, sets: list[str], shown: bool, url: str = "") -> dict[str, Any]:
    """Trade, watch, leave, replay; return every figure. url: of an exchange that is there."""
    with tempfile.TemporaryDirectory(prefix="mm-bench-") as name:
        folder = Path(name)
        state = folder / "state"
        options = [part for text in ("telemetry.prometheus_port=0", "journal.quota_mib=0",
                                     f"runtime.state_dir='{state}'", *sets)
                   for part in ("--set", text)]
        venue = ["--venue", url] if url else []
        maker = subprocess.Popen(
            [*MM, "run", *venue, "--headless", "--summary", str(folder / "summary.json"), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            rows = watch(maker, PageSource(shared_path(state) / "page"), minutes, shown)
            maker.send_signal(signal.SIGTERM)
            code = maker.wait(LEAVE_S)
            summary = json.loads((folder / "summary.json").read_text())
            size = sum(f.stat().st_size for f in (state / "journal").iterdir())
            done = subprocess.run([*MM, "replay", str(state / "journal"), "--json"],
                                  capture_output=True, text=True, check=False)
            replayed = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
        finally:
            maker.kill()
            maker.wait()
            shutil.rmtree(shared_path(state), ignore_errors=True)
    steady = [row for row in rows if row["minute"] >= minutes / 3]
    slopes = {who: round(slope(steady, who), 2)
              for who in ("reactor", *HELPERS.values())
              if len(steady) > 1 and all(who in row for row in steady)}
    return {
        "minutes": minutes, "exit_code": code, "rows": rows, "slope_kib_per_min": slopes,
        "reactor_kib": [rows[0]["reactor"], rows[-1]["reactor"]] if rows else [],
        "journal_bytes": size, "fills": summary["fills"], "decisions": summary["decisions"],
        "identical": replayed.get("identical", False),
        **{key: replayed.get(key) for key in ("records", "frames", "payloads", "equal", "surplus",
                                              "stopped")},
        "flat": bool(slopes) and slopes["reactor"] <= SLOPE_MAX_KIB,
        "frames_per_s": round(slope(steady, "frames") / 60.0, 1) if len(steady) > 1 else 0.0,
        "objects_per_million_frames": round(kept_objects(steady), 1),
        "files": sorted({(row["files"], row["helper_files"]) for row in steady}),
        "deepest": {name: max((row[name] for row in rows), default=0) for name in QUEUES},
        "journal_lost": rows[-1]["journal_lost"] if rows else None}


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--peak", action="store_true", help="on twice the recorded peak")
    parser.add_argument("--set", action="append", default=[], dest="sets", metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.peak:
        exchange, url = start_exchange()
        try:
            figures = run(options.minutes, [*SETS, *options.sets], not options.json, url)
        finally:
            exchange.kill()
            exchange.join()
    else:
        figures = run(options.minutes, options.sets, shown=not options.json)
    good = (figures["exit_code"] == 0 and figures["identical"] and not figures["stopped"]
            and figures["payloads"] > 0 and figures["flat"] and figures["journal_lost"] == 0
            and figures["objects_per_million_frames"] <= OBJECTS_MAX and len(figures["files"]) == 1)
    if options.json:
        print(json.dumps({**figures, "good": good}))
    else:
        for name, value in figures.items():
            if name != "rows":
                print(f"{name:20} {value}")
        print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
