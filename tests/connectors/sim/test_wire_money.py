"""Over the wire: what settlements leave, and the log of what changed an account's cash."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from exchange_client import PERP, Client, connect, in_virtual_time
from exchange_floor import at

from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.server import SimConfig, SimServer

START_NS = at(2026, 11, 26, 7, 59, 40)
NEAR = "BTC-26NOV26"        # ends at 08:00 of the day the exchange starts
SPAN = {"currency": "BTC", "start_timestamp": 0, "end_timestamp": 10**13, "count": 250}


def across_settlement(script: Any) -> Any:
    return in_virtual_time(SimConfig(
        market=SyntheticMarket(seed=7, now_ns=START_NS, regime="expiry_day"), http=False,
        use_aiofastnet=False, tier=0), script, START_NS)


async def result(client: Client, method: str, **params: Any) -> Any:
    answer = await client.call(method, **params)
    assert "error" not in answer, answer
    return answer["result"]


async def trade_and_settle(server: SimServer) -> Any:
    client = await connect(server)
    await result(client, "private/subscribe", channels=[
        "instrument.creation.any.any", "trades.future.BTC.raw", "instrument.state.any.any"])
    await asyncio.sleep(2.0)
    for name, side, amount in ((PERP, "buy", 3000), (PERP, "sell", 1000), (NEAR, "sell", 500)):
        await result(client, f"private/{side}", instrument_name=name, amount=amount,
                     type="market")
    refused = []
    for _ in range(220):
        await asyncio.sleep(0.1)
        answer = await client.call("private/sell", instrument_name=PERP, amount=10,
                                   type="market")
        refused.append(answer.get("error", {}).get("code"))
    return {
        "log": (await result(client, "private/get_transaction_log", **SPAN))["logs"],
        "mine": await result(client, "private/get_settlement_history_by_currency",
                             currency="BTC"),
        "perp": await result(client, "private/get_settlement_history_by_instrument",
                             instrument_name=PERP, type="settlement"),
        "all": await result(client, "public/get_last_settlements_by_currency", currency="BTC"),
        "near": await result(client, "public/get_last_settlements_by_instrument",
                             instrument_name=NEAR, count=1),
        "prices": await result(client, "public/get_delivery_prices", index_name="btc_usd"),
        "summary": await result(client, "private/get_account_summary", currency="BTC"),
        "queries": [(await result(client, "private/get_transaction_log", **SPAN,
                                  query=query))["logs"]
                    for query in ("settlement", "delivery", "trade open buy", "deposit")],
        "books": [await result(client, "public/get_order_book", instrument_name=name, depth=5)
                  for name in (NEAR, "BTC-27NOV26", "BTC-25DEC26")],
        "created": client.data("instrument.creation.any.any"),
        "refused": refused}


@pytest.fixture(scope="module")
def day() -> Any:
    return across_settlement(trade_and_settle)


def test_trading_stops_for_the_settlement(day: Any) -> None:
    codes = day["refused"]
    assert codes[0] is None
    assert codes[-1] is None
    first, last = codes.index(10041), len(codes) - codes[::-1].index(10041)
    assert set(codes[first:last]) == {10041}
    assert 40 <= last - first <= 51     # five seconds, a request every 110 ms


def test_settlements_of_an_account_and_of_the_markets(day: Any) -> None:
    rows = {row["instrument_name"]: row for row in day["mine"]["settlements"]}
    assert {name: row["type"] for name, row in rows.items()} == {
        PERP: "settlement", NEAR: "delivery"}
    assert rows[NEAR]["position"] == -500.0
    assert day["perp"]["settlements"] == [rows[PERP]]
    (near,) = day["near"]["settlements"]
    assert near["type"] == "delivery"
    assert near["mark_price"] == rows[NEAR]["mark_price"]
    assert near["position"] >= 500.0                # open interest, in USD
    assert abs(near["profit_loss"]) < 1e-6          # what some win others lose
    assert {row["instrument_name"] for row in day["all"]["settlements"]} >= {PERP, NEAR}
    (price,) = day["prices"]["data"]
    assert price["date"] == "2026-11-26"
    assert abs(price["delivery_price"] - near["mark_price"]) < 0.01


def test_the_log_adds_up_to_the_balance(day: Any) -> None:
    log = day["log"]
    assert [entry["user_seq"] for entry in log] == list(range(len(log), 0, -1))
    assert log[-1]["type"] == "deposit"
    balance = 0
    size: dict[str, float] = {}
    for entry in reversed(log):
        balance += round(entry["change"] * 1e8)
        assert round(entry["balance"] * 1e8) == balance, entry
        if entry["type"] == "trade":
            name, bought = entry["instrument_name"], entry["side"].endswith("buy")
            size[name] = size.get(name, 0.0) + (
                entry["amount"] if bought else -entry["amount"])
            assert entry["position"] == size[name]
    assert balance == round(day["summary"]["balance"] * 1e8)
    settlement, delivery, trades, deposit = day["queries"]
    assert [entry["side"] for entry in settlement] == ["long"]
    assert [(entry["side"], entry["position"]) for entry in delivery] == [("close buy", 0.0)]
    assert delivery[0]["commission"] > 0.0
    assert {entry["side"] for entry in trades} == {"open buy"}
    assert deposit[0]["change"] == 0.9


def test_new_contracts_are_announced(day: Any) -> None:
    names = [one["instrument_name"] for one in day["created"]]
    assert names == ["BTC-27NOV26", "BTC-25DEC26"]
    assert {one["state"] for one in day["created"]} == {"open"}
    assert all("tick_size" in one and "timestamp" in one for one in day["created"])


def test_participants_come_to_new_contracts_and_leave_old_ones(day: Any) -> None:
    old, *new = day["books"]
    assert old["state"] == "delivered"
    assert old["bids"] == old["asks"] == []
    for book in new:
        assert book["state"] == "open"
        assert (len(book["bids"]), len(book["asks"])) == (5, 5)
        assert book["bids"][0][0] < book["mark_price"] < book["asks"][0][0]
    assert new[0]["mark_price"] < new[1]["mark_price"]      # carry grows with time
