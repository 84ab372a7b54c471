"""Damaged recordings: one clear line naming file, line and remedy, or a count; never silence."""

import gzip
import json
from pathlib import Path

import pytest

from connectors.replay.event import EventFlag, EventKind
from connectors.replay.reader import open_recording
from connectors.replay.recording import RecordingError

STAMP = 1723161256172216566


def diff(u: int, pu: int, bids: list[list[str]], asks: list[list[str]], **more: object) -> str:
    data = {"e": "depthUpdate", "E": 1723161257440 + u, "T": 1723161257432 + u,
            "s": "BTCUSD_PERP", "ps": "BTCUSD", "U": pu + 1, "u": u, "pu": pu, "b": bids,
            "a": asks, **more}
    return f"{STAMP + u} " + json.dumps({"stream": "x", "data": data}, separators=(",", ":"))


def snapshot(u: int) -> str:
    reply = {"lastUpdateId": u, "E": 1723161257835, "T": 1723161257823, "symbol": "BTCUSD_PERP",
             "pair": "BTCUSD", "bids": [["60000.0", "5"]], "asks": [["60000.1", "7"]]}
    return f"{STAMP + u} " + json.dumps(reply, separators=(",", ":"))


def trade(number: int, price: str, buyer_made: bool) -> str:
    data = {"e": "trade", "E": 1723161257440, "T": 1723161257432, "s": "BTCUSD_PERP",
            "ps": "BTCUSD", "t": number, "p": price, "q": "3", "X": "MARKET", "m": buyer_made}
    return f"{STAMP + 35} " + json.dumps({"stream": "x", "data": data}, separators=(",", ":"))


SESSION = [diff(10, 9, [["59999.0", "1"]], []), snapshot(15),
           diff(20, 10, [["59999.9", "2"]], []), diff(30, 20, [], [["60000.1", "0"]]),
           trade(7, "60000.1", False), diff(40, 30, [], [["60000.5", "4"]])]


def write(path: Path, lines: list[str], packed: bool = True) -> Path:
    raw = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


def refuse(path: Path, *words: str) -> str:
    """Open a damaged file; the error must be one line naming the file and these words."""
    with pytest.raises(RecordingError) as caught:
        open_recording([path])
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    for word in words:
        assert word in text, text
    return text


@pytest.mark.parametrize("packed", [True, False])
def test_whole_session_is_read(tmp_path: Path, packed: bool) -> None:
    recording = open_recording([write(tmp_path / "a", SESSION, packed)])
    counts = recording.integrity
    assert (counts.diffs, counts.diffs_before_snapshot, counts.trades) == (4, 1, 1)
    assert (counts.gaps, counts.crossed, counts.noop_diffs) == (0, 0, 0)
    print_event = recording.events[recording.events["kind"] == EventKind.EVENT_TRADE][0]
    assert (print_event["side"], print_event["price_ticks"]) == (0, 600_001)
    assert print_event["amount_contracts"] == 30


def test_missing_file(tmp_path: Path) -> None:
    refuse(tmp_path / "nowhere.gz", "check the path")


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.gz"
    path.write_bytes(b"")
    refuse(path, "empty")


def test_not_gzip(tmp_path: Path) -> None:
    path = tmp_path / "plain.gz"
    path.write_bytes(b"what is this\n")
    refuse(path, "not gzip")


def test_truncated_gzip(tmp_path: Path) -> None:
    long = SESSION + [diff(50 + 10 * i, 40 + 10 * i, [[f"{59000 + i % 700}.{i % 7}", str(i)]], [])
                      for i in range(4000)]
    path = write(tmp_path / "cut.gz", long)
    path.write_bytes(path.read_bytes()[:-4000])
    refuse(path, "line", "ends before its end", "download")


def test_corrupt_gzip(tmp_path: Path) -> None:
    long = SESSION + [diff(50 + 10 * i, 40 + 10 * i, [[f"{59000 + i % 700}.{i % 7}", str(i)]], [])
                      for i in range(4000)]
    path = write(tmp_path / "bad.gz", long)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2:len(raw) // 2 + 400] = bytes(400)
    path.write_bytes(raw)
    refuse(path, "line")


def test_not_json(tmp_path: Path) -> None:
    lines = [*SESSION[:3], SESSION[3][:-20], *SESSION[4:]]
    refuse(write(tmp_path / "a.gz", lines), "line 4", "remove the line")


def test_no_stamp(tmp_path: Path) -> None:
    refuse(write(tmp_path / "a.gz", [*SESSION[:2], "{}"]), "line 3", "local time")


def test_missing_field(tmp_path: Path) -> None:
    lines = [*SESSION[:2], SESSION[2].replace('"pu":10,', "")]
    refuse(write(tmp_path / "a.gz", lines), "line 3", "pu")


