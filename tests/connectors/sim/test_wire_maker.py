"""Over the wire: quotes and protection, triggers, spreads, and answers that come later."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from exchange_floor import at
from wire_client import PERP, StillMarket, Venue, played

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from connectors.sim.wire.server import SimConfig, SimServer, serve
from mmcore.types import InstrumentSpec

SPREAD = "BTC-FS-25DEC26_PERP"


class TwoMarkets(StillMarket):
    """The dated contract has a book as well."""

    def start(self, exchange: Exchange, t_ns: int) -> int | None:
        super().start(exchange, t_ns)
        for i in range(10):
            exchange.market_set_level(t_ns, 1, 0, 120_200 - i, 100)
            exchange.market_set_level(t_ns, 1, 1, 120_201 + i, 100)
        return None


def quote(bid: float, ask: float, amount: float = 100, **names: Any) -> dict[str, Any]:
    return {"instrument_name": PERP, "bid": {"price": bid, "amount": amount},
            "ask": {"price": ask, "amount": amount}, **names}


def test_mass_quotes_and_their_protection() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        client, taker = await v.client(), await v.client("other")
        group = {"index_name": "btc_usd", "mmp_group": "mm"}
        quotes = {"quote_id": "q1", "mmp_group": "mm",
                  "quotes": [quote(59_999.0, 60_001.5, quote_set_id="s1")]}
        assert await client.error("private/mass_quote", **quotes) == 13042
        await client.result("private/enable_cancel_on_disconnect")
        assert await client.error("private/mass_quote", **quotes) == 13040
        (config,) = await client.result(
            "private/set_mmp_config", **group, interval=60, frozen_time=0, quantity_limit=0.001,
            max_quote_quantity=0.1)
        assert (config["quantity_limit"], config["mmp_group"]) == (0.001, "mm")
        assert await client.result("private/get_mmp_config", index_name="btc_usd") == [config]
        await client.result("private/subscribe", channels=["user.mmp_trigger.btc_usd"])
        found = await client.result("private/mass_quote", **quotes)
        assert found["errors_count"] == 0
        assert [o["direction"] for o in found["orders"]] == ["buy", "sell"]
        assert found["orders"][0]["quote_set_id"] == "s1"
        quotes["quotes"] = [quote(60_000.0, 60_000.0)]
        found = await client.result("private/mass_quote", **quotes, detailed=True)
        assert isinstance(found["errors"], list)
        await client.result("private/cancel_quotes", cancel_type="all")
        quotes["quotes"] = [quote(60_000.0, 60_001.5)]
        await client.result("private/mass_quote", **quotes)
        await taker.result("private/sell", instrument_name=PERP, amount=1100, type="market")
        trigger = await client.note("user.mmp_trigger.btc_usd")
        assert trigger == {"frozen_until": 0, "index_name": "btc_usd", "mmp_group": "mm",
                           "block_rfq": False}
        (status,) = await client.result("private/get_mmp_status")
        assert status["frozen_until"] == 0
        found = await client.result("private/mass_quote", **quotes, detailed=True)
        assert {e["error"]["code"] for e in found["errors"]} == {13030}
        assert await client.result("private/reset_mmp", **group) == "ok"
        assert await client.result("private/get_mmp_status") == []
        assert await client.result("private/cancel_quotes", cancel_type="all",
                                   freeze_quotes=True) == 0
        found = await client.result("private/mass_quote", **quotes, detailed=True)
        assert {e["error"]["code"] for e in found["errors"]} == {13043}
    played(test)


def test_trigger_orders() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        client = await v.client()
        stop = {"instrument_name": PERP, "amount": 100, "type": "stop_limit", "price": 60_200.0,
                "trigger": "index_price"}
        assert await client.error("private/buy", **stop) == -32602
        assert await client.error("private/buy", **stop, trigger_price=59_000.0) == 10035
        order = (await client.result("private/buy", **stop, trigger_price=60_100.0))["order"]
        assert order["order_id"].startswith("SLIB-")
        assert (order["order_state"], order["trigger"], order["trigger_price"]) == (
            "untriggered", "index_price", 60_100.0)
        moved = (await client.result("private/edit", order_id=order["order_id"], amount=100,
                                     price=60_200.0, trigger_price=60_050.0))["order"]
        assert moved["trigger_price"] == 60_050.0
        v.server.exchange.market_index(v.server.clock(), "btc_usd", 60_060.0)
        for _ in range(100):
            state = await client.result("private/get_order_state", order_id=order["order_id"])
            if state["order_state"] == "triggered":
                break
            await asyncio.sleep(0.02)
        assert state["order_state"] == "triggered"
        (position,) = await client.result("private/get_positions", currency="BTC")
        assert position["size"] == 100.0
    played(test)


def test_a_spread_is_listed_and_trades() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        maker, taker = await v.client("maker"), await v.client()
        (spread,) = await taker.result("public/get_instruments", currency="BTC",
                                       kind="future_combo")
        assert (spread["instrument_name"], spread["tick_size"]) == (SPREAD, 0.5)
        await asyncio.sleep(0.25)
        await taker.result("private/subscribe", channels=["user.trades.any.any.raw"])
        order = {"instrument_name": SPREAD, "amount": 100, "price": 90.0}
        await maker.result("private/sell", **order)
        found = await taker.result("private/buy", **order, label="mine")
        assert found["order"]["order_state"] == "filled"
        rows = [(await taker.note("user.trades.any.any.raw"))[0] for _ in range(3)]
        assert [r["instrument_name"] for r in rows] == ["BTC-25DEC26", PERP, SPREAD]
        assert rows[0]["price"] - rows[1]["price"] == 90.0
        assert rows[0]["combo_trade_id"] == rows[2]["trade_id"]
        assert {r["label"] for r in rows} == {"mine"}
        sizes = {p["instrument_name"]: p["size"]
                 for p in await taker.result("private/get_positions", currency="BTC")}
        assert sizes == {"BTC-25DEC26": 100.0, PERP: -100.0}
    played(test, market=TwoMarkets())


def test_answers_come_when_the_engine_has_taken_up_the_request() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        client = await v.client()
        order = {"instrument_name": PERP, "amount": 10, "price": 59_000.0}
        for n in range(12):
            await client.socket.send_str(json.dumps({
                "jsonrpc": "2.0", "id": 100 + n, "method": "private/buy", "params": order}))
        answers = [await client.message() for _ in range(12)]
        codes = [a.get("error", {}).get("code", 0) for a in answers]
        assert sorted(codes) == [0] * 9 + [10047] * 3
        assert sorted(a["id"] for a in answers) == list(range(100, 112))
        assert min(a["usDiff"] for a in answers if "result" in a) >= 20_000
        async with v.http.get(v.url + "/private/buy", params={k: str(x) for k, x in order.items()},
                              headers={"Authorization": "Basic bWU6c2VjcmV0"}) as response:
            assert response.status == 200
            assert (await response.json())["result"]["order"]["order_state"] == "open"
        assert await client.result("private/cancel_all") == 10
    played(test, processing_us=(20_000, 20_000))


class ExpiryMarket(TwoMarkets):
    """The dated contract is the one of December 2026."""

    def instruments(self) -> list[Listing]:
        perp, _ = super().instruments()
        return [perp, Listing(spec=InstrumentSpec(
            "BTC-25DEC26", tick_size=0.5, contract_size=10, min_amount=10,
            expiry_ms=at(2026, 12, 25, 8) // 10**6), settlement_period="month")]


def test_expiry_and_the_next_contracts() -> None:
    async def main() -> None:
        now = [at(2026, 12, 25, 7, 59, 50)]
        server = await serve(SimConfig(market=ExpiryMarket(), tier=0), lambda: now[0])
        try:
            server.start_market(now[0])
            server.run_due(now[0])
            assert set(server.roll.venue.markets) == {PERP, "BTC-25DEC26", SPREAD}
            now[0] += 20 * 10**9
            server.run_due(now[0])
            names = set(server.roll.venue.markets)
            assert {"BTC-29JAN27", "BTC-26FEB27", "BTC-26MAR27", "BTC-25JUN27"} <= names
            state = server.exchange.market_state_of(1)
            assert state == 5
            assert server.roll.venue.delivery_prices("btc_usd")[0][0] == (
                at(2026, 12, 25, 8) // 10**6)
        finally:
            await server.stop()
    asyncio.run(main())


def test_the_queue_model_is_a_setting() -> None:
    def refused() -> str:
        with pytest.raises(ValueError, match="queue_model 'hopeful'") as caught:
            SimServer(SimConfig(market=StillMarket(), queue_model="hopeful"), lambda: 1)
        return str(caught.value)

    assert "pessimistic, proportional, power" in refused()
    ahead = []
    for model in ("pessimistic", "proportional"):
        server = SimServer(SimConfig(market=StillMarket(), queue_model=model, tier=0),
                           lambda: at(2026, 11, 22))
        exchange, t_ns = server.exchange, at(2026, 11, 22)
        account = exchange.open_account("me", t_ns, 10**9, 0, False)
        exchange.market_set_level(t_ns, 0, 0, 120_000, 100)
        assert server.desk.place(t_ns, -1, account, 0, 0, 0, 0, 120_000, 10)[0] == 0
        for shown in (200, 150):
            exchange.market_set_level(t_ns, 0, 0, 120_000, shown)
        exchange.market_trade(t_ns, 0, 1, 120_000, 90, 0)
        ahead.append(exchange.accounts[account].position(0)[0])
    assert ahead == [0, 10]
