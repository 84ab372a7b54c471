"""Tick to order over a socket: the product with everything on against the floor of its reactor.

    PYTHONPATH=build/release/lib python -P benchmarks/tick_to_order.py            # the gate, plain
    … tick_to_order.py --short              # what `make bench` runs
    … tick_to_order.py --all --picture tick.svg     # TLS, levels, bursts, spin, every placement

A small exchange moves the touch (tick_exchange.py); the clock runs there, from before the change
is written until the first order message is read. In turn, in one run, each in a process of its
own: *floor* (a picows listener on uvloop that answers with a constant edit; *same orders*: with
two ready-made edits that move, on the maker's channels, so that the exchange has as much to do as
with a maker), *product* (`mm run` with its full strategy, risk gate, journal and telemetry), *spin*
(the same, never sleeping), *plain* (websockets and json). A window is one such process; windows are
interleaved, so that what the machine does besides falls on all. Ratios are of window medians pair
by pair; p99 is pooled.

Placement: *gate* has exchange, floor and product on core 0, helpers on core 1; *apart* has the
exchange on core 1; *free* leaves all to the scheduler. Exit code 0: every bound holds.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tick_exchange
from tick_exchange import Window

# A touch that jumps 2.7 bps a thousand times a second is no market: what pulls there is off, and
# quotes stand 60 USD away, out of its reach. Two thousand edits a second are more than any cap on
# messages allows (the gate then refuses edits and cancels what they would have moved: ticks without
# their orders), so the caps are off. Everything else is computed all the same.
SETS = ("quote.min_half_spread_usd=60", "quote.base_half_spread_bps=8", "quote.vol_k=0",
        "quote.max_half_spread_bps=100", "orders.requote_bps=0.5", "orders.retreat_bps=0.5",
        "orders.momentum_bps=0", "orders.run_bps=0", "signals.top_rate_max=1000000",
        "signals.warmup_s=0.3", "signals.regime=false", "quote.stand_aside_vol=0",
        "orders.max_updates_per_s=1000", "orders.max_unanswered=64", "orders.otv_brake=false",
        "orders.refresh_s=3600", "quote.size_btc=0.001", "quote.market_spread_share=0",
        "risk.max_feed_lag_ms=10000", "risk.book_silence_ms=600000", "risk.max_messages_per_s=0")
LEAVE_S = 20.0
START_S = 90.0              # until the client's orders stand, on a loaded machine
PR_SET_PDEATHSIG = 1
SUMMARY = "summary.json"


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of client in one placement."""

    name: str
    kind: str                   # floor, same, plain, product
    levels: int = 1
    spin: bool = False
    exchange_cpus: tuple[int, ...] = (0,)
    client_cpus: tuple[int, ...] = (0,)

    @property
    def answers(self) -> int:
        """Order messages a tick."""
        return 1 if self.kind == "floor" else 2 * self.levels


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Arms that are compared, the first the floor; the bounds of the second's ratios."""

    name: str
    arms: tuple[Arm, ...]
    tls: bool = False
    gap_s: float = 0.001
    burst: int = 1
    awake: bool = False         # the exchange's loop, which has a core of its own, never sleeps
    last: bool = False          # the time to the last order instead of the first
    bounds: tuple[tuple[str, float], ...] = ()

    def size(self, ticks: int) -> tuple[int, int]:
        """Return how many ticks a window has, and how many go before it.

        Back to back the exchange's time runs ahead of the clock, a millisecond a tick.
        """
        if self.burst > 1:
            return ticks // 50, 5
        return (ticks, 500) if self.gap_s > 0.0 else (min(ticks, 1000), 200)


FLOOR = Arm(name="floor", kind="floor")
PRODUCT = Arm(name="product", kind="product")
SAME = Arm(name="floor, same orders", kind="same")
PLAIN = Arm(name="plain Python", kind="plain")
ALL_CPUS = tuple(sorted(os.sched_getaffinity(0)))
GATE = (("p50", 1.10), ("p90", 1.25), ("p99", 1.35), ("share_over_200us", 1.2))
APART = {"exchange_cpus": (1,)}
FREE = {"exchange_cpus": ALL_CPUS, "client_cpus": ALL_CPUS}


