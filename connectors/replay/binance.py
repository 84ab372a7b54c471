"""Read raw collector files: one line per message, the local time and the venue's own JSON.

The book comes as diffs chained by `pu` to the `u` before, plus one REST snapshot somewhere in the
stream. The venue's rule joins the two: diffs older than the snapshot are dropped, those that reach
past it are applied on top of it.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from connectors.replay.books import count_book_facts
from connectors.replay.columns import Columns, fill_numbers, grid_of
from connectors.replay.event import EventFlag, EventKind
from connectors.replay.lines import read_lines
from connectors.replay.recording import Integrity, Recording, RecordingError, damage
from mmcore.types import InstrumentSpec

NS_PER_MS = 1_000_000
INVERSE_CONTRACT_USD = 100.0
# The files hold no fees: what they play as costs what the venue has taken since August 2026.
MAKER_FEE = 0.00015
TAKER_FEE = 0.00035
CHAIN_KEPT = 1000       # diffs kept to join a snapshot that arrives late
ORDINARY = ("MARKET", "")

Level = tuple[float, float]


class Diff(msgspec.Struct, gc=False):
    """`depthUpdate`."""

    s: str
    T: int
    u: int
    U: int
    pu: int
    b: list[Level]
    a: list[Level]


class Trade(msgspec.Struct, gc=False):
    """`trade`; m: the buyer was the maker, so the taker sold."""

    s: str
    T: int
    t: int
    p: float
    q: float
    m: bool
    X: str = ""


class Top(msgspec.Struct, gc=False):
    """`bookTicker`."""

    s: str
    T: int
    u: int
    b: float
    B: float
    a: float
    A: float


class Mark(msgspec.Struct, gc=False):
    """`markPriceUpdate`; T is the next funding time, so the event time E counts."""

    s: str
    E: int
    p: float
    i: float
    r: float


class Snapshot(msgspec.Struct, gc=False):
    """The REST reply of the order book; it has no stream name and on some markets no symbol."""

    last_update_id: int = msgspec.field(name="lastUpdateId")
    T: int
    bids: list[Level]
    asks: list[Level]


class DiffLine(msgspec.Struct, gc=False):
    data: Diff


class TradeLine(msgspec.Struct, gc=False):
    data: Trade


class TopLine(msgspec.Struct, gc=False):
    data: Top


class MarkLine(msgspec.Struct, gc=False):
    data: Mark


# Numbers come as JSON strings, which a lax decoder turns into floats.
DECODE_DIFF = msgspec.json.Decoder(DiffLine, strict=False).decode
DECODE_TRADE = msgspec.json.Decoder(TradeLine, strict=False).decode
DECODE_TOP = msgspec.json.Decoder(TopLine, strict=False).decode
DECODE_MARK = msgspec.json.Decoder(MarkLine, strict=False).decode
DECODE_SNAPSHOT = msgspec.json.Decoder(Snapshot, strict=False).decode
DECODE_ANY = msgspec.json.Decoder().decode


def fold(levels: list[Level], changes: list[Level]) -> list[Level]:
    """Apply absolute level changes to a list of levels."""
    book = dict(levels)
    for price, amount in changes:
        if amount:
            book[price] = amount
        else:
            book.pop(price, None)
    return list(book.items())


class Collector:
    """State of reading one session over its files."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.integrity = Integrity()
        self.symbol = ""
        self.local_ns = 0
        self.last_u = 0             # 0: no diff yet
        self.snapshot_u = 0         # 0: no snapshot yet
        self.joined = False         # the first diff after the snapshot has been seen
        self.chain_broken = False   # since the last snapshot
        self.last_trade = 0
        self.recent: deque[Diff] = deque(maxlen=CHAIN_KEPT)

    def take_symbol(self, symbol: str) -> None:
        """Refuse a second instrument: one collector session holds one."""
        if not self.symbol:
            self.symbol = symbol
        elif symbol != self.symbol:
            raise ValueError(f"holds {symbol} beside {self.symbol}")

    def on_diff(self, diff: Diff) -> None:
        counts = self.integrity
        self.take_symbol(diff.s)
        counts.diffs += 1
        counts.level_changes += len(diff.b) + len(diff.a)
        if self.last_u and diff.u <= self.last_u:
            counts.duplicates += 1
            return
        gap = bool(self.last_u) and diff.pu != self.last_u
        self.last_u = diff.u
        self.recent.append(diff)
        if not self.snapshot_u:
            counts.diffs_before_snapshot += 1
            counts.gaps += gap
            return
        if not self.joined:
            if diff.u < self.snapshot_u:
                counts.diffs_stale += 1
                counts.gaps += gap
                return
            self.joined = True
            gap = gap or (self.snapshot_u < diff.U and diff.pu > self.snapshot_u)
        if gap:
            counts.gaps += 1
            self.chain_broken = True
        self.columns.add(EventKind.EVENT_LEVEL, diff.T * NS_PER_MS, self.local_ns, diff.u,
                         diff.pu, EventFlag.FLAG_GAP if gap else 0, 0, diff.b, diff.a)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Apply the venue's rule: diffs that end before it are dropped, others fold in."""
        counts = self.integrity
        counts.snapshots += 1
        if self.snapshot_u and not self.chain_broken:
            counts.snapshots_skipped += 1
            return
        bids, asks = snapshot.bids, snapshot.asks
        sequence, exch_ms = snapshot.last_update_id, snapshot.T
        self.joined = False
        for diff in self.recent:
            if diff.u < snapshot.last_update_id:
                continue
            if not self.joined and snapshot.last_update_id < diff.U:
                counts.gaps += 1    # the diff that should contain the snapshot is missing
            self.joined = True
            bids, asks = fold(bids, diff.b), fold(asks, diff.a)
            sequence, exch_ms = diff.u, diff.T   # the book is as of the last one folded
            counts.diffs_folded += 1
        self.snapshot_u = snapshot.last_update_id
        self.chain_broken = False
        self.columns.add(EventKind.EVENT_LEVEL, exch_ms * NS_PER_MS, self.local_ns, sequence, 0,
                         EventFlag.FLAG_SNAPSHOT, 0, bids, asks)

    def on_trade(self, trade: Trade) -> None:
        self.take_symbol(trade.s)
        self.integrity.trades += 1
        if trade.t <= self.last_trade:
            self.integrity.duplicates += 1
            return
        self.last_trade = trade.t
        flags = 0
        if trade.X not in ORDINARY:
            flags = EventFlag.FLAG_EXCLUDED
            self.integrity.trades_excluded += 1
        row = [(trade.p, trade.q)]
        self.columns.add(EventKind.EVENT_TRADE, trade.T * NS_PER_MS, self.local_ns, trade.t, 0,
                         flags, 0, [] if trade.m else row, row if trade.m else [])

    def on_top(self, top: Top) -> None:
        self.take_symbol(top.s)
        self.integrity.tops += 1
        self.columns.add(EventKind.EVENT_TOP, top.T * NS_PER_MS, self.local_ns, top.u, 0, 0, 0,
                         [(top.b, top.B)], [(top.a, top.A)])

    def on_mark(self, mark: Mark) -> None:
        self.take_symbol(mark.s)
        self.integrity.tickers += 1
        exch_ns = mark.E * NS_PER_MS
        for kind, value in ((EventKind.EVENT_MARK, mark.p), (EventKind.EVENT_INDEX, mark.i),
                            (EventKind.EVENT_FUNDING, mark.r)):
            self.columns.add_value(kind, exch_ns, self.local_ns, 0, value)

    def on_line(self, line: bytes, scale_ns: int) -> None:
        """Read one line; ValueError (msgspec's included) says what is wrong with it."""
        stamp, _, text = line.partition(b" ")
        if not stamp.isdigit() or not text:
            raise ValueError("not `local time, space, JSON`")
        local_ns = int(stamp) * scale_ns
        if local_ns < self.local_ns:
            self.integrity.reordered += 1
        self.local_ns = max(self.local_ns, local_ns)
        head = text[:120]
        if b'"depthUpdate"' in head:
            self.on_diff(DECODE_DIFF(text).data)
        elif b'"bookTicker"' in head:
            self.on_top(DECODE_TOP(text).data)
        elif b'"trade"' in head:
            self.on_trade(DECODE_TRADE(text).data)
        elif b'"lastUpdateId"' in head:
            self.on_snapshot(DECODE_SNAPSHOT(text))
        elif b'"markPriceUpdate"' in head:
            self.on_mark(DECODE_MARK(text).data)
        else:
            DECODE_ANY(text)
            self.integrity.other += 1


