"""`mm ctl set`: validated, asked twice where it bounds losses, between two decisions, replayed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pipeline"))
from virtual_session import VirtualSession

from connectors.replay.changes import WORD, read_change
from mmcore.journal import JournalKind
from mmcore.types import ControlKind
from runner.changes import Changes
from runner.config import load
from runner.config_keys import KEYS
from runner.control import ControlSocket
from runner.latch import Latch


class Bench:
    """Changes on a desk's engine; what is noted is kept, and the time is ours."""

    def __init__(self, *sets: str, burst: float = 0.0) -> None:
        self.desk = Desk()
        self.noted: list[bytes] = []
        self.now_s = 0.0
        self.changes = Changes(load(None, sets), self.desk.engine, self.noted.append,
                               burst=lambda: burst, now_s=lambda: self.now_s)

    def ask(self, *texts: str, confirm: str = "") -> dict[str, Any]:
        return self.changes.ask(list(texts), "me", "a test", confirm)

    def value(self, key: str) -> float:
        return self.desk.engine.params.get(key)


def test_a_change_reaches_the_engine_and_the_journal() -> None:
    bench = Bench()
    answer = bench.ask("orders.requote_bps=3", "quote.model=glft")
    assert answer == {"ok": True, "changes": [
        {"key": "orders.requote_bps", "old": 0.5, "new": 3.0},
        {"key": "quote.model", "old": "linear", "new": "glft"}]}
    assert (bench.value("orders.requote_bps"), bench.value("quote.model")) == (3.0, 2.0)
    assert bench.desk.engine.markets[0].params.get("orders.requote_bps") == 3.0
    record = read_change(bench.noted[0])
    assert (record.who, record.reason, record.changes) == ("me", "a test", answer["changes"])
    assert bench.changes.made == {"orders.requote_bps": 3.0, "quote.model": "glft"}
    assert bench.changes.config.quote.model == "glft"


@pytest.mark.parametrize(("texts", "said"), [
    ((), "nothing to set"),
    (("quote.levels",), "expected key=value"),
    (("quote.levls=2",), "no such key; nearest: quote.levels"),
    (("quote.levels=99",), "out of range"),
    (("quote.levels=two",), "wrong type"),
    (("quote.model=best",), "expected one of linear"),
    (("telemetry.prometheus_port=1",), "cannot change while trading; state it"),
    (("venue.client_secret=hunter2",), "cannot change while trading"),
    (("instrument.3.size_btc=0.1",), "there are 1 instruments"),
    (("instrument.name=x",), "instruments are numbered"),
    (("orders.requote_bps=60", "orders.off_center_bps=9"), "exceeds orders.off_center_bps"),
    (("quote.base_half_spread_bps=500",), "exceeds quote.max_half_spread_bps"),
])
def test_an_invalid_change_is_refused_with_its_reason_and_nothing_happens(
        texts: tuple[str, ...], said: str) -> None:
    bench = Bench()
    before = {key: bench.value(key) for key in bench.desk.engine.params.keys()}  # noqa: SIM118
    answer = bench.ask(*texts, *(("orders.keep_ticks=7",) if texts else ()))
    assert not answer["ok"]
    assert said in answer["error"]
    assert "hunter2" not in json.dumps(answer)
    assert {key: bench.value(key) for key in before} == before      # not even the good one
    assert bench.noted == []


def test_what_bounds_losses_is_asked_twice() -> None:
    bench = Bench()
    first = bench.ask("inventory.limit_btc=0.4", "orders.keep_ticks=2")
    assert not first["ok"]
    assert "repeat with --confirm" in first["error"]
    assert first["changes"][0]["new"] == 0.4
    assert bench.noted == []
    other = bench.ask("inventory.limit_btc=0.5", confirm=first["confirm"])
    assert not other["ok"]              # a word confirms what it was given for
    bench.now_s += 61
    assert not bench.ask("inventory.limit_btc=0.5", confirm=other["confirm"])["ok"]     # too late
    last = bench.ask("inventory.limit_btc=0.4")
    assert bench.ask("inventory.limit_btc=0.4", confirm=last["confirm"])["ok"]
    assert bench.value("inventory.limit_btc") == 0.4
    assert KEYS["risk.day_kill_btc"].asks_twice
    assert not KEYS["quote.levels"].asks_twice


