"""The exchange over real sockets: logins, scopes, subscriptions, heartbeats, limits, HTTP, TLS."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
from pathlib import Path

import aiohttp
import trustme
from wire_client import PERP, Client, Venue, played

from connectors.sim.wire.auth import signature


def test_logins() -> None:
    async def test(v: Venue) -> None:
        client = await v.client(None)
        assert await client.error("private/get_open_orders") == 13009
        answer = await client.call("public/auth", grant_type="client_credentials",
                                   client_id="me", client_secret="right")
        assert list(answer) == ["jsonrpc", "id", "result", "usIn", "usOut", "usDiff", "testnet"]
        assert answer["usOut"] - answer["usIn"] == answer["usDiff"] >= 0
        assert answer["result"]["token_type"] == "bearer"
        assert await client.error("public/auth", grant_type="client_credentials",
                                  client_id="me", client_secret="wrong") == 13004
        stamp = str(v.server.clock() // 1_000_000)
        text = f"{stamp}\nnonce\n"
        sign = hmac.new(b"right", text.encode(), hashlib.sha256).hexdigest()
        login = {"grant_type": "client_signature", "client_id": "me", "nonce": "nonce", "data": ""}
        result = await client.result(
            "public/auth", timestamp=int(stamp), signature=sign, state="x", **login)
        assert result["state"] == "x"
        assert await client.error(
            "public/auth", timestamp=stamp, signature=sign[::-1], **login) == 13004
        assert await client.error(
            "public/auth", timestamp=int(stamp) - 61_000, signature=sign, **login) == 13009
        again = await client.result("public/auth", grant_type="refresh_token",
                                    refresh_token=result["refresh_token"])
        assert again["access_token"] != result["access_token"]
        assert await client.error("public/auth", grant_type="refresh_token",
                                  refresh_token=result["refresh_token"]) == 13009
        assert await client.error("private/get_open_orders",
                                  access_token=result["access_token"]) == 13009
        assert await client.result("private/get_open_orders",
                                   access_token=again["access_token"]) == []
    played(test, client_id="me", client_secret="right")


def test_documented_signature() -> None:
    assert signature("AMANDASECRECT", "1576074319000", "1iqt2wls", "") == (
        "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1")


def test_scope_limits_what_is_allowed() -> None:
    async def test(v: Venue) -> None:
        client = await v.client(None)
        result = await client.login(scope="trade:read account:none session:x")
        assert "session:x" in result["scope"].split()
        assert await client.result("private/get_open_orders") == []
        order = {"instrument_name": PERP, "amount": 10, "price": 59000}
        assert await client.error("private/buy", **order) == 13021
        assert await client.error("private/get_account_summary", currency="BTC") == 13021
        other = await v.client(None)    # a session-scoped token is good on any socket
        assert await other.result(
            "private/get_open_orders", access_token=result["access_token"]) == []
    played(test)


def test_subscribing() -> None:
    async def test(v: Venue) -> None:
        client = await v.client(None)
        assert await client.error("public/subscribe", channels=[f"book.{PERP}.raw"]) == 13778
        assert await client.result("public/subscribe", channels=["nonsense", "book.x.raw"]) == []
        assert v.server.market.started_at == 0      # type: ignore[attr-defined]
        await client.login()
        names = [f"book.{PERP}.raw", f"book.{PERP}.none.10.100ms", f"ticker.{PERP}.100ms",
                 f"quote.{PERP}", "platform_state", "user.portfolio.btc"]
        assert await client.result("private/subscribe", channels=[*names, "user.x.y"]) == names
        book = await client.note(f"book.{PERP}.raw")
        assert list(book) == ["timestamp", "type", "change_id", "instrument_name", "bids", "asks"]
        assert (book["type"], len(book["bids"]), book["bids"][0]) == (
            "snapshot", 10, ["new", 60000.0, 1000])
        window = await client.note(f"book.{PERP}.none.10.100ms")
        assert window["asks"][0] == [60000.5, 1000.0]
        ticker = await client.note(f"ticker.{PERP}.100ms")
        assert (ticker["mark_price"], ticker["max_price"]) == (60000.25, 60900.5)
        assert (await client.note("platform_state")) == {"locked": False, "price_index": "btc_usd"}
        assert (await client.note("user.portfolio.btc"))["equity"] == 0.9
        assert await client.result("private/subscribe", channels=names[:1]) == names[:1]
        await client.result("private/buy", instrument_name=PERP, amount=10, price=59000)
        change = await client.note(f"book.{PERP}.raw")      # and no second snapshot
        assert change["prev_change_id"] == book["change_id"]
        assert change["bids"] == [["new", 59000.0, 10]]
        assert await client.result("public/unsubscribe", channels=names[:1]) == names[:1]
        assert await client.result("public/unsubscribe_all") == "ok"
        assert v.server.subscriptions.open == {}
    played(test)


def test_heartbeat() -> None:
    async def test(v: Venue) -> None:
        client = await v.client(None)
        assert await client.error("public/set_heartbeat", interval=0.1) == -32602
        assert await client.result("public/set_heartbeat", interval=0.3) == "ok"
        began = time.monotonic()
        asked = await client.message()
        while asked["params"]["type"] != "test_request":
            asked = await client.message()
        assert client.texts[-1] == (
            '{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}')
        assert 0.3 < time.monotonic() - began < 1.0
        await client.result("public/test")
        while True:
            message = await client.socket.receive(timeout=5)
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
        assert (client.socket.close_code, message.extra) == (4000, "heartbeat close")
        assert time.monotonic() - began > 0.8       # the answered one did not count
    played(test, heartbeat_min_s=0.3)


def test_rate_limit() -> None:
    async def test(v: Venue) -> None:
        client = await v.client()
        codes = [await client.call("private/cancel", order_id="1") for _ in range(24)]
        found = [c["error"]["code"] for c in codes]
        assert found[:20] == [10004] * 20
        assert 10028 in found[20:]
        limits = (await client.result("private/get_account_summary", currency="BTC"))["limits"]
        assert limits["matching_engine"]["trading"]["total"] == {"rate": 5, "burst": 20}
    played(test, tier=4)


def test_rate_limit_may_end_the_session() -> None:
    async def test(v: Venue) -> None:
        client = await v.client()
        code = 0
        while code != 10028:
            code = await client.error("private/cancel", order_id="1")
        await client.socket.receive(timeout=5)
        assert client.socket.closed
    played(test, tier=4, terminate_on_limit=True)


def test_http() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        async with v.http.get(f"{v.url}/public/get_instrument?instrument_name={PERP}") as r:
            assert r.status == 200
            assert (await r.json())["result"]["tick_size"] == 0.5
        async with v.http.get(f"{v.url}/private/get_open_orders") as r:
            assert r.status == 400
            assert (await r.json())["error"]["code"] == 13009
        async with v.http.get(f"{v.url}/public/set_heartbeat?interval=30") as r:
            assert (await r.json())["error"]["code"] == 10030
        async with v.http.get(
                f"{v.url}/public/auth?grant_type=client_credentials&client_id=me"
                "&client_secret=s&scope=session:h") as r:
            token = (await r.json())["result"]["access_token"]
        async with v.http.get(
                f"{v.url}/private/buy?instrument_name={PERP}&amount=10&price=59000"
                "&post_only=true", headers={"Authorization": f"Bearer {token}"}) as r:
            assert (await r.json())["result"]["order"]["post_only"] is True
        body = {"jsonrpc": "2.0", "id": "x", "method": "private/cancel_all", "params": {}}
        basic = base64.b64encode(b"me:s").decode()
        async with v.http.post(f"{v.url}/private/cancel_all", json=body,
                               headers={"Authorization": f"Basic {basic}"}) as r:
            answer = await r.json()
            assert (answer["id"], answer["result"]) == ("x", 1)
        async with v.http.post(v.url, data=b"{") as r:
            assert (await r.json())["error"]["code"] == 11050
    played(test)


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(cert)
    certificate.private_key_pem.write_to_path(key)

    async def test(v: Venue) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        client = Client(await v.http.ws_connect(
            f"wss://127.0.0.1:{v.server.ws_port}/ws/api/v2", ssl=context))
        assert await client.result("public/status") == {"locked": "false"}
    played(test, tls_cert=str(cert), tls_key=str(key))


def test_slow_reader_is_closed() -> None:
    async def test(v: Venue) -> None:
        client = await v.client()
        v.server.send_queue_max = 100_000
        request = json.dumps({"id": 1, "method": "public/get_instruments",
                              "params": {"currency": "BTC"}})
        # Nothing is read meanwhile: the system's buffers fill, then the server's queue.
        for _ in range(60_000):
            if not v.server.sessions:
                break
            try:
                await asyncio.wait_for(client.socket.send_str(request), 0.2)
            except (TimeoutError, ConnectionError, aiohttp.ClientError):
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert not v.server.sessions
    played(test)
