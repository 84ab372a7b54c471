"""Read the journal of a session as a recording of its market, without the session's own orders.

The venue's book shows our orders to us. A backtest puts its own into the book, so those of the
session are taken out: what was ours at a price is subtracted from what the venue showed there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from connectors.replay.books import count_book_facts
from connectors.replay.columns import fill_numbers
from connectors.replay.deribit import (
    DECODE_NOTIFICATION,
    NS_PER_MS,
    Book,
    Frame,
    FrameReader,
    LevelChange,
    spec_of,
)
from connectors.replay.event import EventKind
from connectors.replay.journal import Record, read_journal
from connectors.replay.recording import Recording, damage
from mmcore.journal import JournalKind
from mmcore.types import ControlKind

CONTROL_SIZE = 24               # mmcore.types.Control: kind, market, value, real
SIDES = {"buy": 0, "sell": 1}
OPEN = ("open", "untriggered")


class OwnOrder(msgspec.Struct, gc=False):
    """Of our order, what the book shows of it."""

    order_id: str
    instrument_name: str
    direction: Literal["buy", "sell"]
    order_state: str
    price: float | str = 0.0
    amount: float = 0.0
    filled_amount: float = 0.0
    last_update_timestamp: int = 0


class OwnTrade(msgspec.Struct, gc=False):
    """One of our trades as the venue told it."""

    trade_id: str
    instrument_name: str
    timestamp: int
    price: float
    amount: float
    direction: Literal["buy", "sell"]
    fee: float = 0.0
    liquidity: str = "M"


class OwnChanges(msgspec.Struct, gc=False):
    """Data of `user.changes.{instrument}.raw`."""

    orders: list[OwnOrder] = []
    trades: list[OwnTrade] = []


class Answered(msgspec.Struct, gc=False):
    """Head of an answer."""

    id: int = 0


DECODE_OWN = msgspec.json.Decoder(OwnChanges).decode
DECODE_ANSWER = msgspec.json.Decoder(Answered).decode


@dataclass
class Journaled:
    """What a journal holds of one session."""

    recording: Recording
    header: dict[str, Any]
    trades: list[OwnTrade]
    round_trips: list[tuple[int, int]]      # (sent, wall clock; answer later by), ns
    requests: dict[str, int] = field(default_factory=dict)


class JournalReader(FrameReader):
    """Frames of a session, our own part of the book left out."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[tuple[int, int, float], float] = {}    # by the venue
        self.orders: dict[str, tuple[tuple[int, int, float], float]] = {}
        self.own: dict[tuple[int, int, float], float] = {}
        self.trades: dict[str, OwnTrade] = {}
        self.book_ms = 0

    def on_book(self, book: Book) -> None:
        """Subtract what is ours, level by level."""
        number = self.number_of(book.instrument_name)
        self.book_ms = book.timestamp
        if book.type == "snapshot":
            self.shown = {place: a for place, a in self.shown.items() if place[0] != number}
        book.bids = [self.without_own(number, 0, row) for row in book.bids]
        book.asks = [self.without_own(number, 1, row) for row in book.asks]
        super().on_book(book)

    def without_own(self, number: int, side: int, row: LevelChange) -> LevelChange:
        action, price, amount = row
        place = (number, side, price)
        if action == "delete":
            self.shown.pop(place, None)
            return row
        self.shown[place] = amount
        left = round(amount - self.own.get(place, 0.0), 8)
        return (action, price, left) if left > 0.0 else ("delete", price, 0.0)

    def on_own(self, changes: OwnChanges) -> None:
        """Follow our orders; a level that holds one of ours is told anew."""
        for trade in changes.trades:
            self.trades.setdefault(trade.trade_id, trade)
        for order in changes.orders:
            if isinstance(order.price, str):
                continue
            place = (self.number_of(order.instrument_name), SIDES[order.direction], order.price)
            rest = order.amount - order.filled_amount if order.order_state in OPEN else 0.0
            before = self.orders.pop(order.order_id, None)
            if rest > 0.0:
                self.orders[order.order_id] = (place, rest)
            for at in {place, before[0]} if before is not None else {place}:
                self.tell(at, order.last_update_timestamp or self.book_ms)

    def tell(self, place: tuple[int, int, float], at_ms: int) -> None:
        """Add a level's amount as it is now without ours."""
        number, side, price = place
        ours = sum(rest for at, rest in self.orders.values() if at == place)
        self.own[place] = ours
        last = self.changes.get(number)
        if place not in self.shown or last is None:
            return
        row = [(price, max(0.0, round(self.shown[place] - ours, 8)))]
        self.columns.add(EventKind.EVENT_LEVEL, at_ms * NS_PER_MS, self.local_ns, last, last, 0,
                         number, row if side == 0 else [], row if side == 1 else [])

    def on_frame(self, frame: Frame) -> None:
        if b'"user.changes.' not in frame.payload[:160]:
            super().on_frame(frame)
            return
        self.local_ns = max(self.local_ns, frame.recv_ns)
        message = DECODE_NOTIFICATION(frame.payload)
        if message.method == "subscription" and message.params is not None:
            self.on_own(DECODE_OWN(message.params.data))


