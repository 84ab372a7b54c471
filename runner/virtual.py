"""An event loop in virtual time, and the sockets that live in it.

Unmodified picows clients and servers run on it (with `use_aiofastnet=False`): the clock jumps to
the next timer whenever nothing is ready, and connections are pairs of in-memory transports. The
same program with the same seeds runs the same way every time. Nothing leaves the process; TLS,
names and threads do not exist here.
"""

import asyncio
import contextvars
import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

NS_PER_S = 1_000_000_000
START_NS = 1_000 * NS_PER_S     # not 0, which means "never" to the core
LATENCY_NS = 500_000            # one way
FIRST_FREE_PORT = 49_152


class VirtualDeadlockError(RuntimeError):
    """Every task waits and no timer is set: in virtual time nothing would ever happen again."""


class JumpingSelector(selectors.BaseSelector):
    """Reports no event, and moves the clock on by as long as it was asked to wait."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.registered: dict[Any, selectors.SelectorKey] = {}
        self.between: Callable[[], None] | None = None      # asked whenever all is done for now

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        # Only the loop's own wake-up pipe comes here; nothing else in this loop has a descriptor.
        handle = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self.registered[fileobj] = selectors.SelectorKey(fileobj, handle, events, data)
        return self.registered[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.registered.pop(fileobj)

    def get_map(self) -> dict[Any, selectors.SelectorKey]:
        return self.registered

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.between is not None:
            self.between()
        if timeout is None:
            raise VirtualDeadlockError("every task waits and no timer is set")
        self.now_ns += max(0, round(timeout * NS_PER_S))
        return []


class FakeSocket:
    """What picows asks of a socket when a connection is made."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM

    def __init__(self, name: tuple[str, int]) -> None:
        self.name = name

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *_arguments: Any) -> None:
        return

    def getsockopt(self, *_arguments: Any) -> int:
        return 0

    def getsockname(self) -> tuple[str, int]:
        return self.name