@pytest.mark.parametrize("value", ["null", '"abc"', '"NaN"', "[]", '"-5"', '"1e400"'])
def test_bad_number(tmp_path: Path, value: str) -> None:
    lines = [*SESSION[:2], SESSION[2].replace('"2"', value)]
    refuse(write(tmp_path / "a.gz", lines))


def test_no_snapshot(tmp_path: Path) -> None:
    refuse(write(tmp_path / "a.gz", [SESSION[0], *SESSION[2:]]), "no order book snapshot",
           "lastUpdateId")


def test_wrong_order_of_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a.gz", SESSION[:3])
    second = write(tmp_path / "b.gz", SESSION[3:])
    assert open_recording([first, second]).integrity.gaps == 0
    with pytest.raises(RecordingError, match=r"a\.gz: line 1: .*order of time"):
        open_recording([second, first])


def test_two_formats_do_not_mix(tmp_path: Path) -> None:
    first = write(tmp_path / "a.gz", SESSION)
    second = tmp_path / "b"
    second.write_text('{"recv_ns":1,"frame":{}}\n')
    with pytest.raises(RecordingError, match="format frames"):
        open_recording([first, second])


def test_table_and_unknown_text(tmp_path: Path) -> None:
    refuse(write(tmp_path / "t.gz", ["time,bid,ask,size", "1,2,3,4"]), "table")
    refuse(write(tmp_path / "u.gz", ["hello"]), "no known format")


def test_other_symbol(tmp_path: Path) -> None:
    lines = [line.replace("BTCUSD_PERP", "ETHUSD_PERP") for line in SESSION]
    refuse(write(tmp_path / "a.gz", lines), "ETHUSD_PERP")


def test_gap_is_counted_and_marked(tmp_path: Path) -> None:
    recording = open_recording([write(tmp_path / "a.gz", SESSION[:3] + SESSION[4:])])
    assert recording.integrity.problems() == {"gaps": 1}
    marked = recording.events[(recording.events["flags"] & EventFlag.FLAG_GAP) != 0]
    assert marked["sequence"].tolist() == [40]


def test_snapshot_that_does_not_join_is_a_gap(tmp_path: Path) -> None:
    lines = [snapshot(15), diff(30, 20, [], [["60000.4", "1"]])]
    assert open_recording([write(tmp_path / "a.gz", lines)]).integrity.gaps == 1


def test_duplicate_reordered_and_crossed_are_counted(tmp_path: Path) -> None:
    late = SESSION[5].replace(str(STAMP + 40), str(STAMP + 5))
    crossing = diff(50, 40, [["60001.0", "1"]], [])
    lines = [*SESSION[:3], SESSION[2], *SESSION[3:5], late, crossing]
    counts = open_recording([write(tmp_path / "a.gz", lines)]).integrity
    assert counts.problems() == {"duplicates": 1, "reordered": 1, "crossed": 1}


def frame(change_id: int, prev: int | None, kind: str = "change") -> str:
    data = {"type": kind, "timestamp": 1686858167283 + change_id, "instrument_name":
            "BTC-PERPETUAL", "change_id": change_id, "bids": [["new", 25000.5, 10.0]], "asks": []}
    if prev is not None:
        data["prev_change_id"] = prev
    return json.dumps({"recv_ns": 1686858167948243357 + change_id, "frame": {
        "jsonrpc": "2.0", "method": "subscription",
        "params": {"channel": "book.BTC-PERPETUAL.raw", "data": data}}}, separators=(",", ":"))


def test_frames_gap_duplicate_and_missing_snapshot(tmp_path: Path) -> None:
    lines = [frame(1, 0), frame(2, None, "snapshot"), frame(3, 2), frame(3, 2), frame(9, 7)]
    recording = open_recording([write(tmp_path / "a.gz", lines)])
    counts = recording.integrity
    assert (counts.gaps, counts.duplicates, counts.diffs_before_snapshot) == (1, 1, 1)
    refuse(write(tmp_path / "b.gz", [frame(1, 0)]), "no book snapshot")


def test_frames_damage(tmp_path: Path) -> None:
    good = frame(2, None, "snapshot")
    refuse(write(tmp_path / "a.gz", [good, good[:-30]]), "line 2")
    refuse(write(tmp_path / "b.gz", [good, good.replace("change_id", "chance_id")]), "line 2",
           "change_id")
    refuse(write(tmp_path / "c.gz", [good, good.replace('"new"', '"old"')]), "line 2")
    session = ["wss://www.deribit.com/ws/api/v2 <-> 1617644856.5", "nonsense"]
    refuse(write(tmp_path / "d.gz", session), "line 2")


def test_broken_definitions_beside_a_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", [frame(2, None, "snapshot")])
    (tmp_path / "instruments.json").write_text("[1]")
    with pytest.raises(RecordingError, match=r"instruments\.json.*get_instruments"):
        open_recording([path])
