"""The helper processes of one session: exchange, recorder, view; and the order they leave in."""

import json
import logging
import sys
from pathlib import Path

from runner.children import Child
from runner.config import Config
from runner.state import StateFolder

EXCHANGE_START_S = 60.0
# A calm market trades through a quote that covers its fees every few minutes; this one sooner.
EXCHANGE_REGIME = "volatile"
VIEW_LEAVE_S = 3.0
RECORDER_LEAVE_S = 20.0
EXCHANGE_LEAVE_S = 5.0
# Leaves the alternate screen and shows the cursor, should the view have died inside it.
RESTORE_TERMINAL = "\x1b[?1049l\x1b[?25h"
log = logging.getLogger("mm.helpers")


class HelperError(Exception):
    """A helper did not start."""


class Helpers:
    """Starts helpers and ends them: the view first, then the recorder, the exchange last."""

    def __init__(self, config: Config, folder: StateFolder) -> None:
        self.config = config
        self.folder = folder
        self.exchange: Child | None = None
        self.recorder: Child | None = None
        self.view: Child | None = None
        self.ring = Path()

    def start_exchange(self) -> str:
        """Start `mm sim` on a free port; return its WebSocket address."""
        self.exchange = Child("runner", "sim", "--port", "0", "--child", "--regime",
                              EXCHANGE_REGIME, capture=True, cpu=self.config.runtime.helper_cpu)
        line = self.exchange.read_line(EXCHANGE_START_S)
        try:
            port = json.loads(line)["ws"]
        except (ValueError, KeyError, TypeError):
            raise HelperError("the embedded exchange did not start; run mm sim to see why"
                              ) from None
        return f"ws://127.0.0.1:{port}/ws/api/v2"

    def start_recorder(self, ring: Path) -> None:
        """Start the journal's helper."""
        self.ring = ring
        stated = self.config.journal.dir
        folder = Path(stated).expanduser() if stated else self.folder.path / "journal"
        self.recorder = Child("runner.recorder", str(ring), str(folder),
                              cpu=self.config.runtime.helper_cpu)

    def mend(self) -> str:
        """Start a recorder that died anew; say what cannot be mended, or nothing.

        The ring holds what the recorder did not take, and the new one goes on from there.
        """
        if self.exchange is not None and not self.exchange.running():
            return "the embedded exchange ended by itself"
        if self.recorder is not None and not self.recorder.running():
            log.warning("the journal's recorder ended (exit code %s); starting it again",
                        self.recorder.process.returncode)
            self.recorder.leave(0.0)
            self.start_recorder(self.ring)
        return ""

    def start_view(self, page: Path, title: str) -> None:
        telemetry = self.config.telemetry
        self.view = Child("runner.view", str(page), str(telemetry.view_s),
                          str(telemetry.line_s), title, cpu=self.config.runtime.helper_cpu)

    def leave(self) -> bool:
        """End every helper; return whether the ring still holds what no recorder took."""
        if self.view is not None and self.view.leave(VIEW_LEAVE_S) != 0 and sys.stdout.isatty():
            sys.stdout.write(RESTORE_TERMINAL)
            sys.stdout.flush()
        kept = self.recorder is not None and self.recorder.leave(RECORDER_LEAVE_S) != 0
        if self.exchange is not None:
            self.exchange.leave(EXCHANGE_LEAVE_S)
        return kept
