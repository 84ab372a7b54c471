"""The exporter's own alerts: each fires on its cause and ends with it; the webhook tells it."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from scripted_engine import CAUSES, OTHER_CAUSES, ScriptedEngine

from mmcore.telemetry_table import families
from runner.alert_check import AlertState, Checker, Growth
from runner.alert_files import runbook
from runner.alert_rules import ALERTS, Alert
from runner.exporter import Exporter
from runner.exporter_options import ExporterOptions, WebhookOptions
from runner.latch import Latch
from runner.metric_families import samples
from runner.webhook import Sender, WebhookError, address_of, body_of, post_test, text_of

BY_NAME = {alert.name: alert for alert in ALERTS}


def test_alerts_name_metrics_that_exist_and_every_one_has_a_cause() -> None:
    known = {*families(), "up"}
    for alert in ALERTS:
        condition = alert.condition
        assert condition.metric in known, alert.name
        assert not condition.per or condition.per in known, alert.name
        if condition.metric != "up":
            assert {name for name, _ in condition.labels} <= set(
                families()[condition.metric][1]), alert.name
        if condition.window_s:
            assert condition.metric.endswith("_total")
    assert set(CAUSES) | OTHER_CAUSES == set(BY_NAME)
    assert len(BY_NAME) == len(ALERTS)


def test_every_alert_has_its_section_in_the_runbook() -> None:
    text = runbook()
    for alert in ALERTS:
        assert text.count(f"\n## {alert.name}\n") == 1
        assert f"](#{alert.name.lower()})" in text


class Judge:
    """An exporter's checker in a time of its own."""

    def __init__(self, folder: Path) -> None:
        self.engine = ScriptedEngine(folder)
        self.exporter = Exporter(ExporterOptions(page=str(self.engine.path), latch=str(folder)))
        self.checker = Checker()
        self.now_s = 1000.0

    def judge(self, after_s: float) -> list[AlertState]:
        self.now_s += after_s
        return self.checker.check(self.exporter.collect(), self.now_s)


def cause(engine: ScriptedEngine, name: str) -> None:
    facts, market_facts = CAUSES[name]
    engine.facts.update(facts)
    engine.market_facts.update(market_facts)
    engine.publish()


