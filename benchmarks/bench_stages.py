"""Print ns and retained allocations of every stage from frame to wire; --json for keeping.

In process, warm, no socket: what is ours between the kernel's read and the kernel's write. "own"
is the stage without the book changes that feed it: what a turn itself costs.
"""

import json
import sys

import rig
import stages

from connectors.replay.gate_trial import GateTrial


def main() -> None:
    """Run every stage and print the table."""
    count = 20_000
    found = []
    for stage in stages.STAGES:
        run = stage.make()
        blocks = rig.retained(run, count)
        found.append({"stage": stage.name, "ns": round(rig.best_of(run, count), 1),
                      "retained_per_million": round(blocks * 1e6), "what": stage.what})
    times = {row["stage"]: row["ns"] for row in found}
    for stage, row in zip(stages.STAGES, found, strict=True):
        row["own_ns"] = round(row["ns"] - times.get(stage.without, 0.0), 1)
    cost = GateTrial(1).run(500_000)["cost_ns"]
    if "--json" in sys.argv:
        print(json.dumps([*found, {"stage": "risk gate", **cost}]))
        return
    print(f"{'stage':22s} {'ns':>8s} {'own ns':>8s} {'retained/M':>11s}  what")
    for row in found:
        print(f"{row['stage']:22s} {row['ns']:8.0f} {row['own_ns']:8.0f} "
              f"{row['retained_per_million']:11d}  "
              f"{row['what']}")
    print(f"risk gate, one order: p50 {cost['p50']} ns, p99 {cost['p99']} ns, "
          f"p99.9 {cost['p999']} ns (reading the clock included)")


if __name__ == "__main__":
    main()
