"""The network between maker and exchange, and what goes wrong on it.

A step names a kind of message: `request:buy`, `answer:edit`, `changes:fill`, `book` … A fault
that waits for a step strikes at its nth message; everything else passes untouched, in order.
"""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable

from runner.simulation import frames
from runner.simulation.frames import as_frame, error_answer, frames_of, request_number, step_of
from runner.simulation.plan import MESSAGE_KINDS, SessionFault
from runner.virtual import MemoryTransport, carry

VENUE_PORT = 9000
MASK = b"\x5a\x0f\xc3\x96"
ERROR_CODE = re.compile(rb'"error":\{[^{}]*"code":(-?\d+)')
PIECE_S = 0.003         # between two parts of a message in fragments
SLOW_BYTES_PER_S = 4_000.0

Carry = Callable[[MemoryTransport, bytes | None], None]


class Line:
    """One direction of a connection, where it is not as it should be."""

    def __init__(self) -> None:
        self.dead = False
        self.queue: deque[bytes | None] = deque()
        self.free_s = 0.0           # nothing arrives before
        self.until_s = 0.0          # how long it is held or slow
        self.bytes_per_s = 0.0      # 0: held altogether


class Waiting:
    """A fault that waits for its message."""

    def __init__(self, fault: SessionFault) -> None:
        self.fault = fault
        self.seen = 0


