"""The way through an HTTP proxy: CONNECT, then the venue's own TLS inside."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.deribit.connection import fetch_instruments
from connectors.deribit.session import CONNECT_ERRORS
from connectors.sim.market import open_market
from connectors.sim.wire.server import SimConfig, serve
from runner.guard import Guard, GuardSettings, Rest


class Proxy:
    """A proxy that knows CONNECT; `lines` are the requests and `keys` their authorizations."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.keys: list[str] = []
        self.refuse = False

    async def start(self) -> asyncio.Server:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self.server

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.lines.append(head.partition("\r\n")[0])
        self.keys += [line.partition(": ")[2] for line in head.split("\r\n")
                      if line.lower().startswith("proxy-authorization")]
        if self.refuse:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            writer.close()
            return
        host, _, port = head.split()[1].partition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer),
                             return_exceptions=True)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def certificate(folder: Path) -> dict[str, Any]:
    """Make a certificate of localhost, and an authority's that vouches for it, in ca.pem."""
    authority = trustme.CA()
    served = authority.issue_cert("localhost")
    served.private_key_pem.write_to_path(folder / "key.pem")
    for pem in served.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return {"tls_cert": str(folder / "cert.pem"), "tls_key": str(folder / "key.pem")}


def through_a_proxy(tmp_path: Path, *, tls: bool, login: str = "", refuse: bool = False) -> Proxy:
    async def main() -> Proxy:
        files = certificate(tmp_path) if tls else {}
        venue = await serve(SimConfig(market=open_market(), http=False, host="localhost", **files))
        proxy = Proxy()
        proxy.refuse = refuse
        server = await proxy.start()
        try:
            listed, _ = await fetch_instruments(
                f"{'wss' if tls else 'ws'}://localhost:{venue.ws_port}/ws/api/v2",
                ca_file=str(tmp_path / "ca.pem") if tls else None,
                proxy=f"http://{login}127.0.0.1:{proxy.port}")
            assert listed
            assert proxy.lines == [f"CONNECT localhost:{venue.ws_port} HTTP/1.1"]
        finally:
            server.close()
            await venue.stop()
        return proxy

    return asyncio.run(main())


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_goes_through_the_proxy(tmp_path: Path, tls: bool) -> None:
    assert through_a_proxy(tmp_path, tls=tls).keys == []


def test_a_proxy_with_a_password(tmp_path: Path) -> None:
    proxy = through_a_proxy(tmp_path, tls=False, login="me:secret@")
    assert proxy.keys == ["Basic " + base64.b64encode(b"me:secret").decode()]


def test_a_proxy_that_refuses_is_a_connection_error(tmp_path: Path) -> None:
    with pytest.raises(CONNECT_ERRORS):
        through_a_proxy(tmp_path, tls=False, refuse=True)


def test_the_second_path_goes_through_the_proxy(tmp_path: Path) -> None:
    """The guard's cancel: the same proxy, the same authority, TLS from end to end."""
    async def main() -> tuple[bool, list[str], list[str], int]:
        venue = await serve(SimConfig(market=open_market(), host="localhost",
                                      **certificate(tmp_path)))
        proxy = Proxy()
        server = await proxy.start()
        settings = GuardSettings(
            rest_url=f"https://localhost:{venue.http_port}/api/v2", client_id="maker",
            client_secret="maker", hang_s=60.0, ca_file=str(tmp_path / "ca.pem"),
            proxy=f"http://me:secret@127.0.0.1:{proxy.port}")
        rest = Rest(settings)
        try:
            await rest.ask("private/sell", instrument_name="BTC-PERPETUAL", amount="100",
                           type="limit", price="100000", post_only="true")
            (order,) = await rest.ask("private/get_open_orders")
            assert order["amount"] == 100
            cancelled = await Guard(settings, rest, 0).cancel("BTC-PERPETUAL")
            left = await rest.ask("private/get_open_orders")
            return cancelled, proxy.lines, proxy.keys, len(left)
        finally:
            await rest.http.close()
            server.close()
            await venue.stop()

    cancelled, lines, keys, left = asyncio.run(main())
    assert cancelled
    assert left == 0
    assert {line.split()[0] for line in lines} == {"CONNECT"}
    assert set(keys) == {"Basic " + base64.b64encode(b"me:secret").decode()}
