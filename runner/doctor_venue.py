"""What `mm doctor` asks the venue: the key, the account's limits, the way there, and a drill.

The drill places one post-only order far from the market, cuts the connection it was placed on, and
sees over another one that the venue takes it away. Only the embedded exchange and testnet get it.
"""

import asyncio
import contextlib
import json
import math
import secrets as random_words
import statistics
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import MsgspecError, Struct

from connectors.deribit import endpoints
from connectors.deribit.account_messages import AccountSummary
from connectors.deribit.connection import ClientConfig, auth_params, ssl_context_of
from connectors.deribit.credits import trading_rate
from connectors.deribit.instruments import resolve, spec_of
from connectors.deribit.login import FORBIDDEN, NEEDED
from connectors.deribit.messages import AuthResult, InstrumentData
from connectors.deribit.rpc import Rpc, RpcError
from connectors.deribit.session import CONNECT_ERRORS, TextListener, open_connection
from runner.assemble import client_config
from runner.children import Child
from runner.config import Config, credentials

TIMEOUT_S = 5.0
PROBE_EVERY_S = 0.1
SLOW_P99_MS = 250.0
DRILL_LIMIT_S = 10.0
FAR = 0.9                   # of the mark price: where the drill's bid rests
FAULTS: tuple[type[Exception], ...] = (*CONNECT_ERRORS, RpcError, TimeoutError, ConnectionError,
                                       MsgspecError, ValueError, KeyError)


class Finding(Struct, frozen=True):
    """One thing looked at. remedy is empty where nothing needs doing."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


@contextlib.asynccontextmanager
async def connected(config: ClientConfig) -> AsyncIterator[tuple[Rpc, Callable[[], None]]]:
    """Yield a line to the venue and what cuts it."""
    rpc: Rpc
    listener = TextListener(lambda raw: rpc.on_answer(raw))
    rpc = Rpc(listener.send_text)
    listener.on_closed = rpc.close
    await open_connection(listener, config.url, timeout_s=TIMEOUT_S, auto_pong=True,
                          ssl_context=ssl_context_of(config.url, config.ca_file),
                          proxy=config.proxy)
    try:
        yield rpc, listener.close
    finally:
        listener.close()


async def log_in(rpc: Rpc, config: ClientConfig, name: str) -> AuthResult:
    now_ms = await rpc.call(endpoints.GET_TIME, {}, int, timeout_s=TIMEOUT_S)
    params = auth_params(config, now_ms, random_words.token_hex(8), name)
    return await rpc.call(endpoints.AUTH, params, AuthResult, timeout_s=TIMEOUT_S, secret=True)


def findings(config: Config, *, probe_s: float, drill: bool) -> list[Finding]:
    """Ask the venue of a configuration, or a built-in exchange started for it."""
    child: Child | None = None
    url = config.venue.url
    try:
        if config.embedded:
            child = Child("runner", "sim", "--port", "0", "--child", capture=True)
            ports = json.loads(child.read_line(60.0))
            url = f"ws://127.0.0.1:{ports['ws']}/ws/api/v2"
        settings = client_config(config, credentials(config), url, None)
        return asyncio.run(ask(config, settings, probe_s, drill=drill))
    except FAULTS as error:
        return [Finding("account", "fail", f"{str(error) or type(error).__name__}",
                        "check venue.url, venue.client_id and venue.client_secret")]
    finally:
        if child is not None:
            child.leave(2.0)


async def ask(config: Config, settings: ClientConfig, probe_s: float, *,
              drill: bool) -> list[Finding]:
    async with connected(settings) as (rpc, _):
        granted = await log_in(rpc, settings, "doctor")
        found = [key_scopes(granted.scope, strict=settings.strict_key),
                 await account(rpc, config), await latency(rpc, probe_s)]
        if drill:
            found.append(await disconnect_drill(rpc, config, settings))
    return found


def key_scopes(scope: str, *, strict: bool) -> Finding:
    """Judge what a key may do; strict: as a live venue's, a loopback venue's may do everything."""
    granted = scope.split()
    if strict and FORBIDDEN in granted:
        return Finding("key", "fail", f"it may withdraw ({FORBIDDEN})",
                       "make a key with wallet:none; a live venue refuses this one")
    missing = [name for name in NEEDED if name not in granted]
    if missing:
        return Finding("key", "fail", f"it lacks {' and '.join(missing)}",
                       "grant that at the venue, or make another key")
    return Finding("key", "ok", ", ".join(s for s in granted if not s.startswith("session:")))


async def account(rpc: Rpc, config: Config) -> Finding:
    """Compare the ladder with the account's credits and equity."""
    told = await rpc.call(endpoints.GET_ACCOUNT_SUMMARY, {"currency": "BTC", "extended": True},
                          AccountSummary, timeout_s=TIMEOUT_S)
    rate = trading_rate(told.limits)
    limits = f"{rate.rate:g} requests/s, burst {rate.burst:g}" if rate else "limits not told"
    found = f"equity {told.equity:.4f} BTC, {limits}"
    orders = 2 * config.quote.levels * len(config.instrument)
    if told.equity <= 0:
        return Finding("account", "fail", found, "move BTC to this sub-account")
    if rate is not None and 2 * orders > rate.burst:
        return Finding("account", "fail", f"{found}; a full requote is {orders} orders",
                       "lower quote.levels or quote fewer instruments: half the burst at most")
    return Finding("account", "ok", found)