def placed(arm: Arm, name: str, **where: Any) -> Arm:
    """Return an arm elsewhere."""
    return msgspec.structs.replace(arm, name=f"{arm.name}{name}", **where)


CASES = (
    Case(name="gate", arms=(FLOOR, PRODUCT, SAME, PLAIN), bounds=GATE),
    Case(name="tls", arms=(FLOOR, PRODUCT, SAME, PLAIN), tls=True, bounds=(("p50", 1.10),)),
    Case(name="six edits", arms=(FLOOR, placed(PRODUCT, ", 3 levels", levels=3)),
         bounds=(("p50", 1.25),)),
    Case(name="back to back", arms=(FLOOR, PRODUCT, PLAIN), gap_s=0.0),
    Case(name="burst of 200", arms=(FLOOR, PRODUCT, PLAIN), burst=200, gap_s=0.25, last=True,
         bounds=(("p50", 1.3),)),
    Case(name="apart", arms=(placed(FLOOR, "", **APART), placed(PRODUCT, "", **APART))),
    Case(name="free", arms=(placed(FLOOR, "", **FREE), placed(PRODUCT, "", **FREE))),
    Case(name="spin, apart", arms=(placed(PRODUCT, "", **APART),
                                   placed(PRODUCT, ", spin", spin=True, **APART)),
         awake=True, bounds=(("p50", 0.5),)),
)


