"""Cut a recording in time: a part begins with the book, the marks and the state as they stood."""

import numpy as np
import numpy.typing as npt

from connectors.replay.event import EVENT_DTYPE, EventFlag, EventKind
from connectors.replay.player import play_rows
from connectors.replay.recording import Events, Recording, RecordingError

VALUES = (EventKind.EVENT_INDEX, EventKind.EVENT_MARK, EventKind.EVENT_FUNDING,
          EventKind.EVENT_STATE)
BY_EXCHANGE_TIME = ("collector", "tables")      # formats whose streams the venue's clock orders
LONGEST_S = 1e9                                 # of any recording; inf is the end
WHOLE = int(EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST)
FIRST_SNAPSHOT = int(EventFlag.FLAG_FIRST | EventFlag.FLAG_SNAPSHOT)


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
    chosen = events[message_rows(events, before)] if len(before) else events[:0]
    books = [book_left(chosen[chosen["instrument"] == number])
             for number in np.unique(chosen["instrument"])]
    values = np.flatnonzero(np.isin(chosen["kind"], VALUES))
    last = last_of(chosen["instrument"][values], chosen["kind"][values])
    told = chosen[np.sort(values[last])]
    told["flags"] = WHOLE
    found: Events = np.concatenate([*books, told]).astype(EVENT_DTYPE, copy=False)
    found["exch_ns"], found["local_ns"] = exch_ns, local_ns
    return found


def book_left(rows: Events) -> Events:
    """Return the book of one instrument after its rows as one snapshot; nothing for an empty one.

    Sides and prices in rising order. Levels before the first snapshot are of no known book.
    """
    in_book = np.isin(rows["kind"], (EventKind.EVENT_LEVEL, EventKind.EVENT_EMPTY))
    begun = in_book & (rows["flags"] & FIRST_SNAPSHOT == FIRST_SNAPSHOT)
    starts = np.flatnonzero(begun)
    if len(starts) == 0:
        return rows[:0]
    rows = rows[starts[-1]:]
    rows = rows[rows["kind"] == EventKind.EVENT_LEVEL]
    made = rows[last_of(rows["side"], rows["price_ticks"])]
    made = made[made["amount_contracts"] != 0]
    fresh: Events = np.zeros(len(made), dtype=EVENT_DTYPE)
    for name in ("instrument", "kind", "side", "price_ticks", "amount_contracts"):
        fresh[name] = made[name]
    fresh["flags"] = EventFlag.FLAG_SNAPSHOT
    fresh["flags"][:1] |= int(EventFlag.FLAG_FIRST)
    fresh["flags"][-1:] |= int(EventFlag.FLAG_LAST)
    return fresh


def last_of(*keys: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return where each combination of keys stands last, in the order of the keys."""
    order = np.lexsort(keys[::-1])              # stable: equal ones stay in their order
    changes = np.zeros(len(order), dtype=bool)
    changes[-1:] = True
    for key in keys:
        changes[:-1] |= key[order][1:] != key[order][:-1]
    return order[changes]
