"""What being watched costs the process that trades: system calls and tick to order, on and off.

scrape_cost.py            pairs of sessions, scraped at 10 Hz and not; 0 where p50 is within 5 %
scrape_cost.py --record   journal, telemetry page and exporter on against off instead; bound 3 %
scrape_cost.py --page     mm dashboard open against closed instead; bound 5 %
scrape_cost.py --strace   system calls of one reactor, counted scraped and not, by name; 0 where no
                          kind is new and there is not one call more a scrape
scrape_cost.py --strace --page    the same with the page open and closed

Every session trades against one synthetic exchange of its own over loopback. Pairs are interleaved,
so that what the machine does besides falls on both sides. The page is asked as a browser asks it,
twice a second (ten times where calls are counted, so that one more would show); what drawing it
costs is an affair of the machine that looks.
"""

import argparse
import math
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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from runner.metric_source import PageSource
from runner.options import RunOptions
from runner.state import shared_path

SCRAPE_S = 0.1
LOOK_S = 0.5                # ASK_MS of runner/live_page/static/page.js
BOUNDS = {"scrape": 5.0, "record": 3.0, "page": 5.0}
START_LIMIT_S = 60.0
SUB_BUCKETS = 16            # of an octave
# Orders as often as the market allows: a median of a few would say nothing.
BUSY = ("orders.requote_bps=0.0", "orders.retreat_bps=0.0", "orders.keep_ticks=0.0",
        "orders.refresh_s=0.01", "orders.max_updates_per_s=50.0", "orders.otv_brake=false",
        "quote.levels=2")
EXTRA_MAX = 0.5             # calls a scrape: one call more for each scrape would be 1
RECEIVE = "recvfrom"


class Window(NamedTuple):
    """System calls of the reactor over some seconds, and what happened meanwhile."""

    calls: dict[str, int]
    frames: float
    scrapes: int


# A maker whose telemetry page ends with its first orders: there is no setting for that, because
# nothing would be left to watch it by.
SILENT = """
import sys, msgspec
from mmcore.publish import summary
from runner import live, reactor
from runner.options import RunOptions
tell = reactor.publish
def publish(engine, page, now_ns):
    tell(engine, page, now_ns)
    if summary(engine)["orders_new"] >= 2:
        reactor.publish = lambda *_: None
        last = reactor.Reactor.publish
        def at_the_end(self, now_ns):
            if self.handle is None:
                reactor.publish = tell
                last(self, now_ns)
        reactor.Reactor.publish = at_the_end
reactor.publish = publish
sys.exit(live.main(msgspec.json.decode(sys.argv[1], type=RunOptions)))
"""


class Latency:
    """Tick to order as the page counts it: buckets of a sixteenth of an octave."""

    def __init__(self, buckets: list[int]) -> None:
        self.buckets = buckets

    def us(self, share: float) -> float:
        """Return a quantile, as if the samples of a bucket lay evenly in it."""
        wanted = share * sum(self.buckets)
        for index, count in enumerate(self.buckets):
            if count and wanted <= count:
                octave, part = index // SUB_BUCKETS + 3, index % SUB_BUCKETS
                return 2**octave * (1 + (part + wanted / count) / SUB_BUCKETS) / 1000
            wanted -= count
        return math.nan


class Session:
    """One maker with the embedded exchange, in a state folder of its own."""

    def __init__(self, folder: Path, *sets: str, silent: bool = False) -> None:
        self.folder = folder
        self.summary = folder / "summary.json"
        options = RunOptions(headless=True, summary=str(self.summary), sets=(
            "telemetry.prometheus_port=0", f"runtime.state_dir='{folder / 'state'}'", *sets))
        self.child = subprocess.Popen(
            [sys.executable, "-P", *(("-c", SILENT) if silent else ("-m", "runner.live")),
             msgspec.json.encode(options).decode()], stdin=subprocess.DEVNULL,
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

    def end(self) -> Latency:
        """Leave in order; return tick to order of the whole session, from its last page."""
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)
        last = self.page.read()
        assert last is not None
        return Latency(last["histograms"]["tick_to_order_ns"]["buckets"])


class Scraper:
    """Asks an address again and again, from a thread, while it is entered."""

    def __init__(self, address: str, every_s: float) -> None:
        self.address = address
        self.every_s = every_s
        self.ended = threading.Event()
        self.scrapes = 0
        self.fault = ""
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        while not self.ended.wait(self.every_s):
            try:
                with urllib.request.urlopen(self.address, timeout=10) as answer:  # noqa: S310
                    answer.read()
            except OSError as error:
                self.fault = str(error)
                return
            self.scrapes += 1

    def __enter__(self) -> "Scraper":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        if self.fault:
            raise SystemExit(f"{self.address} stopped answering: {self.fault}")


