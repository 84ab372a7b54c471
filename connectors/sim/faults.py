"""What goes wrong on demand: a seeded plan, and what it does to frames, requests and sockets.

Times are seconds since the exchange started. A fault applies from `from_s` to `until_s`, to what
fits its `channel` or `method` pattern, by the lot of `share`, after `skip` chances, `count` times.
"""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

Kind = Literal["drop", "delay", "duplicate", "reorder", "gap", "half_open", "close", "error",
               "maintenance", "lock", "slow_reader"]
FRAME_KINDS = frozenset({"drop", "delay", "duplicate", "reorder", "gap"})
REQUEST_KINDS = frozenset({"error", "close", "half_open"})
PLATFORM_KINDS = frozenset({"maintenance", "lock"})
REORDER_MAX_NS = 1_000_000_000
RESPONSE = "response"       # the channel name of frames that answer a request
HEARTBEAT = "heartbeat"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong; keys that its kind does not use must stay at their defaults."""

    kind: Kind
    channel: str = "*"          # of frames: a channel name, "response" or "heartbeat"
    method: str = "*"           # of requests
    share: float = 1.0
    skip: int = 0
    count: int | None = None    # None: no end
    from_s: float = 0.0
    until_s: float | None = None
    delay_ms: float = 0.0       # delay; maintenance: warning before the sockets close
    code: int = 0               # error: the venue's code; close: the close code, 1006 cuts the line
    answered: bool = False      # close: only after the request took effect, its answer lost
    length: int = 1             # gap: consecutive book changes lost
    bytes_per_s: int = 0        # slow_reader

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"{self.kind}: share {self.share} must be above 0 and at most 1")
        if self.skip < 0 or self.length < 1 or self.delay_ms < 0 or self.from_s < 0:
            raise ValueError(f"{self.kind}: skip, delay_ms, from_s must be 0 or more, length 1")
        if self.until_s is not None and self.until_s <= self.from_s:
            raise ValueError(f"{self.kind}: until_s must be after from_s")
        if self.kind in PLATFORM_KINDS and self.until_s is None:
            raise ValueError(f"{self.kind}: needs until_s")
        needs = {"delay": "delay_ms", "error": "code", "close": "code",
                 "slow_reader": "bytes_per_s"}.get(self.kind)
        if needs is not None and not getattr(self, needs):
            raise ValueError(f"{self.kind}: needs {needs}")
        if self.method != "*" and self.kind not in REQUEST_KINDS:
            raise ValueError(f"{self.kind}: has no method")
        if self.channel != "*" and self.kind not in FRAME_KINDS:
            raise ValueError(f"{self.kind}: has no channel")


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults in the order they are tried; the first that hits a frame or request decides."""

    seed: int = 1
    fault: tuple[Fault, ...] = ()


def read_plan(text: bytes) -> FaultPlan:
    """Read a plan from TOML (`[[fault]]` tables); ValueError says what is wrong."""
    try:
        return msgspec.toml.decode(text, type=FaultPlan)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"fault plan: {error}") from None


def channel_of(frame: bytes) -> str:
    """Return the channel of an outgoing WebSocket frame."""
    head = frame[:160]
    at = head.find(b'"channel":"')
    if at >= 0:
        return head[at + 11:head.index(b'"', at + 11)].decode()
    return HEARTBEAT if b'"heartbeat"' in head else RESPONSE


class Line:
    """What the plan remembers of one connection."""

    def __init__(self) -> None:
        self.gap_left: dict[str, int] = {}
        self.held: list[tuple[str, bytes, int]] = []    # reordered: channel, frame, since
        self.backlog: list[bytes] = []                  # of a slow reader
        self.budget_bytes = 0.0
        self.budget_ns = 0
        self.dead = False                               # half open: nothing passes any more
        self.killer: Fault | None = None                # what made it so


