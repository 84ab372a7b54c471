"""Collect messages while reading, then lay them out as one event array."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from connectors.replay.event import EVENT_DTYPE, EventFlag, EventKind
from connectors.replay.recording import Events, RecordingError
from mmcore.types import InstrumentSpec

DECIMALS_MAX = 8
GRID_SLACK = 1e-4
LEVEL_KINDS = (EventKind.EVENT_LEVEL, EventKind.EVENT_TRADE, EventKind.EVENT_TOP)
BOOK_KINDS = (EventKind.EVENT_LEVEL, EventKind.EVENT_EMPTY)
NO_LEVEL = [(0.0, 0.0)]

Levels = Sequence[tuple[float, float]]
Floats = npt.NDArray[np.float64]


class Columns:
    """Messages of (price, amount) rows; becomes events when ticks and contracts are known."""

    def __init__(self) -> None:
        self._messages: list[tuple[int, ...]] = []
        self._levels: list[tuple[float, float]] = []

    def add(self, kind: int, exch_ns: int, local_ns: int, sequence: int, extra: int, flags: int,
            instrument: int, bids: Levels, asks: Levels) -> None:
        """Add one message; its rows are bids, then asks. No row at all makes an empty message."""
        bid_count = len(bids)
        count = bid_count + len(asks)
        self._levels.extend(bids)
        self._levels.extend(asks)
        if not count:
            self._levels.extend(NO_LEVEL)
            kind, count = EventKind.EVENT_EMPTY, 1
        self._messages.append(
            (kind, exch_ns, local_ns, sequence, extra, flags, instrument, bid_count, count))

    def add_value(self, kind: int, exch_ns: int, local_ns: int, instrument: int,
                  value: float) -> None:
        """Add a message that is one number: index, mark, funding."""
        self._levels.append((value, 0.0))
        self._messages.append((kind, exch_ns, local_ns, 0, 0, 0, instrument, 1, 1))

    def __len__(self) -> int:
        return len(self._messages)

    def layout(self) -> Events:
        """Return the events without ticks and contracts; price and amount are kept aside."""
        columns = np.array(self._messages, dtype=np.int64).reshape(-1, 9)
        counts = columns[:, 8]
        rows = np.repeat(np.arange(len(columns)), counts)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        events = np.zeros(len(rows), dtype=EVENT_DTYPE)
        for column, name in enumerate(
                ("kind", "exch_ns", "local_ns", "sequence", "extra", "flags", "instrument")):
            events[name] = columns[rows, column]
        events["side"] = place >= columns[rows, 7]
        events["flags"] |= np.where(place == 0, EventFlag.FLAG_FIRST, 0).astype(np.uint16)
        events["flags"] |= np.where(
            place == counts[rows] - 1, EventFlag.FLAG_LAST, 0).astype(np.uint16)
        return events

    def numbers(self) -> tuple[Floats, Floats]:
        """Return prices and amounts of all rows, as read."""
        table = np.array(self._levels, dtype=np.float64).reshape(-1, 2)
        return table[:, 0], table[:, 1]


def on_grid(values: Floats, step: float) -> bool:
    """Tell whether all values are multiples of step."""
    steps = values / step
    return bool(np.all(np.abs(steps - np.rint(steps)) <= GRID_SLACK))


def grid_of(values: Floats, usual: Sequence[str]) -> str:
    """Return the first usual step that all values fit, else the finest decimal place in them."""
    for text in usual:
        if on_grid(values, float(text)):
            return text
    for decimals in range(DECIMALS_MAX + 1):
        if on_grid(values, 10.0 ** -decimals):
            return f"{10.0 ** -decimals:.{decimals}f}"
    raise RecordingError(f"values finer than {DECIMALS_MAX} decimals; this is no recording of "
                         "prices and amounts")


def fill_numbers(events: Events, prices: Floats, amounts: Floats,
                 specs: Sequence[InstrumentSpec], factor: float = 1.0) -> None:
    """Write ticks, contracts and values into events laid out by Columns.layout.

    factor: what one recorded amount is in the venue's amount. Raises RecordingError where a
    price or amount is off the instrument's grid, not finite or negative.
    """
    if not (np.all(np.isfinite(prices)) and np.all(np.isfinite(amounts))):
        raise RecordingError("a price or amount is not finite; the recording is damaged")
    levels = np.isin(events["kind"], LEVEL_KINDS)
    plain = ~levels & (events["kind"] != EventKind.EVENT_EMPTY)
    events["value"][plain] = prices[plain]
    if np.any(amounts[levels] < 0.0) or np.any(prices[levels] < 0.0):
        raise RecordingError("a price or amount is negative; the recording is damaged")
    for number, spec in enumerate(specs):
        mine = levels & (events["instrument"] == number)
        if not np.any(mine):
            continue
        ticks = prices[mine] / spec.tick_usd
        contracts = amounts[mine] * factor / spec.contract_size
        for steps, what in ((ticks, "price"), (contracts, "amount")):
            off = np.abs(steps - np.rint(steps)) > GRID_SLACK
            if np.any(off):
                value = (prices if what == "price" else amounts)[mine][off][0]
                raise RecordingError(f"{spec.name}: {what} {value} is off the instrument's grid; "
                                     "give the definitions that belong to the recording")
        events["price_ticks"][mine] = np.rint(ticks)
        events["amount_contracts"][mine] = np.rint(contracts)
