"""The guard: a process of its own that can cancel everything when the reactor cannot.

It holds the keys and a warm HTTPS connection. Lines on its standard input: settings as JSON first,
then `.` while the reactor's loop runs, an instrument's name or `*` to cancel there or everywhere,
`bye` before an orderly end. No `.` for a while means a hung reactor: everything is cancelled and
the reactor ended, so that its socket closes and cancel-on-disconnect works. An end without `bye`
is a reactor that died: everything is cancelled too. What happens is told as JSON lines.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import secrets
import signal
import ssl
import sys
import time
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from yarl import URL

CANCEL_ALL = "private/cancel_all"
CANCEL_BY_INSTRUMENT = "private/cancel_all_by_instrument"
OPEN_ORDERS = "private/get_open_orders"
TEST = "public/test"
EVERYWHERE = "*"
WARM_S = 10.0
ANSWER_S = 2.0
PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
LAST_WORD_S = 20.0      # to cancel for a reactor that is gone
KILL_AFTER_S = 2.0      # a hung reactor ends so long after, cancelled or not
GRACE_S = 0.3           # after a machine's sleep both wake together; the reactor beats first


class GuardSettings(msgspec.Struct, frozen=True):
    """What a guard is told; it comes over the pipe, never on the command line."""

    rest_url: str
    client_id: str
    client_secret: str
    hang_s: float
    ca_file: str | None = None
    proxy: str | None = None


class VenueError(Exception):
    """The venue refused, or said nothing that can be read."""


class Rest:
    """Signed requests over one connection that is kept open."""

    def __init__(self, settings: GuardSettings) -> None:
        self.settings = settings
        tls = (ssl.create_default_context(cafile=settings.ca_file)
               if settings.rest_url.startswith("https://") else True)
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=4, keepalive_timeout=600.0),
            timeout=aiohttp.ClientTimeout(total=ANSWER_S))

    async def ask(self, method: str, **params: str) -> Any:
        """Return the result; raises VenueError, aiohttp.ClientError or TimeoutError."""
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in params.items())
        url = f"{self.settings.rest_url}/{method}" + (f"?{query}" if query else "")
        headers = {}
        if method.startswith("private/"):
            parts = urlsplit(url)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            headers["Authorization"] = authorization(
                self.settings, "GET", target, int(time.time() * 1000), secrets.token_hex(8))
        async with self.http.get(URL(url, encoded=True), headers=headers,
                                 proxy=self.settings.proxy) as answer:
            body = await answer.read()
        try:
            message = msgspec.json.decode(body)
            if "error" in message:
                raise VenueError(f"{method}: {message['error']}")
            return message["result"]
        except (msgspec.DecodeError, KeyError, TypeError):
            raise VenueError(f"{method}: HTTP {answer.status}, {body[:100]!r}") from None


def authorization(settings: GuardSettings, method: str, target: str, ts_ms: int, nonce: str,
                  body: str = "") -> str:
    """Return the header that signs one request: nothing to log in with, nothing to expire."""
    text = f"{ts_ms}\n{nonce}\n{method}\n{target}\n{body}\n"
    signature = hmac.new(settings.client_secret.encode(), text.encode(),
                         hashlib.sha256).hexdigest()
    return (f"deri-hmac-sha256 id={settings.client_id},ts={ts_ms},nonce={nonce},"
            f"sig={signature}")


class Guard:
    """Listens to the reactor and acts for it."""

    def __init__(self, settings: GuardSettings, rest: Rest, reactor_pid: int) -> None:
        self.settings = settings
        self.rest = rest
        self.reactor_pid = reactor_pid
        self.beats = 0
        self.bye = False
        self.reachable: bool | None = None
        self.firing: dict[str, asyncio.Task[bool]] = {}

    async def run(self, lines: asyncio.StreamReader) -> int:
        """Serve until the reactor leaves, dies or hangs; return the exit code."""
        warming = asyncio.ensure_future(self.keep_warm())
        try:
            while True:
                try:
                    async with asyncio.timeout(self.settings.hang_s if self.beats else None):
                        line = await lines.readline()
                except TimeoutError:
                    if await self.hangs(lines):
                        return 1
                    continue
                if not line:
                    return await self.left()
                self.take(line.decode("ascii", "replace").strip())
        finally:
            warming.cancel()

    def take(self, word: str) -> None:
        if word == ".":
            self.beats += 1
        elif word == "bye":
            self.bye = True
        elif word:
            self.fire(word)

    def fire(self, target: str) -> "asyncio.Task[bool]":
        """Begin to cancel an instrument's orders, or all; one attempt of each at a time."""
        task = self.firing.get(target)
        if task is None or task.done():
            task = asyncio.ensure_future(self.cancel(target))
            self.firing[target] = task
        return task

    async def cancel(self, target: str) -> bool:
        """Cancel until the venue says it has; False where it never did."""
        began = time.monotonic()
        for pause_s in itertools.chain(PAUSES_S, [0.0]):
            try:
                if target == EVERYWHERE:
                    count = await self.rest.ask(CANCEL_ALL)
                else:
                    count = await self.rest.ask(CANCEL_BY_INSTRUMENT, instrument_name=target)
                tell("cancelled", target=target, count=count,
                     ms=round((time.monotonic() - began) * 1e3, 1))
                return True
            except (aiohttp.ClientError, TimeoutError, OSError, VenueError) as error:
                tell("failed", target=target, why=str(error) or type(error).__name__)
                await asyncio.sleep(pause_s)
        return False

    async def cancel_and_verify(self) -> bool:
        """Cancel everything until a query shows no order, for LAST_WORD_S at most."""
        end = time.monotonic() + LAST_WORD_S
        while time.monotonic() < end:
            try:
                if await self.fire(EVERYWHERE) and not await self.rest.ask(OPEN_ORDERS):
                    return True
            except (aiohttp.ClientError, TimeoutError, OSError, VenueError) as error:
                tell("failed", target=EVERYWHERE, why=str(error) or type(error).__name__)
            await asyncio.sleep(0.1)
        return False

    async def hangs(self, lines: asyncio.StreamReader) -> bool:
        """Make sure that the reactor's loop stands still; then cancel everything and end it."""
        try:
            async with asyncio.timeout(GRACE_S):
                line = await lines.readline()
        except TimeoutError:
            pass
        else:
            if line:
                self.take(line.decode("ascii", "replace").strip())
                return False
            await self.left()
            return True
        tell("hung", pid=self.reactor_pid)
        cancelling = asyncio.ensure_future(self.cancel_and_verify())
        await asyncio.wait({cancelling}, timeout=KILL_AFTER_S)
        if os.getppid() == self.reactor_pid:
            os.kill(self.reactor_pid, signal.SIGKILL)
        tell("ended", verified=await cancelling)
        return True

    async def left(self) -> int:
        """The pipe has ended. Without a goodbye the reactor is dead and its orders may not be."""
        if self.bye:
            return 0
        verified = await self.cancel_and_verify()
        tell("orphaned", verified=verified)
        return 0 if verified else 1

    async def keep_warm(self) -> None:
        """Use the connection often enough that the venue keeps it; say when it cannot be had."""
        while True:
            began = time.monotonic()
            why = ""
            try:
                await self.rest.ask(TEST)
            except (aiohttp.ClientError, TimeoutError, OSError, VenueError) as error:
                why = str(error) or type(error).__name__
            if self.reachable != (not why):
                self.reachable = not why
                tell("warm" if not why else "unreachable", why=why,
                     ms=round((time.monotonic() - began) * 1e3, 1))
            await asyncio.sleep(WARM_S if not why else 1.0)


def tell(event: str, **facts: Any) -> None:
    """Say one thing to the reactor; it may be gone."""
    try:
        sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()
    except OSError:
        return


async def serve() -> int:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    first = await lines.readline()
    if not first:
        return 0
    rest = Rest(msgspec.json.decode(first, type=GuardSettings))
    try:
        return await Guard(rest.settings, rest, os.getppid()).run(lines)
    finally:
        await rest.http.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
