"""Where the exporter's numbers come from: the telemetry page, and /proc of the process behind it.

The page may not be there yet, may belong to an engine that died, and may be made anew by the next
one; every read copes with all three and never raises.
"""

import mmap
import os
import threading
import time
from pathlib import Path
from typing import Any

from mmcore.telemetry import TelemetryReader

Reading = dict[str, Any]

SILENT_S = 2.0              # the engine publishes 20 times a second
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class PageSource:
    """Reads the page at a path, whoever writes it at the time. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.reader: TelemetryReader | None = None
        self.memory: mmap.mmap | None = None
        self.file: tuple[int, int] = (0, 0)
        self.last: Reading | None = None

    def read(self) -> Reading | None:
        """Return the newest whole reading; None where there never was one."""
        with self.lock:
            self.attach()
            if self.reader is None:
                return self.last
            try:
                reading = self.reader.read()
            except TimeoutError:
                return self.last    # its writer died inside a write, or was stopped there
            if reading["process_id"] and reading["published_ns"]:
                self.last = reading
            return self.last

    def attach(self) -> None:
        """Map the page, again where its file is another one than before."""
        try:
            stat = self.path.stat()
        except OSError:
            return                  # gone: what was mapped stays readable
        if self.reader is not None and (stat.st_dev, stat.st_ino) == self.file:
            return
        try:
            with self.path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            self.reader = TelemetryReader(memory)
        except (OSError, ValueError):
            return                  # not written yet, or of another version
        self.memory = memory
        self.file = (stat.st_dev, stat.st_ino)

    def age_s(self, reading: Reading) -> float:
        """Return how long ago the engine published."""
        published_s = float(reading["published_ns"]) * 1e-9
        return max(0.0, time.monotonic() - published_s)

    def is_up(self, reading: Reading | None) -> bool:
        """Return whether an engine publishes."""
        return (reading is not None and self.age_s(reading) < SILENT_S
                and process_exists(reading["process_id"]))


def process_exists(process_id: int) -> bool:
    return process_id > 0 and Path(f"/proc/{process_id}/stat").exists()


def process_figures(process_id: int) -> dict[str, float]:
    """Return figures of a process by the family they are exported as; empty where it is gone."""
    folder = Path(f"/proc/{process_id}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        resident = int((folder / "statm").read_text().split()[1]) * PAGE_BYTES
        descriptors = len(list((folder / "fd").iterdir()))
    except (OSError, IndexError, ValueError):
        return {}
    uptime_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / CLOCK_TICKS
    return {
        "process_resident_bytes": resident,
        "process_cpu_seconds": (int(fields[11]) + int(fields[12])) / CLOCK_TICKS,
        "process_open_fds": descriptors,
        "process_threads": int(fields[17]),
        "process_uptime_seconds": uptime_s,
    }
