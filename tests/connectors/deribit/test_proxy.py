"""The way through an HTTP proxy: CONNECT, then the venue's own TLS inside."""

import asyncio
import base64
from typing import Any

import pytest
import trustme

from connectors.deribit.connection import fetch_instruments
from connectors.deribit.session import CONNECT_ERRORS
from connectors.sim.market import open_market
from connectors.sim.wire.server import SimConfig, serve


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


def through_a_proxy(tmp_path: Any, *, tls: bool, login: str = "", refuse: bool = False) -> Proxy:
    async def main() -> Proxy:
        files: dict[str, Any] = {}
        if tls:
            authority = trustme.CA()
            served = authority.issue_cert("localhost")
            served.private_key_pem.write_to_path(tmp_path / "key.pem")
            for pem in served.cert_chain_pems:
                pem.write_to_path(tmp_path / "cert.pem", append=True)
            authority.cert_pem.write_to_path(tmp_path / "ca.pem")
            files = {"tls_cert": str(tmp_path / "cert.pem"),
                     "tls_key": str(tmp_path / "key.pem")}
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
def test_a_connection_goes_through_the_proxy(tmp_path: Any, tls: bool) -> None:
    assert through_a_proxy(tmp_path, tls=tls).keys == []


def test_a_proxy_with_a_password(tmp_path: Any) -> None:
    proxy = through_a_proxy(tmp_path, tls=False, login="me:secret@")
    assert proxy.keys == ["Basic " + base64.b64encode(b"me:secret").decode()]


def test_a_proxy_that_refuses_is_a_connection_error(tmp_path: Any) -> None:
    with pytest.raises(CONNECT_ERRORS):
        through_a_proxy(tmp_path, tls=False, refuse=True)
