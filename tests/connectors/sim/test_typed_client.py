"""A client that checks every answer against the venue's published schemas, by HTTP and socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typed_deribit.core.base
from exchange_client import EPOCH_NS, machine_shows_daytime
from typed_deribit import Deribit

from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.server import SimConfig, SimServer, serve

PERP = "BTC-PERPETUAL"
HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
pytestmark = [
    # Of the client's own request schemas.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
    pytest.mark.skipif(os.environ.get("MM_BUILD") == "sanitize",
                       reason="a stranger's client under sanitizers")]
Body = Callable[[Any, SimServer], Awaitable[None]]


def played(monkeypatch: pytest.MonkeyPatch, test: Body, http_auth: Any = "token",
           **settings: Any) -> None:
    machine_shows_daytime(monkeypatch)      # far from any full hour

    async def main() -> None:
        server = await serve(SimConfig(**{
            "market": SyntheticMarket(seed=5, now_ns=EPOCH_NS), "tier": 0, "client_id": "me",
            "client_secret": "right", **settings}))
        base = typed_deribit.core.base
        monkeypatch.setattr(base, "resolve_http_base_url",
                            lambda testnet: f"http://127.0.0.1:{server.http_port}/api/v2")
        monkeypatch.setattr(base, "resolve_ws_url",
                            lambda testnet: f"ws://127.0.0.1:{server.ws_port}/ws/api/v2")
        try:
            async with Deribit.new(client_id="me", client_secret="right",
                                   http_auth=http_auth) as client:
                await asyncio.sleep(1.5)
                await test(client, server)
        finally:
            await server.stop()
    asyncio.run(main())


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_public_answers_fit_the_schemas(monkeypatch: pytest.MonkeyPatch, transport: Any) -> None:
    async def test(client: Any, server: SimServer) -> None:
        data, by = client.market_data, {"transport": transport}
        now = datetime.fromtimestamp(server.clock() / 1e9, tz=UTC)
        span = {"start_timestamp": now - timedelta(minutes=1), "end_timestamp": now}
        one = {"instrument_name": PERP}
        assert len(await data.get_instruments(currency="BTC", **by)) == 4
        assert await data.get_instruments(currency="ETH", **by) == []
        assert (await data.get_instrument(**one, **by))["tick_size"] == 0.5
        assert len((await data.get_order_book(**{**one, "depth": 10}, **by))["bids"]) == 10
        assert (await data.ticker(**one, **by))["state"] == "open"
        assert (await data.get_contract_size(**one, **by))["contract_size"] == 10
        assert len(await data.get_book_summary_by_instrument(**one, **by)) == 1
        assert len(await data.get_book_summary_by_currency(currency="BTC", **by)) == 4
        for get, scope in ((data.get_last_trades_by_instrument, one),
                           (data.get_last_trades_by_currency, {"currency": "BTC"}),
                           (data.get_last_trades_by_instrument_and_time, {**one, **span}),
                           (data.get_last_trades_by_currency_and_time,
                            {"currency": "BTC", **span})):
            assert (await get(**scope, **by))["trades"], get
        assert isinstance(await data.get_funding_rate_value(**{**one, **span}, **by), float | int)
        assert await data.get_funding_rate_history(**{**one, **span}, **by) == []
        assert "current_interest" in await data.get_funding_chart_data(**one, length="8h", **by)
        chart = await data.get_tradingview_chart_data(**{**one, **span, "resolution": "1"}, **by)
        assert chart["status"] == "ok"
        assert len(chart["ticks"]) == len(chart["close"]) >= 1
        assert await data.get_index_price_names(**by) == ["btc_usd"]
        assert (await data.get_index_price(index_name="btc_usd", **by))["index_price"] > 0
        assert (await data.get_delivery_prices(index_name="btc_usd", **by))["data"] == []
        assert {c["currency"] for c in await data.get_currencies(**by)} == {"BTC", "USDC"}
    played(monkeypatch, test)


@pytest.mark.parametrize(("transport", "http_auth"), [
    ("http", "token"), ("http", "hmac"), ("ws", "token")])
def test_trading_answers_fit_the_schemas(monkeypatch: pytest.MonkeyPatch, transport: Any,
                                         http_auth: Any) -> None:
    async def test(client: Any, server: SimServer) -> None:
        trading, account, by = client.trading, client.account, {"transport": transport}
        one = {"instrument_name": PERP}
        bid = (await client.market_data.ticker(**one, **by))["best_bid_price"]
        placed = await trading.buy({**one, "type": "limit", "amount": 100, "label": "a",
                                    "price": bid - 100.0}, **by)
        order_id = placed["order"]["order_id"]
        assert placed["trades"] == []
        edited = await trading.edit(order_id=order_id, amount=90, price=bid - 110.0, **by)
        assert edited["order"]["price"] == bid - 110.0
        assert (await trading.get_order_state(order_id=order_id, **by))["amount"] == 90
        assert len(await trading.get_open_orders(**by)) == 1
        assert len(await trading.get_open_orders_by_instrument(**one, **by)) == 1
        assert len(await trading.get_open_orders_by_currency(currency="BTC", **by)) == 1
        cancelled = await trading.cancel(order_id=order_id, **by)
        assert cancelled["order_state"] == "cancelled"
        taken = await trading.sell({**one, "type": "market", "amount": 50}, **by)
        assert sum(t["amount"] for t in taken["trades"]) == 50
        assert (await account.get_position(**one, **by))["direction"] == "sell"
        assert len(await account.get_positions(currency="BTC", **by)) == 1
        assert (await account.get_account_summary(currency="BTC", extended=True,
                                                  **by))["equity"] < 0.9
        assert len((await account.get_account_summaries(extended=True,
                                                        **by))["summaries"]) == 2
        now = datetime.fromtimestamp(server.clock() / 1e9, tz=UTC)
        span = {"start_timestamp": now - timedelta(minutes=1), "end_timestamp": now}
        for get, scope in ((trading.get_user_trades_by_instrument, one),
                           (trading.get_user_trades_by_instrument_and_time, {**one, **span}),
                           (trading.get_user_trades_by_currency, {"currency": "BTC"}),
                           (trading.get_user_trades_by_currency_and_time,
                            {"currency": "BTC", **span})):
            assert sum(t["amount"] for t in (await get(**scope, **by))["trades"]) == 50
        history = await trading.get_order_history_by_currency(currency="BTC", **by)
        assert [o["order_state"] for o in history] == ["filled"]
        assert len(await trading.get_order_history_by_instrument(
            **one, include_unfilled=True, **by)) == 2
        log = await account.get_transaction_log(**{"currency": "BTC", **span}, **by)
        assert log["logs"][0]["position"] == -50
        assert log["logs"][0]["balance"] == round(0.9 - sum(
            t["fee"] for t in taken["trades"]), 8)
        assert await trading.cancel_all(**by) == 0
        closed = await trading.close_position({**one, "type": "market"}, **by)
        assert closed["order"]["reduce_only"]
    played(monkeypatch, test, http_auth)


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_combos_cancels_and_settlements_fit_the_schemas(
        monkeypatch: pytest.MonkeyPatch, transport: Any) -> None:
    async def test(client: Any, server: SimServer) -> None:
        combos, trading, by = client.combo_books, client.trading, {"transport": transport}
        (combo,) = await combos.get_combos(currency="BTC", **by)
        assert await combos.get_combo_ids(currency="BTC", **by) == [combo["id"]]
        assert await combos.get_combo_details(combo_id=combo["id"], **by) == combo
        far, near = (leg["instrument_name"] for leg in combo["legs"])
        legs = [{"instrument_name": far, "direction": "buy", "amount": 10},
                {"instrument_name": near, "direction": "sell", "amount": 10}]
        assert await combos.create_combo(legs, **by) == combo
        prices = await combos.get_leg_prices(legs, price=150.0, **by)
        assert prices["legs"][0]["price"] - prices["legs"][1]["price"] == 150.0
        bid = (await client.market_data.ticker(instrument_name=PERP, **by))["best_bid_price"]
        for cancel in (trading.cancel_all, trading.cancel_all_by_currency,
                       trading.cancel_all_by_instrument):
            await trading.buy({"instrument_name": PERP, "type": "limit", "amount": 100,
                               "price": bid - 100.0}, **by)
            scope = {"cancel_all_by_currency": {"currency": "BTC"},
                     "cancel_all_by_instrument": {"instrument_name": PERP}}.get(
                         cancel.__name__, {})
            (group,) = await cancel(**scope, detailed=True, **by)
            assert [order["order_state"] for order in group["result"]] == ["cancelled"]
        log = await client.account.get_access_log(**by)
        assert log["records_total"] >= 1
        now_ns = server.clock()
        server.exchange.advance(now_ns // DAY_NS * DAY_NS + DAY_NS + 9 * HOUR_NS)
        assert (await client.market_data.get_last_settlements_by_currency(
            currency="BTC", **by))["settlements"]
        assert (await client.market_data.get_last_settlements_by_instrument(
            instrument_name=PERP, **by))["settlements"][0]["type"] == "settlement"
        assert (await trading.get_settlement_history_by_currency(
            currency="BTC", **by))["settlements"] == []
        assert (await trading.get_settlement_history_by_instrument(
            instrument_name=PERP, **by))["settlements"] == []
    played(monkeypatch, test)
