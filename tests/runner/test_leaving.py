"""State folder and lock, leaving in order, the reactor's tick, the report."""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.deribit.instruments import spec_of
from connectors.deribit.messages import InstrumentData
from connectors.deribit.roster import Choice, Roster, make_roster
from mmcore.engine import Engine
from mmcore.params import Params
from mmcore.publish import publish
from mmcore.telemetry import PAGE_SIZE, TelemetryPage, TelemetryReader
from mmcore.types import ControlKind, InstrumentSpec
from runner import live
from runner.config import load
from runner.options import (
    EXIT_CLEAN,
    EXIT_FAILURE,
    EXIT_KILLED,
    EXIT_NOT_FLAT,
    RunOptions,
)
from runner.reactor import TICK_NS, TICKS_PER_PUBLISH, Reactor
from runner.report import report_text, session_summary, summary_json
from runner.shutdown import HURRIED_S, leave
from runner.state import StateError, StateFolder, map_file, shared_path, state_path
from runner.virtual import VirtualLoop

pytestmark = pytest.mark.quick


def make_engine() -> Engine:
    spec = InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10)
    return Engine(Params(), [spec])


# ------------------------------------------------------------------------------------- state
def config_at(path: Path) -> Any:
    return load(None, [f"runtime.state_dir='{path}'"])


def test_a_second_maker_is_kept_out_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    folder = StateFolder.open(config_at(tmp_path), "maker")
    with pytest.raises(StateError, match=f"process {os.getpid()}.*runtime.instance"):
        StateFolder.open(config_at(tmp_path), "maker")
    folder.close()
    StateFolder.open(config_at(tmp_path), "maker").close()


def test_one_maker_an_account_whatever_its_folder(tmp_path: Path) -> None:
    """Start and stop cancel everything of the account: two makers would cancel each other."""
    def config(place: str, port: int) -> Any:
        return load(None, [f"runtime.state_dir='{tmp_path / place}'"], f"ws://127.0.0.1:{port}")

    folder = StateFolder.open(config("one", 50123), "maker")
    with pytest.raises(StateError, match=f"process {os.getpid()}.*sub-account"):
        StateFolder.open(config("two", 50123), "maker")
    StateFolder.open(config("two", 50123), "another").close()
    StateFolder.open(config("two", 50124), "maker").close()
    folder.close()
    StateFolder.open(config("two", 50123), "maker").close()


def test_the_lock_ends_with_its_process_whatever_kills_it(tmp_path: Path) -> None:
    code = ("import sys, time; from runner.config import load\n"
            "from runner.state import StateFolder\n"
            f"folder = StateFolder.open(load(None, [\"runtime.state_dir='{tmp_path}'\"]), 'm')\n"
            "print('locked', flush=True); time.sleep(60)")
    child = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"locked\n"
    with pytest.raises(StateError, match=f"process {child.pid}"):
        StateFolder.open(config_at(tmp_path), "maker")
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    StateFolder.open(config_at(tmp_path), "maker").close()


def test_the_embedded_exchange_gets_a_folder_that_goes_away() -> None:
    folder = StateFolder.open(load(None), "maker")
    assert folder.temporary
    (folder.path / "journal").mkdir()
    page = map_file(folder.shared / "page", 8192)
    assert len(page) == 8192
    page.close()
    folder.close()
    assert not folder.path.exists()
    assert not folder.shared.exists()


def test_what_killed_makers_left_in_memory_is_removed_by_a_later_one(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = [StateFolder.open(load(None), "maker") for _ in range(3)]
    dead, young, alive = made
    for folder in (dead, young):
        for lock in folder.locks:
            os.close(lock)              # as the end of a process does
    for folder in (dead, alive):
        os.utime(folder.path / "lock", (1.0, 1.0))
    last = StateFolder.open(load(None), "maker")
    assert [f.path.exists() for f in made] == [False, True, True]
    assert [f.shared.exists() for f in made] == [False, True, True]
    alive.close()
    last.close()
    for path in (young.path, young.shared):
        shutil.rmtree(path)


def test_folders_are_per_venue_client_and_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    url = "ws://127.0.0.1:5000/ws/api/v2"
    assert state_path(load(None, venue=url), "me/../x") == Path(
        "/state/mm/127.0.0.1_5000/me_.._x")
    config = load(None, ["runtime.instance=second"], venue=url)
    assert state_path(config, "me") == Path("/state/mm/127.0.0.1_5000/me/second")
    assert shared_path(Path("/state/a")) != shared_path(Path("/state/b"))


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"set runtime\.state_dir") as caught:
        StateFolder.open(config_at(tmp_path / "file" / "below"), "maker")
    assert "\n" not in str(caught.value)


