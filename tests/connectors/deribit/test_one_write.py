"""One decision leaves in one write: counted by the kernel in segments, over TCP and TLS."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable

import picows
import pytest
import trustme
from deribit_wire import LABELS
from desk import Desk

from connectors.deribit.encode import Encoder
from connectors.deribit.feed import DeribitFeed
from connectors.deribit.session import DeribitSession, DeribitSink, open_connection

DATA_SEGS_OUT = 156         # place of tcpi_data_segs_out in struct tcp_info


class Listener(picows.WSListener):
    """Counts the messages it gets."""

    def __init__(self) -> None:
        self.texts = 0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self.texts += frame.msg_type == picows.WSMsgType.TEXT


def segments(session: DeribitSession) -> int:
    """Data segments the client's socket has sent; loopback takes 64 kB in one."""
    sock: socket.socket = session.transport.underlying_transport.get_extra_info("socket")
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("<I", info, DATA_SEGS_OUT)[0])


async def edits_and_segments(levels: int, *, tls: bool) -> tuple[int, int, int]:
    """(Edits of one decision, segments they left in, messages the other end saw)."""
    server_tls = client_tls = None
    if tls:
        ca = trustme.CA()
        server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(server_tls)
        client_tls = ssl.create_default_context()
        ca.configure_trust(client_tls)
    far = Listener()
    server = await picows.ws_create_server(lambda _: far, "localhost", 0, ssl=server_tls)
    port = server.sockets[0].getsockname()[1]
    desk = Desk({"quote.levels": levels, "orders.max_updates_per_s": 1000, "quote.vol_k": 0,
                 "quote.level_spacing_bps": 18})
    for _ in range(2):
        desk.accept(desk.turn())
    sink = DeribitSink(desk.engine, Encoder(desk.specs, LABELS))
    session = DeribitSession(DeribitFeed(desk.engine, desk.specs, LABELS), sink,
                             lambda: desk.now_ns)
    await open_connection(session, f"{'wss' if tls else 'ws'}://localhost:{port}/",
                          ssl_context=client_tls)
    desk.engine.attach(sink)
    desk.wait(500)
    desk.snapshot(bid=75_049.5, ask=75_050.5)        # no order serves another rung
    await asyncio.sleep(0.05)
    before, seen = segments(session), far.texts
    edits = desk.engine.run_turn(desk.now_ns)
    after = segments(session)
    for _ in range(100):
        if far.texts == seen + edits:
            break
        await asyncio.sleep(0.01)
    session.close()
    server.close()
    await asyncio.sleep(0.05)
    return edits, after - before, far.texts - seen


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("levels", [1, 4])
def test_edits_of_one_decision_leave_in_one_write(
        levels: int, tls: bool, figure: Callable[[str], None]) -> None:
    edits, writes, arrived = asyncio.run(edits_and_segments(levels, tls=tls))
    figure(f"{edits} edits, {writes} write, {arrived} messages arrived")
    assert (edits, writes, arrived) == (2 * levels, 1, 2 * levels)
