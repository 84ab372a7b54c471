"""What leaves this process towards a terminal, a pipe or a dump, and must never hold it up."""

import contextlib
import os
import resource
import select
import time
from pathlib import Path
from typing import TextIO

WRITE_S = 2.0
WRITE_BYTES = 512           # a pipe that takes anything takes so much
CORE_FILTER = Path("/proc/self/coredump_filter")


def write_out(stream: TextIO, text: str) -> None:
    """Write to whoever listens; a reader that has gone, or does not read, ends nothing here."""
    try:
        handle = stream.fileno()
    except (OSError, ValueError):       # no file behind it
        stream.write(text)
        return
    data = text.encode()
    end_s = time.monotonic() + WRITE_S
    try:
        stream.flush()
        while data:
            ready = select.select([], [handle], [], max(0.0, end_s - time.monotonic()))[1]
            if not ready:
                return
            data = data[os.write(handle, data[:WRITE_BYTES]):]
    except OSError:                     # a closed pipe, a terminal that hung up
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), handle)


def keep_private() -> None:
    """Make files of this process and its children its user's alone, and core dumps empty.

    1 is the limit at which the kernel also spares a dump that is piped to a program.
    """
    os.umask(0o077)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    with contextlib.suppress(OSError):
        CORE_FILTER.write_text("0")
