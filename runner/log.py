"""Logging of the cold path: warnings and connection events, never market data.

A record is one line of JSON. The process that trades only puts it into a bounded queue; a thread
writes file and screen, so that neither a slow disk nor a blocked terminal holds up the loop.
"""

import logging
import queue
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec

QUEUE_RECORDS = 4096
FILES_KEPT = 4                  # beside the one being written
CLOSE_S = 2.0


class LogWriter(logging.Handler):
    """Queue and thread between the loggers and their file; what finds no room is counted."""

    def __init__(self, path: Path, *, on_screen: bool, file_bytes: int) -> None:
        super().__init__()
        self.path = path
        self.on_screen = on_screen
        self.file_bytes = file_bytes
        self.lost = 0
        self.lines: queue.Queue[tuple[bytes, str] | None] = queue.Queue(QUEUE_RECORDS)
        self.file = path.open("ab", buffering=0)
        self.thread = threading.Thread(target=self.write, name="log", daemon=True)
        self.thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; never waits."""
        screen = ""
        if self.on_screen and record.levelno >= logging.WARNING:
            screen = f"mm: {record.getMessage()}\n"
        try:
            self.lines.put_nowait((json_line(record), screen))
        except queue.Full:
            self.lost += 1

    def write(self) -> None:
        """Write until close(); a disk or terminal that refuses costs the line, not the thread."""
        while (item := self.lines.get()) is not None:
            line, screen = item
            try:
                self.file.write(line)
                if self.file.tell() >= self.file_bytes:
                    self.rotate()
            except OSError:
                self.lost += 1
            if screen:
                try:
                    sys.stderr.write(screen)
                    sys.stderr.flush()
                except (OSError, ValueError):
                    self.on_screen = False

    def rotate(self) -> None:
        """Number the full file and begin another."""
        for number in range(FILES_KEPT, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 \
                else self.path
            if newer.exists():
                newer.replace(older)
        self.file.close()
        self.file = self.path.open("ab", buffering=0)

    def close(self) -> None:
        """Write what waits, for a moment at most."""
        if self.thread.is_alive():
            try:
                self.lines.put(None, timeout=CLOSE_S)
            except queue.Full:
                return
            self.thread.join(CLOSE_S)
            if not self.thread.is_alive():
                self.file.close()
        super().close()

    def facts(self) -> dict[str, float]:
        """Return what the telemetry page says of the log."""
        return {"log_queue_records": self.lines.qsize(), "log_lost_records": self.lost}


def json_line(record: logging.LogRecord) -> bytes:
    """Return a record as one line of JSON."""
    fields: dict[str, str | int] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname, "logger": record.name, "message": record.getMessage()}
    if record.exc_info:
        fields["exception"] = logging.Formatter().formatException(record.exc_info)
    return msgspec.json.encode(fields) + b"\n"


def start_log(path: Path, *, on_screen: bool, file_bytes: int) -> LogWriter:
    """Write to a file, and warnings to standard error where no picture is in the way."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    writer = LogWriter(path, on_screen=on_screen, file_bytes=file_bytes)
    root.addHandler(writer)
    # One line per connection, of no use to an operator.
    logging.getLogger("picows").setLevel(logging.WARNING)
    return writer
