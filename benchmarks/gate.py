"""Propose ten million random orders to the risk gate; print what passed and what a check costs.

Exit 1 where one that passed lies outside any limit.
"""

import argparse
import sys

from connectors.replay.gate_trial import GateTrial


def main() -> None:
    """Run the trial and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = GateTrial(options.seed).run(options.orders)
    print(f"{found['proposed']:,} proposed, {found['passed']:,} passed, seed {options.seed}")
    for name, count in sorted(found["refused"].items(), key=lambda row: -row[1]):
        print(f"  {name:18s} {count:>12,}")
    cost = found["cost_ns"]
    print(f"one check: p50 {cost['p50']} ns, p99 {cost['p99']} ns, p99.9 {cost['p999']} ns "
          "(reading the clock included)")
    broken = {name: count for name, count in found["violations"].items() if count}
    if broken:
        sys.exit(f"passed outside a limit: {broken}")
    print("none passed outside a limit")


if __name__ == "__main__":
    main()