# ----------------------------------------------------------------------------------- leaving
class ScriptedClient:
    """A client whose stop() takes a while, and a wire that counts."""

    def __init__(self, takes_s: float, verified: bool = True) -> None:
        self.takes_s = takes_s
        self.verified = verified
        self.cancels = 0

    async def stop(self) -> bool:
        await asyncio.sleep(self.takes_s)
        return self.verified

    def send_cancel_all(self) -> int:
        self.cancels += 1
        return 1


def run_leave(client: ScriptedClient, hurry_after_s: float = 0) -> tuple[bool, float]:
    async def main() -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        hurry = asyncio.Event()
        if hurry_after_s:
            loop.call_later(hurry_after_s, hurry.set)
        began = loop.time()
        verified = await leave(client, client, 10.0, hurry)
        return verified, loop.time() - began

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


@pytest.mark.parametrize("verified", [True, False])
def test_leaving_waits_for_the_venues_word(verified: bool) -> None:
    client = ScriptedClient(3.0, verified)
    assert run_leave(client) == (verified, pytest.approx(3.0, abs=0.01))
    assert client.cancels == 0


def test_leaving_ends_at_the_deadline_with_a_last_cancel() -> None:
    client = ScriptedClient(1e6)
    verified, took_s = run_leave(client)
    assert not verified
    assert client.cancels == 1
    assert took_s == pytest.approx(10.0 + HURRIED_S, abs=0.01)


def test_asking_twice_still_cancels_and_leaves_sooner() -> None:
    client = ScriptedClient(1e6)
    verified, took_s = run_leave(client, hurry_after_s=1)
    assert not verified
    assert client.cancels == 1
    assert took_s == pytest.approx(1 + HURRIED_S, abs=0.01)
    assert run_leave(ScriptedClient(2.0), hurry_after_s=1)[0]


def maker_of(engine: Engine, roster: Roster | None = None, now_ms: int = 0) -> Any:
    """What a session that ended leaves behind for the next one."""
    return SimpleNamespace(
        engine=engine, session=SimpleNamespace(now_ns=lambda: now_ms * 1_000_000),
        client=SimpleNamespace(config=SimpleNamespace(roster=roster)))


def test_other_contracts_are_taken_up_with_what_is_held() -> None:
    """Also by a session that never had an order; not by one that left some, or was killed."""
    listed = [spec_data("BTC-PERPETUAL"), spec_data("BTC-27NOV26", 2_000),
              spec_data("BTC-25DEC26", 9_000)]
    roster = make_roster(Choice(("perpetual", "front"), 0.0), listed, 1_000)
    engine = Engine(Params(), [spec_of(place.data) for place in roster.places])
    engine.control(ControlKind.CONTROL_POSITION, 1, market=1, value=-20, real=75_000.0)
    rolled = live.Outcome(live.ROLL, EXIT_CLEAN, "", maker_of(engine, roster, 2_000), changed=True)
    options = RunOptions(duration_s=60.0, headless=True)
    assert live.following(options, rolled, 10.0) == RunOptions(
        duration_s=50.0, headless=True, before=("BTC-PERPETUAL", "BTC-25DEC26"),
        positions=("BTC-27NOV26",))
    for code in (EXIT_NOT_FLAT, EXIT_KILLED):
        assert live.following(options, live.Outcome(
            live.ROLL, code, maker=rolled.maker, changed=True), 10.0) is None
    assert live.following(options, rolled, 61.0) is None


def spec_data(name: str, expiry_ms: int = 32_503_708_800_000) -> InstrumentData:
    return InstrumentData(
        name, "future", 0.5, 10.0, 10.0, expiry_ms,
        "perpetual" if name.endswith("PERPETUAL") else "month", "BTC", "USD", True, 0.0, 0.0)


