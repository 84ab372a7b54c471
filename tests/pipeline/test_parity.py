"""A session's journal is a recording too: replayed, backtested, and put beside its own backtest."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from virtual_session import LIVELY, VirtualSession

from connectors.replay.journal import SEGMENT_MAGIC, Record, pack_block, pack_record
from connectors.replay.journaled import OwnChanges, OwnOrder, read_session
from connectors.replay.reader import open_recording
from connectors.replay.recording import RecordingError
from connectors.sim.market import Market, open_market
from mmcore.journal import JournalKind
from runner.cli import app

SECONDS = 60.0
SETS = (*LIVELY, "instrument.0.name=BTC-PERPETUAL", "instrument.1.name=front",
        "quote.size_btc=0.005")


def volatile(wall_ns: int) -> Market:
    return open_market((), seed=5, regime="volatile", now_ns=wall_ns)


def call(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def figures(*arguments: object) -> Any:
    code, out, err = call(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Return the journal of a minute on two instruments."""
    session = VirtualSession(seed=5, sets=SETS, market=volatile)
    session.run(SECONDS)
    return [Record(kind, 0, now_ns, payload) for kind, now_ns, payload in session.records()]


def write_journal(records: list[Record], folder: Path) -> Path:
    folder.mkdir()
    packed = b"".join(pack_record(record) for record in records)
    (folder / "000001.mmj").write_bytes(SEGMENT_MAGIC + pack_block(packed, 1, len(packed)))
    return folder


@pytest.fixture(scope="module")
def journal(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_journal(records, tmp_path_factory.mktemp("journal") / "j")


def test_replay_prints_one_hash_of_what_was_sent(journal: Path) -> None:
    first, again = figures("replay", journal), figures("replay", journal)
    assert first["outbound_sha256"] == first["journal_sha256"] == again["outbound_sha256"]
    assert first["payloads"] > 5
    assert call("replay", journal)[1].count(first["outbound_sha256"]) == 2


def test_a_payload_that_was_changed_changes_the_hash(
        records: list[Record], tmp_path: Path) -> None:
    last = max(i for i, r in enumerate(records) if r.kind == JournalKind.JOURNAL_OUT)
    changed = [*records]
    changed[last] = changed[last]._replace(payload=changed[last].payload + b" ")
    code, out, _ = call("replay", write_journal(changed, tmp_path / "j"), "--json")
    told = json.loads(out)
    assert code == 1
    assert told["outbound_sha256"] != told["journal_sha256"]


def test_two_instruments_of_a_journal_backtest_to_the_same_bytes(journal: Path) -> None:
    sets = [part for text in SETS for part in ("--set", text)]
    first, again = (figures("backtest", journal, *sets) for _ in range(2))
    assert first["outbound_sha256"] == again["outbound_sha256"]
    assert len(first["instruments"]) == 2
    assert all(part["orders_new"] > 0 for part in first["instruments"].values())
    assert abs(first["conservation_error"]["btc"]) < 1e-8
    alone = figures("backtest", journal, *sets[:-6], "--set", "instrument.0.name=BTC-PERPETUAL")
    assert list(alone["instruments"]) == ["BTC-PERPETUAL"]


def test_a_session_beside_its_backtest(journal: Path, records: list[Record]) -> None:
    told = figures("replay", journal, "--parity")
    trades = read_session(records, journal).trades
    assert told["session"]["fills"] == len(trades) > 0
    assert told["session"]["round_trip_ms"]["p50"] > 0.0
    assert told["backtest"]["round_trip_ms"]["p50"] == pytest.approx(
        told["session"]["round_trip_ms"]["p50"], rel=0.5)
    assert 0 <= told["fills_matched"] <= min(told["session"]["fills"], told["backtest"]["fills"])
    text = call("replay", journal, "--parity")[1]
    for word in ("session", "backtest", "fills", "profit", "round trip p99"):
        assert word in text


def test_our_orders_are_not_in_the_recording_of_a_journal(journal: Path) -> None:
    """What the venue shows at our price less ours is what others have there."""
    recording = open_recording([journal])
    assert recording.integrity.crossed == 0
    assert recording.integrity.gaps == 0
    assert recording.format == "journal"


def test_own_amounts_are_subtracted_level_by_level() -> None:
    from connectors.replay.deribit import Book
    from connectors.replay.journaled import JournalReader

    reader = JournalReader()
    reader.on_book(Book(type="snapshot", timestamp=1, instrument_name="X", change_id=1,
                        bids=[("new", 100.0, 50.0)], asks=[("new", 101.0, 20.0)]))
    order = OwnOrder("a", "X", "buy", "open", 100.0, 30.0, 10.0, 2)
    reader.on_own(OwnChanges(orders=[order]))
    assert reader.columns.numbers()[1].tolist() == [50.0, 20.0, 30.0]
    order.order_state = "cancelled"
    reader.on_own(OwnChanges(orders=[order]))
    assert reader.columns.numbers()[1].tolist()[-1] == 50.0


def test_what_is_no_journal_is_one_line(tmp_path: Path, journal: Path) -> None:
    for command in ("backtest", "import"):
        more = ("-o", tmp_path / "x") if command == "import" else ()
        code, _, err = call(command, tmp_path, *more)
        assert code == 2
        assert "neither a journal" in err
    code, _, err = call("replay", tmp_path, "--parity")
    assert code == 2
    assert "no journal header" in err
    with pytest.raises(RecordingError, match="beside a journal"):
        open_recording([journal, journal])


def test_a_torn_journal_is_read_up_to_the_tear(records: list[Record], tmp_path: Path) -> None:
    folder = write_journal(records, tmp_path / "j")
    (folder / "000002.mmj").write_bytes(SEGMENT_MAGIC + b"BLK1 and then nothing")
    assert len(open_recording([folder]).events) > 100
