"""The helper processes of one session: exchange, recorder, view; and the order they leave in."""

import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from runner.children import Child
from runner.config import Config, Credentials
from runner.exporter_options import exporter_arguments
from runner.exporter_words import WORDS_BYTES, ExporterWords
from runner.guarding import Guarding
from runner.state import StateFolder, map_file

EXCHANGE_START_S = 60.0
# A calm market trades through a quote that covers its fees every few minutes; this one sooner.
EXCHANGE_REGIME = "volatile"
VIEW_LEAVE_S = 3.0
RECORDER_LEAVE_S = 20.0
EXPORTER_LEAVE_S = 0.0          # its pipe's end means a crash to it, so it is told to leave
RESTART_S = 1.0                 # a helper that dies at once is not started again at once
EXCHANGE_LEAVE_S = 5.0
# Leaves the alternate screen and shows the cursor, should the view have died inside it.
RESTORE_TERMINAL = "\x1b[?1049l\x1b[?25h"
log = logging.getLogger("mm.helpers")


class HelperError(Exception):
    """A helper did not start."""


def exchange_address(line: bytes) -> tuple[str, str]:
    """Return the WebSocket and the HTTP address an exchange says it has. Raises HelperError."""
    try:
        ports = json.loads(line)
        return (f"ws://127.0.0.1:{ports['ws']}/ws/api/v2",
                f"http://127.0.0.1:{ports['http']}/api/v2")
    except (ValueError, KeyError, TypeError):
        raise HelperError("the embedded exchange did not start; run mm sim to see why") from None


class Helpers:
    """Starts helpers and ends them: the view first, then the recorder, the exchange last."""

    def __init__(self, config: Config, folder: StateFolder) -> None:
        self.config = config
        self.folder = folder
        self.market: Sequence[str] = ("--regime", EXCHANGE_REGIME)  # what the exchange plays
        self.exchange: Child | None = None
        self.recorder: Child | None = None
        self.view: Child | None = None
        self.exporter: Child | None = None
        self.guard = Guarding(config)
        self.ring = Path()
        self.page = Path()
        self.words = ExporterWords.open("")
        self.restarts = {"recorder": 0, "exporter": 0}
        self.restarted_s = {"recorder": 0.0, "exporter": 0.0}
        self.told_port = 0

    def start_exchange(self) -> str:
        """Start `mm sim` on a free port; return its WebSocket address."""
        self.exchange = Child("runner", "sim", "--port", "0", "--child", *self.market,
                              capture=True, cpu=self.config.runtime.helper_cpu)
        url, self.guard.rest_url = exchange_address(self.exchange.read_line(EXCHANGE_START_S))
        return url

    def start_recorder(self, ring: Path) -> None:
        """Start the journal's helper."""
        self.ring = ring
        self.recorder = Child(
            "runner.recorder", str(ring), str(self.journal_folder),
            str(self.config.journal.segment_mib << 20),
            str(self.config.journal.quota_mib << 20), cpu=self.config.runtime.helper_cpu)

    @property
    def journal_folder(self) -> Path:
        """Where the journal's segments lie."""
        stated = self.config.journal.dir
        return Path(stated).expanduser() if stated else self.folder.path / "journal"

    def start_guard(self, secrets: Credentials) -> None:
        """Start the second path of cancels."""
        self.guard.start(secrets)

    def start_exporter(self, page: Path) -> None:
        """Start the process that serves the metrics."""
        self.page = page
        words = page.with_name("exporter")
        self.words = ExporterWords(map_file(words, WORDS_BYTES))
        self.words.closed()
        self.exporter = Child("runner.exporter", exporter_arguments(
            self.config, page, words, self.folder.path), cpu=self.config.runtime.helper_cpu)

    def facts(self) -> dict[str, float]:
        """Return what the telemetry page says of the helpers."""
        return {**self.words.facts(), "recorder_restarts": self.restarts["recorder"],
                "exporter_restarts": self.restarts["exporter"],
                "guard_restarts": max(0, self.guard.starts - 1), "guard_warm": self.guard.warm,
                "guard_wanted": self.guard.child is not None,
                "position_unprotected": self.guard.unprotected}

    def mend(self) -> str:
        """Start a recorder or exporter that died anew; say what cannot be mended, or nothing.

        The ring holds what the recorder did not take, and the new one goes on from there.
        """
        self.guard.mend()
        if self.exchange is not None and not self.exchange.running():
            return "the embedded exchange ended by itself"
        if self.recorder is not None and self.died("recorder", self.recorder):
            self.start_recorder(self.ring)
        if self.exporter is not None:
            if self.died("exporter", self.exporter):
                self.start_exporter(self.page)
            if self.words.port != self.told_port:
                self.told_port = self.words.port
                log.info("metrics at http://%s:%d/metrics",
                         self.config.telemetry.prometheus_host, self.told_port)
        return ""

    def died(self, name: str, child: Child) -> bool:
        """Return whether a helper is gone and may be started again now; counts it."""
        now_s = time.monotonic()
        if child.running() or now_s - self.restarted_s[name] < RESTART_S:
            return False
        log.warning("the %s ended (exit code %s); starting it again", name,
                    child.process.returncode)
        child.leave(0.0)
        self.restarts[name] += 1
        self.restarted_s[name] = now_s
        return True

    def start_view(self, page: Path, title: str) -> None:
        telemetry = self.config.telemetry
        self.view = Child("runner.view", str(page), str(telemetry.view_s),
                          str(telemetry.line_s), title, cpu=self.config.runtime.helper_cpu)

    def leave(self) -> bool:
        """End every helper; return whether the ring still holds what no recorder took."""
        self.guard.leave()
        if self.view is not None and self.view.leave(VIEW_LEAVE_S) != 0 and sys.stdout.isatty():
            sys.stdout.write(RESTORE_TERMINAL)
            sys.stdout.flush()
        if self.exporter is not None:
            self.exporter.leave(EXPORTER_LEAVE_S)
        kept = self.recorder is not None and self.recorder.leave(RECORDER_LEAVE_S) != 0
        if self.exchange is not None:
            self.exchange.leave(EXCHANGE_LEAVE_S)
        return kept
