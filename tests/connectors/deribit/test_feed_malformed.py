"""Damaged messages: counted, never half applied, never an exception."""

import copy
from typing import Any

import pytest
from deribit_wire import (
    Rig,
    answer,
    book,
    changes,
    encoded,
    note,
    order,
    own_trade,
    position,
    ticker,
    trade,
    trades,
)
from hypothesis import given
from hypothesis import strategies as st

from mmcore.types import ActionKind

NEW_ID = ActionKind.ACTION_NEW << 44 | 10 << 32 | 1
CANCEL_ID = ActionKind.ACTION_CANCEL << 44 | 10 << 32 | 1
ALL_ID = ActionKind.ACTION_CANCEL_ALL << 44 | 1
QUERY_ID = 6 << 44 | 10 << 32 | 7

MESSAGES: dict[str, dict[str, Any]] = {
    "book": book(), "ticker": ticker(), "trades": trades(trade(), trade(trade_seq=992)),
    "changes": changes(), "user_orders": note("user.orders.any.any.raw", order()),
    "user_trades": note("user.trades.any.any.raw", [own_trade()]),
    "index": note("deribit_price_index.btc_usd",
                  {"timestamp": 5, "price": 70000.25, "index_name": "btc_usd"}),
    "state": note("instrument.state.future.BTC",
                  {"timestamp": 5, "state": "open", "instrument_name": "BTC-25JUN27"}),
    "accepted": answer(NEW_ID, result={"order": order(), "trades": [own_trade()]}),
    "cancelled": answer(CANCEL_ID, result=order()),
    "all_cancelled": answer(ALL_ID, result=3),
    "refused": answer(NEW_ID, error={"code": 11054, "message": "post_only_reject"}),
    "queried": answer(QUERY_ID, result=[order()]),
}
NEED = {
    "order": ["order_id", "order_state", "direction", "instrument_name", "amount",
              "price", "last_update_timestamp"],
    "own_trade": ["trade_id", "trade_seq", "timestamp", "instrument_name", "direction", "price",
                  "amount", "fee", "order_id", "liquidity"],
}
# Where the fields are that are needed, message by message.
FIELDS: dict[str, list[tuple[tuple[Any, ...], list[str]]]] = {
    "book": [(("params", "data"), ["type", "timestamp", "instrument_name", "change_id",
                                   "prev_change_id", "bids", "asks"])],
    "ticker": [(("params", "data"), ["timestamp", "state", "mark_price", "index_price",
                                     "instrument_name"])],
    "trades": [(("params", "data", 1), ["timestamp", "price", "amount", "direction",
                                        "instrument_name", "trade_seq"])],
    "changes": [(("params", "data"), ["orders", "trades"]),
                (("params", "data", "orders", 0), NEED["order"]),
                (("params", "data", "trades", 0), NEED["own_trade"]),
                (("params", "data", "positions", 0),
                 ["size", "direction", "instrument_name", "average_price"])],
    "user_orders": [(("params", "data"), NEED["order"])],
    "user_trades": [(("params", "data", 0), NEED["own_trade"])],
    "index": [(("params", "data"), ["timestamp", "price", "index_name"])],
    "state": [(("params", "data"), ["timestamp", "state", "instrument_name"])],
    "accepted": [((), ["result"]), (("result",), ["order"]),
                 (("result", "order"), NEED["order"]),
                 (("result", "trades", 0), NEED["own_trade"])],
    "cancelled": [((), ["result"]), (("result",), NEED["order"])],
    "all_cancelled": [((), ["result"])],
    "refused": [((), ["error"]), (("error",), ["code"])],
    "queried": [(("result", 0), NEED["order"])],
}
CASES = [(name, (*where, field)) for name, places in FIELDS.items()
         for where, fields in places for field in fields]


def put(payload: Any, path: tuple[Any, ...], value: Any) -> bytes:
    """Return the payload encoded with the value at path; ... removes it."""
    damaged = copy.deepcopy(payload)
    place = damaged
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return encoded(damaged)


