"""The guard as a process: cancels on a word, for a dead reactor, and for one that hangs."""

import base64
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.rest import GuardSettings, authorization
from runner.state import shared_path

pytestmark = pytest.mark.slow


class Rig:
    """An exchange as a process, and what is started beside it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.started: list[subprocess.Popen[bytes]] = []
        exchange = self.start("runner", "sim", "--port", "0", "--regime", "volatile")
        assert exchange.stdout is not None
        ports = json.loads(exchange.stdout.readline())
        self.url = f"ws://127.0.0.1:{ports['ws']}/ws/api/v2"
        self.rest = f"http://127.0.0.1:{ports['http']}/api/v2"

    def start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "XDG_STATE_HOME": str(self.state)})
        self.started.append(child)
        return child

    def guard(self, **settings: Any) -> subprocess.Popen[bytes]:
        child = self.start("runner.guard")
        self.say(child, json.dumps({"rest_url": self.rest, "client_id": "maker",
                                    "client_secret": "maker", "hang_s": 60.0} | settings))
        assert self.hear(child)["event"] == "warm"
        return child

    def maker(self, state: Path, *sets: str) -> subprocess.Popen[bytes]:
        stated = (f"runtime.state_dir='{state}'", f"venue.rest_url='{self.rest}'", *sets)
        options = [word for text in stated for word in ("--set", text)]
        return self.start("runner", "run", "--venue", self.url, "--headless", *options)

    def say(self, child: subprocess.Popen[bytes], line: str) -> None:
        assert child.stdin is not None
        child.stdin.write(line.encode() + b"\n")
        child.stdin.flush()

    def hear(self, child: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert child.stdout is not None
        said: dict[str, Any] = json.loads(child.stdout.readline())
        return said

    def ask(self, method: str, **params: Any) -> Any:
        query = "&".join(f"{name}={value}" for name, value in params.items())
        request = urllib.request.Request(  # noqa: S310
            f"{self.rest}/{method}?{query}", headers={
                "Authorization": "Basic " + base64.b64encode(b"maker:maker").decode()})
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return json.load(answer)["result"]

    def place(self) -> None:
        price = float(self.ask("public/get_order_book", instrument_name="BTC-PERPETUAL")[
            "best_bid_price"]) - 300
        self.ask("private/buy", instrument_name="BTC-PERPETUAL", amount=10, price=price,
                 type="limit")

    def open_orders(self) -> int:
        return len(self.ask("private/get_open_orders"))

    def end(self) -> None:
        for child in self.started:
            child.send_signal(signal.SIGCONT)
            child.kill()
            child.wait()
            # Not read to the end: a killed maker's exporter holds the pipe for its minute of grace.
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.end()


def wait_for(what: Callable[[], bool], limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.25)    # each look costs the account a credit


def test_the_signature_is_the_venues_published_one() -> None:
    """The WebSocket vector's key and time, over the parts an HTTP request signs."""
    settings = GuardSettings(rest_url="", client_id="AMANDA", client_secret="AMANDASECRECT",
                             hang_s=1.0)
    header = authorization(settings, "GET", "/api/v2/private/cancel_all", 1576074319000, "1iqt2wls")
    assert header.startswith(
        "deri-hmac-sha256 id=AMANDA,ts=1576074319000,nonce=1iqt2wls,sig=")
    assert len(header.rpartition("sig=")[2]) == 64
    other = authorization(settings, "GET", "/api/v2/private/cancel", 1576074319000, "1iqt2wls")
    assert header != other


def test_it_cancels_on_a_word_and_says_so(rig: Rig) -> None:
    guard = rig.guard()
    for word in ("BTC-PERPETUAL", "*"):
        rig.place()
        assert rig.open_orders() == 1
        rig.say(guard, word)
        said = rig.hear(guard)
        assert (said["event"], said["target"], said["count"]) == ("cancelled", word, 1)
        assert rig.open_orders() == 0
    rig.place()
    rig.say(guard, "bye")
    assert guard.stdin is not None
    guard.stdin.close()
    assert guard.wait(10) == 0
    assert rig.open_orders() == 1       # an orderly end is the reactor's own affair


def test_it_cancels_for_a_reactor_that_died(rig: Rig) -> None:
    guard = rig.guard()
    rig.place()
    assert guard.stdin is not None
    guard.stdin.close()
    assert guard.wait(20) == 0
    assert rig.open_orders() == 0


def test_an_unreachable_venue_is_said(rig: Rig) -> None:
    child = rig.start("runner.guard")
    rig.say(child, json.dumps({"rest_url": "http://127.0.0.1:9/api/v2", "client_id": "maker",
                               "client_secret": "maker", "hang_s": 60.0}))
    assert rig.hear(child)["event"] == "unreachable"


def test_a_hung_reactor_is_ended_with_no_order_left(rig: Rig, tmp_path: Path) -> None:
    state = tmp_path / "maker"
    maker = rig.maker(state, "runtime.hang_s=1")
    wait_for(lambda: rig.open_orders() >= 1)
    log = state / "mm.log"
    wait_for(lambda: "guard: warm" in log.read_text())
    maker.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    wait_for(lambda: rig.open_orders() == 0)
    assert time.monotonic() - began < 10.0
    assert maker.wait(15) == -signal.SIGKILL
    assert rig.open_orders() == 0
    # A killed maker leaves its ring in shared memory on purpose, for the next start.
    for each in shared_path(state).glob("*"):
        each.unlink()
    shared_path(state).rmdir()


