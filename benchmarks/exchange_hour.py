"""One simulated hour through the direct front: 70 book updates and 8 trades a second.

    python benchmarks/exchange_hour.py

Recorded liquidity moves, two accounts trade against it, prints pass through, the book is flushed
as a raw subscriber sees it. Prints the seconds it took by the clock, which on a busy machine are
more than the processor's; the bar is 5.
"""

from __future__ import annotations

import random
import sys
import time

from connectors.sim.exchange import Exchange
from connectors.sim.wire.desk import Desk
from mmcore.types import InstrumentSpec

SECOND = 1_000_000_000
START = 1_795_000_000 * SECOND
UPDATES, TRADES = 70, 8
BAR_S = 5.0
Step = tuple[int, int, int, int, int]   # ns, kind, side, ticks, contracts
LEVEL, PRINT, PLACE = range(3)


def script(seconds: int, seed: int) -> list[Step]:
    """Draw what happens, before the clock of the measurement runs."""
    rng = random.Random(seed)
    steps: list[Step] = []
    middle = 120_000
    for second in range(seconds):
        middle = max(100_000, min(140_000, middle + rng.randint(-3, 3)))
        at = START + second * SECOND
        for n in range(UPDATES):
            side = rng.randint(0, 1)
            away = 1 + int(rng.expovariate(0.1))
            ticks = middle - away if side == 0 else middle + away
            amount = 0 if rng.random() < 0.3 else rng.randint(1, 5000)
            steps.append((at + n * SECOND // UPDATES, LEVEL, side, ticks, amount))
        for n in range(TRADES):
            side = rng.randint(0, 1)
            steps.append((at + n * SECOND // TRADES + 1, PLACE if n % 4 == 0 else PRINT, side,
                          middle + (2 if side == 0 else -2), rng.randint(1, 200)))
    steps.sort()
    return steps


def play(steps: list[Step]) -> tuple[float, Exchange]:
    """Run the steps; return the seconds it took and the exchange."""
    exchange = Exchange(1, 0)
    exchange.add_market(InstrumentSpec(
        "BTC-PERPETUAL", tick_size=0.5, contract_size=10, min_amount=10, maker_fee=0.00015,
        taker_fee=0.00035), "btc_usd", True)
    desk = Desk(exchange)
    accounts = [exchange.open_account(name, START, 10**12, 0, False) for name in "ab"]
    exchange.market_index(START, "btc_usd", 60_000.0)
    exchange.subscribe_book(START, 0, 0)
    begin = time.perf_counter()
    for at, kind, side, ticks, contracts in steps:
        if kind == LEVEL:
            exchange.market_set_level(at, 0, side, ticks, contracts)
        elif kind == PRINT:
            exchange.market_trade(at, 0, side, ticks, contracts, 0)
        else:
            desk.place(at, -1, accounts[side], 0, side, 0, 1, ticks, contracts)
    exchange.advance(START + 3600 * SECOND)
    return time.perf_counter() - begin, exchange


def main() -> int:
    steps = script(3600, 1)
    seconds, exchange = play(steps)
    held = [exchange.accounts[n].position(0)[0] for n in (1, 2)]
    sys.stdout.write(f"one hour, {len(steps)} events, positions {held} contracts: {seconds:.2f} s "
                     f"(bar {BAR_S:.0f} s)\n")
    return 0 if seconds <= BAR_S else 1


if __name__ == "__main__":
    sys.exit(main())
