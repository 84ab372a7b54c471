"""One fault on the wire: at which message, and what happens to it. For virtual sockets.

A step names a kind of message: `request:buy`, `answer:edit`, `changes:fill`, `book` … The nth
message of a step after the injector is armed meets the fault; everything else passes untouched.
"""

import json
from collections.abc import Callable, Iterator

import msgspec

from mmcore.types import ActionKind
from runner.virtual import MemoryTransport

VENUE_PORT = 9000
ANSWERS = {
    ActionKind.ACTION_NEW: "new", ActionKind.ACTION_EDIT: "edit",
    ActionKind.ACTION_CANCEL: "cancel", ActionKind.ACTION_CANCEL_INSTRUMENT: "pull",
    ActionKind.ACTION_CANCEL_ALL: "cancel_all"}
Deliver = Callable[[MemoryTransport, bytes | None], None]


class WireFault(msgspec.Struct, frozen=True):
    """What happens to the nth message of a step."""

    step: str
    nth: int
    what: str       # see WireFaults.strike
    delay_s: float = 0.0
    code: int = 0   # of an error the venue answers with

    def __str__(self) -> str:
        detail = f" {self.delay_s:g} s" if self.delay_s else f" {self.code}" if self.code else ""
        return f"{self.step} #{self.nth}: {self.what}{detail}"


class WireFaults:
    """Stands in for MemoryTransport.expect; `deliver` is the real one."""

    def __init__(self, fault: WireFault | None, deliver: Deliver) -> None:
        self.fault = fault
        self.deliver = deliver
        self.armed = False
        self.seen: dict[str, int] = {}
        self.struck_s = -1.0
        self.struck = b""
        self.dead: set[MemoryTransport] = set()
        self.held: list[tuple[MemoryTransport, bytes]] = []
        self.lie_id = 0         # the request whose answer becomes an error

    def __call__(self, to: MemoryTransport, data: bytes | None) -> None:
        if to in self.dead:
            return
        if data is None or data[:4] in (b"GET ", b"HTTP"):
            self.deliver(to, data)
            return
        passed = bytearray()
        for frame, payload in frames_of(data):
            kept = self.take(to, frame, payload, passed)
            if self.held and kept == frame:
                kept += b"".join(f for t, f in self.held if t is to)
                self.held.clear()
            passed += kept
        if passed and not to.closing and to not in self.dead:
            self.deliver(to, bytes(passed))

    def take(self, to: MemoryTransport, frame: bytes, payload: bytes, before: bytearray) -> bytes:
        """Return what arrives of a frame at its place."""
        step = step_of(to, payload)
        if self.lie_id and payload.startswith(b'{"jsonrpc":"2.0","id":%d,' % self.lie_id):
            assert self.fault is not None
            answer, self.lie_id = error_answer(self.lie_id, self.fault.code), 0
            return as_frame(answer)
        if not self.armed or to in self.dead:
            return b"" if to in self.dead else frame
        self.seen[step] = self.seen.get(step, 0) + 1
        fault = self.fault
        if fault is None or fault.step != step or fault.nth != self.seen[step]:
            return frame
        self.struck_s = to.loop.time()
        self.struck = payload
        return self.strike(fault, to, frame, payload, before)

    def strike(self, fault: WireFault, to: MemoryTransport, frame: bytes, payload: bytes,
               before: bytearray) -> bytes:
        what = fault.what
        assert to.peer is not None
        if what == "drop":
            return b""
        if what == "delay":
            to.loop.call_later(fault.delay_s, self.late, to, frame)
            return b""
        if what == "duplicate":
            return frame + frame
        if what == "reorder":
            self.held.append((to, frame))
            return b""
        if what == "cut":                   # it and what is under way never arrives
            to.loop.call_soon(to.cut)
            self.dead |= {to, to.peer}
            return b""
        if what == "cut after":             # it arrives, its consequences do not come back
            self.deliver(to, bytes(before) + frame)
            before.clear()
            to.loop.call_later(to.loop.latency_ns() / 1e9 + 1e-6, to.cut)
            self.dead |= {to, to.peer}
            return b""
        if what == "half open":             # nobody is told; not even the end arrives
            self.dead |= {to, to.peer}
            return b""
        if what == "deaf":                  # one direction only
            self.dead.add(to)
            return b""
        if what == "error":                 # refused without effect
            to.peer.loop.call_soon(self.deliver, to.peer, as_frame(
                error_answer(json.loads(payload)["id"], fault.code)))
            return b""
        if what == "error after effect":
            self.lie_id = json.loads(payload)["id"]
            return frame
        if what == "garbled":
            return as_frame(payload.replace(b'"data":{', b'"data":[').replace(
                b'"result":', b'"resul":'))
        if what == "truncated":
            return as_frame(payload[:len(payload) // 2])
        raise ValueError(what)

    def late(self, to: MemoryTransport, frame: bytes) -> None:
        if not to.closing and to not in self.dead:
            self.deliver(to, frame)


def step_of(to: MemoryTransport, payload: bytes) -> str:
    """Name the kind of a message."""
    if to.get_extra_info("sockname")[1] == VENUE_PORT:
        method = payload.partition(b'"method":"')[2].partition(b'"')[0].decode()
        return "request:" + method.rpartition("/")[2]
    if payload.startswith(b'{"jsonrpc":"2.0","id":'):
        number = int(payload[22:payload.index(b",", 22)])
        kind = number >> 44
        return "answer:" + ("cold" if kind == 0 else ANSWERS.get(ActionKind(kind), "asked")
                            if kind <= ActionKind.ACTION_CANCEL_ALL else "asked")
    channel = payload.partition(b'"channel":"')[2].partition(b'"')[0].decode()
    if channel.startswith("user.changes"):
        if b'"trade_id"' in payload:
            return "changes:fill"
        return "changes:" + payload.partition(b'"order_state":"')[2].partition(b'"')[0].decode()
    return channel.partition(".")[0] or "heartbeat"


def frames_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (frame, unmasked payload) of whole WebSocket frames."""
    at = 0
    while at < len(data):
        size, head = data[at + 1] & 127, at + 2
        if size == 126:
            size, head = int.from_bytes(data[head:head + 2], "big"), head + 2
        elif size == 127:
            size, head = int.from_bytes(data[head:head + 8], "big"), head + 8
        mask = b""
        if data[at + 1] & 128:
            mask, head = data[head:head + 4], head + 4
        payload = data[head:head + size]
        if mask:
            whole = (mask * (size // 4 + 1))[:size]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(
                size, "big")
        yield data[at:head + size], payload
        at = head + size


def as_frame(payload: bytes) -> bytes:
    """Return a payload as one unmasked text frame."""
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes([size]) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def error_answer(request_id: int, code: int) -> bytes:
    """Return a refusal as the venue words it."""
    return msgspec.json.encode({
        "jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": "told"},
        "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": True})
