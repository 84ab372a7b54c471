"""Read tables of market data as tardis.dev sells them: CSV, gzip or plain, or the same as Parquet.

Kinds, told by their columns: incremental_book_L2, trades, quotes, derivative_ticker. Times are
microseconds since 1970. Rows of one local time are one book message.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.replay.books import count_book_facts
from connectors.replay.columns import fill_numbers, grid_of
from connectors.replay.deribit import expiry_of
from connectors.replay.event import EVENT_DTYPE, EventFlag, EventKind
from connectors.replay.lines import read_lines
from connectors.replay.recording import Integrity, Recording, RecordingError, damage
from mmcore.types import InstrumentSpec

CHUNK_LINES = 100_000
BAD_LINES_MAX = 20
PARQUET_MAGIC = b"PAR1"
COMMON = ("exchange", "symbol", "timestamp", "local_timestamp")
KINDS: dict[str, tuple[str, ...]] = {
    "incremental_book_L2": (*COMMON, "is_snapshot", "side", "price", "amount"),
    "trades": (*COMMON, "id", "side", "price", "amount"),
    "quotes": (*COMMON, "ask_amount", "ask_price", "bid_price", "bid_amount"),
    "derivative_ticker": (*COMMON, "funding_rate", "index_price", "mark_price"),
}
FUTURE = re.compile(r"BTC(_USDC)?-(PERPETUAL|\d{1,2}[A-Z]{3}\d\d)")

CHECKS: dict[str, Callable[[bytes], bool]] = {
    "timestamp": lambda cell: 0 < int(cell) < 1 << 53,
    "local_timestamp": lambda cell: 0 < int(cell) < 1 << 53,
    "price": lambda cell: 0.0 <= float(cell) < 1e12,
    "amount": lambda cell: 0.0 <= float(cell) < 1e12,
    "side": lambda cell: cell in (b"bid", b"ask", b"buy", b"sell", b"unknown"),
}

Table = dict[str, npt.NDArray[np.bytes_]]
Progress = Callable[[int], None]


class BadLinesError(RecordingError):
    """Lines that cannot be read; `lines` holds one sentence each."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


@dataclass
class Part:
    """Events of one file: venue amounts and prices as read, instrument numbers not yet set."""

    events: npt.NDArray[np.void]
    prices: npt.NDArray[np.float64]
    amounts: npt.NDArray[np.float64]
    symbol: tuple[str, str]     # exchange, symbol
    kind: str


def kind_of(header: bytes) -> str | None:
    """Return the kind of table a header line names."""
    names = set(header.decode("ascii", "replace").strip().split(","))
    return next((kind for kind, needed in KINDS.items() if names >= set(needed)), None)


def header_of(path: Path) -> bytes:
    """Return the line of column names of a CSV or Parquet table."""
    if is_parquet(path):
        return ",".join(scan(path).collect_schema().names()).encode()
    return next(line for _, line in read_lines(path))


