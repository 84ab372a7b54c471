"""The scanner against the decoder: what it takes means the same there, field by field."""

import gzip
import json
import random
import re
from pathlib import Path

import pytest
from deribit_wire import LABELS, book, encoded
from deribit_wire import specs as wire_specs
from hypothesis import given
from hypothesis import strategies as st

from connectors.deribit.feed import DeribitFeed
from connectors.deribit.scan import book_decoded, book_scanned
from connectors.deribit.trace import EventTrace
from mmcore.types import InstrumentSpec

pytestmark = pytest.mark.quick

SPECS = wire_specs()
BTC, FUTURE, LINEAR = SPECS
VENUE = (b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.raw",'
         b'"data":{"timestamp":1790000000123,"type":"change","change_id":5001,'
         b'"instrument_name":"BTC-PERPETUAL","bids":[["new",70000.5,1250.0],["delete",69990.0,0.0]'
         b'],"asks":[["change",70001,30]],"prev_change_id":4900}}}')
# Bytes that matter to the grammar, more often than all others.
BYTES = b'0123456789.-+eE",:[]{}ntf \\x\x00\xff'
PIECES = (b'"new"', b'"change"', b'"delete"', b'"bids":[]', b"0.0", b"00", b"1e5", b"1.0e6", b"-0",
          b"-1", b"null", b"true", b"9007199254740993", b"4611686018427387905",
          b"12345678901234567890",
          b"0.50", b"70000.50", b"70000.3", b"1250.00", b"1255", b"0.00000001", b',"x":1', b"]",
          b'["new",70000.0,10.0]', b',["new",70000.0,10.0]', b'"snapshot"', b' ', b"}", b"}}}",
          b"99999999999.5", b"1e-9", b"700000000000000", b'"BTC-PERPETUA"', b"\\u0041")


def agree(payload: bytes, spec: InstrumentSpec) -> bool:
    """Compare both; return whether the scanner took it."""
    scanned = book_scanned(payload, spec)
    if scanned is not None:
        assert scanned == book_decoded(payload, spec), payload
    return scanned is not None


def test_the_venues_own_change_is_taken() -> None:
    assert book_scanned(VENUE, BTC) == (
        5001, 4900, 1790000000123, False, [(140001, 125), (139980, 0)], [(140002, 3)])
    assert agree(VENUE, BTC)


@pytest.mark.parametrize(("change", "spec", "taken"), [
    ({}, BTC, True),
    ({"bids": [], "asks": []}, BTC, True),
    ({"bids": [["new", 70000.3, 10.0]]}, BTC, False),               # between two ticks
    ({"bids": [["new", 70000.5, 15.0]]}, BTC, False),               # half a contract
    ({"bids": [["new", 70000.5, 0.0]]}, BTC, False),                # contradicts itself
    ({"bids": [["delete", 70000.5, 10.0]]}, BTC, False),
    ({"bids": [["update", 70000.5, 10.0]]}, BTC, False),
    ({"bids": [["new", -70000.5, 10.0]]}, BTC, False),
    ({"bids": [["new", 0.0, 10.0]]}, BTC, False),
    ({"bids": [["new", 1e16, 10.0]]}, BTC, False),
    ({"bids": [["new", 70000.5, 1e17]]}, BTC, False),
    ({"bids": [["new", 70000.5, 10.0, 1]]}, BTC, False),
    ({"bids": [["new", 70000.5]]}, BTC, False),
    ({"bids": [["new", "70000.5", 10.0]]}, BTC, False),
    ({"type": "snapshot"}, BTC, False),
    ({"change_id": -1}, BTC, False),
    ({"change_id": 2**62 + 1}, BTC, False),
    ({"change_id": 5001.0}, BTC, False),
    ({"prev_change_id": None}, BTC, False),
    ({"timestamp": 2**53 + 1}, BTC, False),
    ({"instrument_name": "BTC-25JUN27"}, BTC, False),
    ({"instrument_name": "BTC-PERPETUA"}, BTC, False),
    ({"more": 1}, BTC, False),
])
def test_one_difference(change: dict[str, object], spec: InstrumentSpec, taken: bool) -> None:
    assert agree(encoded(book(**change)), spec) is taken


@pytest.mark.parametrize("piece", [
    (b",", b", "), (b'{"jsonrpc"', b' {"jsonrpc"'), (b'"prev_change_id":4900', b'"a":1'),
    (b',"prev_change_id":4900', b""), (b'"asks":', b'"bids":'), (b"}}}", b"}}"),
    (b"}}}", b"}}}}"), (b"}}}", b'},"label":"a"}}'), (b"5001", b"05001"), (b"5001", b"5001."),
    (b"70001,", b"70001.,"), (b"70001,", b".5,"), (b"70001,", b"7e4,"), (b".raw", b".r\\u0061w"),
    (b".raw", b".r\xffw"), (b".raw", b""), (b"]]", b"],]"), (b"[[", b"[,["),
])
def test_one_piece_replaced_is_left_to_the_decoder(piece: tuple[bytes, bytes]) -> None:
    assert piece[0] in VENUE
    assert not agree(VENUE.replace(*piece), BTC)


