"""What `make tuned` lets the instrumented build run, so that the compiler sees what is hot.

    PYTHONPATH=build/tuned/lib:benchmarks python -P benchmarks/training.py

Seeded, without a clock or a network: the same sources make the same profile. Every stage of the
hot path with and without edits, ten instruments, a made-up recording of ten minutes, and sessions
of the whole maker against the whole exchange under faults.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import stages

from connectors.replay.reader import open_recording
from runner.backtest import run_session
from runner.backtest_session import assemble
from runner.cli import main as mm
from runner.config import load

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from collector_files import write_collector

ROUNDS = 20_000
RECORDED_S = 600
PLAYS = 3
SEEDS = "1..12"


def play(folder: Path) -> None:
    """Backtest a made-up recording, by the defaults and close to the touch."""
    recording = open_recording([write_collector(folder / "made_up.gz", RECORDED_S, 11)])
    for settings in ([], ["quote.base_half_spread_bps=0.3", "quote.fee_floor=false"]):
        for _ in range(PLAYS):
            run_session(assemble(recording, load(
                None, ["backtest.sample_s=0", *settings], connects=False), time.perf_counter()))


def main() -> int:
    """Run all of it; what it prints is of no interest."""
    for stage in stages.STAGES:
        run = stage.make()
        run(ROUNDS)
        run.check(stage)
    with tempfile.TemporaryDirectory() as name:
        play(Path(name))
    sys.argv = ["mm", "simulate", "--seeds", SEEDS, "--workers", "1"]
    try:
        mm()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