def wall_offset_of(records: Iterable[Record]) -> int:
    """Return the first offset of the wall clock a journal states; 0 where it has none."""
    for record in records:
        if record.kind == JournalKind.JOURNAL_CONTROL and len(record.payload) == CONTROL_SIZE:
            kind, _ = np.frombuffer(record.payload, np.int32, 2)
            if kind == ControlKind.CONTROL_WALL_OFFSET:
                return int(np.frombuffer(record.payload, np.int64, 1, 8)[0])
    return 0


def read_session(records: Sequence[Record], path: Path) -> Journaled:
    """Read the last session of a journal. Raises RecordingError."""
    heads = [i for i, r in enumerate(records) if r.kind == JournalKind.JOURNAL_HEADER]
    if not heads:
        raise damage(path, None, "has no journal header", "give the folder of a session's journal")
    records = records[heads[-1]:]
    header = msgspec.json.decode(records[0].payload)
    offset_ns = wall_offset_of(records)
    reader = JournalReader()
    sent: dict[int, int] = {}
    trips: list[tuple[int, int]] = []
    for number, record in enumerate(records):
        if record.kind == JournalKind.JOURNAL_OUT:
            for line in record.payload.replace(b"}{", b"}\n{").splitlines():
                sent[DECODE_ANSWER(line).id] = record.now_ns
        if record.kind == JournalKind.JOURNAL_SESSION and record.payload == b"disconnected":
            reader.orders.clear()           # cancelled by the venue
            reader.own.clear()
        if record.kind != JournalKind.JOURNAL_FRAME_IN:
            continue
        if record.payload.startswith(b'{"jsonrpc":"2.0","id":'):
            began = sent.pop(DECODE_ANSWER(record.payload).id, None)
            if began is not None:
                trips.append((began + offset_ns, record.now_ns - began))
        try:
            reader.on_frame(Frame(number, record.now_ns + offset_ns, record.payload))
        except ValueError as error:
            raise damage(path, number, f"cannot be read ({error})",
                         "replay it with the version that wrote it") from None
        reader.integrity.lines += 1
    if not reader.changes:
        raise damage(path, None, "has no book snapshot", "give a session that reached its venue")
    return Journaled(laid_out(reader, header, path), header,
                     list(reader.trades.values()), trips)


def laid_out(reader: JournalReader, header: dict[str, Any], path: Path) -> Recording:
    """Return the events of a session."""
    known = {data["instrument_name"]: data for data in header["instruments"]}
    events = reader.columns.layout()
    prices, amounts = reader.columns.numbers()
    specs = [spec_of(name, known.get(name), prices, amounts) for name in reader.names]
    fill_numbers(events, prices, amounts, specs)
    stated = events["kind"] == EventKind.EVENT_STATE
    events["extra"][stated] = events["value"][stated].astype(np.int64)
    count_book_facts(events, reader.integrity)
    return Recording(events, specs, reader.integrity, "journal", (path,))


def read_journal_recording(paths: Sequence[Path]) -> Recording:
    """Read a journal's folder as a recording."""
    return read_session(list(read_journal(paths[0], [])), paths[0]).recording