class MemoryTransport(asyncio.Transport):
    """One end of a connection. What is written arrives at the peer after the link's latency."""

    def __init__(self, loop: "VirtualLoop", name: tuple[str, int], peer_name: tuple[str, int]
                 ) -> None:
        super().__init__({"socket": FakeSocket(name), "sockname": name, "peername": peer_name})
        self.loop = loop
        self.protocol: asyncio.BaseProtocol | None = None
        self.peer: MemoryTransport | None = None
        self.arriving: deque[tuple[int, bytes | None]] = deque()   # (due, data); None: the end
        self.reading = False            # not before connection_made
        self.closing = False

    # -------------------------------------------------------------- what a protocol asks for
    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return self.reading and not self.closing

    def get_write_buffer_size(self) -> int:
        # Never 0: at 0 picows would call send(2) on the socket itself, and there is none.
        return 1

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Accept and ignore: the link takes everything at once."""

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        if not self.closing and self.peer is not None:
            self.loop.carry(self.peer, bytes(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        if not self.reading:
            self.reading = True
            self.loop.call_soon(self.receive)

    def close(self) -> None:
        """Let what was written arrive, then end both sides in order."""
        self.end(None)

    def abort(self) -> None:
        """Like close: what was written has already left for the peer."""
        self.end(None)

    # ------------------------------------------------------------------------- the link
    def open(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand this end to its protocol."""
        self.protocol = protocol
        protocol.connection_made(self)
        self.resume_reading()

    def expect(self, data: bytes | None) -> None:
        """Take data (None: the end) that will arrive after the latency, never before earlier."""
        due_ns = self.loop.now_ns() + self.loop.latency_ns()
        if self.arriving:
            due_ns = max(due_ns, self.arriving[-1][0])
        self.arriving.append((due_ns, data))
        self.loop.call_at(due_ns / NS_PER_S, self.receive)

    def receive(self) -> None:
        """Hand over everything that has arrived, as one read would."""
        now_ns = self.loop.now_ns()
        read: list[bytes] = []
        ended = False
        while self.reading and self.arriving and self.arriving[0][0] <= now_ns and not ended:
            data = self.arriving.popleft()[1]
            if data is None:
                ended = True
            else:
                read.append(data)
        if read and self.loop.arriving is not None:
            self.loop.arriving(self)
        if read and not self.closing:
            try:
                self.hand_over(b"".join(read))
            except Exception as error:
                self.loop.call_exception_handler({
                    "message": "exception in a protocol's receive callback", "exception": error,
                    "transport": self, "protocol": self.protocol})
                self.end(error)
        if read and self.loop.received is not None:
            self.loop.received(self)
        if ended and not self.closing:
            stay_open = isinstance(self.protocol, asyncio.Protocol | asyncio.BufferedProtocol) \
                and self.protocol.eof_received()
            if not stay_open:
                self.end(None)

    def hand_over(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self.closing:
            protocol = self.protocol
            if isinstance(protocol, asyncio.BufferedProtocol):
                buffer = memoryview(protocol.get_buffer(-1))
                size = min(len(buffer), len(rest))
                buffer[:size] = rest[:size]
                protocol.buffer_updated(size)
                rest = rest[size:]
            else:
                assert isinstance(protocol, asyncio.Protocol)
                protocol.data_received(bytes(rest))
                return

    def end(self, error: Exception | None) -> None:
        """Close this end; the peer learns of it after the latency."""
        if self.closing:
            return
        self.closing = True
        self.loop.live.discard(self)
        if self.protocol is not None:
            self.loop.call_soon(self.protocol.connection_lost, error)
        if self.peer is not None and not self.peer.closing:
            self.loop.carry(self.peer, None)

    def cut(self) -> None:
        """Break the connection as a network does: what is under way is lost, both sides fail."""
        for side in (self, self.peer):
            if side is not None and not side.closing:
                side.closing = True
                side.arriving.clear()
                self.loop.live.discard(side)
                error = ConnectionResetError("the virtual link was cut")
                if side.protocol is not None:
                    self.loop.call_soon(side.protocol.connection_lost, error)


def carry(to: MemoryTransport, data: bytes | None) -> None:
    """Let data arrive: a network without faults."""
    to.expect(data)


class MemoryServer(asyncio.AbstractServer):
    """A listening port of the virtual loop."""

    def __init__(self, loop: "VirtualLoop", factory: Callable[[], asyncio.BaseProtocol],
                 address: tuple[str, int]) -> None:
        self.loop = loop
        self.factory = factory
        self.address = address
        self.closed: asyncio.Future[None] = loop.create_future()

    @property
    def sockets(self) -> tuple[FakeSocket, ...]:
        return (FakeSocket(self.address),) if self.is_serving() else ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    def is_serving(self) -> bool:
        return not self.closed.done()

    def close(self) -> None:
        """Stop listening; connections live on."""
        if self.is_serving():
            del self.loop.servers[self.address[1]]
            self.closed.set_result(None)

    async def start_serving(self) -> None:
        """Return: a virtual server serves from its making."""

    async def serve_forever(self) -> None:
        await asyncio.shield(self.closed)

    async def wait_closed(self) -> None:
        await asyncio.shield(self.closed)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. Its clock starts at START_NS and moves only when nothing is ready."""

    def __init__(self, latency_ns: Callable[[], int] | int = LATENCY_NS) -> None:
        """latency_ns: one way, of every link; a function is asked for every write."""
        self.clock = JumpingSelector()
        super().__init__(self.clock)
        # The loop runs timers that are due within its resolution; a nanosecond is ours.
        self._clock_resolution = 1 / NS_PER_S
        self.servers: dict[int, MemoryServer] = {}
        self.live: set[MemoryTransport] = set()
        self.next_port = FIRST_FREE_PORT
        self.latency_ns: Callable[[], int] = \
            latency_ns if callable(latency_ns) else lambda: latency_ns
        # What the network does with what is written (None: the end), and who watches arrivals.
        self.carry: Callable[[MemoryTransport, bytes | None], None] = carry
        self.arriving: Callable[[MemoryTransport], None] | None = None
        self.received: Callable[[MemoryTransport], None] | None = None

    def time(self) -> float:
        return self.clock.now_ns / NS_PER_S

    def now_ns(self) -> int:
        """Return the virtual time; what CLOCK_MONOTONIC is to a real loop."""
        return self.clock.now_ns

    def free_port(self) -> int:
        self.next_port += 1
        return self.next_port - 1

    async def create_server(  # type: ignore[override]
            self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: Any = None,
            port: int | None = None, **_ignored: Any) -> MemoryServer:
        """Listen on a port; 0 or None takes a free one."""
        number = port or self.free_port()
        if number in self.servers:
            raise OSError(98, f"virtual port {number} is taken")
        name = host if isinstance(host, str) else "127.0.0.1"
        server = MemoryServer(self, protocol_factory, (name, number))
        self.servers[number] = server
        return server

    async def create_connection(  # type: ignore[override]
            self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: Any = None,
            port: int | None = None, **_ignored: Any,
    ) -> tuple[MemoryTransport, asyncio.BaseProtocol]:
        """Connect to a port of this loop, whatever the host; refused where nobody listens."""
        await asyncio.sleep(self.latency_ns() / NS_PER_S)
        server = self.servers.get(port or 0)
        if server is None:
            await asyncio.sleep(self.latency_ns() / NS_PER_S)
            raise ConnectionRefusedError(111, f"nobody listens on virtual port {port}")
        name = ("127.0.0.1", self.free_port())
        near = MemoryTransport(self, name, server.address)
        far = MemoryTransport(self, server.address, name)
        near.peer, far.peer = far, near
        self.live |= {near, far}
        # What a server does from now on belongs to nobody's task or context but its own.
        contextvars.Context().run(lambda: far.open(server.factory()))
        try:
            await asyncio.sleep(self.latency_ns() / NS_PER_S)
        except asyncio.CancelledError:
            near.close()
            raise
        protocol = protocol_factory()
        near.open(protocol)
        return near, protocol
