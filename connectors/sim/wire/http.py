"""The HTTP front: GET and POST /api/v2/..., one caller per request."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from aiohttp import web

from connectors.sim.wire.caller import Caller
from connectors.sim.wire.errors import RpcError
from connectors.sim.wire.later import AnswerLaterError
from connectors.sim.wire.methods import Methods
from connectors.sim.wire.params import Params


class Host(Protocol):
    """What the HTTP front needs of its server."""

    clock: Callable[[], int]
    methods: Methods

    def advance(self, t_ns: int) -> None: ...
    def on_read_end(self) -> None: ...


class HttpFront:
    """Serves the requests a socket is not needed for."""

    def __init__(self, server: Host) -> None:
        self.server = server
        self.runner: web.AppRunner | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None, *,
                    or_any: bool = False) -> int:
        """Listen; return the port. or_any: where it is taken, another will do."""
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_route("GET", "/api/v2/{method:.+}", self.on_get)
        app.router.add_route("POST", "/api/v2/{method:.+}", self.on_post)
        app.router.add_route("POST", "/api/v2", self.on_post)
        self.runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self.runner.setup()
        try:
            await web.TCPSite(self.runner, host, port, ssl_context=tls).start()
        except OSError:
            if not or_any:
                raise
            await web.TCPSite(self.runner, host, 0, ssl_context=tls).start()
        return int(self.runner.addresses[0][1])

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()

    async def on_get(self, request: web.Request) -> web.Response:
        params = Params(dict(request.query), lenient=True)
        return await self.answer(request, None, request.match_info["method"], params)

    async def on_post(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            message = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.respond(None, RpcError(11050, data="invalid json"))
        if not isinstance(message, dict):
            return self.respond(None, RpcError(11050, data="invalid request"))
        values = message.get("params")
        method = message.get("method") or request.match_info.get("method", "")
        if not isinstance(method, str) or not isinstance(values, dict | None):
            return self.respond(message.get("id"), RpcError(11050, data="invalid request"))
        return await self.answer(request, message.get("id"), method, Params(values or {}),
                           body)

    async def answer(self, request: web.Request, request_id: Any, method: str, params: Params,
                     body: bytes = b"") -> web.Response:
        server = self.server
        t_ns = server.clock()
        server.advance(t_ns)
        caller = Caller(-1)
        try:
            self.authorise(caller, request, body, t_ns)
            outcome = server.methods.call(caller, method, params, t_ns)
        except AnswerLaterError as later:
            waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            server.methods.tickets.wait(later, lambda found: (
                None if waiting.done() else waiting.set_result(found)))
            server.on_read_end()
            outcome = await waiting
        except RpcError as error:
            outcome = error
        response = self.respond(request_id, outcome, t_ns)
        server.on_read_end()
        return response

    def respond(self, request_id: Any, outcome: Any, t_ns: int | None = None) -> web.Response:
        server = self.server
        if not isinstance(request_id, int | str | float):
            request_id = None
        body = server.methods.envelope(
            request_id, outcome, server.clock, server.clock() if t_ns is None else t_ns)
        return web.Response(body=body, status=400 if isinstance(outcome, RpcError) else 200,
                            content_type="application/json")

    def authorise(self, caller: Caller, request: web.Request, body: bytes, t_ns: int) -> None:
        """Take `Bearer token`, `Basic id:secret` or `deri-hmac-sha256 id=…,ts=…,nonce=…,sig=…`.

        No header is an unauthenticated caller.
        """
        header = request.headers.get("Authorization", "")
        kind, _, value = header.partition(" ")
        if not header:
            return
        server = self.server
        auth = server.methods.venue.auth
        if kind.lower() == "bearer":
            caller.adopt(auth.by_token(value, -1, t_ns), t_ns)
            return
        if kind.lower() == "deri-hmac-sha256":
            client_id = auth.check_http(value, request.method, request.raw_path,
                                        body.decode("utf-8", "replace"), t_ns)
        elif kind.lower() == "basic":
            client_id = self.basic(value)
        else:
            raise RpcError(13009, data={"reason": "unknown authorization"})
        caller.account = server.methods.exchange.open_account(
            client_id, t_ns, *server.methods.venue.settings.balance_e8, False)
        caller.client_id = client_id
        caller.scope = "account:read_write trade:read_write wallet:read_write"
        caller.expires_ns = t_ns + 60_000_000_000

    def basic(self, value: str) -> str:
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise RpcError(13004) from None
        self.server.methods.venue.auth.check_secret(client_id, secret)
        return client_id
