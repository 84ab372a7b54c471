"""Readers on the real recordings: the counts their documentation states, and the venue's books."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from connectors.replay.books import DictBook, count_book_facts
from connectors.replay.deribit import read_frames
from connectors.replay.event import EVENT_DTYPE, EventFlag, EventKind, event_fields
from connectors.replay.reader import detect_format, open_recording
from connectors.replay.recording import Integrity, Recording

COINM = ("binance_coinm_2024-08-08/btcusd_perp_20240808.gz",
         "binance_coinm_2024-08-08/btcusd_perp_20240809.gz")
USDM = ("binance_usdm_2023-04-04/usdm_btcusdt_20230404.dat.gz",
        "binance_usdm_2023-04-04/usdm_btcusdt_20230405.dat.gz")
TESTENV = ("deribit_testenv_2023-06-15/deribit_testenv_2023-06-15.frames.jsonl.gz",)
OPTIONS = ("deribit_ws_options_2021/DERIBIT_2021-04-05.ws.gz",
           "deribit_ws_options_2021/DERIBIT_2021-04-17.ws.gz")


@pytest.fixture(scope="module")
def coinm(data_dir: Path) -> Recording:
    return open_recording([data_dir / name for name in COINM])


@pytest.fixture(scope="module")
def testenv(data_dir: Path) -> Recording:
    return open_recording([data_dir / name for name in TESTENV])


def test_inverse_recording_has_the_documented_counts(coinm: Recording) -> None:
    counts = coinm.integrity
    assert (counts.diffs, counts.trades, counts.tops) == (44_795, 5_235, 48_355)
    assert (counts.gaps, counts.crossed, counts.duplicates, counts.reordered) == (0, 0, 0, 0)
    assert (counts.snapshots, counts.diffs_before_snapshot) == (1, 25)
    # Two of the 25 reach past the snapshot: the venue's rule applies them on top of it.
    assert counts.diffs_folded == 2
    assert counts.diffs - counts.diffs_before_snapshot == 44_770
    assert counts.noop_diffs == 2_613
    # 659,671 levels are in the diffs of the files; see the test of the lines below.
    assert counts.level_changes == 659_671
    assert counts.problems() == {}


def test_inverse_recording_counts_equal_the_text(coinm: Recording, data_dir: Path) -> None:
    """Count once more without the reader: brackets in the text of every diff."""
    levels = diffs = 0
    for name in COINM:
        with gzip.open(data_dir / name) as stream:
            for line in stream:
                if b'"depthUpdate"' in line:
                    diffs += 1
                    levels += line.count(b'["')
    assert (diffs, levels) == (coinm.integrity.diffs, coinm.integrity.level_changes)


def test_inverse_recording_keeps_message_boundaries(coinm: Recording) -> None:
    events = coinm.events
    assert events.dtype == EVENT_DTYPE
    assert events.dtype.itemsize == 64
    book = events[np.isin(events["kind"], (EventKind.EVENT_LEVEL, EventKind.EVENT_EMPTY))]
    first = (book["flags"] & EventFlag.FLAG_FIRST) != 0
    last = (book["flags"] & EventFlag.FLAG_LAST) != 0
    assert int(first.sum()) == int(last.sum()) == 44_770 + 1
    assert bool(np.all(first[1:] == last[:-1])), "a message begins exactly where one ended"
    changes = book[first & ((book["flags"] & EventFlag.FLAG_SNAPSHOT) == 0)]
    assert bool(np.all(changes["extra"][1:] == changes["sequence"][:-1])), "the chain is whole"
    assert bool(np.all(np.diff(events["local_ns"]) >= 0))


def test_inverse_recording_plays_as_the_perpetual(coinm: Recording) -> None:
    spec = coinm.instruments[0]
    assert (spec.name, spec.tick_usd, spec.contract_size, spec.inverse) == (
        "BTC-PERPETUAL", 0.1, 10.0, True)
    assert (spec.maker_fee, spec.taker_fee) == (0.00015, 0.00035)
    priced = coinm.events[coinm.events["kind"] == EventKind.EVENT_LEVEL]
    assert bool(np.all(priced["amount_contracts"] % 10 == 0)), "100 USD are 10 contracts of 10"
    trades = coinm.events[coinm.events["kind"] == EventKind.EVENT_TRADE]
    usd = trades["amount_contracts"] * spec.contract_size / 100.0
    assert float(np.median(usd)) == 4.0
    assert float(usd.max()) == 2_011.0


def test_rebuilt_book_follows_the_recorded_best_prices(coinm: Recording) -> None:
    """The independent best-price stream agrees with the book built from the diffs."""
    events = coinm.events
    names = ("sequence", "side", "price_ticks", "amount_contracts", "flags")
    tops: dict[int, dict[int, tuple[int, int]]] = {}
    best = events[events["kind"] == EventKind.EVENT_TOP]
    for sequence, side, price, amount, _ in zip(*(best[n].tolist() for n in names), strict=True):
        tops.setdefault(sequence, {})[side] = (price, amount)
    levels = events[events["kind"] == EventKind.EVENT_LEVEL]
    book = DictBook()
    checked = 0
    for sequence, side, price, amount, flags in zip(
            *(levels[n].tolist() for n in names), strict=True):
        book.set_level(side, price, amount)
        top = tops.get(sequence)
        if flags & EventFlag.FLAG_LAST and top is not None:
            checked += 1
            assert top == {s: (b, book.sides[s][b]) for s, b in enumerate(book.best) if b}
    assert checked > 1_000


def test_linear_recording_has_the_documented_counts(data_dir: Path) -> None:
    recording = open_recording([data_dir / name for name in USDM])
    counts = recording.integrity
    assert (counts.diffs, counts.trades, counts.tickers) == (16_110, 12_935, 514)
    assert (counts.gaps, counts.crossed, counts.diffs_stale) == (0, 0, 0)
    assert counts.trades_excluded == 1, "the insurance fund's print is no flow"
    spec = recording.instruments[0]
    assert (spec.name, spec.tick_usd, spec.contract_size, spec.inverse) == (
        "BTC_USDC-PERPETUAL", 0.1, 0.001, False)
    funding = recording.events[recording.events["kind"] == EventKind.EVENT_FUNDING]
    assert len(funding) == 514
    assert funding["value"][0] == 0.00002754


def test_test_environment_chains_and_equals_the_venues_tickers(testenv: Recording) -> None:
    counts = testenv.integrity
    assert (counts.lines, counts.diffs, counts.level_changes, counts.snapshots) == (
        857, 208, 217, 3)
    assert (counts.trades, counts.tickers, counts.indexes) == (83, 492, 77)
    assert counts.problems() == {}
    assert {spec.name for spec in testenv.instruments} == {
        "BTC-PERPETUAL", "BTC-16JUN23", "BTC-23JUN23"}
    assert {spec.tick_usd for spec in testenv.instruments} == {0.01}
    expiries = {spec.name: spec.expiry_ms for spec in testenv.instruments}
    assert expiries == {"BTC-PERPETUAL": 0, "BTC-16JUN23": 1686902400000,
                        "BTC-23JUN23": 1687507200000}


def test_test_environment_books_equal_the_venues_best(testenv: Recording) -> None:
    """Every ticker states best price and amount; the rebuilt book must show the same.

    One match is one packet (one local time) and its ticker precedes its book change.
    """
    books = {n: DictBook() for n in range(len(testenv.instruments))}
    seen: set[int] = set()
    checked = 0
    for local_ns in np.unique(testenv.events["local_ns"]):
        packet = testenv.events[testenv.events["local_ns"] == local_ns]
        for event in packet[packet["kind"] == EventKind.EVENT_LEVEL]:
            seen.add(int(event["instrument"]))
            books[int(event["instrument"])].set_level(
                int(event["side"]), int(event["price_ticks"]), int(event["amount_contracts"]))
        for event in packet[packet["kind"] == EventKind.EVENT_TOP]:
            number, side = int(event["instrument"]), int(event["side"])
            if number in seen:
                best = books[number].best[side]
                amount = books[number].sides[side][best] if best is not None else 0
                assert (best or 0, amount) == (event["price_ticks"], event["amount_contracts"])
                checked += 1
    assert checked > 600


def test_frames_keep_their_bytes(data_dir: Path) -> None:
    frames = list(read_frames(data_dir / TESTENV[0]))
    assert len(frames) == 857
    assert frames[0].recv_ns == 1686858149957011749
    assert frames[0].payload.startswith(b'{"jsonrpc":"2.0","method":"subscription"')
    for frame in frames:
        assert json.loads(frame.payload)["method"] == "subscription"


@pytest.mark.parametrize("name", OPTIONS)
def test_option_sessions_chain(name: str, data_dir: Path) -> None:
    recording = open_recording([data_dir / name])
    counts = recording.integrity
    assert counts.diffs > 40
    assert counts.snapshots == 10
    assert counts.problems() == {}
    frames = list(read_frames(data_dir / name))
    assert len(frames) == counts.lines
    assert all(json.loads(frame.payload)["jsonrpc"] == "2.0" for frame in frames)


def test_format_is_told_from_content(tmp_path: Path, data_dir: Path) -> None:
    for names, expected in ((COINM, "collector"), (TESTENV, "frames"), (OPTIONS, "session")):
        renamed = tmp_path / f"unnamed-{expected}"
        renamed.write_bytes((data_dir / names[0]).read_bytes())
        assert detect_format(renamed) == expected


def test_event_layout_is_the_same_on_both_sides() -> None:
    events = np.zeros(1, dtype=EVENT_DTYPE)
    row = (1, 2, 3, 4, 5, 6, 7.5, -1, EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST,
           EventKind.EVENT_TRADE, 1)
    events[0] = row
    assert event_fields(events.view(np.uint8)) == row
    with pytest.raises(ValueError, match="64 bytes"):
        event_fields(bytearray(63))


def test_book_facts_count_noops_and_crossing() -> None:
    rows = [  # kind, flags, side, price, amount
        (EventKind.EVENT_LEVEL, EventFlag.FLAG_FIRST | EventFlag.FLAG_SNAPSHOT, 0, 100, 5),
        (EventKind.EVENT_LEVEL, EventFlag.FLAG_LAST | EventFlag.FLAG_SNAPSHOT, 1, 101, 5),
        (EventKind.EVENT_LEVEL, EventFlag.FLAG_FIRST, 0, 100, 5),
        (EventKind.EVENT_LEVEL, EventFlag.FLAG_LAST, 1, 150, 0),
        (EventKind.EVENT_EMPTY, EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST, 1, 0, 0),
        (EventKind.EVENT_LEVEL, EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST, 0, 101, 1),
    ]
    events = np.zeros(len(rows), dtype=EVENT_DTYPE)
    for event, (kind, flags, side, price, amount) in zip(events, rows, strict=True):
        event["kind"], event["flags"], event["side"] = kind, flags, side
        event["price_ticks"], event["amount_contracts"] = price, amount
    counts = Integrity()
    count_book_facts(events, counts)
    assert (counts.noop_levels, counts.noop_diffs, counts.crossed) == (2, 2, 1)