class Faults:
    """A plan at work. Its lots come from its own seed, so the market is the same without it."""

    def __init__(self, plan: FaultPlan, start_ns: int) -> None:
        self.plan = plan
        self.start_ns = start_ns
        self.random = random.Random(plan.seed)
        self.chances = [0] * len(plan.fault)
        self.hits = [0] * len(plan.fault)
        self.later: list[tuple[int, int, object, bytes]] = []
        self.sequence = 0

    def add(self, fault: Fault) -> None:
        """Let one more thing go wrong."""
        self.plan = msgspec.structs.replace(self.plan, fault=(*self.plan.fault, fault))
        self.chances.append(0)
        self.hits.append(0)

    def active(self, fault: Fault, t_ns: int) -> bool:
        at_s = (t_ns - self.start_ns) / 1e9
        return fault.from_s <= at_s and (fault.until_s is None or at_s < fault.until_s)

    def strikes(self, number: int, t_ns: int) -> bool:
        """Count a chance of a fault; say whether it hits."""
        fault = self.plan.fault[number]
        if not self.active(fault, t_ns):
            return False
        if fault.count is not None and self.hits[number] >= fault.count:
            return False
        self.chances[number] += 1
        if self.chances[number] <= fault.skip:
            return False
        if fault.share < 1.0 and self.random.random() >= fault.share:
            return False
        self.hits[number] += 1
        return True

    # ---- requests
    def on_request(self, method: str, t_ns: int) -> Fault | None:
        """Return what happens to a request instead of, or after, its answer."""
        for number, fault in enumerate(self.plan.fault):
            if (fault.kind in REQUEST_KINDS and fnmatchcase(method, fault.method)
                    and self.strikes(number, t_ns)):
                return fault
        return None

    # ---- frames on their way out
    def pass_frames(self, line: Line, owner: object, frames: list[bytes],
                    t_ns: int) -> list[bytes]:
        """Return the frames to write now; others are lost, or come back from `due`."""
        if line.dead:
            return []
        out: list[bytes] = []
        for frame in frames:
            channel = channel_of(frame)
            fault = self.on_frame(channel, line, frame, t_ns)
            if fault is None or fault.kind == "duplicate":
                out += [frame] if fault is None else [frame, frame]
                out += self.released(line, channel)
            elif fault.kind == "delay":
                self.sequence += 1
                self.later.append(
                    (t_ns + int(fault.delay_ms * 1e6), self.sequence, owner, frame))
            elif fault.kind == "reorder":
                line.held.append((channel, frame, t_ns))
        out += self.released(line, "", t_ns)
        return self.throttled(line, out, t_ns)

    def on_frame(self, channel: str, line: Line, frame: bytes, t_ns: int) -> Fault | None:
        book = channel.startswith("book.") and b'"type":"change"' in frame[:400]
        for number, fault in enumerate(self.plan.fault):
            if fault.kind not in FRAME_KINDS or not fnmatchcase(channel, fault.channel):
                continue
            if fault.kind == "gap":
                left = line.gap_left.get(channel, 0)
                if book and left:
                    line.gap_left[channel] = left - 1
                    return fault
                if not book:
                    continue
            if self.strikes(number, t_ns):
                if fault.kind == "gap":
                    line.gap_left[channel] = fault.length - 1
                return fault
        return None

    def released(self, line: Line, channel: str, t_ns: int = 0) -> list[bytes]:
        """Return the held frames that a frame of another channel has now overtaken."""
        out = [f for c, f, since in line.held
               if (channel and c != channel) or (t_ns and t_ns - since >= REORDER_MAX_NS)]
        if out:
            line.held = [h for h in line.held if h[1] not in out]
        return out

    def throttled(self, line: Line, frames: list[bytes], t_ns: int) -> list[bytes]:
        """Hold back what a slow reader has not taken yet."""
        rate = next((f.bytes_per_s for f in self.plan.fault
                     if f.kind == "slow_reader" and self.active(f, t_ns)), 0)
        line.backlog += frames
        if not rate:
            out, line.backlog = line.backlog, []
            return out
        line.budget_bytes = min(float(rate), line.budget_bytes
                                + rate * (t_ns - line.budget_ns) / 1e9)
        line.budget_ns = t_ns
        out = []
        while line.backlog and line.budget_bytes >= len(line.backlog[0]):
            out.append(line.backlog.pop(0))
            line.budget_bytes -= len(out[-1])
        return out

    def due(self, t_ns: int) -> list[tuple[object, bytes]]:
        """Return (owner, frame) of the delayed frames whose time has come, in their order."""
        ready = sorted((entry for entry in self.later if entry[0] <= t_ns), key=lambda e: e[:2])
        if ready:
            self.later = [entry for entry in self.later if entry[0] > t_ns]
        return [(owner, frame) for _, _, owner, frame in ready]

    def next_due_ns(self) -> int | None:
        return min((entry[0] for entry in self.later), default=None)
