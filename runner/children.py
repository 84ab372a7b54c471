"""Helper processes: started by exec before any socket opens, gone when their pipe ends.

A child gets its own session, so that a Ctrl-C in the terminal reaches the reactor alone, and a
pipe as standard input that the reactor holds: when the reactor ends, in whatever way, the pipe
ends, and the child leaves by its own rules.
"""

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import IO

PACKAGE_ROOT = Path(__file__).resolve().parent.parent


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs one of our modules with this interpreter."""
    # -P keeps the folder we happen to stand in out of the import path.
    return [sys.executable, "-P", "-m", module, *arguments]


def python_environment() -> dict[str, str]:
    """Return the environment in which `python_command` finds the same packages as we did."""
    environment = dict(os.environ)
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    if str(PACKAGE_ROOT) not in paths and PACKAGE_ROOT.name != "site-packages":
        environment["PYTHONPATH"] = os.pathsep.join([str(PACKAGE_ROOT), *filter(None, paths)])
    return environment


class Child:
    """One helper process."""

    def __init__(self, module: str, *arguments: str, capture: bool = False,
                 cpu: int = -1) -> None:
        """Start it. capture: its standard output comes to us. cpu: pin it there, -1: do not."""
        self.name = module.rpartition(".")[2]
        self.unread = b""       # of its output: the beginning of a line
        self.process = subprocess.Popen(
            python_command(module, *arguments), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if capture else None, env=python_environment(),
            close_fds=True, start_new_session=True)
        if cpu >= 0:
            os.sched_setaffinity(self.process.pid, {cpu})

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None, "started without capture"
        return self.process.stdout

    def read_line(self, timeout_s: float) -> bytes:
        """Return the first line of the child's output; empty where it ended or said nothing."""
        ready, _, _ = select.select([self.output], [], [], timeout_s)
        return self.output.readline() if ready else b""

    def say(self, line: bytes) -> bool:
        """Write one short line to the child without ever waiting; False where it cannot be."""
        pipe = self.process.stdin
        if pipe is None or pipe.closed:
            return False
        os.set_blocking(pipe.fileno(), False)
        try:
            return os.write(pipe.fileno(), line) == len(line)
        except OSError:     # it has gone, or does not read
            return False

    def heard(self) -> list[bytes]:
        """Return the whole lines the child has written since the last time, without waiting."""
        os.set_blocking(self.output.fileno(), False)
        try:
            self.unread += os.read(self.output.fileno(), 65536)
        except OSError:     # nothing there
            return []
        *lines, self.unread = self.unread.split(b"\n")
        return lines

    def running(self) -> bool:
        return self.process.poll() is None

    def leave(self, timeout_s: float) -> int | None:
        """End the pipe and wait; a child that stays is ended. Return its exit code."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.terminate()
        try:
            return self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()
