"""Read recordings of the venue's own WebSocket frames, as JSON lines or as session text.

`{"recv_ns": n, "frame": {...}}` per line, or the text a session logger writes: `url <-> time`
(connected), `url <- time: sent`, `time: received`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from connectors.replay.books import count_book_facts
from connectors.replay.columns import Columns, fill_numbers, grid_of
from connectors.replay.event import EventFlag, EventKind
from connectors.replay.lines import read_lines
from connectors.replay.recording import Integrity, Recording, RecordingError, damage
from mmcore.types import InstrumentSpec

NS_PER_MS = 1_000_000
PERPETUAL_EXPIRY_MS = 32503708800000
FUTURE_NAME = re.compile(r"BTC(_USDC)?-(PERPETUAL|\d{1,2}[A-Z]{3}\d\d)")
# As mmcore.types.MarketState numbers them.
STATES = {"open": 0, "settlement": 1, "locked": 2, "halted": 3, "inactive": 4, "delivered": 5,
          "archivized": 6}
STATE_UNKNOWN = 7

FRAME_HEAD = re.compile(rb'\{"recv_ns":\s*(\d+),\s*"frame":\s*(\{.*\})\}\s*$', re.DOTALL)
SESSION_IN = re.compile(rb"(\d+)(?:\.(\d{1,9}))?: (.*?)\s*$", re.DOTALL)
SESSION_OUT = re.compile(rb"(configuration: |wss?://\S+ <-)")

LevelChange = tuple[Literal["new", "change", "delete"], float, float]


@dataclass(frozen=True)
class Frame:
    """One received text frame, byte for byte."""

    line: int
    recv_ns: int
    payload: bytes


class Book(msgspec.Struct, gc=False):
    """Data of `book.{instrument}.raw`."""

    type: Literal["snapshot", "change"]
    timestamp: int
    instrument_name: str
    change_id: int
    bids: list[LevelChange]
    asks: list[LevelChange]
    prev_change_id: int = 0


class Trade(msgspec.Struct, gc=False):
    """One print of `trades.{instrument}.raw`."""

    instrument_name: str
    timestamp: int
    trade_id: str
    trade_seq: int
    price: float
    amount: float
    direction: Literal["buy", "sell"]
    block_trade_id: str | None = None
    combo_id: str | None = None
    combo_trade_id: str | int | None = None


class Ticker(msgspec.Struct, gc=False):
    """Data of `ticker.{instrument}.raw`."""

    instrument_name: str
    timestamp: int
    state: str
    mark_price: float
    index_price: float | Literal["index_price"] | None = None
    best_bid_price: float | None = None
    best_bid_amount: float | None = None
    best_ask_price: float | None = None
    best_ask_amount: float | None = None
    current_funding: float | None = None


class Index(msgspec.Struct, gc=False):
    """Data of `deribit_price_index.{index}`."""

    index_name: str
    timestamp: int
    price: float


class Params(msgspec.Struct, gc=False):
    channel: str = ""               # a heartbeat has none
    data: msgspec.Raw = msgspec.Raw(b"")


class Notification(msgspec.Struct, gc=False):
    method: str = ""
    params: Params | None = None


DECODE_NOTIFICATION = msgspec.json.Decoder(Notification).decode
DECODE_BOOK = msgspec.json.Decoder(Book).decode
DECODE_TRADES = msgspec.json.Decoder(list[Trade]).decode
DECODE_TICKER = msgspec.json.Decoder(Ticker).decode
DECODE_INDEX = msgspec.json.Decoder(Index).decode


def read_frames(path: Path) -> Iterator[Frame]:
    """Yield every received frame of a frame recording, responses included, in file order."""
    for number, line in read_lines(path):
        if line.startswith(b"{"):
            match = FRAME_HEAD.match(line)
            if match is None:
                raise damage(path, number, 'is not {"recv_ns": integer, "frame": {...}}',
                             "remove the line or record the session again")
            yield Frame(number, int(match[1]), match[2])
            continue
        if SESSION_OUT.match(line) or not line.strip():
            continue
        match = SESSION_IN.match(line)
        if match is None:
            raise damage(path, number, "is neither `time: frame` nor a connection line",
                         "remove the line or record the session again")
        recv_ns = int(match[1]) * 1_000_000_000 + int((match[2] or b"").ljust(9, b"0"))
        yield Frame(number, recv_ns, match[3])


class FrameReader:
    """State of reading one session over its files."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.integrity = Integrity()
        self.names: dict[str, int] = {}
        self.changes: dict[int, int] = {}       # instrument -> last change id
        self.last_trade: dict[int, int] = {}    # instrument -> last trade_seq
        self.states: dict[int, str] = {}
        self.local_ns = 0

    def number_of(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))

    def on_book(self, book: Book) -> None:
        counts = self.integrity
        number = self.number_of(book.instrument_name)
        flags = 0
        last = self.changes.get(number)
        if book.type == "snapshot":
            counts.snapshots += 1
            flags = EventFlag.FLAG_SNAPSHOT
        else:
            counts.diffs += 1
            counts.level_changes += len(book.bids) + len(book.asks)
            if last is None:
                counts.diffs_before_snapshot += 1
                return
            if book.change_id <= last:
                counts.duplicates += 1
                return
            if book.prev_change_id != last:
                counts.gaps += 1
                flags = EventFlag.FLAG_GAP
        self.changes[number] = book.change_id
        self.columns.add(
            EventKind.EVENT_LEVEL, book.timestamp * NS_PER_MS, self.local_ns, book.change_id,
            book.prev_change_id, flags, number,
            [(price, 0.0 if action == "delete" else amount) for action, price, amount in book.bids],
            [(price, 0.0 if action == "delete" else amount) for action, price, amount in book.asks])

    def on_trades(self, trades: list[Trade]) -> None:
        counts = self.integrity
        for trade in trades:
            number = self.number_of(trade.instrument_name)
            counts.trades += 1
            last = self.last_trade.get(number)
            if last is not None and trade.trade_seq <= last:
                counts.duplicates += 1
                continue
            self.last_trade[number] = trade.trade_seq
            excluded = (trade.block_trade_id is not None or trade.combo_id is not None
                        or trade.combo_trade_id is not None)
            counts.trades_excluded += excluded
            row = [(trade.price, trade.amount)]
            bought = trade.direction == "buy"
            self.columns.add(
                EventKind.EVENT_TRADE, trade.timestamp * NS_PER_MS, self.local_ns,
                int(trade.trade_id.rpartition("-")[2]), trade.trade_seq,
                EventFlag.FLAG_EXCLUDED if excluded else 0, number,
                row if bought else [], [] if bought else row)

    def on_ticker(self, ticker: Ticker) -> None:
        self.integrity.tickers += 1
        number = self.number_of(ticker.instrument_name)
        exch_ns = ticker.timestamp * NS_PER_MS
        if ticker.state != self.states.get(number):
            self.states[number] = ticker.state
            self.columns.add_value(EventKind.EVENT_STATE, exch_ns, self.local_ns, number,
                                   STATES.get(ticker.state, STATE_UNKNOWN))
        values = ((EventKind.EVENT_MARK, ticker.mark_price),
                  (EventKind.EVENT_INDEX, ticker.index_price),
                  (EventKind.EVENT_FUNDING, ticker.current_funding))
        for kind, value in values:
            if isinstance(value, float):
                self.columns.add_value(kind, exch_ns, self.local_ns, number, value)
        self.columns.add(
            EventKind.EVENT_TOP, exch_ns, self.local_ns, 0, 0, 0, number,
            [(ticker.best_bid_price or 0.0, ticker.best_bid_amount or 0.0)],
            [(ticker.best_ask_price or 0.0, ticker.best_ask_amount or 0.0)])

    def on_frame(self, frame: Frame) -> None:
        """Read one frame; ValueError (msgspec's included) says what is wrong with it."""
        if frame.recv_ns < self.local_ns:
            self.integrity.reordered += 1
        self.local_ns = max(self.local_ns, frame.recv_ns)
        message = DECODE_NOTIFICATION(frame.payload)
        if message.method != "subscription" or message.params is None:
            self.integrity.other += 1
            return
        channel, data = message.params.channel, message.params.data
        if channel.startswith("book."):
            self.on_book(DECODE_BOOK(data))
        elif channel.startswith("trades."):
            self.on_trades(DECODE_TRADES(data))
        elif channel.startswith("ticker."):
            self.on_ticker(DECODE_TICKER(data))
        elif channel == "deribit_price_index.btc_usd":
            index = DECODE_INDEX(data)
            self.integrity.indexes += 1
            self.columns.add_value(EventKind.EVENT_INDEX, index.timestamp * NS_PER_MS,
                                   self.local_ns, -1, index.price)
        else:
            self.integrity.other += 1