def stamp_scale_ns(stamp: bytes) -> int:
    """Return ns per unit of a local time stamp, told by its number of digits."""
    scales = {19: 1, 16: 1_000, 13: NS_PER_MS}
    if len(stamp) not in scales:
        raise ValueError(f"local time {stamp[:24]!r} is neither ms, us nor ns since 1970")
    return scales[len(stamp)]


def read_file(path: Path, collector: Collector) -> None:
    """Read one file into the collector; RecordingError naming the line where it is damaged."""
    scale_ns = 0
    number = 0
    on_line = collector.on_line
    for number, line in read_lines(path):
        try:
            if not scale_ns:
                stamp = line.partition(b" ")[0]
                scale_ns = stamp_scale_ns(stamp)
                if int(stamp) * scale_ns < collector.local_ns:
                    raise damage(path, number, "starts before the file given before it ends",
                                 "give the files of a session in order of time")
            on_line(line, scale_ns)
        except RecordingError:
            raise
        except ValueError as error:
            raise damage(path, number, f"cannot be read ({error})",
                         "remove the line or record the session again") from None
    collector.integrity.lines += number


def instrument_of(symbol: str, columns: Columns) -> tuple[InstrumentSpec, float]:
    """Return the instrument a symbol plays as, and the venue amount of one recorded unit."""
    prices, amounts = columns.numbers()
    levels = amounts > 0.0
    if symbol == "BTCUSD_PERP":
        tick = grid_of(prices[levels], ("0.1",))
        return InstrumentSpec("BTC-PERPETUAL", tick_size=tick, contract_size="10",
                              min_amount="10", maker_fee=MAKER_FEE,
                              taker_fee=TAKER_FEE), INVERSE_CONTRACT_USD
    if symbol in ("BTCUSDT", "BTCUSDC", "BTCBUSD", "BTCFDUSD"):
        tick = grid_of(prices[levels], ("0.1",))
        contract = grid_of(amounts[levels], ("0.001",))
        return InstrumentSpec("BTC_USDC-PERPETUAL", tick_size=tick, contract_size=contract,
                              min_amount=contract, inverse=False, maker_fee=MAKER_FEE,
                              taker_fee=TAKER_FEE), 1.0
    raise RecordingError(f"symbol {symbol} is not played; BTCUSD_PERP (inverse) and BTCUSDT "
                         "(linear) perpetuals are")


def read_collector(paths: Sequence[Path]) -> Recording:
    """Read the files of one collector session, given in order of time."""
    collector = Collector()
    for path in paths:
        read_file(path, collector)
    if not collector.snapshot_u:
        raise damage(paths[0], None, "has no order book snapshot (a line with lastUpdateId)",
                     "give the file of the session that holds it, first in order")
    columns = collector.columns
    try:
        spec, factor = instrument_of(collector.symbol, columns)
        events = columns.layout()
        prices, amounts = columns.numbers()
        fill_numbers(events, prices, amounts, [spec], factor)
    except RecordingError as error:
        raise RecordingError(f"{paths[0]}: {error}") from None
    count_book_facts(events, collector.integrity)
    return Recording(events, [spec], collector.integrity, "collector", tuple(paths))
