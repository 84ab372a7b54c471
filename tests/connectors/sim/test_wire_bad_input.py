"""The exchange over real sockets: whatever is sent, an answer of the documented shape comes."""

from __future__ import annotations

import random
from typing import Any

from wire_client import PERP, Venue, played

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
