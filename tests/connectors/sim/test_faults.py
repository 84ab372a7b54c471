"""Each fault on demand, seen from the client, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from exchange_client import EPOCH_NS, PERP, Client, connect, in_virtual_time

from connectors.sim.faults import Fault, FaultPlan, read_plan
from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.server import SimConfig, SimServer

BOOK, TRADES, QUOTE = f"book.{PERP}.raw", f"trades.{PERP}.raw", f"quote.{PERP}"
LOW = {"instrument_name": PERP, "amount": 10, "price": 67000}
Script = Callable[[SimServer], Awaitable[Any]]


def run(script: Script, *faults: Fault, **settings: Any) -> Any:
    return in_virtual_time(SimConfig(
        market=SyntheticMarket(seed=7, now_ns=EPOCH_NS), http=False, use_aiofastnet=False, tier=0,
        faults=FaultPlan(seed=1, fault=faults), **settings), script)


async def watched(server: SimServer, seconds: float = 5.0) -> Client:
    client = await connect(server)
    client.send("private/subscribe", channels=[BOOK, TRADES, QUOTE])
    await asyncio.sleep(seconds)
    return client


def breaks(client: Client) -> int:
    book = client.data(BOOK)
    return sum(after["prev_change_id"] != before["change_id"]
               for before, after in pairwise(book))


def test_nothing_goes_wrong_unasked() -> None:
    client = run(watched)
    assert breaks(client) == 0
    assert len(client.data(BOOK)) > 100


def test_drop() -> None:
    client = run(watched, Fault(kind="drop", channel="trades.*"))
    assert client.data(TRADES) == []
    assert breaks(client) == 0
    assert client.data(QUOTE)


def test_dropped_response() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server, None)
        return await client.call("public/test"), await client.call("public/test")
    lost, answered = run(script, Fault(kind="drop", channel="response", count=1))
    assert lost is None
    assert answered["result"]["version"]


def test_gap() -> None:
    client = run(watched, Fault(kind="gap", skip=20, count=1, length=3))
    assert breaks(client) == 1


def test_duplicate() -> None:
    client = run(watched, Fault(kind="duplicate", channel=TRADES, count=2))
    texts = [t for t in client.texts if TRADES.encode() in t[:120]]
    assert len(texts) - len(set(texts)) == 2


def test_delay() -> None:
    plain = run(watched)
    slow = run(watched, Fault(kind="delay", channel=QUOTE, delay_ms=250.0))
    arrivals = [{t: at for t, at in zip(c.texts, c.times_ns, strict=True)
                 if b'"channel":"quote.' in t[:120]} for c in (plain, slow)]
    late = [arrivals[1][t] - at for t, at in arrivals[0].items() if t in arrivals[1]]
    assert len(late) > 10
    assert 249e6 <= min(late) <= max(late) <= 260e6


def test_reorder_swaps_channels_and_keeps_each_in_order() -> None:
    plain, mixed = run(watched), run(watched, Fault(kind="reorder", channel=QUOTE, share=0.5))
    assert breaks(mixed) == 0
    assert mixed.texts != plain.texts
    assert set(mixed.texts) >= set(plain.texts[:-20])


def test_close_at_a_step() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server)      # step 1 is the login
        answers = [await client.call("private/buy", **LOW) for _ in range(3)]
        other = await connect(server)
        orders = await other.call("private/get_open_orders")
        return client, answers, len(orders["result"])
    client, answers, orders = run(script, Fault(kind="close", code=1006, skip=2, count=1))
    assert [a is not None for a in answers] == [True, False, False]
    assert (client.ended, client.close_code, orders) == (True, None, 1)
    client, answers, orders = run(script, Fault(
        kind="close", code=4001, method="private/buy", skip=1, count=1, answered=True))
    assert [a is not None for a in answers] == [True, False, False]
    assert (client.close_code, orders) == (4001, 2)     # it took effect, unheard


def test_half_open_says_nothing_and_stays_connected() -> None:
    async def script(server: SimServer) -> Any:
        client = await watched(server, 1.0)
        answer = await client.call("private/buy", **LOW)
        heard = len(client.texts)
        await asyncio.sleep(5.0)
        return client, answer, heard, client.ended
    client, answer, heard, ended = run(script, Fault(kind="half_open", method="private/buy"))
    assert answer is None
    assert (len(client.texts), ended) == (heard, False)


def test_error_by_code() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server)
        return [await client.call("private/buy", **LOW) for _ in range(3)]
    answers = run(script, Fault(kind="error", method="private/buy", code=10047, count=2))
    assert [a.get("error", {}).get("message") for a in answers] == [
        "matching_engine_queue_full", "matching_engine_queue_full", None]


def test_maintenance() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server)
        client.send("public/subscribe", channels=["platform_state"])
        await asyncio.sleep(1.2)
        refused = await client.call("private/buy", **LOW)
        await asyncio.sleep(1.5)
        with pytest.raises(Exception, match=r"(?i)upgrade|404|status|handshake"):
            await connect(server)
        await asyncio.sleep(2.0)
        again = await connect(server)
        return client, refused, await again.call("private/buy", **LOW)
    client, refused, placed = run(script, Fault(
        kind="maintenance", from_s=1.0, until_s=4.0, delay_ms=1000.0))
    assert {"maintenance": True} in client.data("platform_state")
    assert refused["error"]["code"] == 10012
    assert client.close_code == 1012
    assert "result" in placed


def test_lock() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server)
        order = await client.call("private/buy", **LOW)
        client.send("public/subscribe", channels=["platform_state"])
        await asyncio.sleep(2.0)
        status = await client.call("public/status")
        refused = await client.call("private/buy", **LOW)
        ended = await client.call(
            "private/cancel", order_id=order["result"]["order"]["order_id"])
        await asyncio.sleep(2.0)
        return client, status, refused, ended, await client.call("private/buy", **LOW)
    client, status, refused, ended, placed = run(
        script, Fault(kind="lock", from_s=1.0, until_s=3.0))
    assert client.data("platform_state") == [
        {"price_index": "btc_usd", "locked": locked} for locked in (False, True, False)]
    assert status["result"] == {"locked": "true", "locked_indices": ["btc_usd"]}
    assert refused["error"]["code"] == 10012
    assert ended["result"]["order_state"] == "cancelled"
    assert "result" in placed


def test_slow_reader_falls_behind_and_is_dropped() -> None:
    async def script(server: SimServer) -> Any:
        client = await watched(server, 4.0)
        late_ms = server.clock() // 1_000_000 - client.data(BOOK)[-1]["timestamp"]
        await asyncio.sleep(60.0)
        return client, late_ms
    slow = Fault(kind="slow_reader", bytes_per_s=6_000, from_s=0.5)
    client, late_ms = run(script, slow, send_queue_max=200_000)
    assert late_ms > 1000
    assert client.ended


def test_a_plan_in_toml() -> None:
    plan = read_plan(b'seed = 9\n[[fault]]\nkind = "delay"\nchannel = "book.*"\ndelay_ms = 5\n')
    assert (plan.seed, plan.fault[0].delay_ms) == (9, 5.0)
    for text, said in ((b'[[fault]]\nkind = "rain"\n', "rain"),
                       (b'[[fault]]\nkind = "delay"\n', "needs delay_ms"),
                       (b'[[fault]]\nkind = "drop"\nshare = 2.0\n', "share"),
                       (b'[[fault]]\nkind = "lock"\n', "needs until_s"),
                       (b'[[fault]]\nkind = "drop"\nwhen = 3\n', "when"),
                       (b"fault = 3", "array"), (b"[[", "fault plan")):
        with pytest.raises(ValueError, match=said):
            read_plan(text)
    with pytest.raises(ValueError, match="no error code 77"):
        run(watched, Fault(kind="error", code=77))
