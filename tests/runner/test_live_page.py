"""`mm dashboard`: follows journal and page, obeys its own page alone, and works in a browser."""

import asyncio
import http.client
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from scripted_engine import ScriptedEngine

from connectors.replay.changes import ChangeRecord
from mmcore.journal import Journal, JournalKind
from runner.live_page.facts import Facts
from runner.live_page.server import PageServer
from runner.live_page.tail import JournalTail
from runner.recorder import Recorder, Ring, Segments
from runner.state import map_file, shared_path

RING_BYTES = 4096 + (1 << 16)
TOKEN = "a-token-of-a-test"


def fill_frame(number: int) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": {
        "channel": "user.changes.BTC-PERPETUAL.raw", "data": {
            "instrument_name": "BTC-PERPETUAL", "orders": [], "positions": [], "trades": [{
                "trade_id": f"t{number}", "trade_seq": number, "timestamp": 1_790_000_000_000,
                "instrument_name": "BTC-PERPETUAL", "direction": "buy", "price": 60_000.5,
                "amount": 10.0, "fee": -1e-8, "order_id": "o", "liquidity": "M"}]}}},
        separators=(",", ":")).encode()


# ------------------------------------------------------------------ the journal's end
def test_the_tail_yields_every_record_over_many_turns_of_the_ring(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    path = tmp_path / "ring-1"
    ring = map_file(path, RING_BYTES)
    journal = Journal(ring)
    tail = JournalTail(tmp_path, None)
    sent, seen = [], []
    for number in range(2000):
        payload = rng.randbytes(rng.choice((0, 1, 15, 16, 17, 200, 3000)))
        journal.write(JournalKind.JOURNAL_FRAME_IN, 0, number, payload)
        sent.append((number, payload))
        if rng.random() < 0.2:
            seen += [(r.now_ns, r.payload) for r in tail.poll()]
            ring[32:40] = ring[24:32]           # the recorder has taken everything
    seen += [(r.now_ns, r.payload) for r in tail.poll()]
    assert seen == sent
    assert tail.missed == 0


def test_a_reader_that_is_too_slow_says_so_and_goes_on(tmp_path: Path) -> None:
    ring = map_file(tmp_path / "ring-1", RING_BYTES)
    journal = Journal(ring)
    tail = JournalTail(tmp_path, None)
    assert list(tail.poll()) == []
    for number in range(200):
        journal.write(JournalKind.JOURNAL_FRAME_IN, 0, number, bytes(1000))
        ring[32:40] = ring[24:32]
    assert list(tail.poll()) == []
    assert tail.missed == 1
    journal.write(JournalKind.JOURNAL_FRAME_IN, 0, 7, b"next")
    assert [r.payload for r in tail.poll()] == [b"next"]


def test_the_tail_begins_with_what_the_disk_has(tmp_path: Path) -> None:
    memory = map_file(tmp_path / "ring-1", RING_BYTES)
    journal = Journal(memory)
    journal.write(JournalKind.JOURNAL_HEADER, 0, 0, b"{}")
    for number in range(5):
        journal.write(JournalKind.JOURNAL_FRAME_IN, 0, number, b"%d" % number)
    Recorder(Ring(memory), Segments(tmp_path / "journal")).step(everything=True)
    journal.write(JournalKind.JOURNAL_FRAME_IN, 0, 5, b"5")
    tail = JournalTail(tmp_path, tmp_path / "journal")
    found = [r.payload for r in tail.poll() if r.kind == JournalKind.JOURNAL_FRAME_IN]
    assert found == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert list(tail.poll()) == []


def test_facts_are_those_of_page_journal_and_log(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path)
    facts = Facts(tmp_path, tmp_path, None)
    assert facts.state()["figures"]["fills"] == 1
    journal = Journal(map_file(tmp_path / "ring-1", RING_BYTES))
    thread = threading.Thread(target=facts.follow)
    thread.start()
    try:
        for number in (1, 2, 2):
            journal.write(JournalKind.JOURNAL_FRAME_IN, 0, number, fill_frame(number))
        journal.write(JournalKind.JOURNAL_FRAME_IN, 0, 3,
                      b'{"params":{"channel":"trades.X","data":[{"price":"odd"}]}}')
        journal.write(JournalKind.JOURNAL_SESSION, 0, 4, ChangeRecord(
            "me", "", [{"key": "quote.levels", "old": 1, "new": 2}], []).encode())
        (tmp_path / "mm.log").write_text('cut\n{"level":"INFO","message":"hello"}\n')
        end = time.monotonic() + 20
        while not facts.state()["changes"] or not facts.past():
            assert time.monotonic() < end
            engine.publish()
            time.sleep(0.05)
    finally:
        facts.ended.set()
        thread.join()
    state = facts.state()
    assert [fill.trade_id for fill in state["fills"]] == ["t2", "t1"]   # the doubled one once
    assert state["changes"][0]["who"] == "me"
    assert state["log"] == [{"level": "INFO", "message": "hello"}]
    assert state["markets"][0]["name"] == "BTC-PERPETUAL"
    assert facts.past()[-1]["markets"][0][3] == state["markets"][0]["position_btc"]


# ------------------------------------------------------------------ who may say what
@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    ScriptedEngine(tmp_path)
    made = PageServer(0, Facts(tmp_path, tmp_path, None), tmp_path, TOKEN)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def request(server: PageServer, method: str, path: str, body: bytes | None = None,
            **headers: str) -> tuple[int, dict[str, str], bytes]:
    line = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    line.request(method, path, body, named)
    answer = line.getresponse()
    found = answer.status, dict(answer.headers), answer.read()
    line.close()
    return found


def test_a_command_needs_the_token_and_comes_from_this_page_only(
        server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.live_page.server.WRONG_TOKEN_S", 0.0)
    told: list[dict[str, Any]] = []

    def maker(_path: Path, asked: dict[str, Any]) -> dict[str, Any]:
        told.append(asked)
        return {"ok": True, "state": "paused"}

    monkeypatch.setattr("runner.live_page.server.answer_of", maker)
    pause = b'{"command":"pause"}'
    here = f"127.0.0.1:{server.server_port}"
    refused: list[dict[str, str]] = [
        {}, {"X_MM_Token": "wrong"}, {"X_MM_Token": TOKEN + "x"}, {"X_MM_Token": "\xe9"},
        {"X_MM_Token": TOKEN, "Origin": "https://example.org"},
        {"X_MM_Token": TOKEN, "Origin": "null"},
        {"X_MM_Token": TOKEN, "Origin": f"http://localhost:{server.server_port}"},
        {"X_MM_Token": TOKEN, "Host": "example.org"},
        {"X_MM_Token": TOKEN, "Host": f"127.0.0.1.example.org:{server.server_port}"}]
    for headers in refused:
        assert request(server, "POST", "/api/control", pause, **headers)[0] == 403, headers
    assert told == []
    for body, path, status in ((b"no", "/api/control", 400), (pause, "/api/other", 404),
                               (b'{"command":"flatten"}', "/api/control", 404),
                               (b" " * 5000, "/api/control", 413)):
        assert request(server, "POST", path, body, X_MM_Token=TOKEN)[0] == status
    assert told == []
    status, _, _ = request(server, "POST", "/api/control", pause, X_MM_Token=TOKEN,
                           Origin=f"http://{here}")
    assert status == 200
    assert told[0]["command"] == "pause"
    assert told[0]["who"].endswith("(dashboard)")


def test_the_page_is_for_this_machine_and_asks_nobody_else(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert request(server, "GET", "/api/state", Host="example.org")[0] == 403
    status, headers, body = request(server, "GET", "/")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert b"http" not in body.replace(b"http-equiv", b"")      # no address of anybody
    for name, text in server.static.items():
        assert request(server, "GET", f"/{name}")[2] == text
        assert b"fetch(\"http" not in text
    assert request(server, "GET", "/../server.py")[0] == 404
    assert request(server, "POST", "/api/control", b"{}", X_MM_Token=TOKEN)[0] == 400
    status, _, body = request(server, "POST", "/api/control", b'{"command":"kill"}',
                              X_MM_Token=TOKEN)
    assert (status, b"no maker answers" in body) == (503, True)


# ------------------------------------------------------------------ in a browser
class Pair:
    """A maker on the embedded exchange and the page beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        sets = ("--set", f"runtime.state_dir='{self.state}'")
        mm = (sys.executable, "-P", "-m", "runner")
        self.maker = subprocess.Popen(
            [*mm, "run", "--headless", "--summary", str(folder / "summary.json"), *sets,
             "--set", "telemetry.prometheus_port=0"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 60
        while not (shared_path(self.state) / "page").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        self.page = subprocess.Popen([*mm, "dashboard", "--port", "0", *sets], text=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.page.stdout is not None
        self.address = self.page.stdout.readline().strip()

    def leave(self) -> int:
        self.maker.send_signal(signal.SIGTERM)
        return self.maker.wait(60)

    def end(self) -> None:
        for child in (self.maker, self.page):
            child.kill()
            child.communicate()
        shutil.rmtree(shared_path(self.state), ignore_errors=True)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.end()


async def say(browser: Browser, button: str, token: str | None = None) -> None:
    """Click a button, answer the question, wait for what the page says."""
    await browser.run("document.getElementById('said').textContent = ''")
    await browser.run(f"document.getElementById('{button}').click()")
    if token is not None:
        await browser.run(f"document.getElementById('token').value = '{token}'")
    await browser.run("document.getElementById('yes').click()")
    await browser.wait_for("document.getElementById('said').textContent !== ''")


async def figure(browser: Browser, name: str) -> str:
    return str(await browser.run(
        f"document.querySelector('#figures [data-name=\"{name}\"]').textContent"))


@pytest.mark.slow
def test_in_a_browser(pair: Pair) -> None:
    async def look() -> None:
        state = "document.getElementById('state')?.textContent"
        said = "document.getElementById('said').textContent"
        async with Browser(pair.folder) as browser:
            await browser.size(1400, 1000)
            await browser.call("Page.navigate", url=pair.address)
            await browser.wait_for(f"{state} === 'active'")
            await browser.wait_for("document.querySelectorAll('#why div').length > 5", 60.0)
            assert await browser.run("location.hash") == ""         # the token is out of sight
            assert await browser.run("document.querySelectorAll('canvas').length") == 3
            await say(browser, "pause")
            await browser.wait_for(f"{state} === 'paused'")
            await say(browser, "resume")
            await browser.wait_for(f"{state} === 'active'")
            await browser.size(390, 844, phone=True)
            await browser.wait_for("innerWidth === 390")
            assert await browser.run("document.documentElement.scrollWidth") <= 390
            assert browser.errors == []
            origin = pair.address.partition("#")[0]
            assert all(url.startswith(origin) for url in browser.requests), browser.requests
            # Somebody who only knows the address:
            await browser.run("sessionStorage.clear()")
            await browser.call("Page.navigate", url=origin)
            await browser.wait_for(f"{state} === 'active'")
            await say(browser, "kill", "a-wrong-token-it-is")
            assert "wrong token" in await browser.run(said)
            assert await browser.run(state) == "active"
            assert [e for e in browser.errors if "403" not in e] == []
            # What it shows at the end is what the session says of itself.
            assert pair.leave() == 0
            figures = json.loads((pair.folder / "summary.json").read_text())
            await browser.wait_for(f"{state} === 'silent'")
            assert await figure(browser, "fills") == f"{figures['fills']:,}"
            assert await figure(browser, "realised") == signed(figures["realized_btc"])
            assert await figure(browser, "fees paid") == signed(figures["fees_btc"])
            assert await figure(browser, "equity, BTC") == f"{figures['equity_btc']:.8f}"
            assert await figure(browser, "position, USD") == signed(figures["position_usd"], 0)
            assert await figure(browser, "new / edit / cancel") == " / ".join(
                f"{figures[f'orders_{action}']:,}" for action in ("new", "edit", "cancel"))

    asyncio.run(look())


@pytest.mark.slow
def test_a_kill_from_the_page_kills_and_latches(pair: Pair) -> None:
    async def kill() -> None:
        async with Browser(pair.folder) as browser:
            await browser.call("Page.navigate", url=pair.address)
            await browser.wait_for("document.getElementById('state')?.textContent === 'active'")
            await say(browser, "kill")
            await browser.wait_for("document.getElementById('state')?.textContent === 'killed'")

    asyncio.run(kill())
    assert b'"who":"' in (pair.state / "latch").read_bytes()
    assert b"(dashboard)" in (pair.state / "latch").read_bytes()
    assert pair.leave() == 3


def signed(value: float, digits: int = 8) -> str:
    text = f"{value:,.{digits}f}"
    return f"+{text}" if value > 0 else text