def assert_refused(raw: bytes) -> None:
    rig = Rig()
    events = rig(raw)
    assert [e[0] for e in events] == ["malformed"], events
    assert rig.feed.counts["malformed"] == 1
    assert rig.cold == []
    assert rig.feed.own.venue_position(0) is None
    assert rig(book())[0][0] == "book"  # and the next message is none the worse


@pytest.mark.parametrize("name", MESSAGES)
def test_undamaged(name: str) -> None:
    events = Rig()(MESSAGES[name])
    assert "malformed" not in {e[0] for e in events}


@pytest.mark.parametrize(("name", "path"), CASES)
def test_missing(name: str, path: tuple[Any, ...]) -> None:
    assert_refused(put(MESSAGES[name], path, ...))


def get(payload: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        payload = payload[key]
    return payload


def is_order_price(name: str, path: tuple[Any, ...]) -> bool:
    """A market order has no price, so null is one of its values."""
    return path[-1] == "price" and "order_state" in get(MESSAGES[name], path[:-1])


@pytest.mark.parametrize(("name", "path"), [c for c in CASES if not is_order_price(*c)])
def test_null(name: str, path: tuple[Any, ...]) -> None:
    assert_refused(put(MESSAGES[name], path, None))


@pytest.mark.parametrize(("name", "path"), CASES)
@pytest.mark.parametrize("value", [True, {"a": 1}, [[]], [1, 2, 3]])
def test_wrong_type(name: str, path: tuple[Any, ...], value: Any) -> None:
    assert_refused(put(MESSAGES[name], path, value))


NUMBERS = [(n, p) for n, p in CASES
           if type(get(MESSAGES[n], p)) in {int, float} and p[-1] != "code"]


@pytest.mark.parametrize(("name", "path"), NUMBERS)
@pytest.mark.parametrize("text", [b"NaN", b"1e400", b"-1e400", b"Infinity", b'"1"', b"00", b"+1",
                                  b"1e", b"0x1", b"1e300", b"-", b""])
def test_no_number(name: str, path: tuple[Any, ...], text: bytes) -> None:
    marker = 123454321
    raw = put(MESSAGES[name], path, marker).replace(str(marker).encode(), text)
    assert_refused(raw)


@pytest.mark.parametrize(("name", "path"), [
    (n, p) for n, p in NUMBERS if p[-1] not in {"fee", "size", "average_price"}])
def test_negative(name: str, path: tuple[Any, ...]) -> None:
    assert_refused(put(MESSAGES[name], path, -abs(get(MESSAGES[name], path)) - 1))


@pytest.mark.parametrize(("name", "path"), CASES)
def test_wrong_instrument_or_word(name: str, path: tuple[Any, ...]) -> None:
    if path[-1] == "instrument_name" and name in {"book", "ticker", "trades"}:
        assert_refused(put(MESSAGES[name], path, "BTC-25JUN27"))
        assert_refused(put(MESSAGES[name], path, "BTC-PERPETUAL\u00e9"))
    if path[-1] in {"type", "direction", "order_state", "liquidity"}:
        assert_refused(put(MESSAGES[name], path, "sideways"))
    if path[-1] == "order_id" and "order_state" in get(MESSAGES[name], path[:-1]):
        for text in ("", '7"', "7\\", "7" * 33, "é", "7 7", "7\n"):
            assert_refused(put(MESSAGES[name], path, text))
    if path[-1] == "trade_id":
        for text in ("", "abc", "ETH-", "1" * 19, "-", "1.5"):
            assert_refused(put(MESSAGES[name], path, text))


@pytest.mark.parametrize(("name", "path"), [
    (n, p) for n, p in NUMBERS if p[-1] in {"amount", "size"} or (
        p[-1] == "price" and n != "index")])
def test_off_the_grid(name: str, path: tuple[Any, ...]) -> None:
    value = get(MESSAGES[name], path)
    assert_refused(put(MESSAGES[name], path, value + 0.2))
    assert_refused(put(MESSAGES[name], path, 1e17))


@pytest.mark.parametrize("level", [
    ["new", 70000.6, 10.0], ["new", 70000.5, 11.0], ["new", -70000.5, 10.0], ["new", 0.0, 10.0],
    ["new", 70000.5, -10.0], ["new", 70000.5, 0.0], ["change", 70000.5, 0.0],
    ["delete", 70000.5, 10.0], ["renew", 70000.5, 10.0], ["new", 70000.5], [70000.5, 10.0],
    ["new", 70000.5, 10.0, 1], ["new", None, 10.0], ["new", 70000.5, None], ["new", "70000.5", 1],
    [1, 70000.5, 10.0], None, 1, {}, [], ["new", 1e16, 10.0], ["new", 70000.5, 1e18],
])
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_one_bad_level_spoils_the_message(level: Any, side: str) -> None:
    good = ["new", 70000.5, 10.0]
    assert_refused(encoded(book(**{side: [good, level, good]})))


@pytest.mark.parametrize("name", MESSAGES)
def test_every_truncation(name: str) -> None:
    raw = encoded(MESSAGES[name])
    rig = Rig()
    for size in range(len(raw)):
        events = rig(raw[:size])
        assert [e[0] for e in events] == ["malformed"], raw[:size]
    assert rig.cold == []


@pytest.mark.parametrize("name", MESSAGES)
def test_trailing_bytes_and_invalid_utf8(name: str) -> None:
    raw = encoded(MESSAGES[name])
    assert_refused(raw + b"x")
    assert_refused(raw + raw)
    for word in (b"BTC-PERPETUAL", b"BTC-25JUN27", b'"btc_usd"', b"post_only_reject"):
        if word in raw and name not in {"all_cancelled", "refused"}:
            head, _, tail = raw.rpartition(word)
            middle = word[:3] + b"\xff" + word[4:]
            events = Rig()(head + middle + tail)
            assert {e[0] for e in events} <= {"malformed", "control"}


@pytest.mark.parametrize("raw", [
    b"", b"{", b"}", b"null", b"[]", b"1", b'""', b"{}", b"\x00" * 100, b"\xff" * 100,
    b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"2.0","method":"subscription"}',
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"',
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.',
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book."}}',
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL"}}',
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL."}}',
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.ETH-PERPETUAL.raw"}}',
    (b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":'
    b'"book.BTC-PERPETUAL.none.20.100ms","data":{}}}'),
    b'{"jsonrpc":"2.0","id":', b'{"jsonrpc":"2.0","id":}', b'{"jsonrpc":"2.0","id":5',
    b'{"jsonrpc":"2.0","id":5}', b'{"jsonrpc":"2.0","id":99999999999999999999,"result":',
    b"[" * 100000, b'{"a":' * 100000,
])
def test_bytes_that_are_no_message(raw: bytes) -> None:
    rig = Rig()
    assert [e[0] for e in rig(raw)] == ["malformed"]
    assert rig.feed.counts["malformed"] == 1


def test_ten_megabytes() -> None:
    level = ["new", 70000.5, 10.0]
    assert_refused(encoded(book(bids=[level] * 400_000)))
    assert_refused(encoded(trades(*[trade()] * 50_000)))
    assert_refused(encoded(changes(trades=[own_trade()] * 30_000)))
    assert_refused(b" " * 10_000_000)
    assert_refused(b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
                   + b"b" * 10_000_000)


def test_a_foreign_field_does_no_harm() -> None:
    raw = encoded(book()).replace(b'"type"', b'"new_field":[{"a":[1e400]}],"type"')
    assert [e[0] for e in Rig()(raw)] in (["book"], ["malformed"])


def test_positions_off_the_grid_apply_nothing() -> None:
    assert_refused(encoded(changes(positions=[position(size=-155.0)])))
    assert_refused(encoded(changes(positions=[position(), position(size=1e300)])))


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_random_damage(name: str, data: st.DataObject) -> None:
    raw = bytearray(encoded(MESSAGES[name]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at:at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    rig = Rig()
    events = rig(bytes(raw))
    malformed = [e for e in events if e[0] == "malformed"]
    assert len(malformed) <= 1
    if malformed:
        assert len(events) == 1  # nothing was applied beside it
