"""`mm metrics`: the process that serves the telemetry page to Prometheus and sends alerts.

Started by `mm run`, or by hand beside a running maker. It only reads: nothing it does, and no
scrape, costs the reactor anything. It outlives an engine that crashed by 60 s, to say so.
"""

import os
import select
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from runner.alert_check import AlertState, Checker
from runner.exporter_options import ExporterOptions
from runner.exporter_words import ExporterWords
from runner.latch import Latch
from runner.metric_families import Families, engine_families
from runner.metric_source import PageSource, Reading, process_figures
from runner.webhook import Sender, WebhookError

PORT_RETRY_S = 0.5
TICK_S = 0.25
CHECK_S = 1.0
LINKS = b"mm metrics: /metrics /healthz /readyz\n"


class Exporter(Collector):
    """Everything but the port: what is known, what is firing, how it is said."""

    def __init__(self, options: ExporterOptions) -> None:
        self.options = options
        self.source = PageSource(Path(options.page))
        self.scrapes = 0
        self.checker = Checker()
        self.sender = Sender(options.webhook) if options.webhook else None

    def collect(self) -> list[Metric]:
        """Return all families, for the encoder."""
        reading = self.source.read()
        up = self.source.is_up(reading)
        out = Families()
        out.gauge("up", float(up))
        out.counter("scrapes", self.scrapes)
        if reading is not None:
            info = reading["info"]
            out.gauge("page_age_seconds", self.source.age_s(reading))
            out.counter("engine_starts", reading["starts"])
            out.gauge("info", 1.0, [info[k] for k in ("version", "config", "venue", "instance")])
        if up and reading is not None:
            engine_families(out, reading)
            for family, value in process_figures(reading["process_id"]).items():
                take = out.counter if family == "process_cpu_seconds" else out.gauge
                take(family, value)
        self.latch_families(out, reading if up else None)
        for name, firing in self.checker.firing().items():
            out.gauge("alerts_firing", float(firing), [name])
        if self.sender is not None:
            for result, count in self.sender.counts.items():
                out.counter("webhook_messages", count, [result])
        return list(out.found.values())

    def latch_families(self, out: Families, reading: Reading | None) -> None:
        """Tell what the disk says of a kill; without a folder, what the engine says."""
        killed = reading is not None and bool(reading["kill_latch"])
        folder = self.options.latch
        latched = Latch(Path(folder)).read() is not None if folder else killed
        out.gauge("kill_latch", float(latched))
        out.gauge("kill_unlatched", float(killed and not latched))

    def check_alerts(self) -> list[AlertState]:
        """Compare every alert with the numbers now; return what changed."""
        reading = self.source.read()
        changed = self.checker.check(self.collect(), time.monotonic())
        if self.sender is not None:
            info = reading["info"] if reading else {}
            ended = [state for state in changed if not state.firing]
            # What began, what was held back, and what goes on long enough to be told again.
            for state in (*ended, *self.checker.fired.values()):
                if not state.firing or self.sender.due(state.alert.name):
                    self.sender.send(state, info)
        return changed

    def ready(self) -> dict[str, Any]:
        """Return whether the engine may quote, and what is missing."""
        reading = self.source.read()
        missing: list[str] = []
        if reading is None or not self.source.is_up(reading):
            return {"ready": False, "missing": ["engine"]}
        if not reading["process"]["ready"]:
            missing.append("connection")
        if reading["risk_state"] > 1:
            missing.append("risk state")
        missing += [f"book of {m['name']}" for m in reading["markets"] if not m["book_valid"]]
        return {"ready": not missing, "missing": missing}

    def engine_is_up(self) -> bool:
        return self.source.is_up(self.source.read())

    def other_engine_is_up(self) -> bool:
        """Return whether an engine runs that is not the one that started this process."""
        reading: Reading | None = self.source.read()
        return (reading is not None and self.source.is_up(reading)
                and reading["process_id"] != self.options.parent)


class Server(ThreadingHTTPServer):
    """One thread a request: a slow reader holds up nobody."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], exporter: Exporter) -> None:
        self.exporter = exporter
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.socket.getsockname()[:2]


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD of the three paths."""

    server: Server
    timeout = 10.0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request."""
        exporter = self.server.exporter
        path = self.path.partition("?")[0]
        if path == "/metrics":
            exporter.scrapes += 1
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self.answer(200, kind, encode(exporter))
        elif path == "/healthz":
            up = exporter.engine_is_up()
            self.answer(200 if up else 503, "text/plain", b"ok\n" if up else b"engine down\n")
        elif path == "/readyz":
            state = exporter.ready()
            self.answer(200 if state["ready"] else 503, "application/json",
                        msgspec.json.encode(state) + b"\n")
        elif path == "/":
            self.answer(200, "text/plain", LINKS)
        else:
            self.answer(404, "text/plain", b"no such path\n")

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base's name
        """Keep quiet: a scrape is no event."""


class Port:
    """The listening socket, asked for again and again while another program has it."""

    def __init__(self, exporter: Exporter, words: ExporterWords) -> None:
        self.exporter = exporter
        self.words = words
        self.server: Server | None = None
        self.next_s = 0.0
        self.complained = False

    def keep_open(self) -> None:
        """Open the port where it is not."""
        now_s = time.monotonic()
        if self.server is not None or now_s < self.next_s:
            return
        options = self.exporter.options
        try:
            server = Server((options.host, options.port), self.exporter)
        except OSError as error:
            self.next_s = now_s + PORT_RETRY_S
            self.words.taken()
            if not self.complained:
                self.complained = True
                say(f"cannot serve {options.host}:{options.port}: {error.strerror}; trying again "
                    "until it is free; telemetry.prometheus_port chooses another, 0 any free one")
            return
        self.server = server
        self.words.serving(server.server_port)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2},
                         name="http", daemon=True).start()
        if self.complained or not options.words:
            say(f"http://{options.host}:{server.server_port}/metrics")

    def close(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
        self.words.closed()


def serve(options: ExporterOptions) -> int:
    """Serve until told to leave: a signal, or the parent's end and the grace after it."""
    ended = threading.Event()

    def leave(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    exporter = make_exporter(options)
    port = Port(exporter, ExporterWords.open(options.words))
    orphaned_s = 0.0
    check_s = 0.0
    while not ended.is_set():
        port.keep_open()
        now_s = time.monotonic()
        if now_s >= check_s:
            check_s = now_s + CHECK_S
            exporter.check_alerts()
        if options.parent and not orphaned_s and pipe_ended(TICK_S):
            orphaned_s = now_s
        elif orphaned_s or not options.parent:
            ended.wait(TICK_S)
        if orphaned_s and (now_s - orphaned_s > options.grace_s or exporter.other_engine_is_up()):
            break
    port.close()
    if exporter.sender is not None:
        exporter.sender.close()
    return 0


def make_exporter(options: ExporterOptions) -> Exporter:
    """Make the exporter; one that mm run started serves on where its webhook cannot be used."""
    try:
        return Exporter(options)
    except WebhookError as error:
        if not options.parent:
            raise
        say(f"{error}; alerts are not sent")
        return Exporter(msgspec.structs.replace(options, webhook=None))


def pipe_ended(wait_s: float) -> bool:
    """Wait for the parent's pipe to end, at most so long."""
    ready, _, _ = select.select([0], [], [], wait_s)
    return bool(ready) and os.read(0, 4096) == b""


def say(text: str) -> None:
    sys.stderr.write(f"mm metrics: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(serve(msgspec.json.decode(sys.argv[1], type=ExporterOptions)))
