"""Terminals that close, pipes that fill, and what a session leaves behind: no order, no secret."""

import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import termios
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from connectors.replay.journal import read_blocks, segments
from runner.outlet import write_out
from runner.state import shared_path

pytestmark = pytest.mark.slow
MM = (sys.executable, "-P", "-m", "runner")
CLIENT = "client-Zq81xT"
SECRET = "hush-w7Kp0VdR2mN4"
NAMED = (CLIENT, SECRET)


def wait_for(what: Callable[[], bool], limit_s: float = 40.0) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


class Place:
    """An exchange with a known key, and a maker with its key in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.started: list[subprocess.Popen[bytes]] = []
        exchange = self.start([*MM, "sim", "--port", "0", "--regime", "volatile", "--now",
                               "2026-09-21T14:13:20", "--client-id", CLIENT, "--client-secret",
                               SECRET], stdout=subprocess.PIPE)
        assert exchange.stdout is not None
        ports = json.loads(exchange.stdout.readline())
        self.url, self.http = f"ws://127.0.0.1:{ports['ws']}/ws/api/v2", ports["http"]
        key = folder / "key"
        key.write_text(SECRET + "\n")
        key.chmod(0o600)
        self.command = [*MM, "run", "--venue", self.url]
        for text in (f"venue.client_id={CLIENT}", f"venue.client_secret=file:{key}",
                     f"runtime.state_dir='{self.state}'", "telemetry.prometheus_port=0",
                     "telemetry.line_s=0.1", "signals.warmup_s=0.5"):
            self.command += ["--set", text]

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        options = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
                   "start_new_session": True, **options}
        child: subprocess.Popen[bytes] = subprocess.Popen(command, **options)
        self.started.append(child)
        return child

    def open_orders(self) -> list[Any]:
        login = b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/api/v2/private/get_open_orders",
            headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return list(json.load(answer)["result"])

    def end(self) -> None:
        for child in self.started:
            child.kill()
            child.communicate()
        shutil.rmtree(shared_path(self.state), ignore_errors=True)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.end()


# ------------------------------------------------------------------ terminals and pipes
def own_terminal() -> None:
    """Make standard input the controlling terminal, and hear its hang-up."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("end", ["closed", "ctrl-c", "ctrl-c twice"])
def test_on_a_terminal_nothing_is_left_however_it_ends(place: Place, end: str) -> None:
    terminal, other = pty.openpty()
    maker = place.start(place.command, stdin=other, stdout=other, stderr=other,
                        preexec_fn=own_terminal)
    os.close(other)
    os.set_blocking(terminal, False)
    seen = b""

    def quoting() -> bool:
        nonlocal seen
        seen += drained(terminal)
        return len(place.open_orders()) == 2

    wait_for(quoting)
    if end == "closed":
        os.close(terminal)
    else:
        for _ in range(end.count("c t") + 1):
            os.write(terminal, b"\x03")
            time.sleep(0.2)
    started = time.monotonic()
    while maker.poll() is None and time.monotonic() - started < 40:
        if end != "closed":
            seen += drained(terminal)
        time.sleep(0.05)
    assert maker.returncode == 0
    assert place.open_orders() == []
    if end != "closed":
        seen += drained(terminal)
        os.close(terminal)
        assert b"ended by SIGINT" in seen
        assert b"\x1b[?1049l" in seen           # the shell's text is back


def drained(terminal: int) -> bytes:
    found = b""
    try:
        while part := os.read(terminal, 65536):
            found += part
    except OSError:
        pass
    return found


def test_a_pipe_nobody_reads_holds_up_neither_trading_nor_the_end(place: Place) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    maker = place.start(place.command, stdout=writing, stderr=writing)
    os.close(writing)
    wait_for(lambda: len(place.open_orders()) == 2)
    time.sleep(2.0)                     # the view's lines have filled it by now
    assert maker.poll() is None
    maker.send_signal(signal.SIGTERM)
    assert maker.wait(40) == 0
    assert place.open_orders() == []
    os.close(reading)


def test_what_is_written_to_nobody_ends_nothing() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        os.close(reading)
        write_out(stream, "a" * 100_000)
    terminal, other = pty.openpty()
    with os.fdopen(other, "w") as stream:
        os.close(terminal)
        write_out(stream, "gone\n")