@contextmanager
def watched(session: Session, port: int, kind: str,
            look_s: float = LOOK_S) -> Iterator[Scraper]:
    """Watch a session: scrape its metrics ten times a second, or have its page open."""
    if kind == "scrape":
        with Scraper(f"http://127.0.0.1:{port}/metrics", SCRAPE_S) as scraper:
            yield scraper
        return
    page = subprocess.Popen(
        [sys.executable, "-P", "-m", "runner", "dashboard", "--port", "0", "--set",
         f"runtime.state_dir='{session.folder / 'state'}'"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True)
    try:
        assert page.stdout is not None
        address = page.stdout.readline().partition("#")[0]
        if not address:
            raise SystemExit("the page did not start")
        with Scraper(f"{address}api/state", look_s) as scraper:
            yield scraper
    finally:
        page.terminate()
        page.communicate()


def run_one(seconds: float, *sets: str, kind: str = "") -> Latency:
    """Run one session. kind: how it is watched, scrape or page; empty: not at all."""
    with tempfile.TemporaryDirectory(prefix="mm-bench-") as name:
        session = Session(Path(name), *BUSY, *sets, silent=bool(sets))
        try:
            port = session.wait_until_quoting()
            if kind:
                with watched(session, port, kind):
                    time.sleep(seconds)
            else:
                time.sleep(seconds)
            return session.end()
        finally:
            session.child.kill()


def pairs(kind: str, count: int, seconds: float) -> int:
    """Print interleaved pairs; return the exit code."""
    off_sets = ("journal.enabled=false", "telemetry.prometheus=false") if kind == "record" else ()
    off: list[Latency] = []
    on: list[Latency] = []
    print(f"{'pair':>4}{'off p50':>10}{'on p50':>10}{'off p99':>10}{'on p99':>10}   us"
          f"{'orders':>12}")
    for number in range(1, count + 1):
        order = (False, True) if number % 2 else (True, False)
        found = {with_it: run_one(seconds, *(() if with_it else off_sets),
                                  kind=kind if with_it and kind != "record" else "")
                 for with_it in order}
        off.append(found[False])
        on.append(found[True])
        shown = [each.us(share) for share in (0.5, 0.99) for each in (off[-1], on[-1])]
        print(f"{number:>4}" + "".join(f"{us:>10.1f}" for us in shown)
              + f"{sum(off[-1].buckets):>12} {sum(on[-1].buckets)}", flush=True)
    median = {share: [statistics.median(each.us(share) for each in arm) for arm in (off, on)]
              for share in (0.5, 0.99)}
    change = 100 * (median[0.5][1] / median[0.5][0] - 1)
    print(f"median p50 {median[0.5][0]:.1f} -> {median[0.5][1]:.1f} us ({change:+.1f} %, bound "
          f"{BOUNDS[kind]:g} %), p99 {median[0.99][0]:.1f} -> {median[0.99][1]:.1f} us")
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


def window(session: Session, port: int, seconds: float, kind: str) -> Window:
    """Count one window of a session that goes on. kind: as for run_one."""
    if kind:
        with watched(session, port, kind, SCRAPE_S) as scraper:
            before = session.page.read()
            began = scraper.scrapes
            found = count_calls(session.child.pid, seconds)
            scrapes = scraper.scrapes - began
            after = session.page.read()
    else:
        before = session.page.read()
        found, scrapes = count_calls(session.child.pid, seconds), 0
        after = session.page.read()
    assert before is not None
    assert after is not None
    if session.child.poll() is not None or after["frames"] == before["frames"]:
        raise SystemExit("the maker ended or stood still meanwhile: this machine is too busy")
    return Window(found, after["frames"] - before["frames"], scrapes)


def more_per_scrape(windows: list[Window], counted: Callable[[Window], float],
                    drivers: Callable[[Window], list[float]]) -> tuple[float, float]:
    """Return by least squares how much more was counted for each scrape, and its standard error.

    drivers: what else the count follows, the market's own pace.
    """
    rows = np.array([[1.0, *drivers(each), each.scrapes] for each in windows])
    seen = np.array([counted(each) for each in windows])
    found, *_ = np.linalg.lstsq(rows, seen, rcond=None)
    spread = float(np.sum((seen - rows @ found) ** 2)) / max(1, len(rows) - rows.shape[1])
    error = np.sqrt(spread * np.linalg.pinv(rows.T @ rows)[-1, -1])
    return float(found[-1]), float(error)


def calls(kind: str, count: int, seconds: float) -> int:
    """Print system calls by name, watched and not, in turns within one session."""
    windows: list[Window] = []
    with tempfile.TemporaryDirectory(prefix="mm-bench-") as name:
        session = Session(Path(name), "runtime.hang_s=60")      # a traced process is a slow one
        try:
            port = session.wait_until_quoting()
            for number in range(count):
                order = (False, True) if number % 2 else (True, False)
                windows += [window(session, port, seconds, kind if on else "") for on in order]
            session.end()
        finally:
            session.child.kill()
    totals: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    for each in windows:
        totals[each.scrapes > 0].update({**each.calls, "(frames)": int(each.frames)})
    print(f"{'call':<18}{'not watched':>14}{'watched':>14}   ({count} pairs of {seconds:g} s, "
          f"asked {sum(each.scrapes for each in windows)} times by {kind})")
    for call in sorted(totals[False] | totals[True]):
        print(f"{call:<18}{totals[False][call]:>14}{totals[True][call]:>14}")
    # Once a minute the day's accounts are written, in whichever window that falls.
    scraped = [each for each in windows if each.scrapes]
    new = {call for call in set(totals[True]) - set(totals[False])
           if 2 * sum(call in each.calls for each in scraped) > len(scraped)}
    # A wake-up comes with a timer or with what the market sends: those are taken out.
    reads = more_per_scrape(windows, lambda w: w.calls.get(RECEIVE, 0), lambda w: [w.frames])
    rest = more_per_scrape(
        windows, lambda w: sum(w.calls.values()) - w.calls.get(RECEIVE, 0),
        lambda w: [float(w.calls.get(call, 0)) for call in (RECEIVE, "sendto")])
    print(f"kinds of call that come with it: {', '.join(sorted(new)) or 'none'}; more for "
          f"each time asked: {reads[0]:+.2f} reads (standard error {reads[1]:.2f}), "
          f"{rest[0]:+.2f} others ({rest[1]:.2f}); bound {EXTRA_MAX} each")
    return 1 if new or max(reads[0], rest[0]) > EXTRA_MAX else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--strace", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=40.0)
    options = parser.parse_args()
    watch = "page" if options.page else "scrape"
    if options.strace:
        return calls(watch, options.pairs, options.seconds)
    return pairs("record" if options.record else watch, options.pairs, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