def test_killed_at_random_moments_nothing_is_left(rig: Rig, tmp_path: Path, seed: int) -> None:
    """Cancel-on-disconnect and the guard, who outlives the reactor, both cancel."""
    draw = random.Random(seed)
    state = tmp_path / "maker"
    for _ in range(2):
        maker = rig.maker(state)
        wait_for(lambda: rig.open_orders() >= 1)
        time.sleep(draw.random())
        maker.kill()
        maker.wait()
        wait_for(lambda: rig.open_orders() == 0, 5.0)
    for each in shared_path(state).glob("*"):
        each.unlink()
    shared_path(state).rmdir()


@pytest.mark.campaign
def test_killed_two_hundred_times(rig: Rig, tmp_path: Path, seed: int,
                                  figure: Callable[[str], None]) -> None:
    """kill -9 of a real process, as it starts or trades: no order stays, and the next agrees."""
    draw = random.Random(seed)
    state = tmp_path / "maker"
    kills, starting, slowest_s = 200, 0, 0.0
    for _ in range(kills):
        maker = rig.maker(state)
        if draw.random() < 0.25:
            starting += 1
            time.sleep(draw.uniform(0.0, 3.0))
        else:
            wait_for(lambda: rig.open_orders() >= 1, 120.0)
            time.sleep(draw.random())
        maker.kill()
        maker.wait()
        killed_s = time.monotonic()
        wait_for(lambda: rig.open_orders() == 0)
        slowest_s = max(slowest_s, time.monotonic() - killed_s)
    told = tmp_path / "summary.json"
    last = rig.maker(state)
    wait_for(lambda: rig.open_orders() >= 1, 120.0)
    last.kill()
    last.wait()
    last = rig.start("runner", "run", "--venue", rig.url, "--headless", "--duration", "20s",
                     "--summary", str(told), "--set", f"runtime.state_dir='{state}'",
                     "--set", f"venue.rest_url='{rig.rest}'")
    assert last.wait(180) == 0
    assert rig.open_orders() == 0
    held = rig.ask("private/get_position", instrument_name="BTC-PERPETUAL")["size"]
    assert json.loads(told.read_text())["position_usd"] == held
    figure(f"{kills} processes killed, {starting} of them as they started; no order left "
           f"{slowest_s:.1f} s after a kill at the latest; position {held:+g} USD on both sides")


def test_the_stop_of_a_position_outlives_a_killed_maker(rig: Rig, tmp_path: Path) -> None:
    def stops() -> list[Any]:
        found: list[Any] = rig.ask("private/get_open_orders", type="stop_market")
        return found

    rig.ask("private/buy", instrument_name="BTC-PERPETUAL", amount=5000, type="market")
    state = tmp_path / "maker"
    maker = rig.maker(state, "risk.deadman_pct=30")
    wait_for(lambda: len(stops()) == 1 and rig.open_orders() > 1)
    maker.kill()
    maker.wait()
    wait_for(lambda: rig.open_orders() == len(stops()) == 1)
    time.sleep(2.0)                 # the guard has had its last word
    (stop,) = stops()
    (held,) = (p for p in rig.ask("private/get_positions", currency="BTC") if p["size"])
    assert stop["reduce_only"]
    assert stop["amount"] == held["size"]
    assert rig.open_orders() == 1
    # another maker takes it over, and leaves it where it is when it leaves with the position
    maker = rig.maker(state, "risk.deadman_pct=30")
    wait_for(lambda: rig.open_orders() > 1)
    maker.send_signal(signal.SIGTERM)
    maker.communicate(timeout=30)
    assert maker.returncode == 0
    (stop,) = stops()
    (held,) = (p for p in rig.ask("private/get_positions", currency="BTC") if p["size"])
    assert stop["amount"] == held["size"]
    for each in shared_path(state).glob("*"):
        each.unlink()


def held_usd(rig: Rig) -> float:
    return sum(abs(p["size"]) for p in rig.ask("private/get_positions", currency="BTC"))


def test_a_blind_reactor_has_its_position_reduced(rig: Rig) -> None:
    """`~` for a second: what is held beyond 0.02 BTC goes; `.`: nothing more is done."""
    rig.ask("private/buy", instrument_name="BTC-PERPETUAL", amount=6000, type="market")
    guard = rig.guard(blind_after_s=1.0, blind_btc=0.02, clip_btc=0.05, cap_bps=100.0)

    def blind() -> bool:
        rig.say(guard, "~")
        return held_usd(rig) < 2000.0

    wait_for(blind)
    rig.say(guard, ".")
    said = rig.hear(guard)
    assert said["event"] == "blind"
    assert "BTC-PERPETUAL" in said["did"]
    kept = held_usd(rig)
    assert kept > 0.0
    rig.ask("private/buy", instrument_name="BTC-PERPETUAL", amount=3000, type="market")
    for _ in range(8):
        time.sleep(0.4)
        rig.say(guard, ".")
    assert held_usd(rig) == kept + 3000.0


def test_a_dead_guard_is_replaced_and_its_absence_said(rig: Rig, tmp_path: Path) -> None:
    state = tmp_path / "maker"
    maker = rig.maker(state)
    log = state / "mm.log"
    wait_for(lambda: log.exists() and "guard: warm" in log.read_text())
    os.kill(guard_of(maker.pid), signal.SIGKILL)
    wait_for(lambda: log.read_text().count("guard: warm") == 2)
    assert "no second path until it is back" in log.read_text()
    wait_for(lambda: rig.open_orders() >= 1)
    maker.send_signal(signal.SIGTERM)
    maker.communicate(timeout=30)
    assert maker.returncode == 0
    assert rig.open_orders() == 0


def guard_of(pid: int) -> int:
    """Find the guard among a process's children."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid and b"runner.guard" in (entry / "cmdline").read_bytes():
                    return int(entry.name)
            except OSError:
                continue
    raise AssertionError("no guard")
