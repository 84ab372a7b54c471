"""A real Prometheus: the shipped rules load, every panel has data, every alert fires."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from scripted_engine import CAUSES, Publisher, ScriptedEngine

from runner.alert_files import RECORDING, alert_rules, prometheus_config, recording_rules
from runner.alert_rules import ALERTS
from runner.dashboards import DASHBOARDS, queries
from runner.exporter_options import ExporterOptions
from runner.exporter_words import WORDS_BYTES, ExporterWords
from runner.latch import Latch
from runner.metric_families import Families, engine_families, samples
from runner.metric_source import PageSource
from runner.state import map_file, shared_path

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
FIRES_S = 5.0


def program(name: str) -> str:
    """Return the path of a program of Debian's package prometheus."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed; .ci/run installs the package prometheus")
        pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus)")
    return found


def wait_for(what: Callable[[], bool], limit_s: float, why: Callable[[], object] = str) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, f"waited too long: {why()}"
        time.sleep(0.1)


class Prometheus:
    """One Prometheus on a free port, scraping and judging every second."""

    def __init__(self, folder: Path, target: str) -> None:
        folder.mkdir()
        (folder / "recording.yml").write_text(recording_rules(1))
        (folder / "alerts.yml").write_text(alert_rules(at_once=True, interval_s=1))
        (folder / "prometheus.yml").write_text(prometheus_config(target, 1))
        with (folder / "log").open("wb") as log:
            self.child = subprocess.Popen(
                [program("prometheus"), f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0",
                 "--log.level=info"], stdout=log, stderr=log, start_new_session=True)
        self.log = folder / "log"
        wait_for(lambda: "Listening on" in self.log.read_text(), 30.0, self.log.read_text)
        # Listening on the port the system chose is said nowhere but in /proc.
        self.address = f"http://127.0.0.1:{listening_port(self.child.pid)}"
        wait_for(lambda: self.answers("/-/ready"), 30.0, self.log.read_text)

    def answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.address + path, timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def get(self, path: str, **query: str) -> Any:
        address = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310
            return json.load(answer)["data"]

    def query(self, text: str) -> list[Any]:
        return list(self.get("query", query=text)["result"])

    def firing(self) -> dict[str, float]:
        """Return firing alerts and since when, by this machine's wall clock."""
        found = {}
        for alert in self.get("alerts")["alerts"]:
            if alert["state"] == "firing":
                since = wall_time(alert["activeAt"])
                name = alert["labels"]["alertname"]
                found[name] = min(since, found.get(name, since))
        return found

    def end(self) -> None:
        self.child.kill()
        self.child.wait()


