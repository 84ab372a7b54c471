"""The exchange over real sockets, as a client nobody here wrote would meet it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from connectors.sim.wire.auth import signature
from connectors.sim.wire.server import SimConfig, SimServer, serve
from mmcore.types import InstrumentSpec

PERP = "BTC-PERPETUAL"


class StillMarket:
    """Ten levels a side around 60,000 that never move."""

    waits_for_book = True

    def __init__(self) -> None:
        self.started_at = 0

    def instruments(self) -> list[Listing]:
        return [
            Listing(spec=InstrumentSpec(PERP, tick_size=0.5, contract_size=10, min_amount=10,
                                        maker_fee=0.00015, taker_fee=0.00035)),
            Listing(spec=InstrumentSpec("BTC-25DEC26", tick_size=0.5, contract_size=10,
                                        min_amount=10, expiry_ms=1798185600000),
                    settlement_period="month"),
        ]

    def start(self, exchange: Exchange, t_ns: int) -> int | None:
        self.started_at = t_ns
        for i in range(10):
            exchange.market_set_level(t_ns, 0, 0, 120_000 - i, 100)
            exchange.market_set_level(t_ns, 0, 1, 120_001 + i, 100)
        return None

    def advance(self, exchange: Exchange, t_ns: int) -> int | None:
        raise AssertionError("it has ended")


class Client:
    """A plain JSON-RPC client."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.last_id = 0
        self.notes: list[dict[str, Any]] = []
        self.texts: list[str] = []

    async def message(self) -> dict[str, Any]:
        text = await self.socket.receive_str(timeout=5)
        self.texts.append(text)
        found: dict[str, Any] = json.loads(text)
        return found

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.last_id += 1
        await self.socket.send_str(json.dumps(
            {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))
        while True:
            message = await self.message()
            if message.get("id") == self.last_id:
                return message
            self.notes.append(message)

    async def result(self, method: str, **params: Any) -> Any:
        answer = await self.call(method, **params)
        assert "error" not in answer, answer
        return answer["result"]

    async def error(self, method: str, **params: Any) -> int:
        return int((await self.call(method, **params))["error"]["code"])

    async def note(self, channel: str) -> Any:
        """The data of the next notification of a channel."""
        while True:
            for i, note in enumerate(self.notes):
                if note.get("params", {}).get("channel") == channel:
                    return self.notes.pop(i)["params"]["data"]
            self.notes.append(await self.message())

    async def login(self, name: str = "me", **params: Any) -> Any:
        return await self.result("public/auth", grant_type="client_credentials", client_id=name,
                                 client_secret="secret", **params)


class Venue:
    def __init__(self, server: SimServer, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.http = http
        self.url = f"http://127.0.0.1:{server.http_port}/api/v2"

    def begin(self) -> None:
        """Let the market begin, as the first book subscription would."""
        self.server.start_market(self.server.clock())

    async def client(self, login: str | None = "me") -> Client:
        client = Client(await self.http.ws_connect(
            f"ws://127.0.0.1:{self.server.ws_port}/ws/api/v2"))
        if login is not None:
            await client.login(login)
        return client


@asynccontextmanager
async def venue(**settings: Any) -> AsyncIterator[Venue]:
    server = await serve(SimConfig(**{"market": StillMarket(), "tier": 0, **settings}))
    try:
        async with aiohttp.ClientSession() as http:
            yield Venue(server, http)
    finally:
        await server.stop()


def played(test: Callable[[Venue], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with venue(**settings) as v:
            await test(v)
    asyncio.run(main())


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
        stamp = str(int(time.time() * 1000))
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


def test_trading_from_order_to_money() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        client = await v.client()
        names = ["user.changes.any.any.raw", "user.orders.future.BTC.raw",
                 f"user.trades.{PERP}.raw", f"trades.{PERP}.100ms"]
        await client.result("private/subscribe", channels=[f"quote.{PERP}", *names])
        got = await client.result("private/buy", instrument_name=PERP, amount=200, price=60000.5,
                                  type="limit", label="first")
        order, (trade,) = got["order"], got["trades"]
        assert list(order) == [
            "label", "price", "user_id", "amount", "direction", "time_in_force",
            "instrument_name", "web", "api", "order_id", "creation_timestamp", "replaced",
            "filled_amount", "last_update_timestamp", "post_only", "reduce_only", "average_price",
            "mmp", "contracts", "order_state", "order_type", "is_liquidation", "risk_reducing"]
        assert (order["order_state"], order["average_price"]) == ("filled", 60000.5)
        assert trade["fee"] == round(200 / 60000.5 * 0.00035, 8)
        assert (trade["liquidity"], trade["state"]) == ("T", "filled")
        changes = await client.note("user.changes.any.any.raw")
        assert changes["orders"] == [order]
        assert changes["trades"] == [trade]
        assert changes["positions"][0]["size"] == 200.0
        assert await client.note("user.orders.future.BTC.raw") == order
        assert await client.note(f"user.trades.{PERP}.raw") == [trade]
        seen = (await client.note(f"trades.{PERP}.100ms"))[0]
        assert (seen["trade_id"], seen["direction"]) == (trade["trade_id"], "buy")

        placed = await client.result("private/sell", instrument_name=PERP, amount=100,
                                     price=60005, post_only=True, reject_post_only=True)
        order_id = placed["order"]["order_id"]
        edited = await client.result("private/edit", order_id=order_id, amount=60, price=60004)
        assert (edited["order"]["price"], edited["order"]["amount"]) == (60004.0, 60.0)
        assert edited["order"]["replaced"] is True
        assert await client.error("private/edit", order_id=order_id, price=60000) == 11054
        assert await client.error("private/cancel", order_id=order_id) == 11044
        assert await client.error("private/cancel", order_id="123") == 10004
        assert (await client.call("private/cancel", order_id="x"))["error"] == {
            "code": -32602, "data": {"reason": "invalid_order_id", "param": "order_id"},
            "message": "Invalid params"}

        for label in ("a", "a", "b"):
            await client.result("private/buy", instrument_name=PERP, amount=10, price=59000,
                                label=label)
        assert await client.error("private/edit_by_label", label="a", instrument_name=PERP,
                                  amount=20) == 13032
        edited = await client.result("private/edit_by_label", label="b", instrument_name=PERP,
                                     amount=20)
        assert edited["order"]["amount"] == 20.0
        assert len(await client.result(
            "private/get_open_orders_by_label", currency="BTC", label="a")) == 2
        assert await client.result("private/cancel_by_label", label="a") == 2
        assert await client.result("private/cancel_all_by_instrument", instrument_name=PERP) == 1
        assert await client.result("private/cancel_all") == 0

        closed = await client.result("private/close_position", instrument_name=PERP,
                                     type="market")
        assert closed["order"]["reduce_only"] is True
        gain = round(200 / 60000.5 - 200 / 60000.0, 8)
        assert closed["trades"][0]["profit_loss"] == gain
        summary = await client.result("private/get_account_summary", currency="BTC",
                                      extended=True)
        fees = trade["fee"] + closed["trades"][0]["fee"]
        assert summary["session_rpl"] == gain
        assert summary["balance"] == pytest.approx(0.9 - fees, abs=1e-12)
        assert summary["equity"] == pytest.approx(0.9 - fees + gain, abs=1e-12)
        assert (await client.result("private/get_position", instrument_name=PERP))["size"] == 0
        history = await client.result("private/get_user_trades_by_instrument",
                                      instrument_name=PERP, count=1)
        assert history["has_more"] is True
        assert history["trades"] == closed["trades"]
        assert await client.result(
            "private/get_user_trades_by_order", order_id=order["order_id"]) == [trade]
        assert [o["order_id"] for o in await client.result(
            "private/get_order_history_by_instrument", instrument_name=PERP)] == [
                closed["order"]["order_id"], order["order_id"]]
        # Every one of our fields, as bytes: some numbers come in scientific notation.
        assert any("e-" in text for text in client.texts)
    played(test)


def test_two_accounts_trade_with_each_other() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        maker, taker = await v.client("maker"), await v.client("taker")
        await maker.result("private/subscribe", channels=["user.trades.any.any.raw"])
        rest = await maker.result("private/sell", instrument_name="BTC-25DEC26", amount=50,
                                  price=60800, post_only=True)
        got = await taker.result("private/buy", instrument_name="BTC-25DEC26", amount=30,
                                 price=60800)
        assert got["order"]["order_state"] == "filled"
        (trade,) = await maker.note("user.trades.any.any.raw")
        assert (trade["liquidity"], trade["direction"], trade["amount"], trade["state"]) == (
            "M", "sell", 30.0, "open")
        state = await maker.result("private/get_order_state",
                                   order_id=rest["order"]["order_id"])
        assert state["filled_amount"] == 30.0
        assert await taker.error("private/get_order_state",
                                 order_id=rest["order"]["order_id"]) == 10004
        assert await taker.error("private/cancel", order_id=rest["order"]["order_id"]) == 10004
    played(test)


def test_cancel_on_disconnect() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        watcher, client = await v.client(), await v.client()
        assert await client.result("private/get_cancel_on_disconnect") == {
            "scope": "connection", "enabled": False}
        assert await client.result("private/enable_cancel_on_disconnect") == "ok"
        assert (await client.result("private/get_cancel_on_disconnect"))["enabled"] is True
        order = {"instrument_name": PERP, "amount": 10, "price": 59000}
        await client.result("private/buy", **order)
        await watcher.result("private/buy", **order)
        await watcher.result("private/subscribe", channels=["user.orders.any.any.raw"])
        await client.socket.close()
        gone = await watcher.note("user.orders.any.any.raw")
        assert gone["cancel_reason"] == "cancel_on_disconnect"
        assert len(await watcher.result("private/get_open_orders")) == 1

        client = await v.client()
        await client.result("private/enable_cancel_on_disconnect", scope="account")
        later = await v.client()
        assert (await later.result("private/get_cancel_on_disconnect"))["enabled"] is True
        await client.result("private/buy", **order)
        await client.socket.send_str(json.dumps({"id": 1, "method": "private/logout"}))
        await client.socket.receive(timeout=5)      # no answer: it is closed
        assert client.socket.closed
        assert len(await watcher.result("private/get_open_orders")) == 2    # logout spares
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


BAD_BODIES = [b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b'{"method":1}',
              b'{"method":null,"id":{}}', b'{"id":1}', b'{"id":1,"method":"public/nothing"}',
              b'{"id":1,"method":"public/get_time","params":[1]}',
              b'{"id":1,"method":"public/test","params":{"a":1e400}}',
              b"[" * 20_000, b'{"id":1,"method":"' + b"x" * 40_000 + b'"}']


def test_malformed_requests_are_answered(seed: int) -> None:
    rng = random.Random(seed)
    values: list[Any] = [None, True, -1, 0, 1e308, 2**70, "", "x", "9" * 30, [], {}, [[1]], 0.1,
                         "\x00", "ä" * 70, float(10**15)]
    fields = ["instrument_name", "amount", "contracts", "price", "type", "time_in_force",
              "label", "post_only", "reject_post_only", "reduce_only", "valid_until", "order_id",
              "currency", "channels", "interval", "grant_type", "client_id", "client_secret",
              "timestamp", "signature", "nonce", "data", "scope", "refresh_token", "depth",
              "count", "sorting", "start_seq", "scope", "mode", "index_name", "kind", "offset"]
    good = {"instrument_name": PERP, "amount": 10, "price": 59000, "order_id": "73401368576",
            "currency": "BTC", "channels": [f"book.{PERP}.100ms"], "label": "x", "count": 5}

    async def test(v: Venue) -> None:
        client = await v.client()
        for body in BAD_BODIES:
            await client.socket.send_str(body.decode("latin1"))
            answer = await client.message()
            assert isinstance(answer["error"]["code"], int), body[:60]
        await client.socket.send_bytes(b"\xff\xff")
        assert (await client.message())["error"]["data"] == "invalid json"
        methods = sorted(set(v.server.methods.handlers) - {"private/logout"})
        for _ in range(3000):
            params = {k: x for k, x in good.items() if rng.random() < 0.7}
            for field in rng.sample(fields, rng.randint(0, 4)):
                params[field] = rng.choice(values)
            answer = await client.call(rng.choice(methods), **params)
            assert ("error" in answer) != ("result" in answer)
            if "error" in answer:
                assert isinstance(answer["error"]["code"], int)
                assert isinstance(answer["error"]["message"], str)
        assert isinstance(await client.result("public/get_time"), int)
    played(test, heartbeat_min_s=10)


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
