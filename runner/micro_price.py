"""Micro-price table (Stoikov 2018): checked from the config, and fitted to recorded best prices.

A state is the bid's share of both best amounts (in equal buckets) and the spread in ticks. From
every observation to the next the mid either stays (a transition Q among the states) or moves (by
K, into a new state T). G1 = (I - Q)^-1 R K is the expected first move, B = (I - Q)^-1 T the state
after it, and the adjustment is the limit G1 + B G1 + B B G1 + … The counts are made symmetric, so
that the table says the same of buyers and sellers and the sum converges.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

SPREADS_MAX = 8                 # as in mmcore/microprice.pxd
SHARES_MAX = 20
ROUNDS_MAX = 1000
CONVERGED_TICKS = 1e-9
MOVES_LEAST = 100

Table = tuple[tuple[float, ...], ...]
Touch = tuple[int, int, int, int]               # bid ticks, ask ticks, bid amount, ask amount
Matrix = list[list[float]]


def table_of(value: Any, where: str, faults: list[str]) -> Table:
    """Check `signals.micro_table` of a file; a fault names the place and what may be written."""
    rows = value if isinstance(value, list | tuple) else None
    good = rows is not None and len(rows) <= SPREADS_MAX and all(
        isinstance(row, list | tuple) and len(row) == len(rows[0])
        and 2 <= len(row) <= SHARES_MAX
        and all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)
                for x in row) for row in rows)
    if not good or rows is None:
        faults.append(f"{where}: signals.micro_table: expected at most {SPREADS_MAX} rows (spread "
                      f"in ticks) of the same 2 to {SHARES_MAX} numbers (ticks off the mid by "
                      "share of the bid); benchmarks/micro_price.py writes one")
        return ()
    return tuple(tuple(float(x) for x in row) for row in rows)


def fit(touches: Iterable[Touch], *, shares: int = 10, spreads: int = 2) -> Table:
    """Return the table for a sequence of best prices and amounts of one market, in their order.

    Spreads beyond `spreads` ticks count as the last. Raises ValueError where the mid moved too
    seldom to say anything.
    """
    states = shares * spreads
    stays: Matrix = [[0.0] * states for _ in range(states)]
    goes: Matrix = [[0.0] * states for _ in range(states)]
    moved = [0.0] * states                      # sum of moves in ticks, first moves only
    seen = [0.0] * states
    moves = 0
    before: tuple[int, int] | None = None       # state, mid in half ticks
    for bid, ask, bid_amount, ask_amount in touches:
        if bid >= ask or bid_amount <= 0 or ask_amount <= 0:
            before = None
            continue
        share = min(shares - 1, shares * bid_amount // (bid_amount + ask_amount))
        state = (min(ask - bid, spreads) - 1) * shares + share
        if before is not None:
            step = bid + ask - before[1]
            moves += step != 0
            for start, end, sign in ((before[0], state, 1.0),
                                     (mirrored(before[0], shares), mirrored(state, shares), -1.0)):
                seen[start] += 1.0
                (goes if step else stays)[start][end] += 1.0
                moved[start] += sign * 0.5 * step
        before = (state, bid + ask)
    if moves < MOVES_LEAST:
        raise ValueError(f"the mid moved {moves} times; a table needs {MOVES_LEAST} or more")
    for i in range(states):
        for k in range(states):
            stays[i][k] = (i == k) - stays[i][k] / max(seen[i], 1.0)
            goes[i][k] /= max(seen[i], 1.0)
        moved[i] /= max(seen[i], 1.0)
    first, after = resolve(stays, moved, goes)
    total, term = list(first), first
    for _ in range(ROUNDS_MAX):
        term = [sum(a * t for a, t in zip(row, term, strict=True)) for row in after]
        total = [x + t for x, t in zip(total, term, strict=True)]
        if max(map(abs, term)) < CONVERGED_TICKS:
            break
    return tuple(tuple(round(x, 6) for x in total[m * shares:(m + 1) * shares])
                 for m in range(spreads))


def mirrored(state: int, shares: int) -> int:
    """Return the state with bid and ask exchanged."""
    return state - state % shares + shares - 1 - state % shares


def resolve(matrix: Matrix, vector: Sequence[float], right: Matrix) -> tuple[list[float], Matrix]:
    """Return matrix^-1 vector and matrix^-1 right, by elimination with pivots.

    A state that is never left has a row of zeros: its unknowns are 0.
    """
    size = len(matrix)
    rows = [[*matrix[i], vector[i], *right[i]] for i in range(size)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(rows[i][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        lead = rows[column][column]
        if abs(lead) < 1e-12:
            rows[column] = [0.0] * (2 * size + 1)
            rows[column][column] = 1.0
            continue
        rows[column] = [x / lead for x in rows[column]]
        for i in range(size):
            factor = rows[i][column]
            if i != column and factor != 0.0:
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[column], strict=True)]
    return [row[size] for row in rows], [row[size + 1:] for row in rows]


def as_toml(table: Table) -> str:
    """Return the table as the lines of a config file."""
    rows = "".join("    [" + ", ".join(f"{x:.4f}" for x in row) + "],\n" for row in table)
    return f"[signals]\nmicro_table = [\n{rows}]\n"
