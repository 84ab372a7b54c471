"""Tokens, scopes, idle sockets and the channels of the second, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from exchange_client import EPOCH_NS, PERP, connect, in_virtual_time

from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.auth import allows, hmac_hex
from connectors.sim.wire.errors import RpcError
from connectors.sim.wire.server import SimConfig, SimServer

LOW = {"instrument_name": PERP, "amount": 10, "price": 67000}


def run(script: Callable[[SimServer], Awaitable[Any]], **settings: Any) -> Any:
    return in_virtual_time(SimConfig(
        market=SyntheticMarket(seed=7, now_ns=EPOCH_NS), http=False, use_aiofastnet=False, tier=0,
        **settings), script)


def test_tokens_expire_and_are_refreshed() -> None:
    async def script(server: SimServer) -> None:
        client = await connect(server, None)
        login = (await client.call("public/auth", grant_type="client_credentials", client_id="me",
                                   client_secret="x", scope="session:a"))["result"]
        assert login["expires_in"] == 5
        assert "result" in await client.call("private/get_positions")
        await asyncio.sleep(5.1)
        refused = (await client.call("private/get_positions"))["error"]
        assert (refused["code"], refused["data"]) == (13009, {"reason": "invalid_token"})
        again = await client.call("public/auth", grant_type="refresh_token",
                                  refresh_token=login["refresh_token"])
        assert "session:a" in again["result"]["scope"].split()
        assert "result" in await client.call("private/get_positions")
        used = await client.call("public/auth", grant_type="refresh_token",
                                 refresh_token=login["refresh_token"])
        assert used["error"]["code"] == 13009
    run(script, token_expiry_s=5)


def test_a_client_may_ask_for_a_shorter_token_only() -> None:
    async def script(server: SimServer) -> list[int]:
        client = await connect(server, None)
        return [(await client.call(
            "public/auth", grant_type="client_credentials", client_id="me", client_secret="x",
            scope=f"expires:{seconds}"))["result"]["expires_in"] for seconds in (3, 100)]
    assert run(script, token_expiry_s=5) == [3, 5]


def test_scopes_hold_for_methods_and_channels() -> None:
    async def script(server: SimServer) -> None:
        client = await connect(server, None)
        await client.call("public/auth", grant_type="client_credentials", client_id="me",
                          client_secret="x", scope="trade:read account:none")
        for method, params in (("buy", LOW), ("cancel_all", {}), ("get_account_summary",
                               {"currency": "BTC"}), ("get_transaction_log", {})):
            assert (await client.call(f"private/{method}", **params))["error"]["code"] == 13021
        assert "result" in await client.call("private/get_open_orders")
        joined = await client.call("private/subscribe", channels=[
            "user.portfolio.btc", "user.orders.any.any.raw"])
        assert joined["result"] == ["user.orders.any.any.raw"]
    run(script)


def test_every_private_method_has_a_scope() -> None:
    async def script(server: SimServer) -> list[str]:
        return [m for m in server.methods.handlers if m.startswith("private/")]
    free = [m for m in run(script) if allows("", m)]
    assert sorted(free) == ["private/logout", "private/subscribe", "private/unsubscribe",
                            "private/unsubscribe_all"]


def test_idle_sockets_are_dropped() -> None:
    async def script(server: SimServer) -> list[tuple[bool, int | None]]:
        silent, listening, known = (
            await connect(server, None), await connect(server, None), await connect(server))
        listening.send("public/subscribe", channels=["deribit_price_index.btc_usd"])
        await asyncio.sleep(60.0)
        assert not silent.ended
        await asyncio.sleep(1.0)
        states = [(c.ended, c.close_code) for c in (silent, listening, known)]
        await asyncio.sleep(541.0)
        return [*states, (known.ended, known.close_code)]
    assert run(script) == [(True, None), (False, None), (False, None), (True, None)]


def test_channels_of_the_second() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server, None)
        names = [f"incremental_ticker.{PERP}", f"chart.trades.{PERP}.1",
                 "deribit_price_statistics.btc_usd", "estimated_expiration_price.btc_usd",
                 f"perpetual.{PERP}.100ms", "instrument.state.any.any",
                 "platform_state.public_methods_state"]
        joined = await client.call("public/subscribe", channels=[
            *names, f"chart.trades.{PERP}.2", "incremental_ticker.x",
            "deribit_price_statistics.eth_usd"])
        assert joined["result"] == names
        await asyncio.sleep(5.0)
        server.exchange.market_state(server.clock(), 1, 1)
        await asyncio.sleep(0.5)
        return [client.data(name) for name in names], (await client.call(
            "public/ticker", instrument_name=PERP))["result"]
    (ticks, chart, statistics, expiry, perpetual, states, methods), ticker = run(script)
    assert ticks[0]["type"] == "snapshot"
    assert set(ticks[0]) - {"type"} == set(ticker)
    assert 4 <= len(ticks) <= 7
    for change in ticks[1:]:
        assert change["type"] == "change"
        assert {"timestamp", "instrument_name"} < set(change)
        assert len(change) < len(ticks[0])
    assert chart[-1]["low"] <= chart[-1]["close"] <= chart[-1]["high"]
    assert chart[-1]["volume"] >= chart[0]["volume"] > 0
    assert statistics[-1]["low24h"] <= statistics[-1]["high24h"]
    seconds = [e["seconds"] for e in expiry]
    assert seconds == sorted(seconds, reverse=True)
    assert len(seconds) >= 4
    assert expiry[0]["is_estimated"] is False
    assert set(perpetual[0]) == {"interest", "timestamp", "index_price"}
    assert states[-1]["state"] == "settlement"
    assert methods == [{"allow_unauthenticated_public_requests": True}]


def test_expiration_price_is_averaged_in_the_last_half_hour() -> None:
    market = SyntheticMarket(seed=7, now_ns=EPOCH_NS)
    expiry_ms = market.instruments()[1].spec.expiry_ms
    start_ns = expiry_ms * 1_000_000 - 1_900 * 1_000_000_000
    now = [start_ns]
    server = SimServer(SimConfig(market=market), lambda: now[0])
    server.timers = False
    server.begin()
    prices = []
    for second in range(1, 1_800):
        now[0] = start_ns + second * 1_000_000_000
        server.run_due(now[0])
        if second > 100:
            prices.append(server.desk.index_price(0))
    data = server.history.expiration("btc_usd", now[0] // 1_000_000)
    assert data["is_estimated"] is True
    assert (data["left_ticks"], data["total_ticks"], data["seconds"]) == (101, 1800, 101)
    estimate = (sum(prices) + 101 * prices[-1]) / (len(prices) + 101)
    assert abs(float(str(data["price"])) - estimate) < 0.05


def test_funding_value_is_what_a_position_pays() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server)
        await client.call("public/subscribe", channels=["platform_state"])    # stay connected
        first = server.clock() // 1_000_000
        await asyncio.sleep(1_800.0)
        end = server.clock() // 1_000_000
        value = (await client.call("public/get_funding_rate_value", instrument_name=PERP,
                                   start_timestamp=first, end_timestamp=end))["result"]
        half = (await client.call("public/get_funding_rate_value", instrument_name=PERP,
                                  start_timestamp=first, end_timestamp=(first + end) // 2)
                )["result"]
        paid = (await client.call("public/ticker", instrument_name=PERP))["result"]
        return value, half, paid
    value, half, ticker = in_virtual_time(SimConfig(
        market=SyntheticMarket(seed=7, now_ns=EPOCH_NS, regime="funding_spike"), http=False,
        use_aiofastnet=False, tier=0), script)
    per_contract = ticker["interest_value"] / 1e7 * ticker["mark_price"] / 10.0
    assert 0.00005 < value < 0.0003
    assert abs(value - per_contract) < 0.05 * value
    assert 0 < half < value


def test_http_signature_of_time_nonce_method_target_and_body() -> None:
    server = SimServer(SimConfig(market=SyntheticMarket(now_ns=EPOCH_NS), client_id="me",
                                 client_secret="right"), lambda: EPOCH_NS)
    stamp, target = str(EPOCH_NS // 1_000_000), "/api/v2/private/get_positions?currency=BTC"
    sign = hmac_hex("right", f"{stamp}\nn1\nGET\n{target}\n\n")
    header = f"id=me,ts={stamp},nonce=n1,sig={sign}"
    assert server.auth.check_http(header, "GET", target, "", EPOCH_NS) == "me"
    for method, path, body, later_ns in (
            ("POST", target, "", 0), ("GET", target + "&x=1", "", 0), ("GET", target, "{}", 0),
            ("GET", target, "", 61_000_000_000)):
        with pytest.raises(RpcError) as refused:
            server.auth.check_http(header, method, path, body, EPOCH_NS + later_ns)
        assert refused.value.code == (13009 if later_ns else 13004)
