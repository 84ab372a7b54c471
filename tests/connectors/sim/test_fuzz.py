"""Requests nobody would send: the exchange lives, and every answer has the documented shape.

The campaign runs for MM_FUZZ_S seconds (600 by default): pytest -m campaign with this file.
"""

from __future__ import annotations

import json
import os
import random
import time
from typing import Any

import pytest
from exchange_client import EPOCH_NS, PERP

from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.codes import CODES
from connectors.sim.wire.methods import Methods
from connectors.sim.wire.server import SimConfig, SimServer

MS = 1_000_000
NAMES = ("instrument_name", "currency", "amount", "contracts", "price", "type", "label",
         "post_only", "reject_post_only", "reduce_only", "time_in_force", "order_id", "channels",
         "interval", "count", "start_timestamp", "end_timestamp", "sorting", "kind", "depth",
         "index_name", "resolution", "length", "mode", "scope", "grant_type", "client_id",
         "client_secret", "refresh_token", "timestamp", "signature", "nonce", "valid_until",
         "offset", "continuation", "extended", "access_token", "query", "mmp", "trigger",
         "trigger_price", "quotes", "mmp_group", "quote_id", "trades", "frozen_time",
         "quantity_limit", "cancel_type", "legs", "combo_id", "state", "detailed",
         "freeze_quotes", "include_combos", "wait_for_response", "currency_pair",
         "search_start_timestamp")
DATED, SPREAD = "BTC-25SEP26", "BTC-FS-25SEP26_PERP"
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10, 100, 0.5, -0.0, 1e308, -1e308, 1e-300, 2**63, -2**63, 10**30,
    "", "BTC", "USDC", "ETH", "any", PERP, "BTC-25DEC26", "raw", "limit", "market", "10", "1e5",
    "good_til_cancelled", "fill_or_kill", "client_credentials", "client_signature",
    "refresh_token", "\u0000", "\ud7ff\U0001F40D", "x" * 500, [], {}, [1], ["a"], [None], {"a": 1},
    [f"book.{PERP}.raw"], [f"trades.{PERP}.100ms", "nonsense", "user.changes.any.any.raw"],
    67500.0, 67499.5, 60000, "1048576", "1099511627776", EPOCH_NS // MS, [[]], [{}],
    [{"instrument_name": PERP, "bid": {"price": 67000, "amount": 10}}],
    [{"instrument_name": PERP, "direction": "buy", "amount": 10},
     {"instrument_name": DATED, "direction": "sell", "amount": 10}],
    ["BTC", "USDC"], DATED, SPREAD, "btc_usd", "future_combo", "trigger_all", "instrument_kind")


ORDERING = ["private/buy", "private/sell", "private/buy", "private/sell", "private/edit",
            "private/edit", "private/cancel", "private/close_position", "private/cancel_all"]


class Listener(Caller):
    """A socket as the methods see it."""

    is_socket = True

    def send(self, message: Any) -> None:
        json.dumps(message)


def damaged(random_: random.Random, payload: bytes) -> bytes:
    """Return the payload, at times broken in some place."""
    lot = random_.random()
    if lot < 0.9 or not payload:
        return payload
    at = random_.randrange(len(payload))
    if lot < 0.93:
        return payload[:at]
    if lot < 0.96:
        return payload[:at] + bytes([random_.randrange(256)]) + payload[at + 1:]
    if lot < 0.98:
        return payload[:at] + payload[at:] * 2
    return random_.randbytes(random_.randrange(64))


def request(random_: random.Random, methods: list[str], number: int, known: list[str]) -> bytes:
    """Return a request; `known` are ids of orders that exist or did."""
    method: Any = random_.choice(methods if random_.random() < 0.5 else ORDERING)
    if random_.random() < 0.02:
        method = random_.choice(VALUES)
    params: Any = {name: random_.choice(VALUES) for name in random_.sample(
        NAMES, random_.choice((0, 0, 0, 1, 1, 2, 6)))}
    if random_.random() < 0.7:      # near to what is right
        params |= {"instrument_name": random_.choice((PERP, PERP, DATED, SPREAD)),
                   "amount": 10 * random_.randrange(1, 50), "currency": "BTC",
                   "price": 67500 + 0.5 * random_.randrange(-400, 400)}
        if known and random_.random() < 0.7:
            params["order_id"] = random_.choice(known)
    if random_.random() < 0.02:
        params = random_.choice(VALUES)
    message: Any = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    if random_.random() < 0.02:
        message["id"] = random_.choice(VALUES)
    if random_.random() < 0.02:
        message = random_.choice(VALUES)
    return damaged(random_, json.dumps(message).encode())


def check(answer: bytes, payload: bytes) -> int:
    """Check one answer's shape; return its error code, 0 where it has none."""
    view = json.loads(answer)
    keys = [k for k in ("jsonrpc", "id", "result", "error", "usIn", "usOut", "usDiff", "testnet")
            if k in view]
    assert list(view) == keys, payload
    assert view["jsonrpc"] == "2.0"
    assert ("result" in view) != ("error" in view), payload
    assert view["usOut"] - view["usIn"] == view["usDiff"] >= 0
    if "result" in view:
        return 0
    error = view["error"]
    assert set(error) <= {"code", "message", "data"}
    assert isinstance(error["message"], str)
    assert error["code"] in CODES, payload
    if error["code"] == -32602:
        assert set(error["data"]) == {"reason", "param"}, payload
    return int(error["code"])


def fuzz(seed: int, seconds: float, least: int) -> dict[int, int]:
    """Send requests for some seconds, `least` of them at least; return how often which code."""
    random_ = random.Random(seed)
    market = SyntheticMarket(seed=seed, now_ns=EPOCH_NS)
    now = [EPOCH_NS]
    server = SimServer(SimConfig(market=market, tier=0, seed=seed), lambda: now[0])
    server.timers = False
    server.begin()
    methods: Methods = server.methods
    names = sorted(methods.handlers)
    callers: list[Listener] = []
    counts: dict[int, int] = {}
    known: list[str] = []
    end, number = time.monotonic() + seconds, 0
    while number < least or time.monotonic() < end:
        number += 1
        if len(callers) < 5 or random_.random() < 0.001:
            callers.append(Listener(server.exchange.connect(now[0])))
            payload = json.dumps({"id": 1, "method": "public/auth", "params": {
                "grant_type": "client_credentials", "client_id": f"c{number % 7}",
                "client_secret": "x"}}).encode()
        else:
            payload = request(random_, names, number, known[-50:])
        caller = random_.choice(callers[-5:]) if b"public/auth" not in payload else callers[-1]
        answer = methods.handle(caller, payload, server.clock, now[0])
        caller.leaving = False
        if answer:
            code = check(answer, payload)
            if code == 0 and b'"order_id":"' in answer:
                known.append(answer.partition(b'"order_id":"')[2].partition(b'"')[0].decode())
            counts[code] = counts.get(code, 0) + 1
        if random_.random() < 0.05:
            now[0] += random_.randrange(50 * MS)
            server.advance(now[0])
    return counts


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_request_harms(seed: int) -> None:
    counts = fuzz(seed, 0.0, 4000)
    assert counts[0] > 300
    assert len(counts) >= 5, counts


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_campaign() -> None:
    seed = int(os.environ.get("MM_FUZZ_SEED", time.time_ns() % 2**32))
    print(f"seed {seed}: repeat with MM_FUZZ_SEED={seed}")
    counts = fuzz(seed, float(os.environ.get("MM_FUZZ_S", "600")), 0)
    print(dict(sorted(counts.items())))
    assert counts[0] > 1000
