"""The loop in virtual time: picows runs on it unchanged, and it is the same every time."""

import asyncio
import random
import time
from collections.abc import Coroutine
from typing import Any

import picows
import pytest

from runner.virtual import LATENCY_NS, START_NS, MemoryTransport, VirtualDeadlockError, VirtualLoop

pytestmark = pytest.mark.quick
PORT = 9000


def run(main: Coroutine[Any, Any, Any], **options: Any) -> Any:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(**options)) as runner:
        return runner.run(main)


def loop_now_ns() -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.now_ns()


class Echo(picows.WSListener):
    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        transport.send(frame.msg_type, frame.get_payload_as_bytes())


class Recorder(picows.WSListener):
    def __init__(self) -> None:
        self.seen: list[tuple[int, bytes]] = []
        self.lost = 0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            self.seen.append((loop_now_ns(), frame.get_payload_as_bytes()))

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self.lost += 1


async def connect(listener: picows.WSListener) -> picows.WSTransport:
    transport, _ = await picows.ws_connect(
        lambda: listener, f"ws://127.0.0.1:{PORT}/", use_aiofastnet=False)
    return transport


async def serve(listener: type[picows.WSListener] = Echo) -> Any:
    return await picows.ws_create_server(
        lambda _request: listener(), "127.0.0.1", PORT, use_aiofastnet=False)


def test_echo_takes_two_latencies_and_no_real_time() -> None:
    async def main() -> list[tuple[int, bytes]]:
        await serve()
        listener = Recorder()
        transport = await connect(listener)
        sent = loop_now_ns()
        transport.send(picows.WSMsgType.TEXT, b"one")
        transport.send(picows.WSMsgType.TEXT, b"x" * 100_000)
        await asyncio.sleep(1)
        return [(t - sent, payload) for t, payload in listener.seen]

    seen = run(main())
    assert [payload for _, payload in seen] == [b"one", b"x" * 100_000]
    assert [t for t, _ in seen] == [2 * LATENCY_NS] * 2


def test_latency_is_configurable_and_never_reorders() -> None:
    seed = 7
    rng = random.Random(seed)

    async def main() -> list[bytes]:
        await serve()
        listener = Recorder()
        transport = await connect(listener)
        for i in range(200):
            transport.send(picows.WSMsgType.TEXT, b"%d" % i)
            await asyncio.sleep(0.001)
        await asyncio.sleep(1)
        return [payload for _, payload in listener.seen]

    got = run(main(), latency_ns=lambda: rng.randrange(0, 50_000_000))
    assert got == [b"%d" % i for i in range(200)], f"seed {seed}"


def test_one_virtual_hour_of_messages_runs_quickly() -> None:
    class Ticker(picows.WSListener):
        def on_ws_connected(self, transport: picows.WSTransport) -> None:
            self.transport = transport
            self.tick()

        def tick(self) -> None:
            self.transport.send(picows.WSMsgType.TEXT, b'{"method":"subscription"}')
            asyncio.get_running_loop().call_later(0.1, self.tick)

    async def main() -> int:
        await serve(Ticker)
        listener = Recorder()
        await connect(listener)
        await asyncio.sleep(3600)
        return len(listener.seen)

    began = time.perf_counter()
    count = run(main())
    took = time.perf_counter() - began
    assert 36_000 <= count <= 36_001
    assert took < 20, f"one virtual hour took {took:.1f} s"


def test_two_runs_are_equal() -> None:
    def once(seed: int) -> list[tuple[int, bytes]]:
        rng = random.Random(seed)

        async def main() -> list[tuple[int, bytes]]:
            await serve()
            listeners = [Recorder() for _ in range(3)]
            transports = [await connect(each) for each in listeners]
            for i in range(100):
                rng.choice(transports).send(picows.WSMsgType.TEXT, b"%d" % i)
                await asyncio.sleep(rng.random() / 100)
            await asyncio.sleep(1)
            return [entry for each in listeners for entry in each.seen]

        return run(main(), latency_ns=lambda: rng.randrange(1_000_000))

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_close_reaches_both_sides_once() -> None:
    async def main() -> tuple[int, int, int]:
        servers: list[Recorder] = []

        class Server(Recorder):
            def __init__(self) -> None:
                super().__init__()
                servers.append(self)

        await serve(Server)
        client = Recorder()
        transport = await connect(client)
        transport.send(picows.WSMsgType.TEXT, b"last words")
        transport.disconnect()
        await transport.wait_disconnected()
        await asyncio.sleep(1)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        assert servers[0].seen[0][1] == b"last words"
        return client.lost, servers[0].lost, len(loop.live)

    assert run(main()) == (1, 1, 0)


def test_a_cut_link_loses_what_is_under_way() -> None:
    async def main() -> tuple[int, list[Any]]:
        await serve()
        client = Recorder()
        transport = await connect(client)
        transport.send(picows.WSMsgType.TEXT, b"lost")
        inner = transport.underlying_transport
        assert isinstance(inner, MemoryTransport)
        inner.cut()
        await asyncio.sleep(1)
        return client.lost, client.seen

    assert run(main()) == (1, [])


def test_nobody_listening_is_refused_and_a_taken_port_too() -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await connect(Recorder())
        server = await serve()
        assert server.sockets[0].getsockname() == ("127.0.0.1", PORT)
        with pytest.raises(OSError, match="taken"):
            await serve()
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionRefusedError):
            await connect(Recorder())

    run(main())


def test_paused_reading_holds_data_back() -> None:
    class Plain(asyncio.Protocol):
        def __init__(self) -> None:
            self.got = b""

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.got += data

    async def main() -> tuple[bytes, bytes]:
        loop = asyncio.get_running_loop()
        far: list[Plain] = []
        await loop.create_server(lambda: far.append(Plain()) or far[-1], "127.0.0.1", PORT)
        near, _ = await loop.create_connection(Plain, "127.0.0.1", PORT)
        far[0].transport.pause_reading()
        near.write(b"abc")
        await asyncio.sleep(1)
        held = far[0].got
        far[0].transport.resume_reading()
        await asyncio.sleep(1)
        return held, far[0].got

    assert run(main()) == (b"", b"abc")


def test_a_wait_for_nothing_is_an_error() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    # asyncio.Runner cancels and waits for what is left, which would wait for nothing again.
    loop = VirtualLoop()
    task = loop.create_task(main())
    with pytest.raises(VirtualDeadlockError):
        loop.run_until_complete(task)
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def test_time_is_exact_to_the_nanosecond_over_hours() -> None:
    async def main() -> int:
        for _ in range(1000):
            await asyncio.sleep(36.000_000_001)
        return loop_now_ns()

    assert abs(run(main()) - START_NS - 36_000_000_001_000) <= 2_000
