"""Clients nobody here wrote, unmodified but for their address, trade on the exchange."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.async_support
import ccxt.pro
import pytest
from exchange_client import EPOCH_NS, machine_shows_daytime

from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.server import SimConfig, SimServer, serve

PERP = "BTC/USD:BTC"
# Their compiled parts are not ours to sanitize; the wire itself is, in test_wire.
pytestmark = pytest.mark.skipif(os.environ.get("MM_BUILD") == "sanitize",
                                reason="a stranger's client under sanitizers")


@pytest.fixture(autouse=True)
def daytime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients and exchange share a machine whose clock is far from any full hour."""
    machine_shows_daytime(monkeypatch)


@asynccontextmanager
async def exchange(**settings: Any) -> AsyncIterator[SimServer]:
    server = await serve(SimConfig(**{
        "market": SyntheticMarket(seed=3, now_ns=EPOCH_NS), "tier": 0, "client_id": "me",
        "client_secret": "right", **settings}))
    try:
        yield server
    finally:
        await server.stop()


def played(test: Callable[[Any], Awaitable[None]], module: Any, **settings: Any) -> None:
    async def main() -> None:
        async with exchange(**settings) as server:
            client = module.deribit({"apiKey": "me", "secret": "right",
                                     "options": {"currencies": ["BTC", "ETH", "USDC"]}})
            client.urls["api"] = {"rest": f"http://127.0.0.1:{server.http_port}",
                                  "ws": f"ws://127.0.0.1:{server.ws_port}/ws/api/v2"}
            try:
                await test(client)
            finally:
                await client.close(True)
    asyncio.run(main())


def test_rest_public() -> None:
    async def test(client: Any) -> None:
        markets = await client.load_markets()
        perpetual = markets[PERP]
        assert (perpetual["id"], perpetual["inverse"], perpetual["contractSize"]) == (
            "BTC-PERPETUAL", True, 10.0)
        assert (perpetual["maker"], perpetual["taker"]) == (0.00015, 0.00035)
        assert sum(m["future"] for m in markets.values()) == 3   # two dated ones, and their spread
        assert {"BTC", "USDC"} <= set(await client.fetch_currencies())
        assert abs(await client.fetch_time() - client.milliseconds()) < 5_000
        assert (await client.fetch_status())["status"] == "ok"
        await asyncio.sleep(2.1)
        ticker = await client.fetch_ticker(PERP)
        assert ticker["bid"] < ticker["ask"]
        assert set(await client.fetch_tickers(params={"code": "BTC"})) >= {PERP}
        book = await client.fetch_order_book(PERP, 20)
        assert (len(book["bids"]), len(book["asks"])) == (20, 20)
        trades = await client.fetch_trades(PERP, limit=5)
        assert 0 < len(trades) <= 5
        assert {t["side"] for t in trades} <= {"buy", "sell"}
        since = client.milliseconds() - 60_000
        assert await client.fetch_trades(PERP, since=since)
        candles = await client.fetch_ohlcv(PERP, "1m", since=since, limit=2)
        assert all(low <= opened <= high for _, opened, high, low, _, _ in candles)
        assert (await client.fetch_funding_rate(PERP))["symbol"] == PERP
        assert await client.fetch_funding_rate_history(PERP, since) == []   # no full hour passed
        assert (await client.fetch_open_interest(PERP))["symbol"] == PERP
    played(test, ccxt.async_support)


