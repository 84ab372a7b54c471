"""Print ns and retained allocations of every stage from frame to wire; --json for keeping.

In process, warm, no socket: what is ours between the kernel's read and the kernel's write. "own"
is the stage without the book changes that feed it: what a turn itself costs.
"""

import json
import sys
from collections.abc import Callable

import rig
import stages

from connectors.replay.gate_trial import GateTrial

# Timed one by one, by a clock of their own: the answers, which come later, are not in them.
SINGLE = {
    "decision, two edits": lambda: stages.decision_times(1, 20_000),
    "decision, six edits": lambda: stages.decision_times(3, 20_000),
    "frame to two edits": lambda: stages.written_times(20_000),
}


def quantiles(times_of: Callable[[], list[int]]) -> dict[str, int]:
    """Return quantiles of ns, each the least of five runs, as of the stages."""
    runs = [sorted(times_of()) for _ in range(5)]
    return {name: min(times[int(share * len(times))] for times in runs)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))}


def main() -> None:
    """Run every stage and print the table."""
    count = 20_000
    found = []
    for stage in stages.STAGES:
        run = stage.make()
        blocks = rig.retained(run, count)
        ns = rig.best_of(run, count)
        run.check(stage)
        found.append({"stage": stage.name, "ns": round(ns, 1),
                      "retained_per_million": round(blocks * 1e6), "what": stage.what})
    times = {row["stage"]: row["ns"] for row in found}
    for stage, row in zip(stages.STAGES, found, strict=True):
        row["own_ns"] = round(row["ns"] - times.get(stage.without, 0.0), 1)
    single = {name: quantiles(times_of) for name, times_of in SINGLE.items()}
    cost = GateTrial(1).run(500_000)["cost_ns"]
    if "--json" in sys.argv:
        print(json.dumps([*found, *({"stage": name, **row} for name, row in single.items()),
                          {"stage": "risk gate", **cost}]))
        return
    print(f"{'stage':22s} {'ns':>8s} {'own ns':>8s} {'retained/M':>11s}  what")
    for row in found:
        print(f"{row['stage']:22s} {row['ns']:8.0f} {row['own_ns']:8.0f} "
              f"{row['retained_per_million']:11d}  "
              f"{row['what']}")
    for name, row, runs in [*((name, row, 5) for name, row in single.items()),
                            ("risk gate, one order", cost, 1)]:
        print(f"{name}: p50 {row['p50']} ns, p99 {row['p99']} ns, p99.9 {row['p999']} ns "
              f"(least of {runs}, reading the clock included)")


if __name__ == "__main__":
    main()
