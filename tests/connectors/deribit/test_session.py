"""The session without a socket: reads, turns, journal, heartbeats, and what an exception costs."""

import struct
from typing import Any

import msgspec
import picows
import pytest
from deribit_wire import LABELS, book, encoded, note, specs, ticker
from picows.picows import _make_test_ws_frame

from connectors.deribit.encode import Encoder
from connectors.deribit.feed import DeribitFeed
from connectors.deribit.session import DeribitSession, DeribitSink, redacted
from connectors.deribit.trace import EventTrace
from mmcore.engine import Engine
from mmcore.intake import EngineFlag
from mmcore.journal import Journal
from mmcore.params import Params
from mmcore.types import ControlKind

TEXT = picows.WSMsgType.TEXT
RING_DATA = 4096
FRAME_IN, OUT, SESSION = 2, 3, 10


def records(ring: bytearray) -> list[tuple[int, bytes]]:
    """Read (kind, payload) of every record of a ring that has not wrapped."""
    written = struct.unpack_from("<Q", ring, 24)[0]
    at, found = RING_DATA, []
    while at < RING_DATA + written:
        size, kind, _, _ = struct.unpack_from("<IHHq", ring, at)
        found.append((kind, bytes(ring[at + 16:at + 16 + size])))
        at += (16 + size + 15) & ~15
    return found


class Rig:
    def __init__(self, *, trace: bool = True) -> None:
        self.ring = bytearray(RING_DATA + (1 << 20))
        self.now = 1000
        self.clock_calls = 0
        journal = Journal(self.ring)
        self.engine: Engine = (
            EventTrace(journal) if trace else Engine(Params(), specs(), journal))
        sink = DeribitSink(self.engine, Encoder(specs(), LABELS))
        self.session = DeribitSession(DeribitFeed(self.engine, specs(), LABELS), sink, self.clock)

    def clock(self) -> int:
        self.clock_calls += 1
        self.now += 10
        return self.now

    def frame(self, payload: bytes | dict[str, Any], *, fin: bool = True,
              kind: picows.WSMsgType = TEXT) -> None:
        raw = payload if isinstance(payload, bytes) else encoded(payload)
        self.session.on_ws_frame(None, _make_test_ws_frame(kind, raw, fin, False))

    def events(self) -> list[str]:
        assert isinstance(self.engine, EventTrace)
        return [e[0] for e in self.engine.take()]


def test_apply_then_decide() -> None:
    rig = Rig(trace=False)
    rig.frame(book(type="snapshot"))
    rig.frame(ticker())
    counts = rig.session.feed.counts
    assert counts["payloads"] == 2
    assert rig.session.frames == 2
    kinds = [kind for kind, _ in records(rig.ring)]
    assert kinds.count(FRAME_IN) == 2
    payloads = [p for kind, p in records(rig.ring) if kind == FRAME_IN]
    assert payloads == [encoded(book(type="snapshot")), encoded(ticker())]


def test_every_read_ends_in_a_turn_at_the_time_of_the_read() -> None:
    rig = Rig()
    rig.frame(book())
    rig.frame(ticker())
    events = rig.engine.take()
    assert [e[0] for e in events] == ["book", "turn", "ticker", "turn"]
    assert [e[1] for e in events if e[0] == "turn"] == [1010, 1020]
    assert (rig.clock_calls, rig.session.reads) == (2, 2)  # a test frame is a read of its own


def test_fragments_are_put_together() -> None:
    rig = Rig(trace=False)
    raw = encoded(ticker())
    rig.frame(raw[:50], fin=False)
    rig.frame(raw[50:90], fin=False, kind=picows.WSMsgType.CONTINUATION)
    assert rig.session.feed.counts["payloads"] == 0
    rig.frame(raw[90:], kind=picows.WSMsgType.CONTINUATION)
    assert rig.session.feed.counts["payloads"] == 1
    assert rig.session.feed.counts["malformed"] == 0
    assert [p for k, p in records(rig.ring) if k == FRAME_IN] == [raw]


