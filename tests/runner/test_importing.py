"""`mm import`: every form into one file; the same backtest from it; damage told."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from collector_files import write_collector
from typer.testing import CliRunner

from connectors.replay.event import EventKind
from connectors.replay.reader import open_recording
from connectors.replay.recording import RecordingError
from runner.cli import app

HEADS = {
    "incremental_book_L2": "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,"
                           "amount",
    "trades": "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
    "quotes": "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
    "derivative_ticker": "exchange,symbol,timestamp,local_timestamp,funding_timestamp,"
                         "funding_rate,predicted_funding_rate,open_interest,last_price,"
                         "index_price,mark_price"}
AT = 1_723_075_206_000_000      # us
WHO = "deribit,BTC-PERPETUAL"


def call(command: str, *arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [command, *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def figures(command: str, *arguments: object) -> Any:
    code, out, err = call(command, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def table(folder: Path, kind: str, rows: list[str], name: str = "") -> Path:
    path = folder / f"{name or kind}.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADS[kind], *rows, ""]).encode()))
    return path


def tables(folder: Path) -> list[Path]:
    book = [f"{WHO},{AT},{AT + 900},true,{side}" for side in ("bid,60000.0,100", "ask,60000.5,70")]
    trades, quotes, ticker = [], [], []
    for i in range(1, 200):
        at = AT + i * 50_000
        book += [f"{WHO},{at},{at + 900},false,bid,{59999.5 - i % 7 * 0.5},{10 + i % 9 * 10}",
                 f"{WHO},{at},{at + 900},false,ask,{60001.0 + i % 5 * 0.5},{10 + i % 8 * 10}"]
        trades.append(f"{WHO},{at},{at + 950},{1000 + i},{'buy' if i % 2 else 'sell'},"
                      f"{60000.5 if i % 2 else 60000.0},10")
        quotes.append(f"{WHO},{at},{at + 900},70,60000.5,60000.0,100")
        ticker.append(f"{WHO},{at},{at + 990},,0.0001,,,60000.0,59990.25,60000.1")
    return [table(folder, kind, rows) for kind, rows in zip(
        HEADS, (book, trades, quotes, ticker), strict=True)]


def test_an_imported_recording_backtests_to_the_same_bytes(tmp_path: Path) -> None:
    raw = write_collector(tmp_path / "a.gz", 30, 3)
    told = figures("import", raw, "-o", tmp_path / "a.mmev")
    assert told["problems"] == {}
    assert told["instruments"] == ["BTC-PERPETUAL"]
    first, second = figures("backtest", raw), figures("backtest", tmp_path / "a.mmev")
    assert first["outbound_sha256"] == second["outbound_sha256"]
    assert first["level_changes"] == second["level_changes"]
    mapped = open_recording([tmp_path / "a.mmev"])
    assert isinstance(mapped.events, np.memmap)


def test_tables_are_merged_by_the_time_received(tmp_path: Path) -> None:
    told = figures("import", *tables(tmp_path), "-o", tmp_path / "t")
    assert told["format"] == "tables"
    assert told["integrity"]["snapshots"] == 1
    assert told["integrity"]["diffs"] == 199
    assert told["integrity"]["trades"] == 199
    recording = open_recording([tmp_path / "t.mmev"])
    events = recording.events
    assert np.all(np.diff(events["local_ns"]) >= 0)
    assert recording.instruments[0].tick_usd == 0.5
    assert set(np.unique(events["kind"])) == {
        EventKind.EVENT_LEVEL, EventKind.EVENT_TRADE, EventKind.EVENT_TOP, EventKind.EVENT_INDEX,
        EventKind.EVENT_MARK, EventKind.EVENT_FUNDING}
    run = figures("backtest", tmp_path / "t.mmev")
    assert run["book_updates"] >= 199
    assert run["book_crossed"] == 0


def test_every_bad_line_is_named_once_and_may_be_left_out(tmp_path: Path) -> None:
    files = tables(tmp_path)
    lines = gzip.decompress(files[1].read_bytes()).decode().split("\n")
    lines[5], lines[9] = lines[5] + ",more", lines[9].replace("60000.5", "sixty")
    files[1].write_bytes(gzip.compress("\n".join(lines).encode()))
    code, out, err = call("import", *files, "-o", tmp_path / "t")
    assert (code, out) == (2, "")
    assert "trades.csv.gz: line 6" in err
    assert "trades.csv.gz: line 10" in err
    assert err.count("\n") == 2
    assert not (tmp_path / "t.mmev").exists()
    told = figures("import", *files, "-o", tmp_path / "t", "--skip-bad")
    assert told["integrity"]["other"] == 2
    assert told["integrity"]["trades"] == 197


def test_repeated_trades_and_disorder_are_counted(tmp_path: Path) -> None:
    files = tables(tmp_path)
    lines = gzip.decompress(files[1].read_bytes()).decode().split("\n")
    lines.insert(20, lines[10])
    files[1].write_bytes(gzip.compress("\n".join(lines).encode()))
    told = figures("import", *files, "-o", tmp_path / "t")
    assert told["problems"] == {"duplicates": 1}


def test_tables_without_a_book_or_of_strangers_are_refused(tmp_path: Path) -> None:
    files = tables(tmp_path)
    code, _, err = call("import", *files[1:], "-o", tmp_path / "t")
    assert code == 2
    assert "has no book" in err
    other = table(tmp_path, "incremental_book_L2", [
        f"kraken,XBT/USD,{AT},{AT},true,bid,1,1"], name="other")
    code, _, err = call("import", other, "-o", tmp_path / "t")
    assert code == 2
    assert "kraken XBT/USD is not played" in err


@pytest.mark.parametrize("cut", [5, 100, -8, -4000])
def test_a_damaged_store_is_refused(tmp_path: Path, cut: int) -> None:
    raw = write_collector(tmp_path / "a.gz", 5, 3)
    figures("import", raw, "-o", tmp_path / "a.mmev")
    whole = (tmp_path / "a.mmev").read_bytes()
    broken = tmp_path / "b.mmev"
    broken.write_bytes(whole[:cut])
    with pytest.raises(RecordingError, match=r"b\.mmev"):
        open_recording([broken])
    flipped = bytearray(whole)
    flipped[-9000] ^= 1
    broken.write_bytes(flipped)
    with pytest.raises(RecordingError, match="damaged"):
        open_recording([broken])


def as_parquet(path: Path) -> Path:
    """Write a table as Parquet, with the types a reader of CSV finds."""
    out = path.with_name(path.name.replace(".csv.gz", ".parquet"))
    pl.read_csv(path).write_parquet(out)
    return out


def test_parquet_tables_are_read_as_their_csv(tmp_path: Path) -> None:
    files = tables(tmp_path)
    packed = [as_parquet(path) for path in files]
    first, second = open_recording(files), open_recording(packed)
    assert first.events.tobytes() == second.events.tobytes()
    assert first.integrity == second.integrity


def test_a_damaged_or_strange_parquet_table_is_one_line(tmp_path: Path) -> None:
    whole = as_parquet(tables(tmp_path)[0]).read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole[:len(whole) // 2])
    code, _, err = call("import", cut, "-o", tmp_path / "x")
    assert code == 2
    assert "cut.parquet" in err
    assert "get it again" in err
    strange = tmp_path / "strange.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(strange)
    code, _, err = call("import", strange, "-o", tmp_path / "x")
    assert code == 2
    assert "known sets of columns" in err
