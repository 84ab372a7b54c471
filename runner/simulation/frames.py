"""WebSocket frames as a network sees them: taken apart, named by what they say, made anew."""

import json
from collections.abc import Iterator

import msgspec

from mmcore.types import ActionKind

ANSWERS = {
    ActionKind.ACTION_NEW: "new", ActionKind.ACTION_EDIT: "edit",
    ActionKind.ACTION_CANCEL: "cancel", ActionKind.ACTION_CANCEL_INSTRUMENT: "pull",
    ActionKind.ACTION_CANCEL_ALL: "cancel_all", ActionKind.ACTION_MASS_QUOTE: "quoted"}
ANSWER = b'{"jsonrpc":"2.0","id":'
HUGE_BYTES = 64 << 20       # beyond what either side takes
COLD, ASKED = "answer:cold", "answer:asked"


def step_of(to_venue: bool, payload: bytes) -> str:
    """Name the kind of a message: request:buy, answer:edit, changes:fill, book …"""
    if to_venue:
        method = payload.partition(b'"method":"')[2].partition(b'"')[0].decode("latin-1")
        return "request:" + method.rpartition("/")[2]
    if payload.startswith(ANSWER):
        kind = int(payload[22:payload.index(b",", 22)]) >> 44
        if kind == 0:
            return COLD
        return "answer:" + ANSWERS[ActionKind(kind)] if kind in ANSWERS else ASKED
    channel = payload.partition(b'"channel":"')[2].partition(b'"')[0].decode("latin-1")
    if channel.startswith("user.changes"):
        if b'"trade_id"' in payload:
            return "changes:fill"
        state = payload.partition(b'"order_state":"')[2].partition(b'"')[0]
        return "changes:" + state.decode("latin-1")
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
            payload = masked(payload, mask)
        yield data[at:head + size], payload
        at = head + size


def masked(payload: bytes, mask: bytes) -> bytes:
    """Mask a payload, or unmask it."""
    size = len(payload)
    whole = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(size, "big")


def as_frame(payload: bytes, *, mask: bytes = b"") -> bytes:
    """Return a payload as one text frame."""
    size, bit = len(payload), 128 if mask else 0
    if size < 126:
        head = b"\x81" + bytes([bit | size])
    elif size < 65536:
        head = b"\x81" + bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        head = b"\x81" + bytes([bit | 127]) + size.to_bytes(8, "big")
    return head + mask + (masked(payload, mask) if mask else payload)


def oversized(payload: bytes, *, mask: bytes = b"") -> bytes:
    """Return the beginning of a frame that says it is larger than anybody takes."""
    bit = 128 if mask else 0
    return b"\x81" + bytes([bit | 127]) + HUGE_BYTES.to_bytes(8, "big") + mask + payload


def request_number(payload: bytes) -> int:
    """Return the id of a request; 0 where it has none that is a number."""
    number = json.loads(payload).get("id")
    return number if isinstance(number, int) else 0


def error_answer(request_id: int, code: int) -> bytes:
    """Return a refusal as the venue words it."""
    return msgspec.json.encode({
        "jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": "told"},
        "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": True})