def test_an_instruments_own_value_wins() -> None:
    bench = Bench("instrument.0.size_btc=0.05")
    own = bench.desk.engine.markets[0].params
    word = bench.ask("quote.size_btc=0.03")["confirm"]
    assert bench.ask("quote.size_btc=0.03", confirm=word)["ok"]
    assert (bench.value("quote.size_btc"), own.get("quote.size_btc")) == (0.03, 0.05)
    word = bench.ask("instrument.0.size_btc=0.01")["confirm"]
    assert bench.ask("instrument.0.size_btc=0.01", confirm=word)["ok"]
    assert own.get("quote.size_btc") == 0.01


def test_more_levels_than_the_credits_carry_are_refused() -> None:
    assert "more than half" in Bench(burst=10.0).ask("quote.levels=3")["error"]
    assert Bench(burst=12.0).ask("quote.levels=3")["ok"]


def test_it_works_with_an_invalid_book_and_when_killed(tmp_path: Path) -> None:
    bench = Bench()
    told: list[Any] = []
    socket = ControlSocket(tmp_path, bench.desk.engine, Latch(tmp_path),
                           lambda *what: told.append(what), bench.changes)
    bench.desk.engine.control(ControlKind.CONTROL_DISCONNECTED, bench.desk.now_ns)
    assert not bench.desk.engine.markets[0].book.valid
    assert socket.answer(b'{"command":"set","changes":["orders.keep_ticks=2"],"who":"me"}')["ok"]
    bench.desk.engine.control(ControlKind.CONTROL_KILL, bench.desk.now_ns)
    bench.desk.turn()
    answer = socket.answer(b'{"command":"set","changes":["orders.keep_ticks=3"],"who":"me"}')
    assert answer["ok"]
    assert socket.status()["state"] == "killed"
    assert socket.status()["changed"] == {"orders.keep_ticks": 3.0}
    audit = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(row["what"], row["who"], row["reason"]) for row in audit] == [
        ("set", "me", "orders.keep_ticks 1.0 -> 2.0"),
        ("set", "me", "orders.keep_ticks 2.0 -> 3.0")]
    assert ControlSocket(tmp_path, bench.desk.engine, Latch(tmp_path), lambda *_: None).answer(
        b'{"command":"set","changes":["orders.keep_ticks=2"]}')["ok"] is False


def test_changes_under_load_replay_to_the_same_bytes() -> None:
    session = VirtualSession(seed=5)
    asked: list[dict[str, Any]] = []
    steps = iter([("quote.base_half_spread_bps=1.0",), ("quote.levels=2", "orders.keep_ticks=0"),
                  ("quote.levels=500",), ("orders.requote_bps=0.1",), ("quote.levels=1",),
                  ("quote.skew_usd_at_limit=40",)])
    made: list[Changes] = []

    def meanwhile(running: VirtualSession) -> None:
        assert running.maker is not None
        if not made:
            made.append(Changes(running.config, running.maker.engine,
                                running.maker.session.note))
        texts = next(steps, None)
        if texts is not None:
            asked.append(made[0].ask(list(texts), "me", "", ""))

    session.run(60.0, meanwhile=meanwhile, every_s=6.7)
    assert [answer["ok"] for answer in asked] == [True, True, False, True, True, True]
    records = [payload for kind, _, payload in session.records()
               if kind == JournalKind.JOURNAL_SESSION and payload.startswith(WORD)]
    assert len(records) == 5
    replay = session.replay()
    assert replay.identical
    assert replay.expected > 20
    assert replay.engine.params.get("quote.skew_usd_at_limit") == 40.0
    # Without the changes the bytes are others: the record is what makes them equal.
    kept = session.records
    session.records = lambda: (r for r in kept() if not r[2].startswith(WORD))  # type: ignore[method-assign]
    assert not session.replay().identical
