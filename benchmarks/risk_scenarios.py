"""Play the market's worst moments against a full position and print what each rule leaves.

Every case runs the whole maker against the whole exchange in virtual time. Exit 1 where a maker
under all its rules was liquidated, ended neither flat nor inside its limits, or had an order in
the book of a settlement.
"""

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "pipeline"))

from risk_scenarios import (
    CASES,
    HEADER,
    RULES,
    play,
    play_settlement,
    play_trend,
    unhedged_btc,
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trend-s", type=float, default=3600.0, help="length of the trends")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    bad = []
    print(HEADER)
    for case in CASES:
        for rules in RULES:
            found = play(case, rules)
            print(found.row(case.name, rules, unhedged_btc(case.position_usd, case.share)))
            if rules == "all" and (found.liquidations or abs(found.held) > 2250):
                bad.append(case.name)
    for share in (-0.04, 0.04):
        for rules in ("cut", "all"):
            case, found = play_trend(share, options.trend_s, rules)
            print(found.row(case.name, rules, 0.0))
            if found.liquidations or found.most_btc > 0.3 * 1.001:
                bad.append(case.name)
    for skew_ms in (-2000, 0, 2000):
        settled = play_settlement(skew_ms)
        found = settled.figures
        print(found.row(f"settlement, clock {skew_ms:+d} ms", "all", 0.0))
        if found.liquidations or settled.mismatches or any(
                n for second, n in settled.resting.items() if -12 <= second < 8):
            bad.append(f"settlement {skew_ms:+d} ms")
    if bad:
        sys.exit(f"liquidated or over a limit: {', '.join(bad)}")


if __name__ == "__main__":
    main()
