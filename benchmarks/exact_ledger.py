"""Run random fill, funding and settlement sequences against exact fractions; print the worst.

One million by default: minutes. Exit 1 where any figure is off by more than 1e-10 BTC or the
decomposition leaves more than 1e-8 BTC unexplained.
"""

import argparse
import random
import sys
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "core"))

from desk import perpetual
from exact_statement import random_events, run

ERROR_BTC = 1e-10
CLOSING_BTC = 1e-8


def main() -> None:
    """Run them all and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    spec, size = perpetual(), Fraction(10)
    worst = rest = 0.0
    events = 0
    for i in range(options.sequences):
        life = random_events(rng, rng.randrange(1, 9))
        events += len(life)
        error, left = run(spec, size, life, rng.randrange(20_000, 200_000) / 2)
        worst, rest = max(worst, error), max(rest, left)
        if error > ERROR_BTC or left > CLOSING_BTC:
            sys.exit(f"seed {options.seed}, sequence {i}: error {error:.3g} BTC, "
                     f"unexplained {left:.3g} BTC: {life}")
    print(f"{options.sequences:,} sequences, {events:,} events, seed {options.seed}: "
          f"largest error {worst:.2e} BTC, largest unexplained part {rest:.2e} BTC")


if __name__ == "__main__":
    main()