def test_keys_come_in_any_order() -> None:
    data = json.loads(VENUE)["params"]["data"]
    rng = random.Random(7)
    for _ in range(50):
        keys = rng.sample(list(data), len(data))
        text = json.dumps({k: data[k] for k in keys}, separators=(",", ":")).encode()
        head = VENUE[:VENUE.index(b'"data":') + 7]
        assert agree(head + text + b"}}", BTC)


def test_every_cut() -> None:
    for size in range(len(VENUE)):
        assert not agree(VENUE[:size], BTC)
        agree(VENUE[:size] + b"}}}", BTC)


def test_recorded_frames(data_dir: Path) -> None:
    """Every change of the recorded sessions is taken, with the decoder's result."""
    folder = data_dir / "deribit_testenv_2023-06-15"
    reply = json.loads((folder / "deribit_testenv_instruments.json").read_text())
    specs = {i["instrument_name"]: InstrumentSpec(
        i["instrument_name"], tick_size=i["tick_size"], contract_size=i["contract_size"])
        for i in reply["result"]}
    payloads = []
    with gzip.open(folder / "deribit_testenv_2023-06-15.frames.jsonl.gz", "rb") as lines:
        payloads += [line.rstrip()[line.index(b'"frame":') + 8:-1] for line in lines]
    received = re.compile(rb"^(?:wss\S* -> )?[0-9.]+: (\{.*\})$")
    for path in sorted((data_dir / "deribit_ws_options_2021").glob("*.ws.gz")):
        with gzip.open(path, "rb") as lines:
            payloads += [m.group(1) for line in lines if (m := received.match(line.rstrip()))]
    changes = 0
    for payload in payloads:
        if (name := re.search(rb'"channel":"book\.([^".]+)\.', payload)) is None:
            continue
        spec = specs.setdefault(name.group(1).decode(), InstrumentSpec(
            name.group(1).decode(), tick_size=0.0005, contract_size=0.1))
        changes += b'"type":"change"' in payload
        assert agree(payload, spec) is (b'"type":"change"' in payload), payload
    assert changes > 208


@pytest.mark.parametrize("spec", [BTC, FUTURE, LINEAR,
                                  InstrumentSpec("BTC-PERPETUAL", tick_size=1, contract_size=1),
                                  InstrumentSpec("BTC-PERPETUAL", tick_size=0.00001,
                                                 contract_size=1000)])
@given(price=st.integers(0, 10**13), places=st.integers(0, 9), amount=st.integers(0, 10**13),
       parts=st.integers(0, 9))
def test_any_number(spec: InstrumentSpec, price: int, places: int, amount: int,
                    parts: int) -> None:
    def written(number: int, decimals: int) -> bytes:
        whole, part = divmod(number, 10**decimals)
        return f"{whole}.{part:0{decimals}d}".encode() if decimals else str(whole).encode()

    text = VENUE.replace(b"BTC-PERPETUAL", spec.name.encode()).replace(
        b"70001", written(price, places)).replace(b"30]", written(amount, parts) + b"]")
    agree(text, spec)


def test_every_tick_of_a_wide_range_is_taken() -> None:
    rng = random.Random(11)
    for spec in SPECS:
        for _ in range(2000):
            ticks, contracts = rng.randrange(1, 10**rng.randrange(1, 9)), rng.randrange(1, 10**6)
            price, amount = spec.price(ticks), spec.amount(contracts)
            if not spec.inverse and "e" in repr(amount):
                continue
            text = VENUE.replace(b"BTC-PERPETUAL", spec.name.encode()).replace(
                b'[["new",70000.5,1250.0],["delete",69990.0,0.0]]', b"[]").replace(
                b"70001,30", f"{price!r},{amount!r}".encode())
            assert agree(text, spec), text
            assert book_scanned(text, spec)[5] == [(ticks, contracts)]     # type: ignore[index]


def test_damaged_bytes() -> None:
    """One to three bytes or pieces changed: whatever is still taken means the same."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    taken = 0
    for _ in range(20_000):
        text = bytearray(VENUE)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(60, len(text))
            lot = rng.random()
            if lot < 0.5:
                text[at] = rng.choice(BYTES)
            elif lot < 0.6:
                del text[at]
            elif lot < 0.7:
                text.insert(at, rng.choice(BYTES))
            else:
                found = list(re.finditer(rb'-?[0-9.]+|"[a-z_]+"', bytes(text[60:])))
                place = rng.choice(found)
                text[60 + place.start():60 + place.end()] = rng.choice(PIECES)
        taken += agree(bytes(text), BTC)
    assert taken > 500


def test_the_feed_scans_what_it_can_and_decodes_the_rest() -> None:
    trace = EventTrace()
    feed = DeribitFeed(trace, SPECS, LABELS)
    feed.payload(encoded(book(type="snapshot")), 1)
    feed.payload(encoded(book()), 2)
    feed.payload(encoded(book(change_id=5002, prev_change_id=5001)).replace(b'","', b'", "'), 3)
    events = trace.take()
    assert [e[0] for e in events] == ["book"] * 3
    assert feed.counts["scanned"] == 1
    assert feed.counts["malformed"] == 0
    assert [list(e[6:]) for e in events[1:]] == [
        [[(140001, 125), (139980, 0)], [(140002, 3)]]] * 2