# ------------------------------------------------------------------ secrets
def texts_left(place: Place, others: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of everything a session leaves, the journal unpacked."""
    for root in (place.state, shared_path(place.state)):
        for path in root.rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()
    for path in segments(place.state / "journal"):
        for block in read_blocks(path, []):
            yield f"{path} unpacked", zstandard.ZstdDecompressor().decompress(
                block.stored, max_output_size=block.raw_size)
    for path in others:
        yield str(path), path.read_bytes()


def of_our_processes(root: int) -> Iterator[tuple[str, bytes]]:
    """Yield command line and environment of a process and all below it."""
    todo = [root]
    while todo:
        pid = todo.pop()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        todo += map(int, children)
        for name in ("cmdline", "environ"):
            yield f"{name} of {pid}", Path(f"/proc/{pid}/{name}").read_bytes()


def test_no_secret_is_left_anywhere(place: Place, tmp_path: Path) -> None:
    out, summary = tmp_path / "out", tmp_path / "summary.json"
    with out.open("wb") as file:
        maker = place.start([*place.command, "--summary", str(summary)], stdout=file, stderr=file)
    wait_for(lambda: len(place.open_orders()) == 2)
    page = place.start([*MM, "dashboard", "--port", "0", "--set",
                        f"runtime.state_dir='{place.state}'"], stdout=subprocess.PIPE)
    assert page.stdout is not None
    address = page.stdout.readline().decode().partition("#")[0].strip()
    with urllib.request.urlopen(address + "api/state", timeout=10) as answer:  # noqa: S310
        shown = answer.read()
    looked = [*of_our_processes(maker.pid), ("dashboard", shown)]
    # The client id may stand where a person put it: on the command line of mm run.
    assert [name for name, text in looked if SECRET.encode() in text] == []
    core, _ = resource.prlimit(maker.pid, resource.RLIMIT_CORE)
    assert core == 1
    assert Path(f"/proc/{maker.pid}/coredump_filter").read_text().strip() == "00000000"
    control = subprocess.run([*MM, "ctl", "set", "orders.keep_ticks=2", "--set",
                              f"runtime.state_dir='{place.state}'"], check=False,
                             capture_output=True, timeout=30)
    assert control.returncode == 0, control.stderr
    during = list(texts_left(place, [out]))
    maker.send_signal(signal.SIGTERM)
    assert maker.wait(40) == 0
    found = [*during, *texts_left(place, [out, summary])]
    assert any("unpacked" in name for name, _ in found)
    assert any(name.endswith("mm.log") for name, _ in found)
    assert any(b'"method":"public/auth"' in text for _, text in found)      # it did log in
    # The built-in exchange names an account after its client id; the venue gives it another name.
    named = re.compile(rb'"(username|system_name)":"' + CLIENT.encode() + b'"')
    leaks = [(name, word) for name, text in found for word in NAMED
             if word.encode() in named.sub(b"", text)]
    assert leaks == []
    tokens = re.compile(rb'"(access|refresh)_token":"(?!x+")')
    kept = [text[m.start():m.start() + 60] for _, text in found for m in tokens.finditer(text)]
    assert kept == []
    modes = {str(path): oct(path.stat().st_mode & 0o077) for path in place.state.rglob("*")
             if path.is_file() and path.stat().st_mode & 0o077}
    assert modes == {}, "others may read what the session left"


def test_a_refused_login_does_not_repeat_the_secret(place: Place, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("mistyped-Hk3TqW9\n")
    wrong.chmod(0o600)
    maker = place.start([*place.command, "--headless", "--set",
                         f"venue.client_secret=file:{wrong}"], stderr=subprocess.PIPE)
    _, said = maker.communicate(timeout=60)
    assert maker.returncode != 0
    assert b"venue.client_secret" in said
    for text in (said, *(text for _, text in texts_left(place, []))):
        assert b"mistyped-Hk3TqW9" not in text


def test_no_core_dump_holds_anything() -> None:
    script = ("import resource, runner.outlet as o; o.keep_private(); "
              "print(resource.getrlimit(resource.RLIMIT_CORE), o.CORE_FILTER.read_text().strip())")
    child = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True,
                           check=True, timeout=30)
    assert child.stdout.strip() == "(1, 1) 00000000"
