"""Over the wire: cancelling many at once, spreads on demand, mass quotes in the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from exchange_client import PERP, Client, connect, in_virtual_time
from wire_client import StillMarket

from connectors.sim.exchange import Exchange
from connectors.sim.wire import roll
from connectors.sim.wire.server import SimConfig, SimServer

DATED = "BTC-25DEC26"
SPREAD = "BTC-FS-25DEC26_PERP"
STOP = {"trigger": "index_price", "trigger_price": 60_500.0}


class TwoMarkets(StillMarket):
    """The dated contract has a book as well."""

    waits_for_book = False

    def start(self, exchange: Exchange, t_ns: int) -> int | None:
        super().start(exchange, t_ns)
        for i in range(10):
            exchange.market_set_level(t_ns, 1, 0, 120_200 - i, 100)
            exchange.market_set_level(t_ns, 1, 1, 120_201 + i, 100)
        return None


def run(script: Callable[[SimServer], Awaitable[Any]], **settings: Any) -> Any:
    return in_virtual_time(SimConfig(**{
        "market": TwoMarkets(), "http": False, "use_aiofastnet": False, "tier": 0, **settings}),
        script)


async def result(client: Client, method: str, **params: Any) -> Any:
    answer = await client.call(method, **params)
    assert "error" not in answer, answer
    return answer["result"]


async def with_orders(server: SimServer) -> Client:
    """A client with two limit orders, a stop, an order of a spread, and one of a dated future."""
    client = await connect(server)
    await asyncio.sleep(0.5)
    for name, price, more in ((PERP, 59_900.0, {}), (PERP, 59_800.0, {"label": "x"}),
                              (PERP, 60_600.0, {"type": "stop_limit", **STOP}),
                              (SPREAD, -20.0, {}), (DATED, 60_000.0, {})):
        await result(client, "private/buy", instrument_name=name, amount=10, price=price, **more)
    return client


@pytest.mark.parametrize(("method", "params", "count", "left"), [
    ("cancel_all", {}, 5, []),
    ("cancel_all_by_currency", {"currency": "BTC", "kind": "future_combo"}, 1,
     [PERP, PERP, PERP, DATED]),
    ("cancel_all_by_currency", {"currency": "BTC", "type": "limit"}, 4, [PERP]),
    ("cancel_all_by_currency", {"currency": "ETH"}, 0, [PERP, PERP, PERP, SPREAD, DATED]),
    ("cancel_all_by_currency", {"currency": "BTC", "kind": "option"}, 0,
     [PERP, PERP, PERP, SPREAD, DATED]),
    ("cancel_all_by_instrument", {"instrument_name": PERP, "type": "trigger_all"}, 1,
     [PERP, PERP, SPREAD, DATED]),
    ("cancel_all_by_instrument", {"instrument_name": PERP, "include_combos": True}, 4, [DATED]),
    ("cancel_all_by_kind_or_type", {"currency": ["BTC", "USDC"], "kind": "future",
                                    "type": "stop"}, 1, [PERP, PERP, SPREAD, DATED]),
    ("cancel_all_by_kind_or_type", {"currency": "any", "type": "take"}, 0,
     [PERP, PERP, PERP, SPREAD, DATED]),
    ("cancel_all_by_currency_pair", {"currency_pair": "btc_usd"}, 5, []),
    ("cancel_by_label", {"label": "x", "currency": "BTC"}, 1, [PERP, PERP, SPREAD, DATED]),
])
@pytest.mark.parametrize("processing_us", [(0, 0), (200, 400)])
def test_what_a_cancel_of_many_means(method: str, params: dict[str, Any], count: int,
                                     left: list[str], processing_us: tuple[int, int]) -> None:
    async def script(server: SimServer) -> None:
        client = await with_orders(server)
        assert await result(client, f"private/{method}", **params) == count
        orders = await result(client, "private/get_open_orders")
        assert [order["instrument_name"] for order in orders] == left
    run(script, processing_us=processing_us)


@pytest.mark.parametrize("processing_us", [(0, 0), (200, 400)])
def test_a_detailed_cancel_shows_the_orders(processing_us: tuple[int, int]) -> None:
    async def script(server: SimServer) -> None:
        client = await with_orders(server)
        groups = await result(client, "private/cancel_all_by_instrument", instrument_name=PERP,
                              detailed=True)
        assert [(g["type"], g["instrument_name"], g["currency"], len(g["result"]))
                for g in groups] == [("limit", PERP, "BTC", 2), ("trigger", PERP, "BTC", 1)]
        assert {o["order_state"] for g in groups for o in g["result"]} == {"cancelled"}
        assert await result(client, "private/cancel_all_by_instrument", instrument_name=PERP,
                            detailed=True) == []
    run(script, processing_us=processing_us)


def test_open_orders_by_kind_and_type() -> None:
    async def script(server: SimServer) -> None:
        client = await with_orders(server)
        counts = [len(await result(client, "private/get_open_orders", **params)) for params in (
            {}, {"kind": "future"}, {"kind": "future_combo"}, {"kind": "option"},
            {"type": "limit"}, {"type": "trigger_all"}, {"type": "stop_limit"},
            {"type": "take_all"}, {"type": "trailing_stop"})]
        assert counts == [5, 4, 1, 0, 4, 1, 1, 0, 0]
        refused = await client.call("private/get_open_orders", type="funny")
        assert refused["error"]["data"]["param"] == "type"
    run(script)


def test_spreads_are_listed_made_and_priced() -> None:
    async def script(server: SimServer) -> None:
        client = await connect(server)
        await asyncio.sleep(0.5)
        await result(client, "private/subscribe", channels=[
            "instrument.creation.future_combo.BTC", "user.combo_trades.any.any.raw"])
        (combo,) = await result(client, "public/get_combos", currency="BTC")
        assert combo["id"] == SPREAD
        assert combo["legs"] == [{"amount": 1, "instrument_name": DATED},
                                 {"amount": -1, "instrument_name": PERP}]
        assert await result(client, "public/get_combo_details", combo_id=SPREAD) == combo
        assert await result(client, "public/get_combo_ids", currency="BTC") == [SPREAD]
        trades = [{"instrument_name": PERP, "direction": "buy", "amount": 10},
                  {"instrument_name": DATED, "direction": "sell", "amount": "10"}]
        assert await result(client, "private/create_combo", trades=trades) == combo
        legs = await result(client, "private/get_leg_prices", legs=trades, price=110.0)
        near, far = (leg["price"] for leg in legs["legs"])
        assert far - near == 110.0
        assert (near, far) == (59_995.5, 60_105.5)  # 10 over the marks' 100.0, half on each
        for bad in (trades[:1], [trades[0], trades[0]], [{**trades[0], "amount": 20}, trades[1]],
                    [{"instrument_name": SPREAD, "direction": "buy"}, trades[1]]):
            assert (await client.call("private/create_combo", trades=bad))["error"][
                "data"]["param"] == "trades"
        maker = await connect(server, "maker")
        order = {"instrument_name": SPREAD, "amount": 100, "price": 90.0}
        await result(maker, "private/sell", **order)
        await result(client, "private/buy", **order)
        ((row,),) = client.data("user.combo_trades.any.any.raw")
        assert row["instrument_name"] == SPREAD
        assert [leg["instrument_name"] for leg in row["legs"]] == [DATED, PERP]
    run(script)


def test_a_spread_made_on_demand_trades() -> None:
    async def script(server: SimServer) -> None:
        client = await connect(server)
        await asyncio.sleep(0.5)
        await result(client, "private/subscribe", channels=[
            "instrument.creation.any.any", "trades.future_combo.BTC.raw"])
        made = await result(client, "private/create_combo", trades=[
            {"instrument_name": DATED, "direction": "buy"},
            {"instrument_name": PERP, "direction": "sell"}])
        assert made["id"] == SPREAD
        (told,) = client.data("instrument.creation.any.any")
        assert (told["instrument_name"], told["kind"]) == (SPREAD, "future_combo")
        maker = await connect(server, "maker")
        order = {"instrument_name": SPREAD, "amount": 100, "price": 90.0}
        await result(maker, "private/sell", **order)
        await result(client, "private/buy", **order)
        await asyncio.sleep(0.1)
        ((seen,),) = client.data("trades.future_combo.BTC.raw")
        assert (seen["instrument_name"], seen["price"]) == (SPREAD, 90.0)
    run(script, spread=False)


def test_spreads_leave_room_for_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll, "SPREADS_UNTIL", 2)

    async def script(server: SimServer) -> int:
        client = await connect(server)
        answer = await client.call("private/create_combo", trades=[
            {"instrument_name": DATED, "direction": "buy"},
            {"instrument_name": PERP, "direction": "sell"}])
        return int(answer["error"]["code"])
    assert run(script, spread=False) == 13035


def quotes(count: int, price: float = 59_900.0) -> dict[str, Any]:
    return {"quote_id": "q", "mmp_group": "mm", "quotes": [
        {"instrument_name": (PERP, DATED)[n], "bid": {"price": price, "amount": 10},
         "ask": {"price": price + 250.0, "amount": 10}} for n in range(count)]}


async def quoter(server: SimServer) -> Client:
    client = await connect(server)
    await asyncio.sleep(0.5)
    await result(client, "private/enable_cancel_on_disconnect")
    await result(client, "private/set_mmp_config", index_name="btc_usd", mmp_group="mm",
                 interval=60, frozen_time=0, quantity_limit=10, max_quote_quantity=1)
    return client


def test_a_mass_quote_takes_one_place_in_the_queue() -> None:
    async def script(server: SimServer) -> None:
        client = await quoter(server)
        before = server.clock()
        found = await result(client, "private/mass_quote", **quotes(2))
        assert len(found["orders"]) == 4
        assert found["errors_count"] == 0
        assert "pending_requests_count" not in found
        assert server.clock() - before >= 20_000_000
        ids = [client.send("private/mass_quote", **quotes(2, 59_900.0 - n)) for n in range(11)]
        await asyncio.sleep(1.0)
        answers = {m["id"]: m for m in client.messages() if "id" in m}
        codes = [answers[i].get("error", {}).get("code", 0) for i in ids]
        assert codes == [0] * 9 + [10047] * 2
        assert len(await result(client, "private/get_open_orders")) == 4
    run(script, processing_us=(20_000, 20_000))


@pytest.mark.parametrize("detailed", [True, False])
def test_a_mass_quote_need_not_wait(detailed: bool) -> None:
    async def script(server: SimServer) -> None:
        client = await quoter(server)
        found = await result(client, "private/mass_quote", **quotes(1), detailed=detailed,
                             wait_for_response=False)
        assert found["orders"] == []
        if detailed:
            assert found["pending_requests"] == [
                {"instrument_name": PERP, "side": side} for side in ("bid", "ask")]
        else:
            assert found["pending_requests_count"] == 2
        assert await result(client, "private/get_open_orders") == []
        await asyncio.sleep(0.1)
        assert len(await result(client, "private/get_open_orders")) == 2
        assert await result(client, "private/cancel_quotes", cancel_type="instrument_kind",
                            kind="future_combo") == 0
        if detailed:
            (group,) = await result(client, "private/cancel_quotes", cancel_type="currency_pair",
                                    currency_pair="btc_usd", detailed=True)
            assert len(group["result"]) == 2
    run(script, processing_us=(50_000, 50_000))