class Wire:
    """Stands in for `runner.virtual.carry`.

    on_strike: told of every fault that met its message. on_request: every message of the maker,
    as it leaves.
    """

    def __init__(self, on_strike: Callable[[SessionFault, bytes], None],
                 on_request: Callable[[str, bytes], None] | None = None,
                 deliver: Carry = carry) -> None:
        self.on_strike = on_strike
        self.on_request = on_request
        self.deliver_now = deliver
        self.waiting: list[Waiting] = []
        self.lines: dict[MemoryTransport, Line] = {}
        self.swapped: list[tuple[MemoryTransport, bytes]] = []  # wait for one to overtake them
        # request id -> code of the error it is answered with; 0: it has been answered already
        self.lies: dict[int, int] = {}
        self.refusing: tuple[float, int] = (0.0, 0)     # until when, with what code
        self.count_steps = False
        self.seen: Counter[str] = Counter()
        self.codes: Counter[int] = Counter()
        self.note: Callable[[str, bytes, MemoryTransport], None] | None = None

    # ---------------------------------------------------------------- what it is asked for
    def expect(self, fault: SessionFault) -> None:
        """Let a fault wait for its message."""
        self.waiting.append(Waiting(fault))

    def disarm(self) -> None:
        """Let no waiting fault strike any more."""
        self.waiting.clear()

    def dead(self, transport: MemoryTransport) -> bool:
        """Whether nothing arrives at this end any more."""
        line = self.lines.get(transport)
        return line is not None and line.dead

    def troubled(self) -> bool:
        """Whether anything is wrong with a connection that is still there."""
        return bool(self.swapped) or any(
            not to.closing and (line.dead or line.queue or line.until_s > to.loop.time())
            for to, line in self.lines.items())

    # ---------------------------------------------------------------- what is written
    def __call__(self, to: MemoryTransport, data: bytes | None) -> None:
        if self.dead(to):
            return
        if data is None or data[:4] in (b"GET ", b"HTTP"):
            self.deliver(to, data)
            return
        to_venue = to.get_extra_info("sockname")[1] == VENUE_PORT
        if not (to_venue or self.waiting or self.swapped or self.lies or self.count_steps
                or self.note is not None):
            if b'"error"' in data:
                self.count_codes(data)
            self.deliver(to, data)
            return
        passed = bytearray()
        for frame, payload in frames_of(data):
            passed += self.take(to, to_venue, frame, payload, passed)
        if passed and not to.closing:
            self.deliver(to, bytes(passed))

    def count_codes(self, data: bytes) -> None:
        for found in ERROR_CODE.findall(data):
            self.codes[int(found)] += 1

    def take(self, to: MemoryTransport, to_venue: bool, frame: bytes, payload: bytes,
             before: bytearray) -> bytes:
        """Return what arrives of a frame at its place."""
        if self.dead(to):
            return b""
        step = step_of(to_venue, payload)
        if self.count_steps:
            self.seen[step] += 1
        if self.note is not None:
            self.note(step, payload, to)
        if to_venue:
            if self.on_request is not None:
                self.on_request(step, payload)
            until_s, code = self.refusing
            if until_s > to.loop.time() and step in (
                    "request:buy", "request:sell", "request:edit", "request:mass_quote"):
                self.refuse(to, payload, code)
                return b""
        elif b'"error"' in payload:
            self.count_codes(payload)
        if not to_venue and self.lies:
            number = int(payload[22:payload.index(b",", 22)]) if step.startswith(
                "answer:") else 0
            if number in self.lies:
                code = self.lies.pop(number)
                if code == 0:
                    return b""
                self.codes[code] += 1
                return as_frame(error_answer(number, code))
        kept = self.struck(to, step, frame, payload, before)
        if self.swapped and kept == frame:
            kept += b"".join(f for t, f in self.swapped if t is to)
            self.swapped = [(t, f) for t, f in self.swapped if t is not to]
        return kept

    def struck(self, to: MemoryTransport, step: str, frame: bytes, payload: bytes,
               before: bytearray) -> bytes:
        """Return what is left of a frame of a step after the fault that waited for it, if any."""
        due: SessionFault | None = None
        for waiting in self.waiting:
            if waiting.fault.step == step:
                waiting.seen += 1
                if waiting.seen >= waiting.fault.nth and due is None:
                    due = waiting.fault
        if due is None:
            return frame
        self.waiting = [w for w in self.waiting if w.fault is not due]
        self.on_strike(due, payload)
        if due.kind not in MESSAGE_KINDS:
            return frame
        return self.strike(due, to, frame, payload, before)

    # ---------------------------------------------------------------- what goes wrong
    def strike(self, fault: SessionFault, to: MemoryTransport, frame: bytes, payload: bytes,
               before: bytearray) -> bytes:
        """Let a fault happen to a message; return what arrives at its place."""
        mask = MASK if to.get_extra_info("sockname")[1] == VENUE_PORT else b""
        match fault.kind:
            case "drop":
                return b""
            case "delay":
                to.loop.call_later(fault.last_s, self.late, to, frame)
                return b""
            case "duplicate":
                return frame + frame
            case "reorder":
                self.swapped.append((to, frame))
                return b""
            case "garbled":
                return as_frame(payload.replace(b'"data":{', b'"data":[').replace(
                    b'"result":', b'"resul":').replace(b'"method":', b'"methud":'), mask=mask)
            case "truncated":
                return as_frame(payload[:len(payload) // 2], mask=mask)
            case "oversized":
                return frames.oversized(payload, mask=mask)
            case "error":
                self.refuse(to, payload, fault.code)
                return b""
            case "error_after_effect":
                self.lies[request_number(payload)] = fault.code
                return frame
            case "error_before_effect":
                self.refuse(to, payload, fault.code)
                self.lies[request_number(payload)] = 0
                to.loop.call_later(fault.last_s, self.late, to, frame)
                return b""
            case "fragments":
                return self.in_pieces(to, frame, before, fault.at_byte)
            case "held" | "slow_reader":
                self.hold(to, fault.last_s, slow=fault.kind == "slow_reader")
                return frame
        self.break_line(fault, to, frame, before)
        return b""

    def break_line(self, fault: SessionFault, to: MemoryTransport, frame: bytes,
                   before: bytearray) -> None:
        """End a connection at a message, with or without telling anybody."""
        peer = to.peer
        assert peer is not None
        one_way_s = to.loop.latency_ns() / 1e9 + 1e-6
        match fault.kind:
            case "cut":             # it and what is under way never arrives
                to.loop.call_soon(to.cut)
            case "cut_twice":       # and whatever connections there are a little later
                to.loop.call_soon(to.cut)
                to.loop.call_later(fault.last_s, cut_all, to.loop)
            case "cut_after":       # it arrives, its consequences do not come back
                self.flush(to, before, frame)
                to.loop.call_later(one_way_s, to.cut)
            case "cut_inside":      # a part of it arrives
                self.flush(to, before, frame[:1 + fault.at_byte % len(frame)])
                to.loop.call_later(one_way_s, to.cut)
            case "half_open" | "deaf":      # nobody is told; a router forgets it in the end
                to.loop.call_later(fault.last_s, to.cut)
            case _:
                raise ValueError(fault.kind)
        self.line(to).dead = True
        if fault.kind != "deaf":            # deaf: one direction only
            self.line(peer).dead = True

    def refuse(self, to: MemoryTransport, payload: bytes, code: int) -> None:
        """Answer a request with an error instead of handing it over."""
        assert to.peer is not None
        answer = as_frame(error_answer(request_number(payload), code))
        self.codes[code] += 1
        to.loop.call_soon(self.late, to.peer, answer)

    def late(self, to: MemoryTransport, frame: bytes) -> None:
        if not to.closing and not self.dead(to):
            self.deliver_now(to, frame)

    def vanish(self, near: MemoryTransport) -> None:
        """End one side of a connection; the other hears nothing of it."""
        near.closing = True
        near.arriving.clear()
        near.loop.live.discard(near)
        self.line(near).dead = True
        if near.peer is not None:
            self.line(near.peer).dead = True

    def flush(self, to: MemoryTransport, before: bytearray, last: bytes) -> None:
        """Let arrive what came before in the same write, and `last`."""
        data = bytes(before) + last
        before.clear()
        if data:
            self.deliver(to, data)

    def in_pieces(self, to: MemoryTransport, frame: bytes, before: bytearray,
                  at_byte: int) -> bytes:
        """Let the beginning of a frame arrive now; return the rest, which comes a little later."""
        at = 1 + at_byte % len(frame)
        self.flush(to, before, frame[:at])
        self.hold(to, PIECE_S, slow=False)
        return frame[at:]

    # ---------------------------------------------------------------- in order, and later
    def line(self, to: MemoryTransport) -> Line:
        return self.lines.setdefault(to, Line())

    def hold(self, to: MemoryTransport, last_s: float, *, slow: bool) -> None:
        """Let nothing, or little, arrive at an end for so long; then all of it does, in order."""
        line = self.line(to)
        line.until_s = max(line.until_s, to.loop.time() + last_s)
        line.bytes_per_s = SLOW_BYTES_PER_S if slow else 0.0

    def deliver(self, to: MemoryTransport, data: bytes | None) -> None:
        """Hand data over, after all that was written before it."""
        line = self.lines.get(to)
        now_s = to.loop.time()
        if line is None or (line.until_s <= now_s and not line.queue):
            self.deliver_now(to, data)
            return
        if line.dead:
            return
        due_s = max(line.free_s, now_s)
        if line.until_s > now_s:
            took_s = len(data or b"") / line.bytes_per_s if line.bytes_per_s else 60.0
            due_s = min(due_s + took_s, line.until_s)
        line.free_s = max(line.free_s, due_s)
        line.queue.append(data)
        to.loop.call_at(line.free_s, self.release, to, line)

    def release(self, to: MemoryTransport, line: Line) -> None:
        data = line.queue.popleft()
        if not line.dead:
            self.deliver_now(to, data)


def cut_all(loop: asyncio.AbstractEventLoop) -> None:
    """Break every connection of the maker."""
    for end in transports_of(loop, maker=True):
        end.cut()


def transports_of(loop: asyncio.AbstractEventLoop, *, maker: bool) -> list[MemoryTransport]:
    """Return the ends of the live connections on the maker's side, or on the venue's."""
    live: set[MemoryTransport] = loop.live      # type: ignore[attr-defined]
    return sorted((t for t in live
                   if (t.get_extra_info("sockname")[1] != VENUE_PORT) == maker),
                  key=lambda t: t.get_extra_info("sockname"))