def test_a_changed_contract_is_followed_once_no_order_is_left(
        monkeypatch: pytest.MonkeyPatch) -> None:
    maker = maker_of(make_engine())
    options = RunOptions(sets=("runtime.instance='b'",), duration_s=60.0)
    changed = live.Outcome("error", EXIT_FAILURE, "a tick", maker, changed=True)
    assert live.following(options, changed, 10.0) is None       # no start follows itself
    monkeypatch.setattr(live, "orders_sent", lambda _maker: True)
    anew = live.following(options, changed, 10.0)
    assert anew == RunOptions(sets=("runtime.instance='b'",), duration_s=50.0)
    assert live.following(RunOptions(), changed, 1e6) == RunOptions()
    assert live.following(options, changed, 61.0) is None
    for other in (live.Outcome("error", EXIT_FAILURE, "", maker),
                  live.Outcome("error", EXIT_NOT_FLAT, "", maker, changed=True),
                  live.Outcome("error", EXIT_FAILURE, changed=True)):
        assert live.following(options, other, 10.0) is None


# ------------------------------------------------------------------------------------- reactor
class QuietWatch:
    """A watch of a process without connection, helpers or journal."""

    def __init__(self) -> None:
        self.late_ns: list[int] = []
        self.guarded = 0

    def stalled(self, late_ns: int) -> None:
        self.late_ns.append(late_ns)

    def guard_journal(self, now_ns: int) -> None:
        self.guarded += 1

    def facts(self) -> dict[str, float]:
        return {"ready": 1.0}


def test_the_tick_works_publishes_and_counts_stalls() -> None:
    engine = make_engine()
    memory = bytearray(PAGE_SIZE)
    page = TelemetryPage(memory, names=["BTC-PERPETUAL"])
    calls: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        watch = QuietWatch()
        reactor = Reactor(engine, page, lambda: calls.append(loop.now_ns()), loop, loop.now_ns,
                          watch)
        reactor.start()
        await asyncio.sleep(2)
        assert len(calls) in (199, 200)
        assert {b - a for a, b in itertools.pairwise(calls)} <= {TICK_NS - 1, TICK_NS, TICK_NS + 1}
        assert watch.late_ns == []
        assert watch.guarded == 10
        assert TelemetryReader(memory).read()["process"]["ready"] == 1.0
        reading = TelemetryReader(memory).read()
        assert loop.now_ns() - reading["published_ns"] <= TICKS_PER_PUBLISH * TICK_NS
        loop.clock.now_ns += 300_000_000        # something held the loop up
        await asyncio.sleep(0.1)
        assert len(watch.late_ns) == 1
        assert watch.late_ns[0] >= 290_000_000
        reactor.stop()
        ticks = reactor.ticks
        await asyncio.sleep(1)
        assert reactor.ticks == ticks

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


# -------------------------------------------------------------------------------------- report
KEYS = ["book_updates", "book_gaps", "book_crossed", "decisions", "max_abs_delta_btc",
        "orders_new", "orders_edit", "orders_cancel", "rejects", "fills", "maker_fills",
        "position_usd", "delta_btc", "realized_btc", "unrealized_btc", "fees_btc", "funding_btc",
        "equity_btc", "tick_to_order_us", "markout_bps", "instruments", "exit"]


def test_the_summary_has_exactly_the_keys_of_the_contract() -> None:
    figures = session_summary(make_engine(), "duration")
    assert sorted(figures) == sorted(KEYS)
    assert sorted(figures["tick_to_order_us"]) == ["p50", "p99", "p999"]
    assert list(figures["instruments"]) == ["BTC-PERPETUAL"]
    assert figures["exit"] == "duration"
    assert summary_json(figures).startswith(b"{\n")


def test_the_report_fits_a_terminal_and_names_the_end() -> None:
    figures = session_summary(make_engine(), "SIGINT")
    text = report_text(figures, 3725.0, "mm")
    assert text.startswith("mm: 1 h 2 min 5 s, ended by SIGINT\n")
    for word in ("P&L", "position", "fills", "orders", "tick to order"):
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert report_text(session_summary(None, "refused"), 0.5, "mm") == \
        "mm: 0.5 s, ended by refused\n"


def test_the_page_and_the_summary_agree() -> None:
    engine = make_engine()
    memory = bytearray(PAGE_SIZE)
    page = TelemetryPage(memory, names=["BTC-PERPETUAL"])
    publish(engine, page, 5)
    reading = TelemetryReader(memory).read()
    figures = session_summary(engine, "x")
    for name in ("book_updates", "decisions", "fills", "equity_btc", "delta_btc", "fees_btc"):
        assert reading[name] == figures[name]
