"""The live view: lines in a pipe, a picture on a terminal, and no trace of itself at the end."""

import fcntl
import io
import mmap
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from rich.console import Console

from mmcore.engine import Engine
from mmcore.params import Params
from mmcore.publish import publish
from mmcore.signals import ReferenceSource
from mmcore.telemetry import PAGE_SIZE, TelemetryPage, TelemetryReader
from mmcore.types import InstrumentSpec, TakeReason
from runner.picture import (
    REFERENCES,
    REMOVED_WORDS,
    TAKE_WORDS,
    Rates,
    line,
    picture,
    removed_words,
)
from runner.state import map_file

pytestmark = pytest.mark.quick


class Writer:
    """An engine that does nothing, and its page."""

    def __init__(self, path: Path) -> None:
        spec = InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10)
        self.engine = Engine(Params(), [spec])
        self.memory: mmap.mmap = map_file(path, PAGE_SIZE)
        self.page = TelemetryPage(self.memory, names=["BTC-PERPETUAL"])
        self.now_ns = 1_000_000_000

    def publish(self) -> None:
        self.now_ns += 1_000_000_000
        publish(self.engine, self.page, self.now_ns)


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    made = Writer(tmp_path / "page")
    made.publish()
    return made


def start(page: Path, out: int, line_s: float = 0.1) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "runner.view", str(page), "0.05", str(line_s), "mm test"],
        stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color"})


def end(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdin is not None
    assert child.stderr is not None
    child.stdin.close()
    child.wait(20)
    said = child.stderr.read()
    child.stderr.close()
    return said


def test_in_a_pipe_it_writes_plain_lines(writer: Writer, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    child = start(tmp_path / "page", writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as out:
        first, second = out.readline(), out.readline()
        assert end(child) == b""
        rest = out.read()
    assert child.returncode == 0
    for text in (first, second):
        assert b"BTC-PERPETUAL" in text
        assert b"active" in text
        assert b"P&L +0.00000000 BTC" in text
    assert b"\x1b" not in first + second + rest


def test_a_pipe_nobody_reads_ends_the_view_quietly(writer: Writer, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    child = start(tmp_path / "page", writing)
    os.close(writing)
    os.close(reading)
    assert child.wait(20) == 0
    assert end(child) == b""


def read_terminal(terminal: int, seconds: float) -> bytes:
    got = b""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                got += os.read(terminal, 65536)
            except OSError:
                break
    return got


def test_on_a_terminal_it_draws_resizes_and_restores(writer: Writer, tmp_path: Path) -> None:
    terminal, other = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    child = start(tmp_path / "page", other)
    os.close(other)
    wide = read_terminal(terminal, 3)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 70, 0, 0))
    read_terminal(terminal, 0.3)
    narrow = read_terminal(terminal, 0.5)
    assert child.stdin is not None
    child.stdin.close()
    last = read_terminal(terminal, 1)
    assert child.wait(20) == 0
    os.close(terminal)
    assert child.stderr is not None
    assert child.stderr.read() == b""
    child.stderr.close()
    assert b"BTC-PERPETUAL" in wide
    assert "─".encode() * 80 in wide
    assert "─".encode() * 40 in narrow
    assert "─".encode() * 80 not in narrow
    assert b"\x1b[?1049h" in wide       # the alternate screen, so that the shell's text survives
    assert b"\x1b[?1049l" in last
    assert b"\x1b[?25h" in last         # the cursor is back


def test_a_closed_terminal_ends_the_view(writer: Writer, tmp_path: Path) -> None:
    terminal, other = pty.openpty()
    child = start(tmp_path / "page", other)
    os.close(other)
    read_terminal(terminal, 1)
    os.close(terminal)
    assert child.wait(20) == 0
    assert end(child) == b""


def test_it_waits_for_the_page_and_leaves_without_one(tmp_path: Path) -> None:
    child = start(tmp_path / "page", subprocess.DEVNULL)
    time.sleep(0.3)
    assert child.poll() is None
    assert end(child) == b""
    assert child.returncode == 0


def test_every_reason_has_a_word() -> None:
    from mmcore.types import RemovedReason

    assert set(REMOVED_WORDS) == set(RemovedReason)
    assert removed_words(3) == "not connected, book invalid"
    assert removed_words(0) == ""


def test_rates_use_the_engines_clock(writer: Writer) -> None:
    reader = TelemetryReader(writer.memory)
    rates = Rates()
    first = reader.read()
    rates.update(first)
    second = dict(first, published_ns=first["published_ns"] + 2_000_000_000, book_updates=140.0)
    rates.update(second)
    assert rates.per_s["book_updates"] == 70.0
    assert "book 70/s" in line(second, rates, "12:00:00")
    for _ in range(6):
        rates.update(second)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(picture(second, rates, "mm"))
    assert "the engine is silent" in console.export_text()


def test_every_term_of_a_decision_is_shown(writer: Writer) -> None:
    first = TelemetryReader(writer.memory).read()
    told = {"half_market_usd": 1.23, "drought_usd": 0.45, "markout_add_bid_usd": 2.34,
            "markout_add_ask_usd": 3.45, "take": float(TakeReason.TAKE_CUT), "take_amount": -250.0,
            "alpha_term_0_usd": 4.56, "alpha_term_1_usd": -5.67, "alpha_term_2_usd": 6.78,
            "reference_source": 5.0, "basis_year": 0.0789, "fair_basis_usd": 12.34}
    shown = dict(first, markets=[dict(first["markets"][0], **told)])
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(picture(shown, Rates(), "mm"))
    text = console.export_text()
    for words in ("market 1.23", "drought 0.45", "markout bid 2.34 ask 3.45", "-250: cut",
                  "imbalance +4.56", "flow -5.67", "ofi +6.78", "perpetual", "+7.89% a year",
                  "+12.34 USD"):
        assert words in text, words


def test_every_reason_to_take_and_every_reference_has_a_word() -> None:
    assert set(TAKE_WORDS) == set(TakeReason) - {TakeReason.TAKE_NONE}
    assert len(REFERENCES) == len(ReferenceSource)
