"""Everything that came into a server, in a file; and the same server run on it again.

One JSON line an event: what, which connection, the clock readings it caused, what was received.
Clock readings are input like the rest, so a replay writes the same bytes to every connection.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from connectors.sim.wire.server import SimConfig, SimServer
from connectors.sim.wire.session import Session

VERSION = 1


class Header(msgspec.Struct):
    """First line: what the server was started with, in the words of whoever started it."""

    version: int
    facts: dict[str, Any]


class Entry(msgspec.Struct, array_like=True, omit_defaults=True):
    """One event: begin, tick, open, in, end or close."""

    kind: str
    connection: int
    clocks_ns: list[int]
    payload: str = ""


class Tracer:
    """Writes a server's input; make it before the server starts, close it after it has stopped."""

    def __init__(self, path: Path, facts: dict[str, Any], clock: Callable[[], int]) -> None:
        self.source = clock
        path.touch(mode=0o600)      # logins are part of what comes in
        self.file: BinaryIO = path.open("wb")
        self.file.write(msgspec.json.encode(Header(VERSION, facts)) + b"\n")
        self.entry = Entry("begin", 0, [])

    def clock(self) -> int:
        t_ns = self.source()
        self.entry.clocks_ns.append(t_ns)
        return t_ns

    def tell(self, kind: str, session: Session | None, payload: bytes) -> None:
        self.put()
        self.entry = Entry(kind, session.number if session is not None else 0, [],
                           base64.b64encode(payload).decode())

    def put(self) -> None:
        self.file.write(msgspec.json.encode(self.entry) + b"\n")

    def close(self) -> None:
        """Write the last event; call once."""
        self.put()
        self.file.close()


async def serve_traced(config: SimConfig, path: Path, facts: dict[str, Any],
                       clock: Callable[[], int]) -> tuple[SimServer, Tracer]:
    """Start a server whose input is written to a file; HTTP is off, as it is no part of it."""
    if config.http:
        raise ValueError("a traced exchange serves no HTTP: set http to False")
    tracer = Tracer(path, facts, clock)
    server = SimServer(config, tracer.clock)
    server.tell = tracer.tell
    await server.start()
    return server, tracer


class Wire:
    """Stands for a connection in a replay: a transport that keeps what is written."""

    is_disconnected = False

    def __init__(self) -> None:
        self.written = bytearray()

    @property
    def underlying_transport(self) -> Wire:
        return self

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def send_close(self, code: int, reason: bytes) -> None:
        """The trace says when the connection ended."""

    def disconnect(self, graceful: bool = True) -> None:
        """The trace says when the connection ended."""


def read_trace(path: Path) -> tuple[Header, Iterator[Entry]]:
    """Open a trace; ValueError where it is none."""
    lines = path.read_bytes().splitlines()
    try:
        header = msgspec.json.decode(lines[0] if lines else b"", type=Header)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: no trace of an exchange ({error})") from None
    if header.version != VERSION:
        raise ValueError(f"{path}: trace version {header.version}, this reads {VERSION}")

    def entries() -> Iterator[Entry]:
        for number, line in enumerate(lines[1:], 2):
            try:
                yield msgspec.json.decode(line, type=Entry)
            except msgspec.DecodeError as error:
                raise ValueError(f"{path}:{number}: damaged ({error})") from None
    return header, entries()


def replay(config: SimConfig, entries: Iterator[Entry]) -> dict[int, bytes]:
    """Run a new server on a trace; return what it wrote to each connection.

    The config must hold a fresh market like the one traced. ValueError where the server asks for
    another time than it did: it is not the same program, or not the same market.
    """
    clocks: list[int] = []

    def clock() -> int:
        if not clocks:
            raise ValueError("the replay left the trace: market or program differ")
        return clocks.pop(0)

    first = next(entries)
    clocks += first.clocks_ns
    server = SimServer(config, clock)
    server.timers = False
    server.begin()
    sessions: dict[int, Session] = {}
    wires: dict[int, Wire] = {}
    for entry in entries:
        clocks[:] = entry.clocks_ns
        payload = base64.b64decode(entry.payload)
        if entry.kind == "tick":
            server.on_timer()
            continue
        if entry.kind == "open":
            session, wire = Session(server), Wire()
            sessions[entry.connection], wires[entry.connection] = session, wire
            session.on_ws_connected(wire)  # type: ignore[arg-type]
            continue
        session = sessions[entry.connection]
        if entry.kind == "in":
            server.on_request(session, payload)
        elif entry.kind == "end":
            server.on_read_end()
        elif entry.kind == "close":
            session.transport = None
            server.on_disconnected(session)
    return {number: bytes(wire.written) for number, wire in wires.items()}
