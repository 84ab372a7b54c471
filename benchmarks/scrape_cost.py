"""What being watched costs the process that trades: system calls and tick to order, on and off.

scrape_cost.py            pairs of sessions, scraped at 10 Hz and not; 0 where p50 is within 5 %
scrape_cost.py --record   journal and exporter on against off instead; bound 3 %
scrape_cost.py --strace   system calls of one reactor, counted scraped and not, by name

Every session trades against one synthetic exchange of its own over loopback. Pairs are interleaved,
so that what the machine does besides falls on both sides.
"""

import argparse
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from runner.metric_source import PageSource
from runner.state import shared_path

SCRAPE_S = 0.1
BOUNDS = {"scrape": 5.0, "record": 3.0}
START_LIMIT_S = 60.0


class Session:
    """One maker with the embedded exchange, in a state folder of its own."""

    def __init__(self, folder: Path, *sets: str) -> None:
        self.folder = folder
        self.summary = folder / "summary.json"
        options = [part for text in (
            "telemetry.prometheus_port=0", f"runtime.state_dir='{folder / 'state'}'", *sets)
            for part in ("--set", text)]
        self.child = subprocess.Popen(
            [sys.executable, "-P", "-m", "runner", "run", "--headless", "--summary",
             str(self.summary), *options], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, start_new_session=True)
        self.page = PageSource(shared_path(folder / "state") / "page")

    def wait_until_quoting(self) -> int:
        """Wait for the first orders; return the port of the metrics, 0 without."""
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end:
            reading = self.page.read()
            if reading is not None and reading["orders_new"] >= 2:
                return int(reading["process"]["exporter_port"])
            time.sleep(0.05)
        raise SystemExit("the maker did not begin to quote")

    def end(self) -> dict[str, float]:
        """Leave in order; return tick to order in us."""
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)
        return dict(json.loads(self.summary.read_text())["tick_to_order_us"])


class Scraper:
    """Asks for the metrics ten times a second, from a thread, while it is entered."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/metrics"
        self.ended = threading.Event()
        self.scrapes = 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        while not self.ended.wait(SCRAPE_S):
            with urllib.request.urlopen(self.address, timeout=10) as answer:  # noqa: S310
                answer.read()
            self.scrapes += 1

    def __enter__(self) -> "Scraper":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()


def run_one(seconds: float, *sets: str, scraped: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="mm-bench-") as name:
        session = Session(Path(name), *sets)
        try:
            port = session.wait_until_quoting()
            if scraped:
                with Scraper(port):
                    time.sleep(seconds)
            else:
                time.sleep(seconds)
            return session.end()
        finally:
            session.child.kill()


def pairs(kind: str, count: int, seconds: float) -> int:
    """Print interleaved pairs; return the exit code."""
    off_sets = ("journal.enabled=false", "telemetry.prometheus=false") if kind == "record" else ()
    off, on = [], []
    print(f"{'pair':>4}{'off p50':>10}{'on p50':>10}{'off p99':>10}{'on p99':>10}   us")
    for number in range(1, count + 1):
        order = (False, True) if number % 2 else (True, False)
        found = {with_it: run_one(seconds, *(() if with_it else off_sets),
                                  scraped=with_it and kind == "scrape") for with_it in order}
        off.append(found[False])
        on.append(found[True])
        print(f"{number:>4}{off[-1]['p50']:>10.1f}{on[-1]['p50']:>10.1f}"
              f"{off[-1]['p99']:>10.1f}{on[-1]['p99']:>10.1f}", flush=True)
    median = {name: (statistics.median(f[name] for f in off),
                     statistics.median(f[name] for f in on)) for name in ("p50", "p99")}
    change = 100 * (median["p50"][1] / median["p50"][0] - 1)
    print(f"median p50 {median['p50'][0]:.1f} -> {median['p50'][1]:.1f} us ({change:+.1f} %, bound "
          f"{BOUNDS[kind]:g} %), p99 {median['p99'][0]:.1f} -> {median['p99'][1]:.1f} us")
    return 0 if change <= BOUNDS[kind] else 1


def count_calls(process_id: int, seconds: float) -> dict[str, int]:
    """Return system calls of a process by name, over so long."""
    strace = shutil.which("strace")
    if strace is None:
        raise SystemExit("strace is not installed")
    tracer = subprocess.Popen([strace, "-c", "-f", "-p", str(process_id)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    tracer.send_signal(signal.SIGINT)
    _, text = tracer.communicate(timeout=20)
    return {m[2]: int(m[1]) for m in re.finditer(
        r"(?m)^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", text) if m[2] != "total"}


def calls(count: int, seconds: float) -> int:
    """Print system calls a second by name, scraped and not, in turns within one session."""
    totals: dict[bool, dict[str, int]] = {False: {}, True: {}}
    frames = {False: 0.0, True: 0.0}
    with tempfile.TemporaryDirectory(prefix="mm-bench-") as name:
        session = Session(Path(name))
        try:
            port = session.wait_until_quoting()
            for number in range(2 * count):
                scraped = bool(number % 2)
                before = session.page.read()
                if scraped:
                    with Scraper(port):
                        found = count_calls(session.child.pid, seconds)
                else:
                    found = count_calls(session.child.pid, seconds)
                after = session.page.read()
                assert before is not None
                assert after is not None
                frames[scraped] += after["frames"] - before["frames"]
                for call, times in found.items():
                    totals[scraped][call] = totals[scraped].get(call, 0) + times
            session.end()
        finally:
            session.child.kill()
    names = sorted(set(totals[False]) | set(totals[True]))
    print(f"{'call':<18}{'not scraped':>14}{'scraped':>14}   ({count} x {seconds:g} s each)")
    for call in names:
        print(f"{call:<18}{totals[False].get(call, 0):>14}{totals[True].get(call, 0):>14}")
    print(f"{'frames':<18}{frames[False]:>14.0f}{frames[True]:>14.0f}")
    new = set(totals[True]) - set(totals[False])
    print(f"kinds of call only while scraped: {', '.join(sorted(new)) or 'none'}")
    return 1 if new else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--strace", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    if options.strace:
        return calls(options.pairs, options.seconds)
    return pairs("record" if options.record else "scrape", options.pairs, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
