"""What a recording is once read: events, instruments, and a count of everything odd in it."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.replay.event import EventKind
from mmcore.types import InstrumentSpec

Events = npt.NDArray[np.void]


class RecordingError(ValueError):
    """A recording that cannot be played; the text names file, line and remedy."""


def damage(path: Path, line: int | None, what: str, remedy: str) -> RecordingError:
    """Make the one error line a user sees for a damaged file; line counts from 1."""
    place = f"{path}: line {line}" if line is not None else str(path)
    return RecordingError(f"{place}: {what}; {remedy}")


def venue_order(
    kinds: npt.NDArray[np.uint8], exch_ns: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (order, times) of rows by the venue's clock, prints before the book at one time.

    The streams of one recording (book, prints, the rest) came over different paths, each in its
    own order; times are what that order makes of the venue's.
    """
    times = np.array(exch_ns)
    book = np.isin(kinds, (EventKind.EVENT_LEVEL, EventKind.EVENT_EMPTY))
    prints = kinds == EventKind.EVENT_TRADE
    for stream in (book, prints, ~(book | prints)):
        times[stream] = np.maximum.accumulate(times[stream])
    return np.lexsort((book, times)), times


@dataclass
class Integrity:
    """Counts of what a recording holds and of what is wrong with it.

    A diff is one incremental book message, a level change one of its levels. The counts of
    no-ops and crossed states are taken from the first snapshot of the instrument on.
    """

    lines: int = 0
    diffs: int = 0                   # all incremental book messages of the files
    diffs_before_snapshot: int = 0   # of these: came before any snapshot
    diffs_folded: int = 0            # of those: newer than the snapshot, merged into it
    diffs_stale: int = 0             # after the snapshot but older than it: dropped
    level_changes: int = 0           # levels in all diffs
    snapshots: int = 0
    snapshots_skipped: int = 0       # repeated while the chain was whole: nothing new in them
    trades: int = 0
    trades_excluded: int = 0         # block, combo or insurance prints
    tops: int = 0                    # best bid and ask messages
    tickers: int = 0                 # mark, index and funding messages
    indexes: int = 0
    other: int = 0                   # lines that carry no market data
    gaps: int = 0                    # broken links in the chain of book messages
    duplicates: int = 0              # book messages or trades seen before: dropped
    reordered: int = 0               # lines stamped earlier than the line before
    crossed: int = 0                 # book messages that leave bid >= ask
    noop_diffs: int = 0              # diffs after the snapshot that change nothing
    noop_levels: int = 0             # levels of theirs and of others that change nothing

    def rows(self) -> list[tuple[str, int]]:
        """Return (name, count) in the order of the fields."""
        return [(f.name, getattr(self, f.name)) for f in fields(self)]

    def problems(self) -> dict[str, int]:
        """Return the counts above 0 that a user should know of before trusting the recording."""
        names = ("gaps", "crossed", "duplicates", "reordered", "diffs_stale")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@dataclass
class Recording:
    """One continuous market recording.

    events: array of EVENT_DTYPE in local-time order; instruments: one spec per instrument number;
    rows: first event of every message in the venue's order, where a reader knows it already.
    """

    events: Events
    instruments: list[InstrumentSpec]
    integrity: Integrity
    format: str
    sources: tuple[Path, ...]
    definitions: list[dict[str, Any]] = field(default_factory=list)  # get_instruments objects
    rows: npt.NDArray[np.int64] | None = None
