"""`mm record`: what a venue sends becomes files that can be played."""

import gzip
import json
from pathlib import Path

import pytest

from connectors.deribit.connection import ClientConfig
from connectors.deribit.public import PublicFeed
from connectors.replay.reader import open_recording, recordings
from runner.options import EXIT_FAILURE, EXIT_USAGE
from runner.record import RecordOptions, Writer, main


def book(change_id: int, previous: int, kind: str = "change") -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": {
        "channel": "book.BTC-PERPETUAL.100ms", "data": {
            "type": kind, "timestamp": 1_700_000_000_000 + change_id,
            "instrument_name": "BTC-PERPETUAL", "change_id": change_id,
            "prev_change_id": previous, "bids": [["new", 60000.0, 10.0 * change_id]],
            "asks": [["new", 60001.0, 10.0]]}}}, separators=(",", ":")).encode()


def test_a_recording_of_the_embedded_exchange_can_be_played(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = RecordOptions(out=tmp_path, duration_s=3.0, as_json=True,
                            instruments=("BTC-PERPETUAL", "front"))
    assert main(options) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["gaps"] == 0
    assert told["frames"] > 10
    assert told["interval"] == "100ms"
    assert not list(tmp_path.glob("*.part"))
    recording = open_recording(told["files"])
    assert recordings([tmp_path]) == [Path(file) for file in told["files"]]     # by its folder
    assert recordings(sorted(tmp_path.iterdir())) == recordings([tmp_path])     # and as FOLDER/*
    names = [spec.name for spec in recording.instruments]
    assert sorted(names) == sorted(told["instruments"])
    assert len(names) == 2
    assert recording.integrity.snapshots >= 2
    assert recording.integrity.gaps == 0
    perpetual = recording.instruments[names.index("BTC-PERPETUAL")]
    assert perpetual.tick_usd == 0.5        # from the definitions written beside it


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    writer = Writer(tmp_path, rotate_s=10.0, rotate_bytes=1 << 20)
    writer.write(book(1, 0, "snapshot"), 10**9)
    assert [p.suffix for p in tmp_path.iterdir()] == [".part"]
    assert not writer.due(10 * 10**9)
    assert writer.due(11 * 10**9)
    writer.end()
    writer.write(book(2, 1), 12 * 10**9)
    writer.end()
    assert [p.name for p in sorted(tmp_path.iterdir())] == [p.name for p in writer.files]
    assert len(writer.files) == 2
    assert json.loads(gzip.decompress(writer.files[1].read_bytes()))["recv_ns"] == 12 * 10**9
    both = open_recording(writer.files)
    assert both.integrity.snapshots == 1
    assert both.integrity.diffs == 1


def test_size_ends_a_file_too(tmp_path: Path) -> None:
    writer = Writer(tmp_path, rotate_s=1e6, rotate_bytes=100)
    writer.write(book(1, 0, "snapshot"), 1)
    assert writer.due(2)
    writer.end()


def test_a_missing_book_message_asks_for_a_snapshot() -> None:
    taken: list[bytes] = []
    asked: list[str] = []
    feed = PublicFeed(ClientConfig("ws://127.0.0.1:1", "", ""), ["perpetual"],
                      lambda raw, _: taken.append(raw))
    feed.refresh = asked.extend  # type: ignore[method-assign,assignment]
    for frame in (book(1, 0, "snapshot"), book(2, 1), book(4, 3), book(5, 4)):
        feed.take(frame)
    assert feed.gaps == 1
    assert asked == ["book.BTC-PERPETUAL.100ms"]
    assert len(taken) == 4          # what came is recorded, the gap included


def test_without_a_key_nothing_is_raw() -> None:
    assert PublicFeed(ClientConfig("wss://x", "", ""), [], print).interval == "100ms"
    assert PublicFeed(ClientConfig("wss://x", "id", "secret"), [], print).interval == "raw"


def test_a_venue_that_is_not_there_is_one_sentence(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = RecordOptions(out=tmp_path, venue="ws://127.0.0.1:9", duration_s=2.0)
    assert main(options) == EXIT_FAILURE
    assert capsys.readouterr().err.startswith("mm record: ws://127.0.0.1:9")


def test_an_unknown_instrument_names_those_there_are(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = RecordOptions(out=tmp_path, duration_s=2.0, instruments=("BTC-1JAN20",))
    assert main(options) == EXIT_FAILURE
    error = capsys.readouterr().err
    assert "BTC-1JAN20" in error
    assert "BTC-PERPETUAL" in error


def test_an_address_in_the_clear_is_refused(tmp_path: Path) -> None:
    assert main(RecordOptions(out=tmp_path, venue="ws://example.org:1")) == EXIT_USAGE