def expiry_of(name: str) -> int:
    """Return the expiry in ms a contract's name states; 0 for a perpetual."""
    date = name.split("-")[1]
    if date == "PERPETUAL":
        return 0
    day = datetime.strptime(date, "%d%b%y").replace(hour=8, tzinfo=UTC)
    return int(day.timestamp() * 1000)


def load_definitions(recording: Path) -> tuple[list[dict[str, Any]], Path | None]:
    """Find the `get_instruments` reply beside a recording: `*instruments*.json`."""
    for path in sorted(recording.parent.glob("*instruments*.json")):
        try:
            reply = json.loads(path.read_bytes())
            definitions = reply["result"] if isinstance(reply, dict) else reply
            names = {d["instrument_name"] for d in definitions}
        except (ValueError, KeyError, TypeError) as error:
            raise damage(path, None, f"is no get_instruments reply ({error!r})",
                         "repair it, or move it away to have ticks taken from the data") from None
        if names:
            return definitions, path
    return [], None


def spec_of(name: str, definition: dict[str, Any] | None, prices: Any,
            amounts: Any) -> InstrumentSpec:
    """Make an instrument from its definition, else from its name and the grid of its data."""
    if definition is not None:
        expiry_ms = int(definition["expiration_timestamp"])
        steps = [(s["above_price"], s["tick_size"]) for s in definition["tick_size_steps"]]
        return InstrumentSpec(
            name, tick_size=definition["tick_size"], contract_size=definition["contract_size"],
            min_amount=definition["min_trade_amount"],
            inverse=definition.get("instrument_type") == "reversed",
            maker_fee=definition["maker_commission"], taker_fee=definition["taker_commission"],
            expiry_ms=0 if expiry_ms == PERPETUAL_EXPIRY_MS else expiry_ms, tick_steps=steps)
    future = FUTURE_NAME.fullmatch(name)
    inverse = future is not None and future[1] is None
    contract = grid_of(amounts, ("10",) if inverse else ("0.001",))
    return InstrumentSpec(
        name, tick_size=grid_of(prices, ("0.5",) if future else ()), contract_size=contract,
        min_amount=contract, inverse=inverse, expiry_ms=expiry_of(name) if future else 0)


