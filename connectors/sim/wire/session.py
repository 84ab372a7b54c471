"""One WebSocket client: frames in, frames out, heartbeat."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from connectors.sim.faults import Faults, Line
from connectors.sim.wire.auth import Grant
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.writer import frame as as_frame

SECOND = 1_000_000_000
CLOSE_HEARTBEAT = 4000
CLOSE_LIMIT = 4002
HEARTBEAT = b'{"params":{"type":"heartbeat"},"method":"heartbeat","jsonrpc":"2.0"}'
TEST_REQUEST = b'{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}'


class Host(Protocol):
    """What a session needs of its server."""

    unsent: list[Session]
    request_max: int
    send_queue_max: int
    terminate_on_limit: bool
    faults: Faults | None
    idle_ns: tuple[int, int]    # of a socket not logged in, and of one that is

    def login(self, session: Session, account: int, t_ns: int) -> None: ...
    def note(self, kind: str, session: Session | None, payload: bytes = b"") -> None: ...
    def on_connected(self, session: Session) -> None: ...
    def on_disconnected(self, session: Session) -> None: ...
    def on_read_end(self) -> None: ...
    def on_request(self, session: Session, payload: bytes) -> None: ...
    def close_soon(self, session: Session, code: int, reason: bytes) -> None: ...


class Session(WSListener, Caller):
    """A WebSocket client."""

    is_socket = True

    def __init__(self, server: Host) -> None:
        WSListener.__init__(self)
        Caller.__init__(self, -1)
        self.server = server
        self.transport: WSTransport | None = None
        self.frames: list[bytes] = []
        self.part = bytearray()
        self.heartbeat_ns = 0
        self.test_due_ns = 0
        self.answer_due_ns = 0  # 0: no test_request is open
        self.sent_ns = 0
        self.heard_ns = 0
        self.closing = False
        self.number = 0     # of all the server had
        self.line = Line()  # what a fault plan does to it

    # ---- picows
    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.server.note("open", self)
        self.server.on_connected(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        self.server.note("close", self)
        self.server.on_disconnected(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self.line.dead:
            return
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self.on_message_part(frame)
        if frame.last_in_buffer:
            self.server.note("end", self)
            self.server.on_read_end()

    def on_message_part(self, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if not frame.fin or self.part:
            # The size is refused as a whole, but what will be refused need not be kept.
            if len(self.part) <= self.server.request_max:
                self.part += payload
            if not frame.fin:
                return
            payload = bytes(self.part)
            self.part.clear()
        if not self.closing:
            self.server.note("in", self, payload)
            self.server.on_request(self, payload)

    # ---- what the exchange does with it
    def adopt(self, grant: Grant, t_ns: int) -> None:
        super().adopt(grant, t_ns)
        self.server.login(self, grant.account, t_ns)

    def leave(self) -> None:
        super().leave()
        self.close(1000, b"")

    def on_limit(self) -> None:
        if self.server.terminate_on_limit:
            self.server.close_soon(self, CLOSE_LIMIT, b"too_many_requests")

    def send(self, message: Any) -> None:
        self.send_frame(as_frame(msgspec.json.encode(message)))

    def send_frame(self, frame: bytes) -> None:
        if not self.frames:
            self.server.unsent.append(self)
        self.frames.append(frame)

    def flush(self, t_ns: int) -> None:
        """Write everything gathered in one go; close a client that does not read."""
        frames, self.frames = self.frames, []
        faults = self.server.faults
        if faults is not None:
            frames = faults.pass_frames(self.line, self, frames, t_ns)
            if sum(map(len, self.line.backlog)) > self.server.send_queue_max:
                self.drop()
            if not frames:
                return
        self.write(frames, t_ns)

    def write(self, frames: list[bytes], t_ns: int) -> None:
        transport = self.transport
        if transport is None or self.closing or transport.is_disconnected:
            return
        self.sent_ns = t_ns
        below = transport.underlying_transport
        below.write(b"".join(frames))
        if below.get_write_buffer_size() > self.server.send_queue_max:
            self.drop()     # a close frame would wait behind what the client does not read

    def drop(self) -> None:
        """End the connection without a close frame."""
        self.closing = True
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    def close(self, code: int, reason: bytes) -> None:
        if self.transport is None or self.closing:
            return
        self.closing = True
        # The venue closes with codes of its own, which the stub's enum does not know.
        self.transport.send_close(code, reason)  # type: ignore[arg-type]
        self.transport.disconnect()

    # ---- heartbeat
    def set_heartbeat(self, interval_s: float, t_ns: int) -> None:
        self.heartbeat_ns = int(interval_s * SECOND)
        self.test_due_ns = t_ns + self.heartbeat_ns * 6 // 5
        self.answer_due_ns = 0

    def on_tested(self) -> None:
        """A public/test has come."""
        self.answer_due_ns = 0

    def beat(self, t_ns: int) -> None:
        """Send what is due; close a client that did not answer in one interval, or is idle."""
        if self.line.dead:
            return
        if self.heartbeat_ns == 0:
            idle_ns = self.server.idle_ns[self.account >= 0]
            if not self.channels and 0 < idle_ns <= t_ns - self.heard_ns:
                self.drop()     # as the venue does it: without a close frame
            return
        if 0 < self.answer_due_ns <= t_ns:
            self.close(CLOSE_HEARTBEAT, b"heartbeat close")
        elif self.test_due_ns <= t_ns:
            if t_ns - self.sent_ns >= self.heartbeat_ns:    # idle
                self.send_frame(as_frame(HEARTBEAT))
            self.send_frame(as_frame(TEST_REQUEST))
            if self.answer_due_ns == 0:
                self.answer_due_ns = t_ns + self.heartbeat_ns
            self.test_due_ns = t_ns + self.heartbeat_ns * 107 // 100