@pytest.mark.parametrize("name", sorted(CAUSES))
def test_an_alert_fires_on_its_cause_and_ends_with_it(name: str, tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    alert = BY_NAME[name]
    assert judge.judge(0) == judge.judge(1) == []
    before = dict(judge.engine.facts), dict(judge.engine.market_facts)
    cause(judge.engine, name)
    began = judge.judge(1)
    if alert.for_s:
        assert name not in {state.alert.name for state in began}
        judge.engine.publish()
        began += judge.judge(alert.for_s)
    fired = {state.alert.name: state for state in began}
    assert name in fired
    assert fired[name].firing
    judge.engine.facts, judge.engine.market_facts = (
        {**dict.fromkeys(now, 0.0), **then} for now, then in zip(
            (judge.engine.facts, judge.engine.market_facts), before, strict=True))
    judge.engine.publish()
    ended = judge.judge(1)
    if alert.condition.window_s:
        assert name not in {state.alert.name for state in ended}    # it is still in the window
        judge.engine.publish()
        ended = judge.judge(alert.condition.window_s)
    assert (name, False) in {(state.alert.name, state.firing) for state in ended}


def test_a_refusal_a_slow_order_starts_in_a_row_and_a_dead_engine(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    judge.judge(0)
    judge.engine.reject(10028)
    judge.engine.publish()
    assert [s.alert.name for s in judge.judge(1)] == ["MmTooManyRequests"]
    judge.engine.slow_down()
    judge.judge(1)
    assert [s.alert.name for s in judge.judge(60)] == ["MmSlow"]
    for _ in range(3):
        judge.engine.start()
        judge.engine.publish()
    assert "MmRestartLoop" in {s.alert.name for s in judge.judge(1)}
    judge.engine.page.put({}, time.monotonic_ns() - 10**10)
    judge.judge(1)
    assert "MmEngineDown" in {s.alert.name for s in judge.judge(5)}


def test_growth_looks_back_over_its_window_and_takes_a_restart_for_what_it_is() -> None:
    growth = Growth(10.0)
    assert [growth.add(v, t) for t, v in ((0, 5), (1, 5), (2, 7), (3, 7))] == [0, 0, 2, 2]
    assert growth.add(1, 4) == 3            # begun anew: 1 since then
    assert growth.add(1, 12) == 1
    assert growth.add(1, 14) == 0


# ------------------------------------------------------------------------------------ webhook
class Receiver:
    """A webhook that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                receiver.bodies.append(json.loads(self.rfile.read(size)))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=secret"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def state_of(alert: Alert = ALERTS[0], *, firing: bool = True) -> AlertState:
    return AlertState(alert, firing, (("instrument", "X"),), 1.5)


@pytest.mark.parametrize("shape", ["generic", "telegram", "slack"])
def test_each_shape_is_what_its_receiver_takes(shape: str, receiver: Receiver) -> None:
    options = WebhookOptions(url=receiver.url, shape=shape, chat="-100")
    assert post_test(options) == ""
    (body,) = receiver.bodies
    info = {"instance": "one", "venue": "ws://here"}
    text = text_of(state_of(), info)
    assert "MmEngineDown" in text
    assert "runbook.md#mmenginedown" in text
    assert "ws://here" in text
    sent = json.loads(body_of(options, state_of(), info))
    if shape == "telegram":
        assert set(body) == {"chat_id", "text", "disable_web_page_preview"}
        assert (sent["chat_id"], sent["text"]) == ("-100", text)
    elif shape == "slack":
        assert sent == {"text": text}
    else:
        assert body["alert"] == "MmTest"
        assert (sent["alert"], sent["status"], sent["severity"], sent["value"]) == (
            "MmEngineDown", "firing", "page", 1.5)
        assert sent["labels"] == {"instrument": "X"}


def test_a_refused_test_names_the_host_and_not_the_token(receiver: Receiver) -> None:
    receiver.status = 403
    fault = post_test(WebhookOptions(url=receiver.url))
    assert "127.0.0.1 answered 403" in fault
    assert "secret" not in fault


@pytest.mark.parametrize(("url", "words"), [
    ("https://hooks.example.com/T/secret", "env:NAME"), ("env:MM_NO_SUCH_HOOK", "not set"),
    ("ftp://127.0.0.1/x", "env:NAME")])
def test_an_address_in_clear_or_of_no_use_is_refused(url: str, words: str) -> None:
    with pytest.raises(WebhookError, match=words) as caught:
        address_of(WebhookOptions(url=url))
    assert "secret/" not in str(caught.value)
    assert "T/secret" not in str(caught.value)


def test_what_is_over_the_rate_is_held_back_and_told_later(receiver: Receiver) -> None:
    clock = [0.0]
    sender = Sender(WebhookOptions(url=receiver.url, per_min=2, repeat_s=100.0),
                    lambda: clock[0])
    first, second, third = (state_of(alert) for alert in ALERTS[:3])
    assert sender.send(first, {})
    assert sender.send(second, {})
    assert not sender.send(third, {})
    assert sender.counts["held_back"] == 1
    assert not sender.due(first.alert.name)
    assert sender.due(third.alert.name)
    assert not sender.send(third._replace(firing=False), {})    # never told, so its end is no news
    clock[0] = 60.0
    assert sender.send(third, {})
    clock[0] = 101.0
    assert sender.due(first.alert.name)
    assert sender.send(first._replace(firing=False), {})
    sender.close()
    assert sender.counts["sent"] == 4
    assert [(b["alert"], b["status"]) for b in receiver.bodies] == [
        (first.alert.name, "firing"), (second.alert.name, "firing"), (third.alert.name, "firing"),
        (first.alert.name, "resolved")]


def test_the_kill_gauge_is_what_the_disk_says(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path)
    exporter = Exporter(ExporterOptions(page=str(engine.path), latch=str(tmp_path)))

    def told() -> tuple[float, float]:
        found = {name: value for name, _, value in samples(exporter.collect())}
        return found["mm_kill_latch"], found["mm_kill_unlatched"]

    latch = Latch(tmp_path)
    latch.prepare()
    assert told() == (0.0, 0.0)
    engine.publish(kill_latch=1.0)
    assert told() == (0.0, 1.0)         # the engine stopped, and a restart would not know
    latch.set("a test")
    assert told() == (1.0, 0.0)
    engine.publish(kill_latch=0.0)      # the next engine, had it been let start
    assert told() == (1.0, 0.0)
    latch.clear("found", "me")
    assert told() == (0.0, 0.0)


def test_no_guard_wanted_is_no_alert(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    judge.engine.publish(guard_wanted=0.0, guard_warm=0.0)
    judge.judge(0)
    assert "MmGuardCold" not in {state.alert.name for state in judge.judge(60)}


def test_the_exporter_tells_what_begins_and_what_ends(
        receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MM_TEST_HOOK", receiver.url)
    engine = ScriptedEngine(tmp_path)
    exporter = Exporter(ExporterOptions(
        page=str(engine.path), webhook=WebhookOptions(url="env:MM_TEST_HOOK", per_min=60)))
    assert exporter.check_alerts() == []
    engine.publish(kill_latch=1.0)
    assert [s.alert.name for s in exporter.check_alerts()] == ["MmKilled"]
    assert exporter.check_alerts() == []        # told once
    engine.publish(kill_latch=0.0)
    exporter.check_alerts()
    assert exporter.sender is not None
    exporter.sender.close()
    assert [(b["alert"], b["status"], b["source"]["instance"]) for b in receiver.bodies] == [
        ("MmKilled", "firing", "one"), ("MmKilled", "resolved", "one")]
