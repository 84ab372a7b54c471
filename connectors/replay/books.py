"""Rebuild the books of a recording to count what changes nothing and what crosses."""

from typing import Any

import numpy as np

from connectors.replay.columns import BOOK_KINDS
from connectors.replay.event import EventFlag, EventKind
from connectors.replay.recording import Events, Integrity

SNAPSHOT = int(EventFlag.FLAG_SNAPSHOT)
FIRST = int(EventFlag.FLAG_FIRST)
LAST = int(EventFlag.FLAG_LAST)
LEVEL = int(EventKind.EVENT_LEVEL)


class DictBook:
    """A price-to-amount book of two dicts that knows its best prices; prices in ticks."""

    def __init__(self) -> None:
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.best: list[int | None] = [None, None]

    def clear(self) -> None:
        """Forget every level."""
        self.sides[0].clear()
        self.sides[1].clear()
        self.best = [None, None]

    def set_level(self, side: int, price_ticks: int, amount_contracts: int) -> bool:
        """Set the absolute amount of a level; return whether that changed the book."""
        levels = self.sides[side]
        if amount_contracts == 0:
            if levels.pop(price_ticks, None) is None:
                return False
            if price_ticks == self.best[side]:
                self.best[side] = (min if side else max)(levels, default=None)
            return True
        old = levels.get(price_ticks)
        if old == amount_contracts:
            return False
        levels[price_ticks] = amount_contracts
        if old is None:
            best = self.best[side]
            if best is None or (price_ticks < best if side else price_ticks > best):
                self.best[side] = price_ticks
        return True

    @property
    def crossed(self) -> bool:
        bid, ask = self.best
        return bid is not None and ask is not None and bid >= ask


def count_book_facts(events: Events, integrity: Integrity) -> dict[int, DictBook]:
    """Count no-ops and crossed states into integrity; return the final book per instrument."""
    books: dict[int, DictBook] = {}
    chosen = events[np.isin(events["kind"], BOOK_KINDS)]
    names = ("instrument", "kind", "flags", "side", "price_ticks", "amount_contracts")
    columns: list[list[Any]] = [chosen[name].tolist() for name in names]
    changed = noop_levels = noop_diffs = crossed = 0
    for number, kind, flags, side, price, amount in zip(*columns, strict=True):
        book = books.get(number)
        if book is None:
            book = books[number] = DictBook()
        if flags & FIRST:
            changed = 0
            if flags & SNAPSHOT:
                book.clear()
        if kind == LEVEL:
            if book.set_level(side, price, amount):
                changed += 1
            else:
                noop_levels += 1
        if flags & LAST:
            if not changed and not flags & SNAPSHOT:
                noop_diffs += 1
            if book.crossed:
                crossed += 1
    integrity.noop_levels += noop_levels
    integrity.noop_diffs += noop_diffs
    integrity.crossed += crossed
    return books