def is_parquet(path: Path) -> bool:
    """Tell whether a file is a Parquet table, from its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    except OSError:
        return False        # said clearly by whoever opens it


def scan(path: Path) -> Any:
    """Open a Parquet table; RecordingError where it is damaged or polars is missing."""
    try:
        import polars as pl
    except ImportError:
        raise damage(path, None, "is Parquet, which needs polars",
                     "pip install polars, or give the table as CSV") from None
    try:
        table = pl.scan_parquet(path)
        table.collect_schema()
    except Exception as error:      # polars has no common base for what is wrong with a file
        raise damage(path, None, f"cannot be read as Parquet ({str(error).splitlines()[0]})",
                     "it is cut or damaged: get it again") from None
    return table


def rows_of(path: Path) -> Iterator[tuple[int, list[bytes], int]]:
    """Yield (row, cells, bytes) of a Parquet table, the cells as a CSV would have them."""
    import polars as pl

    table = scan(path)
    number = 1
    try:
        height = table.select(pl.len()).collect().item()
        for begin in range(0, height, CHUNK_LINES):
            part = table.slice(begin, CHUNK_LINES).collect()
            for row in part.iter_rows():
                number += 1
                cells = [cell_of(value) for value in row]
                yield number, cells, sum(map(len, cells))
    except pl.exceptions.PolarsError as error:
        raise damage(path, number, f"cannot be read ({str(error).splitlines()[0]})",
                     "it is cut or damaged: get it again") from None


def cell_of(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()


def lines_of(path: Path) -> Iterator[tuple[int, list[bytes], int]]:
    """Yield (line, cells, bytes) of a CSV behind its header, or of a Parquet table."""
    if is_parquet(path):
        yield from rows_of(path)
        return
    lines = read_lines(path)
    next(lines)
    for number, line in lines:
        yield number, line.rstrip(b"\r\n").split(b","), len(line)


def chunks(path: Path, bad: list[str], progress: Progress) -> Iterator[Table]:
    """Yield columns of a file in chunks; a line of the wrong width goes to bad."""
    names = [cell.decode("ascii", "replace") for cell in header_of(path).strip().split(b",")]
    held: list[list[bytes]] = []
    size = 0
    for number, cells, length in lines_of(path):
        size += length
        if len(cells) != len(names):
            bad.append(str(damage(path, number, f"{len(cells)} columns instead of {len(names)}",
                                  "remove the line, or import with --skip-bad")))
            continue
        if not well_formed(cells, names):
            bad.append(str(damage(path, number, "a time or number cannot be read",
                                  "remove the line, or import with --skip-bad")))
            continue
        held.append(cells)
        if len(held) == CHUNK_LINES:
            yield columns_of(names, held)
            progress(size)
            held, size = [], 0
    if held:
        yield columns_of(names, held)
    progress(size)


def well_formed(cells: list[bytes], names: list[str]) -> bool:
    """Tell whether every number of a line is one."""
    try:
        for name, cell in zip(names, cells, strict=True):
            check = CHECKS.get(name)
            if check is not None and not check(cell):
                return False
    except ValueError:
        return False
    return True


def columns_of(names: list[str], held: list[list[bytes]]) -> Table:
    return {name: np.array([cells[i] for cells in held]) for i, name in enumerate(names)}


def blank(table: Table, kind: int) -> npt.NDArray[np.void]:
    """Return one event a row with times, first and last set."""
    events = np.zeros(len(table["timestamp"]), dtype=EVENT_DTYPE)
    events["exch_ns"] = table["timestamp"].astype(np.int64) * 1000
    events["local_ns"] = table["local_timestamp"].astype(np.int64) * 1000
    events["kind"] = kind
    events["flags"] = EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST
    return events


def mark_messages(events: npt.NDArray[np.void]) -> None:
    """Set first and last of the messages: rows of one local time and kind."""
    snapshot = events["flags"] & EventFlag.FLAG_SNAPSHOT
    changed = (np.diff(events["local_ns"]) != 0) | (np.diff(snapshot) != 0)
    first = np.concatenate(([True], changed))
    events["flags"] |= np.where(first, EventFlag.FLAG_FIRST, 0).astype(np.uint16)
    events["flags"] |= np.where(np.append(first[1:], True), EventFlag.FLAG_LAST,
                                0).astype(np.uint16)
    events["sequence"] = np.cumsum(first)


def numbers(table: Table, name: str) -> npt.NDArray[np.float64]:
    """Return a column as numbers; an empty cell is NaN."""
    column = table[name]
    return np.where(column == b"", b"nan", column).astype(np.float64)


def read_file(path: Path, bad: list[str], integrity: Integrity, progress: Progress) -> list[Part]:
    """Read one table; a part for each symbol in it."""
    kind = kind_of(header_of(path))
    if kind is None:
        raise damage(path, 1, "has none of the known sets of columns",
                     f"give one of {', '.join(KINDS)}")
    pieces: dict[tuple[str, str], list[tuple[npt.NDArray[np.void], npt.NDArray[np.float64],
                                             npt.NDArray[np.float64]]]] = {}
    for table in chunks(path, bad, progress):
        integrity.lines += len(table["timestamp"])
        for exchange, symbol in {*zip(table["exchange"].tolist(), table["symbol"].tolist(),
                                      strict=True)}:
            mine = (table["exchange"] == exchange) & (table["symbol"] == symbol)
            own = {name: column[mine] for name, column in table.items()}
            pieces.setdefault((exchange.decode(), symbol.decode()), []).append(
                MAKERS[kind](own, integrity))
    parts = []
    for key, found in pieces.items():
        events, prices, amounts = (np.concatenate([piece[i] for piece in found])
                                   for i in range(3))
        steps = np.diff(events["local_ns"])
        integrity.reordered += int((steps < 0).sum())
        if kind == "incremental_book_L2":
            mark_messages(events)
            starts = events["flags"] & EventFlag.FLAG_FIRST != 0
            snapshots = events["flags"] & EventFlag.FLAG_SNAPSHOT != 0
            integrity.snapshots += int((starts & snapshots).sum())
            integrity.diffs += int((starts & ~snapshots).sum())
            integrity.level_changes += int((~snapshots).sum())
        parts.append(Part(events, prices, amounts, key, kind))
    return parts


Rows = tuple[npt.NDArray[np.void], npt.NDArray[np.float64], npt.NDArray[np.float64]]


def make_book(table: Table, integrity: Integrity) -> Rows:
    """Return levels; messages are told apart when the file is whole."""
    events = blank(table, EventKind.EVENT_LEVEL)
    events["side"] = table["side"] == b"ask"
    events["flags"] = np.where(table["is_snapshot"] == b"true", EventFlag.FLAG_SNAPSHOT, 0)
    return events, numbers(table, "price"), numbers(table, "amount")


def make_trades(table: Table, integrity: Integrity) -> Rows:
    events = blank(table, EventKind.EVENT_TRADE)
    events["side"] = table["side"] == b"sell"
    _, once = np.unique(table["id"], return_index=True)
    kept = np.zeros(len(events), bool)
    kept[once] = True
    kept |= table["id"] == b""
    integrity.trades += len(events)
    integrity.duplicates += int((~kept).sum())
    unknown = table["side"] == b"unknown"
    events["flags"][unknown] |= np.uint16(EventFlag.FLAG_EXCLUDED)
    integrity.trades_excluded += int(unknown.sum())
    return events[kept], numbers(table, "price")[kept], numbers(table, "amount")[kept]


def make_quotes(table: Table, integrity: Integrity) -> Rows:
    events = np.repeat(blank(table, EventKind.EVENT_TOP), 2)
    events["flags"][0::2] = EventFlag.FLAG_FIRST
    events["flags"][1::2] = EventFlag.FLAG_LAST
    events["side"][1::2] = 1
    integrity.tops += len(events) // 2
    values = [np.nan_to_num(np.column_stack(
        [numbers(table, f"bid_{what}"), numbers(table, f"ask_{what}")]).ravel())
        for what in ("price", "amount")]
    return events, values[0], values[1]


def make_ticker(table: Table, integrity: Integrity) -> Rows:
    found = []
    for name, kind in (("mark_price", EventKind.EVENT_MARK), ("index_price", EventKind.EVENT_INDEX),
                       ("funding_rate", EventKind.EVENT_FUNDING)):
        values = numbers(table, name)
        events = blank(table, kind)
        found.append((events[~np.isnan(values)], values[~np.isnan(values)]))
    integrity.tickers += len(table["timestamp"])
    events = np.concatenate([events for events, _ in found])
    values = np.concatenate([values for _, values in found])
    order = np.argsort(events["local_ns"], kind="stable")
    return events[order], values[order], np.zeros(len(events))


MAKERS: dict[str, Callable[[Table, Integrity], Rows]] = {
    "incremental_book_L2": make_book, "trades": make_trades, "quotes": make_quotes,
    "derivative_ticker": make_ticker}


def instrument_of(exchange: str, symbol: str, prices: npt.NDArray[np.float64],
                  amounts: npt.NDArray[np.float64]) -> tuple[InstrumentSpec, float]:
    """Return what a symbol plays as, and the venue amount of one unit in the table."""
    future = FUTURE.fullmatch(symbol)
    if exchange == "deribit" and future is not None:
        inverse = future[1] is None
        contract = grid_of(amounts, ("10",) if inverse else ("0.001",))
        return InstrumentSpec(symbol, tick_size=grid_of(prices, ("0.5",)), inverse=inverse,
                              contract_size=contract, min_amount=contract,
                              expiry_ms=expiry_of(symbol)), 1.0
    inverse_units = {("binance-delivery", "BTCUSD_PERP"): 100.0, ("bitmex", "XBTUSD"): 1.0,
                     ("bybit", "BTCUSD"): 1.0}
    if (exchange, symbol) in inverse_units:
        factor = inverse_units[exchange, symbol]
        contract = grid_of(amounts * factor, ("10", "1"))
        return InstrumentSpec("BTC-PERPETUAL", tick_size=grid_of(prices, ("0.5", "0.1")),
                              contract_size=contract, min_amount=contract), factor
    if symbol in ("BTCUSDT", "BTCUSDC", "BTCFDUSD", "XBTUSDT", "BTC-USDT-SWAP"):
        contract = grid_of(amounts, ("0.001",))
        return InstrumentSpec("BTC_USDC-PERPETUAL", tick_size=grid_of(prices, ("0.1",)),
                              inverse=False, contract_size=contract, min_amount=contract), 1.0
    raise RecordingError(f"{exchange} {symbol} is not played; Deribit's BTC futures and the BTC "
                         "perpetuals of Binance, Bybit and BitMEX are")


def read_tables(paths: Sequence[Path], *, skip_bad: bool = False,
                progress: Progress = lambda size: None) -> Recording:
    """Read tables of one period as one recording, whatever their order.

    skip_bad: leave out lines that cannot be read, counted in integrity.other. Raises BadLinesError
    with one sentence a line otherwise, RecordingError where a file is damaged as a whole.
    """
    integrity = Integrity()
    bad: list[str] = []
    parts = [part for path in paths for part in read_file(path, bad, integrity, progress)]
    if bad and not skip_bad:
        more = len(bad) - BAD_LINES_MAX
        raise BadLinesError(bad[:BAD_LINES_MAX] + (
            [f"{paths[0]}: and {more} more lines like these"] if more > 0 else []))
    integrity.other += len(bad)
    symbols = list(dict.fromkeys(p.symbol for p in parts if p.kind == "incremental_book_L2"))
    if not symbols:
        raise damage(paths[0], None, "has no book", "give an incremental_book_L2 table too")
    specs = []
    for number, symbol in enumerate(symbols):
        mine = [p for p in parts if p.symbol == symbol and p.kind != "derivative_ticker"]
        prices, amounts = (np.concatenate([getattr(p, what) for p in mine])
                           for what in ("prices", "amounts"))
        spec, factor = instrument_of(*symbol, prices[prices > 0], amounts[amounts > 0])
        specs.append(spec)
        for part in parts:
            if part.symbol == symbol:
                part.events["instrument"] = number
                part.amounts *= factor
    parts = sorted((p for p in parts if p.symbol in symbols),
                   key=lambda p: p.kind == "incremental_book_L2")     # prints before the book
    events = np.concatenate([p.events for p in parts])
    prices, amounts = (np.concatenate([getattr(p, what) for p in parts])
                       for what in ("prices", "amounts"))
    order = np.argsort(events["local_ns"], kind="stable")
    events = events[order]
    fill_numbers(events, prices[order], amounts[order], specs)
    count_book_facts(events, integrity)
    return Recording(events, specs, integrity, "tables", tuple(paths))
