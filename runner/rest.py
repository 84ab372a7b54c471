"""Signed requests over HTTPS: the path to the venue that needs no connection of the reactor's."""

import hashlib
import hmac
import secrets
import ssl
import time
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from yarl import URL

ANSWER_S = 2.0


class GuardSettings(msgspec.Struct, frozen=True):
    """What a guard is told; it comes over the pipe, never on the command line."""

    rest_url: str
    client_id: str
    client_secret: str
    hang_s: float
    label_prefix: str = "mm"
    deadman_pct: float = 0.0
    deadman_every_s: float = 5.0
    blind_after_s: float = 0.0
    blind_btc: float = 0.0
    clip_btc: float = 0.05
    cap_bps: float = 50.0
    ca_file: str | None = None
    proxy: str | None = None


class VenueError(Exception):
    """The venue refused, or said nothing that can be read."""


UNHEARD: tuple[type[Exception], ...] = (aiohttp.ClientError, TimeoutError, OSError, VenueError)


class Venue(Protocol):
    """Whoever answers requests of the API."""

    async def ask(self, method: str, **params: str | float | bool) -> Any:
        """Return the result; raises one of UNHEARD."""


class Rest:
    """Signed requests over one connection that is kept open."""

    def __init__(self, settings: GuardSettings) -> None:
        self.settings = settings
        tls = (ssl.create_default_context(cafile=settings.ca_file)
               if settings.rest_url.startswith("https://") else True)
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=4, keepalive_timeout=600.0),
            timeout=aiohttp.ClientTimeout(total=ANSWER_S))

    async def ask(self, method: str, **params: str | float | bool) -> Any:
        """Return the result; raises one of UNHEARD."""
        query = "&".join(f"{name}={quote(text_of(value), safe='')}"
                         for name, value in params.items())
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


def text_of(value: str | float | bool) -> str:
    """Write a parameter as a URL has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def authorization(settings: GuardSettings, method: str, target: str, ts_ms: int, nonce: str,
                  body: str = "") -> str:
    """Return the header that signs one request: nothing to log in with, nothing to expire."""
    text = f"{ts_ms}\n{nonce}\n{method}\n{target}\n{body}\n"
    signature = hmac.new(settings.client_secret.encode(), text.encode(),
                         hashlib.sha256).hexdigest()
    return (f"deri-hmac-sha256 id={settings.client_id},ts={ts_ms},nonce={nonce},"
            f"sig={signature}")