async def latency(rpc: Rpc, probe_s: float) -> Finding:
    """Ask public/test ten times a second for so long."""
    loop = asyncio.get_running_loop()
    took_ms: list[float] = []
    end_s = loop.time() + probe_s
    while loop.time() < end_s or len(took_ms) < 2:
        began = loop.time()
        await rpc.call(endpoints.TEST, {}, dict[str, Any], timeout_s=TIMEOUT_S)
        took_ms.append((loop.time() - began) * 1000)
        await asyncio.sleep(max(0.0, PROBE_EVERY_S - took_ms[-1] / 1000))
    p99 = statistics.quantiles(took_ms, n=100, method="inclusive")[98]
    found = (f"{len(took_ms)} round trips in {probe_s:g} s: p50 {statistics.median(took_ms):.1f}, "
             f"p99 {p99:.1f}, longest {max(took_ms):.1f} ms")
    if p99 > SLOW_P99_MS:
        return Finding("latency", "warn", found, "rent a machine nearer to the venue (LD4), and "
                       "look for what else uses this line")
    return Finding("latency", "ok", found)


async def disconnect_drill(rpc: Rpc, config: Config, settings: ClientConfig) -> Finding:
    """Cut a connection with an order on it; the venue must take the order away."""
    host = urlsplit(settings.url).hostname or ""
    if config.profile != "sim" and not host.startswith("test."):
        return Finding("cancel drill", "warn", "left out: this venue is neither sim nor testnet",
                       "run it on testnet: mm doctor --venue testnet --drill")
    label = f"doctor{random_words.token_hex(4)}"
    instrument, order = await far_order(rpc, config)

    async def open_ones() -> list[dict[str, Any]]:
        told = await rpc.call(endpoints.GET_OPEN_ORDERS, {}, list[dict[str, Any]],
                              timeout_s=TIMEOUT_S)
        return [row for row in told if row.get("label") == label]

    async with connected(settings) as (other, cut):
        await log_in(other, settings, "doctordrill")
        await other.call(endpoints.ENABLE_CANCEL_ON_DISCONNECT, {"scope": "connection"}, str,
                         timeout_s=TIMEOUT_S)
        await other.call("private/buy", {**order, "label": label}, dict[str, Any],
                         timeout_s=TIMEOUT_S)
        if not await open_ones():
            return Finding("cancel drill", "fail", f"no order rests in {instrument}",
                           "see whether the instrument is open")
        cut()
    loop = asyncio.get_running_loop()
    began = loop.time()
    while await open_ones():
        if loop.time() - began > DRILL_LIMIT_S:
            await rpc.call(endpoints.CANCEL_ALL, {}, int, timeout_s=TIMEOUT_S)
            return Finding("cancel drill", "fail",
                           f"the order outlived its connection by {DRILL_LIMIT_S:g} s; all "
                           "orders were cancelled", "do not trade here; ask the venue")
        await asyncio.sleep(0.05)
    return Finding("cancel drill", "ok",
                   f"the order was gone {(loop.time() - began) * 1000:.0f} ms after its "
                   "connection")


async def far_order(rpc: Rpc, config: Config) -> tuple[str, dict[str, Any]]:
    """Return an instrument and a post-only bid of the least amount, far below its mark."""
    listed = await rpc.call(endpoints.GET_INSTRUMENTS, {"currency": "BTC", "kind": "future"},
                            list[InstrumentData], timeout_s=TIMEOUT_S)
    now_ms = await rpc.call(endpoints.GET_TIME, {}, int, timeout_s=TIMEOUT_S)
    data = resolve([config.instrument[0].name], listed, now_ms, wind_down_h=0)[0]
    spec = spec_of(data)
    ticker = await rpc.call("public/ticker", {"instrument_name": data.instrument_name},
                            dict[str, Any], timeout_s=TIMEOUT_S)
    price = spec.price(math.floor(ticker["mark_price"] * FAR / spec.price(1)))
    return data.instrument_name, {
        "instrument_name": data.instrument_name, "amount": data.min_trade_amount, "type": "limit",
        "price": price, "post_only": True}
