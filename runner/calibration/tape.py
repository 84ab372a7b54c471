"""What the estimators need of a recording: the touch over time, and taker orders against it."""

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from connectors.replay.event import EventFlag, EventKind
from connectors.replay.recording import Events, Recording
from mmcore.book import OrderBook

Floats = npt.NDArray[np.float64]
TOUCH_FIELDS = 5                # s, bid ticks, ask ticks, bid amount, ask amount


class Tape(msgspec.Struct, frozen=True):
    """One instrument of a recording. Times in s from its first event."""

    name: str
    tick_usd: float
    lasted_s: float
    touch: Floats               # rows of TOUCH_FIELDS, whenever the best prices or amounts change
    taker_s: Floats             # one per taker order: prints of one time and side together
    taker_side: Floats          # +1 bought
    taker_usd: Floats           # the furthest price it paid
    taker_mid_usd: Floats       # mid before it

    @property
    def touch_s(self) -> Floats:
        """Times of the touch."""
        return self.touch[:, 0]

    @property
    def mid_usd(self) -> Floats:
        """Mid after each change of the touch."""
        found: Floats = (self.touch[:, 1] + self.touch[:, 2]) * (0.5 * self.tick_usd)
        return found


def tape_named(recording: Recording, name: str | None = None) -> Tape:
    """Return one instrument of a recording, the first one without a name.

    Raises ValueError where there is nothing to learn from.
    """
    names = [spec.name for spec in recording.instruments]
    if name is not None and name not in names:
        raise ValueError(f"instrument {name!r} is not in this recording, which holds "
                         f"{', '.join(names)}")
    number = names.index(name) if name is not None else 0
    events = recording.events
    mine = events[events["instrument"] == number]
    if not len(mine):
        raise ValueError(f"{names[number]}: the recording has no event of it")
    return tape_of(recording, number, mine)


def tape_of(recording: Recording, number: int, events: Events) -> Tape:
    """Build the tape from the events of one instrument."""
    spec = recording.instruments[number]
    start_ns = int(events["exch_ns"][0])
    touch = np.array(list(touches(events, start_ns)), dtype=np.float64).reshape(-1, TOUCH_FIELDS)
    if len(touch) < 2:
        raise ValueError(f"{spec.name}: the recording never shows both best prices")
    trades = events[(events["kind"] == EventKind.EVENT_TRADE)
                    & (events["flags"] & EventFlag.FLAG_EXCLUDED == 0)]
    seconds = (trades["exch_ns"] - start_ns).astype(np.float64) * 1e-9
    side = np.where(trades["side"] == 0, 1.0, -1.0)
    price = trades["price_ticks"] * spec.tick_usd
    first = np.ones(len(trades), dtype=bool)
    first[1:] = (np.diff(seconds) > 0.0) | (side[1:] != side[:-1])
    starts = np.flatnonzero(first)
    furthest = (np.maximum.reduceat(side * price, starts) * side[starts] if len(starts)
                else np.zeros(0))
    # strictly before: the book message of the same instant already shows what was taken
    places = np.searchsorted(touch[:, 0], seconds[starts], side="left") - 1
    known = places >= 0
    mid = (touch[:, 1] + touch[:, 2]) * (0.5 * spec.tick_usd)
    return Tape(
        name=spec.name, tick_usd=spec.tick_usd, touch=touch,
        lasted_s=float(events["exch_ns"][-1] - start_ns) * 1e-9,
        taker_s=seconds[starts][known], taker_side=side[starts][known],
        taker_usd=furthest[known], taker_mid_usd=mid[places[known]])


def touches(events: Events, start_ns: int) -> Iterator[tuple[float, ...]]:
    """Yield the touch after every book message that changed it."""
    book = OrderBook()
    before: tuple[int, ...] = ()
    number = 0
    levels = events[events["kind"] == EventKind.EVENT_LEVEL]
    bounds = np.append(np.flatnonzero(levels["flags"] & EventFlag.FLAG_FIRST), len(levels))
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        message = levels[begin:end]
        rows = list(zip(message["price_ticks"].tolist(), message["amount_contracts"].tolist(),
                        strict=True))
        sides = message["side"].tolist()
        number += 1
        snapshot = bool(message["flags"][0] & EventFlag.FLAG_SNAPSHOT)
        book.load([r for r, s in zip(rows, sides, strict=True) if s == 0],
                  [r for r, s in zip(rows, sides, strict=True) if s == 1],
                  change_id=number, prev_change_id=-1 if snapshot else number - 1)
        bid, ask = book.best_bid_ticks, book.best_ask_ticks
        if not book.valid or bid is None or ask is None:
            continue
        now = (bid, ask, book.amount(0, bid), book.amount(1, ask))
        if now != before:
            before = now
            yield (float(int(message["exch_ns"][-1]) - start_ns) * 1e-9, *map(float, now))