def read_deribit(paths: Sequence[Path]) -> Recording:
    """Read the files of one frame recording, given in order of time."""
    reader = FrameReader()
    for path in paths:
        for frame in read_frames(path):
            try:
                reader.on_frame(frame)
            except ValueError as error:
                raise damage(path, frame.line, f"cannot be read ({error})",
                             "remove the line or record the session again") from None
            reader.integrity.lines += 1
    if not reader.changes:
        raise damage(paths[0], None, "has no book snapshot",
                     "record from before the book subscription on")
    definitions, source = load_definitions(paths[0])
    by_name = {d["instrument_name"]: d for d in definitions}
    events = reader.columns.layout()
    prices, amounts = reader.columns.numbers()
    specs = []
    try:
        for name, number in reader.names.items():
            mine = (events["instrument"] == number) & (amounts > 0.0) & np.isfinite(prices)
            specs.append(spec_of(name, by_name.get(name), prices[mine], amounts[mine]))
        fill_numbers(events, prices, amounts, specs)
    except (ValueError, KeyError) as error:
        where = source if source is not None and by_name else paths[0]
        raise RecordingError(f"{where}: {error}") from None
    stated = events["kind"] == EventKind.EVENT_STATE
    events["extra"][stated] = events["value"][stated].astype(np.int64)
    count_book_facts(events, reader.integrity)
    return Recording(events, specs, reader.integrity, "frames", tuple(paths),
                     [d for d in definitions if d["instrument_name"] in reader.names])
