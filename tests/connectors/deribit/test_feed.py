"""Golden payloads of every channel and answer: which events they become."""

import json
from typing import Any

import pytest
from deribit_wire import (
    LABELS,
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

from connectors.deribit.feed import FeedAsk
from connectors.deribit.labels import Labels
from mmcore.types import (
    ActionKind,
    ControlKind,
    MarketState,
    OrderEventKind,
    VenueOrderState,
)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def request_id(kind: int, market: int, slot: int, sequence: int) -> int:
    return kind << 44 | market << 40 | slot << 32 | sequence


def test_book_change(rig: Rig) -> None:
    assert rig(book()) == [("book", 0, False, 5001, 4900, 1790000000123,
                            [(140001, 125), (139980, 0)], [(140002, 3)])]


def test_book_snapshot(rig: Rig) -> None:
    payload = book(type="snapshot", bids=[["new", 7e4, 10]], asks=[])
    del payload["params"]["data"]["prev_change_id"]
    assert rig(payload) == [("book", 0, True, 5001, -1, 1790000000123, [(140000, 1)], [])]


def test_book_of_another_tick_and_kind(rig: Rig) -> None:
    dated = book(instrument_name="BTC-25JUN27", bids=[["new", 70002.5, 10.0]], asks=[])
    dated["params"]["channel"] = "book.BTC-25JUN27.100ms"
    assert rig(dated)[0][:2] == ("book", 1)
    linear = book(instrument_name="BTC_USDC-PERPETUAL", bids=[["new", 70000.1, 0.0013]],
                  asks=[["change", 70000.3, 1.2e-3]])
    linear["params"]["channel"] = "book.BTC_USDC-PERPETUAL.raw"
    assert rig(linear)[0][6:] == ([(700001, 13)], [(700003, 12)])


@pytest.mark.parametrize("text", ["7.00005e4", "70000.5", "700005e-1", "70000.50"])
def test_number_formats(rig: Rig, text: str) -> None:
    raw = encoded(book(asks=[])).replace(b"70000.5", text.encode()).replace(b"1250.0", b"1.25e3")
    assert rig(raw)[0][6] == [(140001, 125), (139980, 0)]


def test_full_depth_snapshot_fits(rig: Rig) -> None:
    side = [["new", 0.5 * (i + 1), 10] for i in range(20000)]
    events = rig(book(type="snapshot", bids=side[::-1], asks=[]))
    assert events[0][0] == "book"
    assert len(events[0][6]) == 20000
    assert rig(book(type="snapshot", bids=[*side, ["new", 1e5, 10]], asks=[])) == [
        ("malformed", 0)]


def test_ticker(rig: Rig) -> None:
    assert rig(ticker()) == [("ticker", 0, {
        "timestamp_ms": 1790000000200, "mark_usd": 70009.87, "index_usd": 70010.25,
        "last_usd": 70000.5, "current_funding": -1.5e-5, "funding_8h": 2e-5,
        "min_price_usd": 68960.0, "max_price_usd": 71061.0, "state": MarketState.MARKET_OPEN})]
    sparse = rig(ticker(last_price=None, current_funding=None, min_price=None))[0][2]
    assert (sparse["last_usd"], sparse["current_funding"], sparse["min_price_usd"]) == (0, 0, 0)


@pytest.mark.parametrize("state", list(MarketState))
def test_market_states(rig: Rig, state: MarketState) -> None:
    word = state.name.removeprefix("MARKET_").lower()
    assert rig(ticker(state=word))[0][2]["state"] == state
    payload = note("instrument.state.future.BTC",
                   {"timestamp": 1, "state": word, "instrument_name": "BTC-25JUN27"})
    assert rig(payload) == [("control", ControlKind.CONTROL_MARKET_STATE, 1, state, 0.0)]


def test_trades(rig: Rig) -> None:
    events = rig(trades(trade(), trade(direction="buy", trade_seq=992),
                        trade(trade_seq=993, block_trade_id="BLOCK-1", price=70000.37),
                        trade(trade_seq=994, combo_trade_id="43"),
                        trade(trade_seq=995, combo_id="BTC-FS-25JUN27_PERP")))
    assert [(e[2]["side"], e[2]["trade_seq"], e[2]["excluded"]) for e in events] == [
        (1, 991, False), (0, 992, False), (1, 993, True), (1, 994, True), (1, 995, True)]
    assert events[0][2] | {"excluded": 0} == {
        "side": 1, "price_ticks": 140001, "amount_contracts": 231,
        "timestamp_ms": 1790000000300, "trade_seq": 991, "excluded": 0}
    assert rig(note("trades.BTC-PERPETUAL.raw", [])) == []


ORDER_EVENT = {
    "kind": OrderEventKind.ORDER_EVENT_UPDATE, "market": 0, "slot": 10, "generation": 7,
    "request": 0, "request_id": 0, "error_code": 0,
    "order_state": VenueOrderState.VENUE_ORDER_OPEN, "side": 1, "price_ticks": 140400,
    "amount_contracts": 40, "filled_contracts": 15, "last_update_ms": 1790000000400,
    "order_id": "7436570"}
FILL_EVENT = {
    "market": 0, "slot": 10, "generation": 7, "side": 1, "price_ticks": 140400,
    "amount_contracts": 15, "fee_e8": -32, "trade_seq": 992, "trade_id": 77002,
    "timestamp_ms": 1790000000399, "maker": True}


def test_user_changes(rig: Rig) -> None:
    events = rig(changes())
    assert events == [("fill", FILL_EVENT), ("order", ORDER_EVENT),
                      ("control", ControlKind.CONTROL_FUNDING, 0, 0, -4e-8)]
    assert rig.feed.own.venue_position(0) == (-15, 70200.0, 2e-8, -4e-8, 1.5e-7)
    assert rig.feed.own.venue_position(1) is None
    assert len(rig(changes())) == 2  # funding did not change


def test_user_orders_and_trades(rig: Rig) -> None:
    assert rig(note("user.orders.any.any.raw", order())) == [("order", ORDER_EVENT)]
    assert rig(note("user.orders.BTC-PERPETUAL.100ms", [order(), order()])) == [
        ("order", ORDER_EVENT)] * 2
    assert rig(note("user.trades.any.any.raw", [own_trade()])) == [("fill", FILL_EVENT)]


@pytest.mark.parametrize(("state", "expected"), [
    ("open", 0), ("filled", 1), ("cancelled", 2), ("rejected", 3), ("untriggered", 4),
    ("triggered", 4)])
def test_order_states(rig: Rig, state: str, expected: int) -> None:
    assert rig(changes(orders=[order(order_state=state)], trades=[],
                       positions=[]))[0][1]["order_state"] == expected


@pytest.mark.parametrize(("label", "slot"), [
    ("", -1), ("web order", -1), ("é", -1), (LABELS.write(1, 10, 7), -1),
    (Labels("mm", run=1).write(0, 10, 7), -2)])         # ours, of an earlier run
def test_foreign_labels_have_no_slot(rig: Rig, label: str, slot: int) -> None:
    events = rig(changes(orders=[order(label=label)], trades=[own_trade(label=label)]))
    assert events[0][1] | {"slot": 10, "generation": 7} == FILL_EVENT
    assert (events[0][1]["slot"], events[1][1]["slot"]) == (slot, slot)


def test_the_side_of_a_fill_is_that_of_our_slot(rig: Rig) -> None:
    events = rig(changes(trades=[own_trade(direction="buy")], orders=[], positions=[]))
    assert events[0][1]["side"] == 1  # slot 10 is the first ask
    aggressive = LABELS.write(0, 21, 3)
    events = rig(changes(trades=[own_trade(direction="buy", label=aggressive)], orders=[]))
    assert events[0][1]["side"] == 0


def test_orders_without_price_or_on_other_instruments(rig: Rig) -> None:
    stop = order(price="market_price", order_state="untriggered", label="by hand")
    assert rig(changes(orders=[stop], trades=[], positions=[]))[0][1]["price_ticks"] == 0
    other = changes(instrument_name="ETH-PERPETUAL",
                    orders=[order(instrument_name="ETH-PERPETUAL", price=1234.05)],
                    trades=[own_trade(instrument_name="ETH-PERPETUAL", trade_id="ETH-5")],
                    positions=[position(instrument_name="ETH-PERPETUAL")])
    assert rig(other) == []
    assert rig.feed.counts["foreign"] == 2
    assert rig.feed.counts["malformed"] == 0


@pytest.mark.parametrize("kind", [ActionKind.ACTION_NEW, ActionKind.ACTION_EDIT])
def test_accepted(rig: Rig, kind: ActionKind) -> None:
    rid = request_id(kind, 0, 10, 99)
    events = rig(answer(rid, result={"order": order(), "trades": [own_trade()]}))
    assert events == [("fill", FILL_EVENT), ("order", ORDER_EVENT | {
        "kind": OrderEventKind.ORDER_EVENT_ACCEPTED, "request": kind, "request_id": rid})]


def test_cancelled(rig: Rig) -> None:
    rid = request_id(ActionKind.ACTION_CANCEL, 0, 10, 100)
    events = rig(answer(rid, result=order(order_state="cancelled")))
    assert events == [("order", ORDER_EVENT | {
        "kind": OrderEventKind.ORDER_EVENT_ACCEPTED, "request": ActionKind.ACTION_CANCEL,
        "request_id": rid, "order_state": VenueOrderState.VENUE_ORDER_CANCELLED})]


@pytest.mark.parametrize("kind", [k for k in ActionKind if k != ActionKind.ACTION_MASS_QUOTE])
def test_refused(rig: Rig, kind: ActionKind) -> None:
    rid = request_id(kind, 2, 3, 5)
    event = rig(answer(rid, error={"code": 11054, "message": "post_only_reject", "data": {}}))
    assert [(e[0], e[1]["kind"], e[1]["error_code"], e[1]["request"], e[1]["market"],
             e[1]["slot"], e[1]["request_id"]) for e in event] == [
        ("order", OrderEventKind.ORDER_EVENT_REFUSED, 11054, kind, 2, 3, rid)]


@pytest.mark.parametrize("kind", [ActionKind.ACTION_CANCEL_INSTRUMENT,
                                  ActionKind.ACTION_CANCEL_ALL])
def test_cancel_all_answers(rig: Rig, kind: ActionKind) -> None:
    rid = request_id(kind, 1, 0, 5)
    event = rig(answer(rid, result=4))[0][1]
    assert (event["kind"], event["request"], event["market"]) == (
        OrderEventKind.ORDER_EVENT_ACCEPTED, kind, 1)


@pytest.mark.parametrize("change", [
    {"label": ""}, {"label": LABELS.write(0, 11, 7)},
    {"label": Labels("mm", run=1).write(0, 10, 7)},
    {"instrument_name": "BTC-25JUN27"}, {"instrument_name": "ETH-PERPETUAL"}])
def test_answers_about_another_order_are_never_guessed(rig: Rig, change: dict[str, Any]) -> None:
    rid = request_id(ActionKind.ACTION_EDIT, 0, 10, 99)
    assert rig(answer(rid, result={"order": order(**change), "trades": []})) == [
        ("malformed", -1)]


def test_query_answers(rig: Rig) -> None:
    rid = request_id(6, 0, 10, 7)
    assert rig(answer(rid, result=[order()])) == [("order", ORDER_EVENT)]
    absent = rig(answer(rid, result=[]))[0][1]
    assert (absent["kind"], absent["slot"], absent["generation"], absent["request_id"]) == (
        OrderEventKind.ORDER_EVENT_ABSENT, 10, 7, 0)
    assert rig(answer(rid, error={"code": 10028, "message": "too_many_requests"})) == []
    assert rig(answer(rid, result=[order(label=LABELS.write(0, 10, 8))])) == [("malformed", -1)]


def test_cold_and_unknown_ids(rig: Rig) -> None:
    first = encoded(answer(77, result="ok"))
    text = encoded({"jsonrpc": "2.0", "id": "abc", "result": 1})
    none = encoded({"jsonrpc": "2.0", "error": {"code": 11051, "message": "system_maintenance"}})
    for raw in (first, text, none):
        assert rig(raw) == []
    assert rig.cold == [first, text, none]
    assert rig(answer(1, result={"version": "1"})) == []  # our own heartbeat answer
    assert rig(answer(request_id(11, 0, 0, 0), result=1)) == []
    assert rig(answer(request_id(ActionKind.ACTION_NEW, 5, 0, 0), result=1)) == []
    assert rig.feed.counts["unknown_ids"] == 2
    assert len(rig.cold) == 3


def test_heartbeats(rig: Rig) -> None:
    for text, ask in [
        (b'{"params":{"type":"heartbeat"},"method":"heartbeat","jsonrpc":"2.0"}', 0),
        (b'{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}', 1),
        (b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}', 1),
        (b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}', 0),
    ]:
        assert rig.feed.payload(text, 1) == FeedAsk(ask)
    assert rig.trace.take() == []
    assert rig.feed.counts["fallbacks"] == 2


def test_index_platform_and_unused_channels(rig: Rig) -> None:
    assert rig(note("deribit_price_index.btc_usd",
                    {"timestamp": 5, "price": 70000.25, "index_name": "btc_usd"})) == []
    assert rig.feed.index == (70000.25, 5)
    quiet = note("platform_state", {"price_index": "btc_usd", "locked": False})
    assert rig(quiet) == []
    locked = rig(note("platform_state", {"price_index": "btc_usd", "locked": True}))
    state = ControlKind.CONTROL_MARKET_STATE
    assert locked == [("control", state, m, MarketState.MARKET_LOCKED, 0.0) for m in (0, 1)]
    assert rig(ticker())[0][2]["state"] == MarketState.MARKET_LOCKED
    assert rig(quiet) == [("control", state, m, MarketState.MARKET_OPEN, 0.0) for m in (0, 1)]
    assert len(rig(note("platform_state", {"maintenance": True}))) == 3
    assert rig(ticker())[0][2]["state"] == MarketState.MARKET_HALTED
    assert rig(note("quote.BTC-PERPETUAL", {"x": 1})) == []
    assert rig(note("user.portfolio.btc", {})) == []
    assert rig.feed.counts["ignored"] == 2


@pytest.mark.parametrize("payload", [book(), ticker(), trades(), changes()])
def test_another_key_order_costs_a_fallback_only(rig: Rig, payload: dict[str, Any]) -> None:
    plain = rig(payload)
    params = dict(reversed(payload["params"].items()))
    turned = {"params": params, "method": "subscription", "jsonrpc": "2.0"}
    fresh = Rig()
    assert fresh(turned) == plain
    assert fresh.feed.counts["fallbacks"] == 1
    spaced = Rig()
    assert spaced(json.dumps(payload).encode()) == plain


def test_answers_in_another_key_order(rig: Rig) -> None:
    rid = request_id(ActionKind.ACTION_CANCEL, 0, 10, 100)
    raw = {"result": order(order_state="cancelled"), "id": rid, "jsonrpc": "2.0"}
    assert rig(raw)[0][1]["request_id"] == rid
