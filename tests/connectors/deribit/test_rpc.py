"""Cold JSON-RPC: answers find their futures, errors their types, late ones nobody."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from connectors.deribit.messages import AuthResult
from connectors.deribit.rpc import Rpc, RpcClosedError, RpcError, RpcTimeoutError


class Wire:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes | None]] = []
        self.up = True
        self.reply: Callable[[int], None] | None = None

    def send(self, text: bytes, record: bytes | None) -> bool:
        if self.up:
            self.sent.append((text, record))
            if self.reply is not None:
                self.reply(msgspec.json.decode(text)["id"])
        return self.up


def made() -> tuple[Rpc, Wire]:
    wire = Wire()
    return Rpc(wire.send), wire


def test_result_is_typed_and_ids_differ() -> None:
    rpc, wire = made()
    wire.reply = lambda i: rpc.on_answer(
        msgspec.json.encode({"jsonrpc": "2.0", "id": i, "result": i * 10}))

    async def main() -> list[int]:
        return [await rpc.call("public/get_time", {}, int) for _ in range(3)]

    assert asyncio.run(main()) == [20, 30, 40]
    assert rpc.outstanding == 0
    assert msgspec.json.decode(wire.sent[0][0]) == {
        "jsonrpc": "2.0", "id": 2, "method": "public/get_time", "params": {}}


def test_answers_in_any_order() -> None:
    rpc, _ = made()

    async def main() -> list[str]:
        calls = [asyncio.ensure_future(rpc.call(f"m{i}", {}, str)) for i in range(3)]
        await asyncio.sleep(0)
        for i in (4, 2, 3):
            rpc.on_answer(b'{"jsonrpc":"2.0","id":%d,"result":"r%d"}' % (i, i))
        return await asyncio.gather(*calls)

    assert asyncio.run(main()) == ["r2", "r3", "r4"]


def test_error_wrong_type_and_timeout() -> None:
    rpc, wire = made()

    async def main() -> None:
        wire.reply = lambda i: rpc.on_answer(
            b'{"jsonrpc":"2.0","id":%d,"error":{"code":13009,"message":"unauthorized",'
            b'"data":{"reason":"invalid_token"}}}' % i)
        with pytest.raises(RpcError, match="13009 unauthorized") as caught:
            await rpc.call("private/x", {}, int)
        assert (caught.value.code, caught.value.data) == (13009, {"reason": "invalid_token"})
        wire.reply = lambda i: rpc.on_answer(b'{"jsonrpc":"2.0","id":%d,"result":"no"}' % i)
        with pytest.raises(msgspec.ValidationError):
            await rpc.call("x", {}, int)
        wire.reply = lambda i: rpc.on_answer(b'{"jsonrpc":"2.0","id":%d}' % i)
        with pytest.raises(msgspec.ValidationError):
            await rpc.call("x", {}, int)
        wire.reply = None
        with pytest.raises(RpcTimeoutError, match=r"within 0\.01 s"):
            await rpc.call("x", {}, int, timeout_s=0.01)
        rpc.on_answer(b'{"jsonrpc":"2.0","id":5,"result":1}')

    asyncio.run(main())
    assert rpc.late == 1
    assert rpc.outstanding == 0


def test_lost_connections() -> None:
    rpc, wire = made()

    async def main() -> None:
        waiting = asyncio.ensure_future(rpc.call("x", {}, int))
        await asyncio.sleep(0)
        rpc.close()
        with pytest.raises(RpcClosedError):
            await waiting
        wire.up = False
        with pytest.raises(RpcClosedError, match="not connected"):
            await rpc.call("x", {}, int)

    asyncio.run(main())
    assert rpc.outstanding == 0


@pytest.mark.parametrize(("raw", "late", "nameless"), [
    (b"{", 1, 0), (b'{"jsonrpc":"2.0","id":9,"result":1}', 1, 0),
    (b'{"jsonrpc":"2.0","id":"text","result":1}', 1, 0),
    (b'{"jsonrpc":"2.0","error":{"code":11051,"message":"system_maintenance"}}', 0, 1),
    (b"\xff", 1, 0), (b"[]", 1, 0),
])
def test_strange_answers_are_counted(raw: bytes, late: int, nameless: int) -> None:
    rpc, _ = made()
    rpc.on_answer(raw)
    assert (rpc.late, rpc.nameless) == (late, nameless)


def test_secrets_stay_out_of_the_record() -> None:
    rpc, wire = made()

    async def main() -> None:
        with pytest.raises(RpcTimeoutError):
            await rpc.call("public/auth", {"client_secret": "hush"}, AuthResult, secret=True,
                           timeout_s=0.01)

    asyncio.run(main())
    text, record = wire.sent[0]
    assert b"hush" in text
    assert record is not None
    assert b"hush" not in record
    assert b"public/auth" in record
