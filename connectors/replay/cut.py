"""Cut a recording in time: a part begins with the book, the marks and the state as they stood."""

import numpy as np
import numpy.typing as npt

from connectors.replay.books import DictBook
from connectors.replay.event import EVENT_DTYPE, EventFlag, EventKind
from connectors.replay.player import play_rows
from connectors.replay.recording import Events, Recording, RecordingError

VALUES = (EventKind.EVENT_INDEX, EventKind.EVENT_MARK, EventKind.EVENT_FUNDING,
          EventKind.EVENT_STATE)
BY_EXCHANGE_TIME = ("collector", "tables")      # formats whose streams the venue's clock orders
LONGEST_S = 1e9                                 # of any recording; inf is the end
WHOLE = int(EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST)


def span_s(recording: Recording) -> float:
    """Return the seconds from the first played message to the last, by the venue's clock."""
    rows, times = played(recording)
    return float(times[-1] - times[0]) * 1e-9 if len(rows) else 0.0


def played(recording: Recording) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first row of every message in the order of play, and when it is played."""
    events = recording.events
    rows = recording.rows
    if rows is None:
        rows = play_rows(events, recording.format in BY_EXCHANGE_TIME)
    times = np.maximum.accumulate(events["exch_ns"][rows]) if len(rows) else rows
    return rows, times


def cut(recording: Recording, begin_s: float, end_s: float) -> Recording:
    """Return what is played from begin_s up to end_s of a recording, s from its first message.

    Raises RecordingError where nothing is left, or no book is known at begin_s.
    """
    events = recording.events
    rows, times = played(recording)
    first_ns = int(times[0]) if len(times) else 0
    end_s = min(end_s, LONGEST_S)
    begin, end = np.searchsorted(times, [first_ns + round(begin_s * 1e9),
                                         first_ns + round(end_s * 1e9)])
    if begin >= end:
        raise RecordingError(f"nothing was recorded from {begin_s:g} to {end_s:g} s; the recording "
                             f"lasts {span_s(recording):.0f} s")
    kept = np.sort(rows[begin:end])
    local_ns = int(events["local_ns"][kept[0]])
    # not received sooner after it happened than anything else: the recorder's clock is judged by it
    soonest_ns = int((events["local_ns"][kept] - events["exch_ns"][kept]).min())
    head = opening(events, rows[:begin], min(int(times[begin]), local_ns - soonest_ns), local_ns)
    if begin and not (head["flags"] & EventFlag.FLAG_SNAPSHOT).any():
        raise RecordingError(f"no book is known {begin_s:g} s into the recording; begin later")
    places = message_rows(events, kept)
    joined = np.concatenate([head, events[places]]).astype(EVENT_DTYPE, copy=False)
    # the opening first, then every message in the place of the order it had
    order = np.concatenate([np.flatnonzero(head["flags"] & EventFlag.FLAG_FIRST),
                            len(head) + np.searchsorted(places, rows[begin:end])])
    return Recording(joined, recording.instruments, recording.integrity, recording.format,
                     recording.sources, recording.definitions, order)


def message_rows(events: Events, first: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return every row of the messages that begin at `first`, in that order."""
    starts = np.flatnonzero(events["flags"] & EventFlag.FLAG_FIRST)
    lengths = np.diff(np.append(starts, len(events)))[np.searchsorted(starts, first)]
    inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places: npt.NDArray[np.int64] = np.repeat(first, lengths) + inside
    return places


def opening(events: Events, before: npt.NDArray[np.int64], exch_ns: int,
            local_ns: int) -> Events:
    """Return messages that put a venue where it stood after the messages `before`."""
    books: dict[int, DictBook] = {}
    values: dict[tuple[int, int], int] = {}
    chosen = events[message_rows(events, before)] if len(before) else events[:0]
    names = ("instrument", "kind", "flags", "side", "price_ticks", "amount_contracts")
    for at, (number, kind, flags, side, price, amount) in enumerate(
            zip(*(chosen[name].tolist() for name in names), strict=True)):
        if kind in VALUES:
            values[number, kind] = at
            continue
        if kind not in (EventKind.EVENT_LEVEL, EventKind.EVENT_EMPTY):
            continue
        if flags & EventFlag.FLAG_SNAPSHOT and flags & EventFlag.FLAG_FIRST:
            books.setdefault(number, DictBook()).clear()
        if kind == EventKind.EVENT_LEVEL and number in books:
            books[number].set_level(side, price, amount)
    made = [snapshot(number, book, exch_ns, local_ns) for number, book in books.items()]
    told = chosen[sorted(values.values())].copy()
    told["exch_ns"], told["local_ns"], told["flags"] = exch_ns, local_ns, WHOLE
    found: Events = np.concatenate([*made, told]).astype(EVENT_DTYPE, copy=False)
    return found


def snapshot(number: int, book: DictBook, exch_ns: int, local_ns: int) -> Events:
    """Return a book as one snapshot message; nothing for an empty one."""
    rows = [(side, price, amount) for side in (0, 1)
            for price, amount in book.sides[side].items()]
    made: Events = np.zeros(len(rows), dtype=EVENT_DTYPE)
    if not rows:
        return made
    made["exch_ns"], made["local_ns"], made["instrument"] = exch_ns, local_ns, number
    made["kind"] = EventKind.EVENT_LEVEL
    made["side"], made["price_ticks"], made["amount_contracts"] = np.array(rows).T
    made["flags"] = EventFlag.FLAG_SNAPSHOT
    made["flags"][0] |= EventFlag.FLAG_FIRST
    made["flags"][-1] |= EventFlag.FLAG_LAST
    return made
