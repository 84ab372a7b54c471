"""The opening of a part against books kept level by level."""

import random

import numpy as np
import pytest

from connectors.replay.books import DictBook
from connectors.replay.cut import VALUES, opening
from connectors.replay.event import EVENT_DTYPE, EventFlag, EventKind
from connectors.replay.recording import Events

pytestmark = pytest.mark.quick
FIRST, LAST = int(EventFlag.FLAG_FIRST), int(EventFlag.FLAG_LAST)
SNAPSHOT = int(EventFlag.FLAG_SNAPSHOT)
Book = dict[tuple[int, int], int]       # (side, price) to amount


def messages(rng: random.Random, count: int) -> Events:
    """Return messages of two instruments: snapshots (some empty), changes, prints and values."""
    rows = []
    for _ in range(count):
        number = rng.choice((0, 0, 1))
        kind = rng.choice(("snapshot", "empty", *["change"] * 12, "trade", "value"))
        if kind in ("snapshot", "change"):
            size, base = rng.randint(1, 5), SNAPSHOT if kind == "snapshot" else 0
            for at in range(size):
                flags = base | (FIRST if at == 0 else 0) | (LAST if at == size - 1 else 0)
                rows.append((number, int(EventKind.EVENT_LEVEL), flags, rng.randint(0, 1),
                             rng.randint(100, 106), rng.choice((0, 3, 5)) if not base else 4))
        elif kind == "empty":
            rows.append((number, int(EventKind.EVENT_EMPTY),
                         FIRST | LAST | rng.choice((SNAPSHOT, 0)), 0, 0, 0))
        else:
            of = EventKind.EVENT_TRADE if kind == "trade" else rng.choice(VALUES)
            rows.append((number, int(of), FIRST | LAST, 0, rng.randint(1, 9), 0))
    events: Events = np.zeros(len(rows), dtype=EVENT_DTYPE)
    for name, column in zip(("instrument", "kind", "flags", "side", "price_ticks",
                             "amount_contracts"), zip(*rows, strict=True), strict=True):
        events[name] = column
    return events


def stood(events: Events) -> tuple[dict[int, Book], dict[tuple[int, int], int]]:
    """Return books and last values after events, one row after the other."""
    books: dict[int, DictBook] = {}
    values = {}
    for row in events:
        number, kind, flags = int(row["instrument"]), int(row["kind"]), int(row["flags"])
        if kind in VALUES:
            values[number, kind] = int(row["price_ticks"])
        if kind not in (EventKind.EVENT_LEVEL, EventKind.EVENT_EMPTY):
            continue
        if flags & SNAPSHOT and flags & FIRST:
            books.setdefault(number, DictBook()).clear()
        if kind == EventKind.EVENT_LEVEL and number in books:
            books[number].set_level(int(row["side"]), int(row["price_ticks"]),
                                    int(row["amount_contracts"]))
    return ({number: {(side, price): amount for side in (0, 1)
                      for price, amount in book.sides[side].items()}
             for number, book in books.items() if book.sides[0] or book.sides[1]}, values)


def test_an_opening_says_what_stood() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for _ in range(300):
        events = messages(rng, rng.randint(1, 40))
        made = opening(events, np.flatnonzero(events["flags"] & FIRST), 7, 9)
        assert stood(made) == stood(events), seed
        assert set(made["exch_ns"].tolist()) <= {7}, seed
        assert set(made["local_ns"].tolist()) <= {9}, seed
        # each message whole: as many beginnings as ends, a snapshot an instrument
        assert np.count_nonzero(made["flags"] & FIRST) == np.count_nonzero(made["flags"] & LAST)