def test_stray_and_endless_fragments() -> None:
    rig = Rig(trace=False)
    rig.frame(b"x", kind=picows.WSMsgType.CONTINUATION)
    rig.frame(b"[", fin=False)
    part = b"[" * (4 << 20)
    for _ in range(5):
        rig.frame(part, fin=False, kind=picows.WSMsgType.CONTINUATION)
    rig.frame(ticker())
    assert rig.session.exceptions == 0
    assert rig.session.feed.counts["payloads"] == 1


@pytest.mark.parametrize("kind", [picows.WSMsgType.PING, picows.WSMsgType.PONG,
                                  picows.WSMsgType.BINARY])
def test_other_frames_are_no_messages(kind: picows.WSMsgType) -> None:
    rig = Rig(trace=False)
    rig.frame(b"abc", kind=kind)
    assert rig.session.feed.counts["payloads"] == 0
    assert rig.session.exceptions == 0


def test_tokens_never_reach_the_journal() -> None:
    answer = {"jsonrpc": "2.0", "id": 5, "result": {
        "access_token": "secret.one\\\"x", "refresh_token": "secret.two", "expires_in": 900,
        "scope": "connection"}}
    raw = encoded(answer)
    clean = redacted(raw)
    assert len(clean) == len(raw)
    assert b"secret" not in clean
    assert msgspec.json.decode(clean)["result"]["expires_in"] == 900
    assert redacted(msgspec.json.format(raw)).count(b"secret") == 0
    rig = Rig(trace=False)
    got: list[bytes] = []
    rig.session.feed.on_cold = got.append
    rig.session.redact = True
    rig.frame(raw)
    assert got == [raw]
    assert [p for k, p in records(rig.ring) if k == FRAME_IN] == [clean]


def test_an_exception_kills_and_keeps_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(trace=False)

    def broken(raw: bytes) -> None:
        raise RuntimeError("a mistake of ours")

    rig.session.feed.on_cold = broken
    rig.frame({"jsonrpc": "2.0", "id": 77, "result": 1})
    assert rig.session.exceptions == 1
    assert rig.engine.take_flags() & 4  # FLAG_KILLED
    assert "a mistake of ours" in caplog.text
    rig.frame(ticker())
    assert rig.session.feed.counts["payloads"] == 2


def test_the_timer_says_whether_cold_work_is_asked_for() -> None:
    rig = Rig(trace=False)
    rig.engine.take_flags()
    assert rig.session.on_timer() is False

    def broken(raw: bytes) -> None:
        raise RuntimeError("a mistake of ours")

    rig.session.feed.on_cold = broken   # the frame kills
    rig.frame({"jsonrpc": "2.0", "id": 77, "result": 1})
    assert rig.session.on_timer() is True
    assert rig.engine.take_flags() & EngineFlag.FLAG_KILLED
    assert rig.session.on_timer() is False


def test_a_lost_connection_reaches_the_engine_and_the_client() -> None:
    rig = Rig()
    closed: list[bool] = []
    rig.session.on_closed = lambda: closed.append(True)
    rig.session.redact = True
    rig.session.on_ws_disconnected(None)
    assert rig.engine.take() == [("control", ControlKind.CONTROL_DISCONNECTED, 0, 0, 0.0)]
    assert closed == [True]
    assert rig.session.redact is False
    assert rig.session.send_text(b"{}") is False


def test_without_a_connection_nothing_is_sent() -> None:
    rig = Rig()
    assert rig.session.send_cancel_all() == 0
    assert rig.session.sink.refused == 1
    assert not rig.session.sink.is_connected


def test_controls_carry_the_time_of_the_seam() -> None:
    rig = Rig()
    rig.session.control(ControlKind.CONTROL_EQUITY, 0, 0, 0.9)
    assert rig.engine.take() == [("control", ControlKind.CONTROL_EQUITY, 0, 0, 0.9)]
    assert rig.session.now_ns() == rig.now


def test_maintenance_note() -> None:
    rig = Rig()
    rig.frame(note("platform_state", {"maintenance": True}))
    assert rig.events().count("control") == 3
