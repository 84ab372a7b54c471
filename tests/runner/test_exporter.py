"""The exporter: what it serves, that it outlives its engine, that it never leaves for a port."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from scripted_engine import INFO, ScriptedEngine

from mmcore.stats import tally_of
from mmcore.telemetry_table import families
from runner.exporter import Exporter
from runner.exporter_options import ExporterOptions, WebhookOptions
from runner.exporter_words import WORDS_BYTES, ExporterWords
from runner.metric_source import SILENT_S
from runner.state import map_file

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def values(text: str) -> Values:
    return {(s.name, frozenset(s.labels.items())): s.value
            for family in text_string_to_metric_families(text) for s in family.samples}


def served(exporter: Exporter) -> Values:
    return values(generate_latest(exporter).decode())


def test_every_family_is_served_as_the_table_says(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path)
    exporter = Exporter(ExporterOptions(page=str(engine.path)))
    text = generate_latest(exporter).decode()
    found = {f.name: f for f in text_string_to_metric_families(text)}
    absent = {name for name, (kind, _, _) in families().items()
              if (name.removesuffix("_total") if kind == "counter" else name) not in found}
    assert absent == {"mm_webhook_messages_total"}      # only a webhook makes it
    for name, (kind, labels, _) in families().items():
        if name not in absent:
            family = found[name.removesuffix("_total") if kind == "counter" else name]
            assert family.type == kind, name
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(labels), name
    got = values(text)
    instrument = ("instrument", "BTC-PERPETUAL")
    assert got["mm_up", frozenset()] == 1.0
    assert got["mm_fills_total", frozenset([instrument])] == 1.0
    assert got["mm_fees_btc", frozenset([instrument])] == pytest.approx(1e-6)
    assert got["mm_position_usd", frozenset([instrument])] == 500.0
    assert got["mm_info", frozenset(INFO.items())] == 1.0
    assert got["mm_rejects_by_code_total", frozenset([("code", "10028")])] == 0.0


def test_histograms_count_what_lies_under_each_bound(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path)
    got = served(Exporter(ExporterOptions(page=str(engine.path))))
    name = "mm_request_round_trip_seconds"
    buckets = sorted((float(dict(labels)["le"]), count) for (n, labels), count in got.items()
                     if n == f"{name}_bucket")
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert counts[-1] == got[f"{name}_count", frozenset()] == 1.0
    took_s = got[f"{name}_sum", frozenset()]
    for bound_s, count in buckets:
        assert count == (1.0 if bound_s > took_s else 0.0), bound_s


def test_rejects_are_counted_by_code(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path)
    engine.reject(4242)
    engine.publish()
    got = served(Exporter(ExporterOptions(page=str(engine.path))))
    by_code = {dict(labels)["code"]: v for (n, labels), v in got.items()
               if n == "mm_rejects_by_code_total"}
    assert by_code.pop("4242") == 1.0
    assert set(by_code.values()) == {0.0}
    assert "10028" in by_code
    assert got["mm_rejects_total", frozenset([("instrument", "BTC-PERPETUAL")])] == 1.0


def test_more_codes_than_there_is_room_for_are_counted_together() -> None:
    assert tally_of([7, 8, 7]) == {7: 2, 8: 1}
    many = tally_of([*range(1, 101), 3, 99])
    assert len(many) == 32
    assert sum(many.values()) == 102
    assert (many[3], many[0]) == (2, 102 - 32)


def test_a_silent_engine_is_down_and_nothing_else_is_said_of_it(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path)
    engine.page.put({}, time.monotonic_ns() - int((SILENT_S + 1) * 1e9))
    exporter = Exporter(ExporterOptions(page=str(engine.path)))
    got = served(exporter)
    assert got["mm_up", frozenset()] == 0.0
    assert got["mm_page_age_seconds", frozenset()] > SILENT_S
    assert ("mm_frames_total", frozenset()) not in got
    assert exporter.ready() == {"ready": False, "missing": ["engine"]}
    engine.publish()
    assert served(exporter)["mm_up", frozenset()] == 1.0


def test_an_engine_that_does_not_exist_is_down_at_once(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    engine = ScriptedEngine(tmp_path, gone.pid)
    assert served(Exporter(ExporterOptions(page=str(engine.path))))["mm_up", frozenset()] == 0.0


def test_a_page_made_anew_is_followed(tmp_path: Path) -> None:
    exporter = Exporter(ExporterOptions(page=str(tmp_path / "page")))
    assert served(exporter)["mm_up", frozenset()] == 0.0        # nothing there yet
    first = ScriptedEngine(tmp_path)
    assert served(exporter)["mm_up", frozenset()] == 1.0
    first.path.unlink()
    assert served(exporter)["mm_up", frozenset()] == 1.0
    second = ScriptedEngine(tmp_path)
    second.publish(connects=7.0)
    assert served(exporter)["mm_connects_total", frozenset()] == 7.0


def test_ready_names_what_is_missing(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path)
    exporter = Exporter(ExporterOptions(page=str(engine.path)))
    assert exporter.ready() == {"ready": True, "missing": []}
    engine.market_facts["book_valid"] = 0.0
    engine.publish(ready=0.0, risk_state=2.0)
    assert exporter.ready()["missing"] == ["connection", "risk state", "book of BTC-PERPETUAL"]


# ------------------------------------------------------------------------------------- process
class Started:
    """Exporter processes of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words = ExporterWords(map_file(folder / "exporter", WORDS_BYTES))
        self.children: list[subprocess.Popen[str]] = []

    def start(self, **options: Any) -> subprocess.Popen[str]:
        told = ExporterOptions(page=str(self.folder / "page"), **{
            "port": 0, "words": str(self.folder / "exporter"), **options})
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "runner.exporter", msgspec.json.encode(told).decode()],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.children.append(child)
        return child

    def get(self, path: str) -> tuple[int, bytes]:
        address = f"http://127.0.0.1:{self.words.port}{path}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    made = Started(tmp_path)
    yield made
    for child in made.children:
        child.kill()
        if child.stdin is not None and child.stdin.closed:
            child.stdin = None          # communicate() would flush what is closed
        child.communicate()


