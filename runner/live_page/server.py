"""`mm dashboard`: serves the live page on loopback; pause, resume and kill need the token.

Reading asks for nothing but this machine's own name in the address, so that no web site can read
it through a browser (DNS rebinding). A command needs the token in a header of its own, which no
other site can send, and an Origin that is this page's.
"""

import hmac
import secrets
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from runner.config import ConfigError, load
from runner.control import SOCKET
from runner.credentials import SecretError, read_secret
from runner.ctl import answer_of
from runner.latch import whoami
from runner.live_page.facts import Facts
from runner.metrics import find_page, state_folder
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE

HOST = "127.0.0.1"
OWN_NAMES = {"127.0.0.1", "localhost", "::1"}
COMMANDS = ("pause", "resume", "kill")
WORD_HEADER = "X-MM-Token"
TOKEN_LEAST = 12
BODY_MAX = 4096
WRONG_TOKEN_S = 0.5         # a guess costs as long
KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript",
         ".svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
                               "img-src 'self'; connect-src 'self'; base-uri 'none'; "
                               "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}


class Command(msgspec.Struct):
    """What the page asks for."""

    command: str
    reason: str = ""


class PageServer(ThreadingHTTPServer):
    """One thread a request."""

    daemon_threads = True

    def __init__(self, port: int, facts: Facts, shared: Path, token: str) -> None:
        self.facts = facts
        self.control = shared / SOCKET
        self.token = token
        self.static = {entry.name: entry.read_bytes()
                       for entry in files("runner.live_page").joinpath("static").iterdir()}
        super().__init__((HOST, port), Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.socket.getsockname()[:2]


    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a browser that went away in the middle; anything else is said."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """The page, its files, its data, and three commands."""

    server: PageServer
    timeout = 10.0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a file or with data."""
        path = self.path.partition("?")[0]
        if not self.named_as_ours():
            self.answer(403, {"error": "this page is served to this machine only"})
        elif path == "/api/state":
            self.answer(200, self.server.facts.state())
        elif path == "/api/history":
            self.answer(200, self.server.facts.past())
        else:
            name = "index.html" if path == "/" else path.removeprefix("/")
            body = self.server.static.get(name)
            kind = KINDS.get(Path(name).suffix, "text/plain")
            if body is None:
                self.answer(404, {"error": "no such path"})
            else:
                self.send(200, kind, body)

    def do_POST(self) -> None:
        """Pass a command on to the maker, where the token says that it may be."""
        size = int(self.headers.get("Content-Length") or 0)
        if size > BODY_MAX:
            self.close_connection = True
            self.answer(413, {"error": "too large"})
            return
        body = self.rfile.read(size)
        fault = self.refusal()
        if fault:
            self.answer(403, {"error": fault})
            return
        try:
            asked = msgspec.json.decode(body, type=Command)
        except msgspec.DecodeError as error:
            self.answer(400, {"error": str(error)})
            return
        if self.path != "/api/control" or asked.command not in COMMANDS:
            self.answer(404, {"error": f"no such command; one of {', '.join(COMMANDS)}"})
            return
        try:
            told = answer_of(self.server.control, {
                "command": asked.command, "who": f"{whoami()} (dashboard)",
                "reason": asked.reason[:200] or f"{asked.command} from the dashboard"})
        except (OSError, ValueError) as error:
            self.answer(503, {"error": f"no maker answers: {error}"})
            return
        self.answer(200, told)

    def refusal(self) -> str:
        """Say why a command is not passed on, or nothing."""
        origin = self.headers.get("Origin")
        if not self.named_as_ours() or (
                origin is not None and urlsplit(origin).netloc != self.headers.get("Host")):
            return "a command comes from this page only"
        given = self.headers.get(WORD_HEADER) or ""
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            time.sleep(WRONG_TOKEN_S)
            return "wrong token; mm dashboard printed the right one when it started"
        return ""

    def named_as_ours(self) -> bool:
        return urlsplit(f"//{self.headers.get('Host', '')}").hostname in OWN_NAMES

    def answer(self, status: int, found: Any) -> None:
        self.send(status, "application/json", msgspec.json.encode(found))

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base's name
        """Keep quiet."""


def main(config: Path | None, venue: str | None, sets: tuple[str, ...], port: int,
         token: str) -> int:
    """Serve until told to leave. token: a reference to the secret; empty: one is made."""
    try:
        loaded = load(config, sets, venue, connects=False)
        state = state_folder(loaded)
        shared = find_page(state).parent
        word = read_secret(token, literal_allowed=False) if token else secrets.token_urlsafe(18)
    except (ConfigError, SecretError) as error:
        return refuse(str(error), EXIT_USAGE)
    if len(word) < TOKEN_LEAST:
        return refuse(f"--token: {TOKEN_LEAST} characters at least", EXIT_USAGE)
    stated = loaded.journal.dir
    journal = Path(stated).expanduser() if stated else state / "journal" if state else None
    facts = Facts(shared, state, journal)
    try:
        server = PageServer(port, facts, shared, word)
    except OSError as error:
        return refuse(f"cannot serve {HOST}:{port}: {error.strerror}; choose another --port",
                      EXIT_FAILURE)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threads = [threading.Thread(target=facts.follow, daemon=True),
               threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True)]
    for thread in threads:
        thread.start()
    address = f"http://{HOST}:{server.server_port}/"
    # Behind the # it stays in the browser: it is in no request, no log and no history of a proxy.
    shown = address if token else f"{address}#token={word}"
    sys.stdout.write(f"{shown}\n")
    sys.stdout.flush()
    ended.wait()
    facts.ended.set()
    server.shutdown()
    server.server_close()
    return EXIT_CLEAN


def refuse(text: str, code: int) -> int:
    for line in text.splitlines():
        sys.stderr.write(f"mm: {line}\n")
    return code