def test_rest_private() -> None:
    async def test(client: Any) -> None:
        await client.load_markets()
        balance = await client.fetch_balance()
        assert balance["BTC"]["total"] == 0.9
        assert (await client.fetch_balance({"code": "BTC"}))["BTC"]["free"] == 0.9
        bid = (await client.fetch_ticker(PERP))["bid"]
        order = await client.create_order(PERP, "limit", "buy", 100, bid - 200.0,
                                          {"postOnly": True})
        assert (order["status"], order["amount"], order["postOnly"]) == ("open", 100.0, True)
        assert [o["id"] for o in await client.fetch_open_orders(PERP)] == [order["id"]]
        edited = await client.edit_order(order["id"], PERP, "limit", "buy", 80, bid - 210.0)
        assert (edited["id"], edited["amount"], edited["price"]) == (
            order["id"], 80.0, bid - 210.0)
        assert (await client.fetch_order(order["id"]))["price"] == bid - 210.0
        assert (await client.cancel_order(order["id"]))["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order("123456789")
        with pytest.raises(ccxt.InvalidOrder):
            await client.create_order(PERP, "limit", "buy", 100, bid * 1.1)
        taken = await client.create_order(PERP, "market", "buy", 50)
        assert (taken["status"], taken["filled"]) == ("closed", 50.0)
        position, = [p for p in await client.fetch_positions([PERP]) if p["contracts"]]
        assert (position["side"], position["contracts"]) == ("long", 50.0)
        assert (await client.fetch_position(PERP))["side"] == "long"
        trades = await client.fetch_my_trades(PERP)
        assert sum(t["amount"] for t in trades) == 50.0
        assert all(t["takerOrMaker"] == "taker" and t["fee"]["currency"] == "BTC" for t in trades)
        assert await client.fetch_my_trades(PERP, since=client.milliseconds() - 60_000)
        assert {t["order"] for t in await client.fetch_order_trades(taken["id"])} == {taken["id"]}
        assert taken["id"] in {o["id"] for o in await client.fetch_closed_orders(PERP)}
        await client.create_order(PERP, "limit", "sell", 60, bid + 250.0)
        await client.cancel_all_orders(PERP)
        assert await client.fetch_open_orders(PERP) == []
        assert len(await client.fetch_accounts()) == 1
    played(test, ccxt.async_support)


def test_wrong_secret_is_refused() -> None:
    async def test(client: Any) -> None:
        client.secret = "wrong"
        await client.load_markets()
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_balance()
    played(test, ccxt.async_support)


async def until(watch: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool]) -> Any:
    """Watch until what comes is what is waited for."""
    for _ in range(100):
        found = await asyncio.wait_for(watch(), 10.0)
        if wanted(found):
            return found
    raise AssertionError("100 updates and none of them right")


def test_websocket_market() -> None:
    async def test(client: Any) -> None:
        await client.load_markets()
        for _ in range(20):
            book = await asyncio.wait_for(client.watch_order_book(PERP), 10.0)
            assert book["bids"][0][0] < book["asks"][0][0]
        assert len(book["bids"]) >= 20
        assert (await asyncio.wait_for(client.watch_trades(PERP), 10.0))[0]["price"] > 0
        assert (await asyncio.wait_for(client.watch_ticker(PERP), 10.0))["last"] > 0
        best = await asyncio.wait_for(client.watch_bids_asks([PERP]), 10.0)
        assert best[PERP]["bid"] < best[PERP]["ask"]
        candles = await asyncio.wait_for(client.watch_ohlcv(PERP, "1m"), 10.0)
        assert candles[-1][2] >= candles[-1][3]
        client.options["ws"]["watchOrderBookForSymbols"]["useDepthEndpoint"] = True
        deep = await asyncio.wait_for(client.watch_order_book_for_symbols(
            [PERP]), 10.0)
        assert deep["bids"][0][0] < deep["asks"][0][0]
    played(test, ccxt.pro)


def test_websocket_account() -> None:
    async def test(client: Any) -> None:
        await client.load_markets()
        balance = await asyncio.wait_for(client.watch_balance(), 10.0)
        assert balance["BTC"]["total"]["BTC"] == 0.9   # as this client nests it
        orders = asyncio.create_task(client.watch_orders(PERP))
        mine = asyncio.create_task(client.watch_my_trades(PERP))
        await asyncio.sleep(0.3)
        bid = (await client.fetch_ticker(PERP))["bid"]
        order = await client.create_order(PERP, "limit", "buy", 100, bid - 200.0)
        shown = await asyncio.wait_for(orders, 10.0)
        assert (shown[-1]["id"], shown[-1]["status"]) == (order["id"], "open")
        await client.edit_order(order["id"], PERP, "limit", "buy", 90, bid - 205.0)
        await until(lambda: client.watch_orders(PERP), lambda o: o[-1]["amount"] == 90.0)
        await client.cancel_order(order["id"])
        await until(lambda: client.watch_orders(PERP), lambda o: o[-1]["status"] == "canceled")
        await client.create_order(PERP, "market", "sell", 30)
        trades = await asyncio.wait_for(mine, 10.0)
        assert {t["side"] for t in trades} == {"sell"}
        await until(client.watch_balance, lambda b: b["BTC"]["total"]["BTC"] != 0.9)
    played(test, ccxt.pro)
