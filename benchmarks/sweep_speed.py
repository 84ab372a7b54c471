"""Does a sweep use the cores? The same 200 points by one process and by several.

    python benchmarks/sweep_speed.py FILE... [--workers 2] [--folds 3]

FILE... is one recording. Beside the ratio stands what as many busy loops reach on this machine at
this moment, which is the most there is to have, and the load before and after: on a machine that
others use, neither says much. The results of both are compared; exit 1 where they differ.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from runner.sweep.command import SweepOptions, sweep
from runner.sweep.result import as_dict
from runner.sweep.space import read_axes

OVER = ("quote.base_half_spread_bps=0.2..2/5", "orders.post_fill_hold_ms=250,1000,4000,10000",
        "quote.vol_k=0.1,0.3,0.6,1,1.5", "quote.size_btc=0.05,0.1")
SETS = ("backtest.queue=power", "signals.warmup_s=20", "quote.fee_floor=false",
        "quote.min_half_spread_usd=0.5", "quote.min_half_spread_bps=0")
LOOPS = 20_000_000


def busy(count: int) -> None:
    for _ in range(count):
        pass


def loops_ratio(workers: int) -> float:
    """Return how much faster that many processes count than one."""
    context = multiprocessing.get_context("fork")
    took = []
    for processes in (1, workers):
        started = [context.Process(target=busy, args=(LOOPS * workers // processes,))
                   for _ in range(processes)]
        began = time.perf_counter()
        for process in started:
            process.start()
        for process in started:
            process.join()
        took.append(time.perf_counter() - began)
    return took[0] / took[1]


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def run(data: tuple[Path, ...], folds: int, workers: int, out: Path) -> tuple[float, float, Any]:
    """Return wall and processor time of a sweep, and what it found."""
    options = SweepOptions(data=data, over=OVER, sets=SETS, profile="live", folds=folds, top=1,
                           workers=workers, out=out, as_json=True)
    began, used = time.perf_counter(), cpu_s()
    found = as_dict(sweep(options, read_axes(OVER, searched=False)))
    return time.perf_counter() - began, cpu_s() - used, {**found, "run": None}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folds", type=int, default=3)
    options = parser.parse_args()
    before, loops = os.getloadavg()[0], loops_ratio(options.workers)
    with tempfile.TemporaryDirectory() as folder:
        runs = [run(tuple(options.data), options.folds, workers, Path(folder) / str(workers))
                for workers in (1, options.workers)]
    (alone_s, alone_cpu_s, alone), (shared_s, shared_cpu_s, shared) = runs
    same = json.dumps(alone) == json.dumps(shared)
    sys.stdout.write(
        f"1 process {alone_s:.1f} s ({alone_cpu_s:.1f} s of processor), {options.workers} "
        f"processes {shared_s:.1f} s ({shared_cpu_s:.1f} s): {alone_s / shared_s:.2f} times as "
        f"fast; busy loops {loops:.2f} times; load {before:.1f} to {os.getloadavg()[0]:.1f}; "
        f"results {'the same' if same else 'DIFFER'}\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