def wall_time(text: str) -> float:
    """Return the time of an RFC 3339 text with nanoseconds."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")


def listening_port(process_id: int) -> int:
    """Return the port a process listens on."""
    inodes = set()
    for handle in Path(f"/proc/{process_id}/fd").iterdir():
        try:
            inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    for table in ("tcp", "tcp6"):
        for line in (Path("/proc/net") / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].rpartition(":")[2], 16)
    raise AssertionError("the process listens nowhere")


@pytest.fixture
def ending() -> Iterator[list[Callable[[], None]]]:
    made: list[Callable[[], None]] = []
    yield made
    for end in reversed(made):
        end()


def start_exporter(folder: Path, ending: list[Callable[[], None]],
                   port: int = 0) -> tuple[subprocess.Popen[bytes], int]:
    words = ExporterWords(map_file(folder / "exporter", WORDS_BYTES))
    words.closed()
    options = ExporterOptions(page=str(folder / "page"), latch=str(folder),
                              words=str(folder / "exporter"), port=port)
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "runner.exporter", msgspec.json.encode(options).decode()],
        stdin=subprocess.DEVNULL, start_new_session=True)
    ending.append(lambda: (child.kill(), child.wait(), None)[2])
    wait_for(lambda: words.port > 0, 30.0)
    return child, words.port


def test_promtool_accepts_what_ships() -> None:
    folder = ROOT / "runner" / "deploy" / "prometheus"
    for arguments in (["check", "rules", str(folder / "alerts.yml"), str(folder / "recording.yml")],
                      ["check", "config", str(folder / "prometheus.yml")]):
        done = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


def test_every_alert_fires_soon_after_its_cause(
        tmp_path: Path, ending: list[Callable[[], None]]) -> None:
    engine = ScriptedEngine(tmp_path)
    exporter, port = start_exporter(tmp_path, ending)
    prometheus = Prometheus(tmp_path / "prometheus", f"127.0.0.1:{port}")
    ending.append(prometheus.end)
    late: dict[str, float] = {}
    with Publisher(engine) as publisher:
        wait_for(lambda: len(prometheus.query("mm_up[10s]")) == 1
                 and len(prometheus.query("mm_up[10s]")[0]["values"]) >= 4, 30.0)
        assert prometheus.firing() == {}
        began_s = time.time()
        for facts, market_facts in CAUSES.values():
            engine.facts.update(facts)
            engine.market_facts.update(market_facts)
        engine.facts["delta_btc"] = -0.5
        engine.reject(10028)
        for _ in range(3):
            engine.start()
        engine.publish()
        engine.slow_down()
        expected = {a.name for a in ALERTS} - {"MmEngineDown", "MmScrapeFailed", "MmKilled"}
        wait_for(lambda: expected <= set(prometheus.firing()), 30.0,
                 lambda: expected - set(prometheus.firing()))
        late = {name: since - began_s for name, since in prometheus.firing().items()}
        latched_s = time.time()
        Latch(tmp_path).set("a test")
        wait_for(lambda: "MmKilled" in prometheus.firing(), 30.0)
        late["MmKilled"] = prometheus.firing()["MmKilled"] - latched_s
        publisher.ended.set()
        silent_s = time.time()
        wait_for(lambda: "MmEngineDown" in prometheus.firing(), 30.0)
        late["MmEngineDown"] = prometheus.firing()["MmEngineDown"] - silent_s
    exporter.kill()
    killed_s = time.time()
    wait_for(lambda: "MmScrapeFailed" in prometheus.firing(), 30.0)
    late["MmScrapeFailed"] = prometheus.firing()["MmScrapeFailed"] - killed_s
    assert set(late) == {a.name for a in ALERTS}
    assert {name: s for name, s in late.items() if s > FIRES_S} == {}


def test_a_running_maker_fills_every_panel_and_agrees_with_its_summary(
        tmp_path: Path, ending: list[Callable[[], None]]) -> None:
    state = tmp_path / "state"
    maker = subprocess.Popen(
        [sys.executable, "-P", "-m", "runner", "run", "--headless", "--summary",
         str(tmp_path / "summary.json"), "--set", "telemetry.prometheus_port=0",
         "--set", f"runtime.state_dir='{state}'"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    ending.append(lambda: (maker.kill(), maker.wait(), None)[2])
    ending.append(lambda: shutil.rmtree(shared_path(state), ignore_errors=True))
    source = PageSource(shared_path(state) / "page")

    def port() -> int:
        reading = source.read()
        return int(reading["process"]["exporter_port"]) if reading else 0

    wait_for(lambda: port() > 0, 60.0)
    prometheus = Prometheus(tmp_path / "prometheus", f"127.0.0.1:{port()}")
    ending.append(prometheus.end)
    wanted = [*((f"{key}: {title}", query) for key in DASHBOARDS
                for title, query in queries(key)), *RECORDING]
    empty = dict(wanted)

    def filled() -> bool:
        for title, query in wanted:
            if title in empty and prometheus.query(query):
                del empty[title]
        return not empty

    # A session's first fill takes a while; everything but what needs it is there in seconds.
    wait_for(filled, 120.0, lambda: empty)
    maker.send_signal(signal.SIGTERM)
    assert maker.wait(60) == 0
    figures = json.loads((tmp_path / "summary.json").read_text())
    reading = source.read()
    assert reading is not None
    agree(reading, figures)


def agree(reading: dict[str, Any], figures: dict[str, Any]) -> None:
    """Compare what the exporter makes of the last page with the session's summary."""
    out = Families()
    engine_families(out, reading)
    totals: dict[str, float] = {}
    actions: dict[str, float] = {}
    quantiles: dict[str, float] = {}
    for name, labels, value in samples(out.found.values()):
        totals[name] = totals.get(name, 0.0) + value
        if name == "mm_order_messages_total":
            actions[labels["action"]] = actions.get(labels["action"], 0.0) + value
        if name == "mm_tick_to_order_quantile_seconds":
            quantiles[labels["quantile"]] = value
    for key, family in (
            ("book_updates", "mm_book_updates_total"), ("book_gaps", "mm_book_gaps_total"),
            ("book_crossed", "mm_book_crossed_total"), ("decisions", "mm_decisions_total"),
            ("max_abs_delta_btc", "mm_delta_max_abs_btc"), ("rejects", "mm_rejects_total"),
            ("fills", "mm_fills_total"), ("maker_fills", "mm_maker_fills_total"),
            ("position_usd", "mm_position_usd"), ("delta_btc", "mm_delta_btc"),
            ("realized_btc", "mm_realized_btc"), ("unrealized_btc", "mm_unrealized_btc"),
            ("fees_btc", "mm_fees_btc"), ("funding_btc", "mm_funding_btc"),
            ("equity_btc", "mm_equity_btc")):
        assert totals[family] == pytest.approx(figures[key], abs=1e-8), key
    for action in ("new", "edit", "cancel"):
        assert actions[action] == figures[f"orders_{action}"]
    for quantile, key in (("0.5", "p50"), ("0.99", "p99"), ("0.999", "p999")):
        assert quantiles[quantile] == pytest.approx(figures["tick_to_order_us"][key] * 1e-6)
