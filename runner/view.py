"""The live view: a process that reads the telemetry page and draws it.

The reactor never waits for a terminal. This process leaves when its standard input ends, and a
closed terminal or pipe only ends the view.
"""

import mmap
import os
import select
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live

from mmcore.telemetry import TelemetryReader
from runner.picture import Rates, Reading, line, picture

PAGE_WAIT_S = 20.0


def main(page: Path, view_s: float, line_s: float, title: str) -> int:
    """Draw until standard input ends. Return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    reader = open_page(page)
    if reader is None:
        return 0
    try:
        if sys.stdout.isatty():
            draw(reader, view_s, title)
        else:
            write_lines(reader, line_s)
    except (BrokenPipeError, OSError):
        # Nobody looks any more. What is buffered cannot be written either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def open_page(path: Path) -> TelemetryReader | None:
    """Wait for the page to be made; None where the reactor left first."""
    end = time.monotonic() + PAGE_WAIT_S
    while time.monotonic() < end:
        try:
            with path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            return TelemetryReader(memory)
        except (OSError, ValueError):
            if left(0.05):
                return None
    sys.stderr.write(f"mm view: no telemetry page at {path}\n")
    return None


def left(wait_s: float) -> bool:
    """Wait, and return whether the reactor closed our standard input or nobody looks any more."""
    watched = select.poll()
    watched.register(0, select.POLLIN)
    # Only for hang-up: rich takes a terminal that is gone for a file and draws nothing, silently.
    watched.register(1, 0)
    for descriptor, _ in watched.poll(wait_s * 1000):
        if descriptor == 1 or os.read(0, 4096) == b"":
            return True
    return False


def read(reader: TelemetryReader) -> Reading | None:
    try:
        return reader.read()
    except TimeoutError:
        return None             # the writer was stopped inside a write; try again next time


def draw(reader: TelemetryReader, view_s: float, title: str) -> None:
    """Draw a picture every view_s seconds; the terminal is asked for its size each time."""
    rates = Rates()
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            reading = read(reader)
            if reading is not None:
                rates.update(reading)
                live.update(picture(reading, rates, title), refresh=True)
            if left(view_s):
                return


def write_lines(reader: TelemetryReader, line_s: float) -> None:
    """Write a line every line_s seconds."""
    rates = Rates()
    while True:
        reading = read(reader)
        if reading is not None:
            rates.update(reading)
            at = datetime.now().astimezone().strftime("%H:%M:%S")
            sys.stdout.write(line(reading, rates, at) + "\n")
            sys.stdout.flush()
        if left(line_s):
            return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