def wait_for(what: Callable[[], bool], limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_the_process_serves_and_leaves_after_its_grace(started: Started, tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path)
    child = started.start(parent=os.getpid(), grace_s=1.0)
    wait_for(lambda: started.words.port > 0)
    engine.publish()
    assert started.get("/healthz") == (200, b"ok\n")
    assert started.get("/readyz")[0] == 200
    status, body = started.get("/metrics")
    assert status == 200
    assert values(body.decode())["mm_up", frozenset()] == 1.0
    assert started.get("/nothing")[0] == 404
    engine.page.put({}, 1)                      # the engine died …
    assert child.stdin is not None
    child.stdin.close()                         # … and its end of the pipe with it
    assert started.get("/healthz") == (503, b"engine down\n")
    assert json.loads(started.get("/readyz")[1]) == {"ready": False, "missing": ["engine"]}
    assert values(started.get("/metrics")[1].decode())["mm_up", frozenset()] == 0.0
    assert child.wait(20) == 0
    assert started.words.port == 0


def test_the_next_engine_s_exporter_gets_the_port(started: Started, tmp_path: Path) -> None:
    ScriptedEngine(tmp_path)
    old = started.start(parent=1, grace_s=60.0)
    wait_for(lambda: started.words.port > 0)
    port = started.words.port
    assert old.stdin is not None
    old.stdin.close()
    new = started.start(parent=os.getpid(), port=port)
    while old.poll() is None:                   # the page is of this process, not of number 1
        ScriptedEngine(tmp_path)
        time.sleep(0.1)
    wait_for(lambda: started.words.port == port)
    assert new.poll() is None
    ScriptedEngine(tmp_path)
    assert started.get("/healthz")[0] == 200


def test_a_webhook_that_cannot_be_used_costs_the_alerts_and_not_the_metrics(
        started: Started, tmp_path: Path) -> None:
    ScriptedEngine(tmp_path)
    child = started.start(parent=os.getpid(), webhook=WebhookOptions(url="env:MM_NO_SUCH_HOOK"))
    wait_for(lambda: started.words.port > 0)
    assert started.get("/metrics")[0] == 200
    child.terminate()
    assert child.wait(20) == 0
    assert child.stderr is not None
    assert "MM_NO_SUCH_HOOK is not set; export it; alerts are not sent" in child.stderr.read()


def test_a_taken_port_is_a_warning_and_is_tried_again(started: Started, tmp_path: Path) -> None:
    ScriptedEngine(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        child = started.start(port=port)
        wait_for(lambda: started.words.facts()["exporter_port_taken"] == 1)
        time.sleep(1.2)
        assert child.poll() is None
    wait_for(lambda: started.words.port == port)
    assert started.words.facts() == {"exporter_port": port, "exporter_port_taken": 0}
    child.terminate()
    assert child.wait(20) == 0
    assert child.stderr is not None
    said = child.stderr.read()
    assert said.count("cannot serve") == 1
    assert "telemetry.prometheus_port" in said
