"""Requests are written by hand for speed; this is what they must mean."""

import socket
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deribit.encode import Encoder, decimal_of, frame_of
from connectors.deribit.labels import Labels
from connectors.deribit.messages import Request
from mmcore.types import ActionKind, InstrumentSpec, TimeInForce

LABELS = Labels("mm", run=0xC0FFEE, config=0xABC)
SPECS = [
    InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10),
    InstrumentSpec("BTC_USDC-PERPETUAL", tick_size=0.1, contract_size=0.0001, inverse=False),
    InstrumentSpec("BTC-25DEC26", tick_size=2.5, contract_size=10),
    InstrumentSpec("BTC-FINE", tick_size=0.01, contract_size=1),
]
TICKS = [Decimal("0.5"), Decimal("0.1"), Decimal("2.5"), Decimal("0.01")]
CONTRACTS = [Decimal(10), Decimal("0.0001"), Decimal(10), Decimal(1)]
TIF = {TimeInForce.TIF_IOC: "immediate_or_cancel", TimeInForce.TIF_FOK: "fill_or_kill"}

ids = st.from_regex(r"[A-Z0-9-]{1,32}", fullmatch=True)
actions = st.fixed_dictionaries({
    "kind": st.sampled_from([k for k in ActionKind if k != ActionKind.ACTION_MASS_QUOTE]),
    "market": st.integers(0, 3),
    "slot": st.integers(0, 23),
    "side": st.integers(0, 1),
    "generation": st.integers(0, 0xFFFFFF),
    "time_in_force": st.sampled_from(list(TimeInForce)),
    "post_only": st.booleans(),
    "reduce_only": st.booleans(),
    "price_ticks": st.integers(1, 10**8),
    "amount_contracts": st.integers(1, 10**9),
    # any but a mass quote's, which is several actions
    "request_id": st.integers(1 << 44, 2**53 - 1).filter(lambda i: i >> 44 != 8),
    "valid_until_ms": st.one_of(st.just(0), st.integers(1, 2**45)),
    "order_id": ids,
}).map(lambda a: a if a["time_in_force"] == TimeInForce.TIF_GTC else a | {"post_only": False})


def test_every_short_number() -> None:
    for number in [*range(20_000), *(10**n + d for n in range(4, 19) for d in (-1, 0, 1))]:
        assert decimal_of(number, 1) == str(number)


def expected(a: dict[str, Any]) -> Request:
    """Build the request of an action the slow way, from decimals."""
    market = a["market"]
    name = SPECS[market].name
    terms: dict[str, Any] = {
        "amount": float(a["amount_contracts"] * CONTRACTS[market]),
        "price": float(a["price_ticks"] * TICKS[market]),
        "post_only": a["post_only"],
    }
    if a["post_only"]:
        terms["reject_post_only"] = True
    if a["reduce_only"]:
        terms["reduce_only"] = True
    if a["valid_until_ms"]:
        terms["valid_until"] = a["valid_until_ms"]
    match a["kind"]:
        case ActionKind.ACTION_NEW:
            method = "private/sell" if a["side"] else "private/buy"
            label = LABELS.write(market, a["slot"], a["generation"])
            params = {"instrument_name": name, "type": "limit", "label": label} | terms
            if a["time_in_force"] in TIF:
                params["time_in_force"] = TIF[a["time_in_force"]]
        case ActionKind.ACTION_EDIT:
            method, params = "private/edit", {"order_id": a["order_id"]} | terms
        case ActionKind.ACTION_CANCEL:
            method, params = "private/cancel", {"order_id": a["order_id"]}
        case ActionKind.ACTION_CANCEL_INSTRUMENT:
            method, params = "private/cancel_all_by_instrument", {"instrument_name": name}
        case _:
            method, params = "private/cancel_all", {}
    return Request(id=a["request_id"], method=method, params=params)


def unframed(data: bytes) -> list[bytes]:
    """Undo client framing: masked text frames below 64 KiB."""
    texts = []
    while data:
        assert data[0] == 0x81
        assert data[1] & 0x80
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
            assert size > 125
        assert size < 65536
        mask, data = data[at:at + 4], data[at + 4:]
        texts.append(bytes(c ^ mask[i % 4] for i, c in enumerate(data[:size])))
        assert len(texts[-1]) == size
        data = data[size:]
    return texts


@given(st.lists(actions, max_size=64), st.integers(0, 2**64))
def test_batches_mean_what_they_should(batch: list[dict[str, Any]], seed: int) -> None:
    texts, frames = Encoder(SPECS, LABELS, mask_seed=seed).encode_actions(batch)
    decode = msgspec.json.Decoder(Request).decode
    assert [decode(t) for t in texts] == [expected(a) for a in batch]
    assert unframed(frames) == texts


