"""Print ns and retained allocations of every stage from frame to wire; --json for keeping.

In process, warm, no socket: what is ours between the kernel's read and the kernel's write. "own"
is the stage without the book changes that feed it: what a turn itself costs.
"""

import json
import sys

import rig
import stages

from connectors.replay.gate_trial import GateTrial

DECISIONS = {"decision, two edits": 1, "decision, six edits": 3}


def decision_cost(levels: int) -> dict[str, float]:
    """Return quantiles of a decision's ns, each the least of five runs, as of the stages."""
    runs = [sorted(stages.decision_times(levels, 20_000)) for _ in range(5)]
    return {name: min(times[int(share * len(times))] for times in runs)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))}


def main() -> None:
    """Run every stage and print the table."""
    count = 20_000
    found = []
    for stage in stages.STAGES:
        run = stage.make()
        blocks = rig.retained(run, count)
        run.check(stage)
        found.append({"stage": stage.name, "ns": round(rig.best_of(run, count), 1),
                      "retained_per_million": round(blocks * 1e6), "what": stage.what})
    times = {row["stage"]: row["ns"] for row in found}
    for stage, row in zip(stages.STAGES, found, strict=True):
        row["own_ns"] = round(row["ns"] - times.get(stage.without, 0.0), 1)
    decisions = {name: decision_cost(levels) for name, levels in DECISIONS.items()}
    cost = GateTrial(1).run(500_000)["cost_ns"]
    if "--json" in sys.argv:
        print(json.dumps([*found, *({"stage": name, **decision}
                                    for name, decision in decisions.items()),
                          {"stage": "risk gate", **cost}]))
        return
    print(f"{'stage':22s} {'ns':>8s} {'own ns':>8s} {'retained/M':>11s}  what")
    for row in found:
        print(f"{row['stage']:22s} {row['ns']:8.0f} {row['own_ns']:8.0f} "
              f"{row['retained_per_million']:11d}  "
              f"{row['what']}")
    for name, decision in [*decisions.items(), ("risk gate, one order", cost)]:
        print(f"{name}: p50 {decision['p50']} ns, p99 {decision['p99']} ns, "
              f"p99.9 {decision['p999']} ns (reading the clock included)")


if __name__ == "__main__":
    main()