class Venue:
    """The exchange in a process of its own, one a window: nothing is carried over."""

    def __init__(self, folder: Path, *, tls: bool) -> None:
        self.authority = ""
        files = None
        if tls:
            import trustme  # only what asks for TLS needs it
            authority = trustme.CA()
            leaf = authority.issue_cert("127.0.0.1")
            self.authority = str(folder / "authority.pem")
            files = (str(folder / "leaf.pem"), str(folder / "key.pem"))
            authority.cert_pem.write_to_path(self.authority)
            leaf.cert_chain_pems[0].write_to_path(files[0])
            leaf.private_key_pem.write_to_path(files[1])
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=tick_exchange.main, args=(theirs, files), daemon=True)
        self.process.start()
        self.port: int = self.pipe.recv()

    def measure(self, cpus: tuple[int, ...], window: Window) -> dict[str, Any]:
        """Run one window; SystemExit where the client never quoted, or went."""
        self.pipe.send((cpus, window))
        each_s = window.gap_s + tick_exchange.LOST_S
        if not self.pipe.poll(START_S + each_s * (window.ticks + window.warmup)):
            raise SystemExit("the exchange of the benchmark says nothing any more")
        found: dict[str, Any] = self.pipe.recv()
        if "error" in found:
            raise SystemExit(found["error"])
        return found

    def close(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join(5)
        self.process.kill()


def end_with_parent() -> None:
    """Ask the kernel to end this process with its parent, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_client(arm: Arm, venue: Venue, folder: Path) -> subprocess.Popen[bytes]:
    """Start the client of an arm."""
    if arm.kind != "product":
        return subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("tick_clients.py")), arm.kind,
             str(venue.port), ",".join(map(str, arm.client_cpus)), venue.authority],
            preexec_fn=end_with_parent)
    pinned = len(arm.client_cpus) == 1
    sets = [*SETS, f"quote.levels={arm.levels}", "telemetry.prometheus_port=0",
            f"runtime.state_dir='{folder / 'state'}'", f"runtime.spin={str(arm.spin).lower()}"]
    if pinned:
        sets += [f"runtime.reactor_cpu={arm.client_cpus[0]}", "runtime.helper_cpu=1"]
    if venue.authority:
        sets.append(f"venue.ca_file='{venue.authority}'")
    address = f"{'wss' if venue.authority else 'ws'}://127.0.0.1:{venue.port}"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "runner", "run", "--headless", "--venue", address,
         "--summary", str(folder / SUMMARY),
         *(part for text in sets for part in ("--set", text))],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=end_with_parent)


def one_window(case: Case, arm: Arm, ticks: int, warmup: int) -> dict[str, Any]:
    """Start exchange and client, measure, end both."""
    with tempfile.TemporaryDirectory(prefix="mm-tick-") as name:
        venue = Venue(Path(name), tls=case.tls)
        client = start_client(arm, venue, Path(name))
        try:
            found = venue.measure(arm.exchange_cpus, Window(
                ticks=ticks, answers=arm.answers, resting=arm.answers, gap_s=case.gap_s,
                burst=case.burst, warmup=warmup, awake=case.awake))
        finally:
            client.send_signal(signal.SIGTERM)
            try:
                client.wait(LEAVE_S)
            except subprocess.TimeoutExpired:
                client.kill()
            venue.close()
        summary = Path(name) / SUMMARY
        told = json.loads(summary.read_text()) if summary.exists() else {}
        found["collections"] = told.get("gc_collections")
        found["inside_us"] = told.get("tick_to_order_us")
        return found


def figures(windows: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    """Return quantiles of the pooled samples, in microseconds, and the windows' own medians."""
    key = "last_ns" if last else "first_ns"
    each = [np.array(w[key]) / 1000 for w in windows]
    pooled = np.concatenate(each)
    p50, p90, p99, p999 = np.percentile(pooled, (50, 90, 99, 99.9))
    return {"n": len(pooled), "p50": p50, "p90": p90, "p99": p99, "p99.9": p999,
            "max": pooled.max(), "share_over_200us": float(np.mean(pooled > 200)),
            "lost": sum(w["lost"] for w in windows),
            "collections": collections(windows), "inside_us": inside(windows),
            "why": [why for w in windows for why in w["why"]],
            "messages": float(np.mean(np.concatenate([w["messages"] for w in windows]))),
            "window_p50": [float(np.median(e)) for e in each],
            "window_p90": [float(np.percentile(e, 90)) for e in each], "samples": pooled}


def collections(windows: list[dict[str, Any]]) -> int | None:
    """Return how often garbage was collected while quoting; None for clients that do not count."""
    counted = [w["collections"] for w in windows if w["collections"] is not None]
    return sum(counted) if counted else None


def inside(windows: list[dict[str, Any]]) -> dict[str, float] | None:
    """Return what clients say of themselves, from the read to the write: medians of windows."""
    told = [w["inside_us"] for w in windows if w["inside_us"] is not None]
    return {q: float(np.median([t[q] for t in told])) for q in ("p50", "p99")} if told else None


def run_case(case: Case, pairs: int, ticks: int, warmup: int) -> dict[str, dict[str, Any]]:
    """Run every arm's windows in turn."""
    windows: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in case.arms}
    for number in range(pairs):
        for arm in case.arms if number % 2 == 0 else case.arms[::-1]:
            began = time.monotonic()
            windows[arm.name].append(one_window(case, arm, ticks, warmup))
            if sys.stderr.isatty() or pairs > 1:
                print(f"{case.name}: window {number + 1} of {pairs}, {arm.name}, "
                      f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return {name: figures(found, last=case.last) for name, found in windows.items()}


def ratio(found: dict[str, Any], floor: dict[str, Any], name: str) -> float:
    """Return product over floor: of medians and p90 pair by pair, of the rest pooled."""
    if name in ("p50", "p90"):
        pairs = zip(found[f"window_{name}"], floor[f"window_{name}"], strict=True)
        return float(np.median([a / b for a, b in pairs]))
    if name == "share_over_200us" and floor[name] == 0.0:
        return 1.0 if found[name] <= 1 / floor["n"] else float("inf")
    return float(found[name] / floor[name])


def report(case: Case, found: dict[str, dict[str, Any]]) -> tuple[bool, dict[str, float]]:
    """Print a case's table and its bounds; return whether they hold, and the ratios."""
    columns = ("n", "p50", "p90", "p99", "p99.9", "max")
    first = case.arms[0]
    print(f"\n{case.name}{' (TLS)' if case.tls else ''}: us from the change to the "
          f"{'last' if case.last else 'first'} order; exchange on {first.exchange_cpus}, "
          f"clients on {first.client_cpus}")
    print(f"{'':<22}" + "".join(f"{c:>10}" for c in columns) + f"{'>200 us':>10}{'messages':>10}"
          f"{'lost':>6}{'p50 ÷':>8}")
    floor = found[case.arms[0].name]
    for name, row in found.items():
        print(f"{name:<22}{row['n']:>10}" + "".join(f"{row[c]:>10.1f}" for c in columns[1:])
              + f"{row['share_over_200us']:>10.3%}{row['messages']:>10.1f}{row['lost']:>6}"
              f"{ratio(row, floor, 'p50'):>8.2f}", flush=True)
    for name, row in found.items():
        for why in row["why"][:3]:
            print(f"  {name} lost {why}")
        if row["collections"] is not None:
            print(f"  {name}: {row['collections']} garbage collections in all windows; from the "
                  f"read to the write p50 {row['inside_us']['p50']:.1f}, p99 "
                  f"{row['inside_us']['p99']:.1f} us by its own clock")
    judged = found[case.arms[1].name]
    ratios = {name: ratio(judged, floor, name) for name, _ in case.bounds}
    good = not any(row["collections"] for row in found.values())
    for name, bound in case.bounds:
        good &= ratios[name] <= bound
        print(f"  {case.arms[1].name} ÷ {first.name} {name}: {ratios[name]:.3f} (bound "
              f"{bound:g}){'' if ratios[name] <= bound else '  BEYOND'}")
    if SAME in case.arms:
        same = {name: ratio(judged, found[SAME.name], name) for name, _ in GATE}
        print(f"  {case.arms[1].name} ÷ {SAME.name}, not judged: "
              + ", ".join(f"{name} {value:.3f}" for name, value in same.items()))
        ratios |= {f"{name}_same_orders": value for name, value in same.items()}
    return good, ratios


def draw(path: str, results: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Write a picture of the distributions, a panel a case."""
    import matplotlib as mpl
    mpl.use("Agg")
    import matplotlib.pyplot as plt
    figure, panels = plt.subplots(len(results), 1, figsize=(9, 2.6 * len(results)), squeeze=False)
    for panel, (name, arms) in zip(panels[:, 0], results.items(), strict=True):
        for arm, row in arms.items():
            sorted_us = np.sort(row["samples"])
            panel.plot(sorted_us, 1 - np.arange(len(sorted_us)) / len(sorted_us), label=arm)
        panel.set(xscale="log", yscale="log", title=name, xlabel="us", ylabel="share beyond")
        panel.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--all", action="store_true", help="every case, not the gate alone")
    parser.add_argument("--case", action="append", choices=[c.name for c in CASES])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--ticks", type=int, default=3000, help="of a window")
    parser.add_argument("--short", action="store_true", help="one pair of 1,000 ticks, not judged")
    parser.add_argument("--picture", help="file of a picture of the distributions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = [c for c in CASES if options.all or c.name in (options.case or ["gate"])]
    pairs, ticks = (1, 1000) if options.short else (options.pairs, options.ticks)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    if len(ALL_CPUS) < 2:
        print("needs two CPUs", file=sys.stderr)
        return 2
    results, kept, good = {}, {}, True
    os.sched_setaffinity(0, {ALL_CPUS[1]})
    out = sys.stdout
    if options.json:
        sys.stdout = sys.stderr
    for case in wanted:
        results[case.name] = run_case(case, pairs, *case.size(ticks))
        held, ratios = report(case, results[case.name])
        good &= held
        kept[case.name] = {"ratios": ratios, **{
            arm: {k: v for k, v in row.items() if k not in ("samples", "why")}
            for arm, row in results[case.name].items()}}
    if options.picture:
        draw(options.picture, results)
    if options.json:
        print(json.dumps({"good": good, "cases": kept}), file=out)
    return 0 if good or options.short else 1


if __name__ == "__main__":
    sys.exit(main())