def test_exact_text() -> None:
    texts, _ = Encoder(SPECS, LABELS).encode_actions([{
        "kind": ActionKind.ACTION_NEW, "market": 0, "slot": 10, "side": 1, "generation": 5,
        "post_only": True, "price_ticks": 116681, "amount_contracts": 120,
        "request_id": 17592186044421, "valid_until_ms": 1790000001000,
    }])
    assert texts == [
        (b'{"jsonrpc":"2.0","id":17592186044421,"method":"private/sell","params":'
        b'{"instrument_name":"BTC-PERPETUAL","amount":1200,"price":58340.5,"type":"limit",'
        b'"label":"mm00c0ffee-00a-000005-00000abc","post_only":true,"reject_post_only":true,'
        b'"valid_until":1790000001000}}')
    ]


@pytest.mark.parametrize("change", [
    {"kind": 0}, {"kind": 7}, {"market": 4}, {"market": -1}, {"price_ticks": 0},
    {"price_ticks": -5}, {"amount_contracts": 0}, {"generation": 1 << 24},
    {"kind": ActionKind.ACTION_EDIT, "order_id": ""},
    {"kind": ActionKind.ACTION_CANCEL, "order_id": ""},
    {"kind": ActionKind.ACTION_CANCEL, "order_id": "9" * 33},
    {"post_only": True, "time_in_force": TimeInForce.TIF_IOC},
])
def test_what_is_no_message_is_refused(change: dict[str, Any]) -> None:
    good = {"kind": ActionKind.ACTION_NEW, "price_ticks": 1, "amount_contracts": 1,
            "request_id": 1 << 44}
    encoder = Encoder(SPECS, LABELS)
    encoder.encode_actions([good])
    with pytest.raises(ValueError, match="cannot be written"):
        encoder.encode_actions([good, good | change])


@given(st.integers(-(2**62), 2**62), st.integers(0, 9))
def test_decimals_are_exact(units: int, decimals: int) -> None:
    text = decimal_of(units, 10**decimals)
    assert Decimal(text) == Decimal(units).scaleb(-decimals)
    assert not text.endswith(".")
    assert "." not in text or not text.endswith("0")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 31, 32, 33, 125, 126, 127, 200, 65535])
@pytest.mark.parametrize("mask", [0, 1, 0xFFFFFFFF, 0x01020304])
def test_frame_layout(size: int, mask: int) -> None:
    text = bytes(i % 251 for i in range(size))
    frame = frame_of(text, mask)
    assert unframed(frame) == [text]
    at = 2 if size < 126 else 4
    assert frame[at:at + 4] == mask.to_bytes(4, "little")


def test_frames_are_those_of_picows() -> None:
    """The library's own client writes the same header and, unmasked, the same bytes."""
    import asyncio

    import picows

    texts = [b"x" * n for n in (1, 125, 126, 300, 4000)]

    async def captured() -> bytes:
        """Accept one client by hand and keep the raw bytes behind the handshake."""
        server = socket.create_server(("127.0.0.1", 0))
        server.setblocking(False)
        loop = asyncio.get_running_loop()

        async def accept() -> bytes:
            peer, _ = await loop.sock_accept(server)
            with peer:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += await loop.sock_recv(peer, 4096)
                key = head.lower().split(b"sec-websocket-key:")[1].split(b"\r\n")[0]
                key = head[head.lower().index(key):][:len(key)].strip()
                import base64
                import hashlib

                guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept_key = base64.b64encode(
                    hashlib.sha1(key + guid, usedforsecurity=False).digest())
                await loop.sock_sendall(
                    peer, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept_key + b"\r\n\r\n")
                data = b""
                wanted = sum(len(frame_of(t, 0)) for t in texts)
                while len(data) < wanted:
                    data += await loop.sock_recv(peer, 65536)
                return data

        task = asyncio.ensure_future(accept())
        port = server.getsockname()[1]
        transport, _ = await picows.ws_connect(picows.WSListener, f"ws://127.0.0.1:{port}/")
        for text in texts:
            transport.send(picows.WSMsgType.TEXT, text)
        data = await asyncio.wait_for(task, 10)
        transport.disconnect(graceful=False)
        await transport.wait_disconnected()
        server.close()
        return data

    theirs = asyncio.run(captured())
    assert unframed(theirs) == texts
    at = 0
    for text in texts:
        ours = frame_of(text, 0)
        start = len(ours) - len(text) - 4
        assert theirs[at:at + start] == ours[:start]
        at += len(ours)
