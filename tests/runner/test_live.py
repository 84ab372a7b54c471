"""`mm run` as a process, against the exchange as a process: start, trade, leave, exit codes."""

import base64
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.replay.journal import read_journal
from mmcore.journal import JournalKind
from mmcore.risk import RiskState
from runner.config_keys import ENGINE_SECTIONS, KEYS
from runner.metric_source import PageSource
from runner.state import shared_path

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def hear_hangups() -> None:
    """Under nohup(1) the tests ignore SIGHUP, and their children would inherit that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Processes:
    """Starts processes of a test and ends them, whatever the test does."""

    def __init__(self, state: Path) -> None:
        self.started: list[subprocess.Popen[str]] = []
        self.state = state
        self.environment = {**os.environ, "XDG_STATE_HOME": str(state)}

    def mm(self, *arguments: str) -> subprocess.Popen[str]:
        if arguments[0] == "run":       # whoever else runs has the usual port
            arguments = (*arguments, "--set", "telemetry.prometheus_port=0")
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "runner", *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment,
            start_new_session=True, preexec_fn=hear_hangups)
        self.started.append(child)
        return child

    def exchange(self, *arguments: str) -> tuple[subprocess.Popen[str], str, int]:
        # Far from any full hour: no settlement, whenever the tests run.
        child = self.mm("sim", "--port", "0", "--regime", "volatile", "--now",
                        "2026-09-21T14:13:20", *arguments)
        assert child.stdout is not None
        ports = json.loads(child.stdout.readline())
        return child, f"ws://127.0.0.1:{ports['ws']}/ws/api/v2", ports["http"]

    def end(self) -> None:
        for child in self.started:
            child.kill()
            child.communicate()
        # A killed maker leaves its ring in shared memory on purpose, for the next start.
        for folder in self.state.glob("mm/*/*"):
            shutil.rmtree(shared_path(folder), ignore_errors=True)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "state")
    yield made
    made.end()


def wait_for(what: Callable[[], bool], limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def open_orders(http_port: int) -> list[Any]:
    """Ask the exchange over HTTP, as another program would, what the maker has open."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{http_port}/api/v2/private/get_open_orders",
        headers={"Authorization": "Basic " + base64.b64encode(b"maker:maker").decode()})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return list(json.load(answer)["result"])


def test_a_session_trades_reports_and_leaves_nothing(processes: Processes, tmp_path: Path) -> None:
    _, url, http_port = processes.exchange()
    journal = tmp_path / "journal"
    child = processes.mm(
        "run", "--venue", url, "--duration", "12s", "--headless", "--summary",
        str(tmp_path / "summary.json"), "--set", f"journal.dir='{journal}'")
    wait_for(lambda: len(open_orders(http_port)) == 2)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert open_orders(http_port) == []
    figures = json.loads((tmp_path / "summary.json").read_text())
    left = figures["position_usd"]
    # Where the port above the exchange's is another's, the guard says that it finds nobody there.
    said = [line for line in err.splitlines() if not line.startswith("mm: guard: unreachable")]
    assert len(said) == err.count("A POSITION IS LEFT OPEN") == (left != 0.0), err
    assert left == 0.0 or f" {abs(left):.0f} {'long' if left > 0 else 'short'};" in err
    assert figures["exit"] == "duration"
    assert figures["book_updates"] > 100
    assert figures["book_gaps"] == figures["book_crossed"] == 0
    assert figures["orders_new"] >= 2
    assert list(figures["instruments"]) == ["BTC-PERPETUAL"]
    assert "sim profile" in out
    assert "ended by duration" in out
    records = list(read_journal(journal))
    assert records[0].kind == JournalKind.JOURNAL_HEADER
    kinds = {r.kind for r in records}
    assert {JournalKind.JOURNAL_FRAME_IN, JournalKind.JOURNAL_OUT, JournalKind.JOURNAL_TURN,
            JournalKind.JOURNAL_TIMER, JournalKind.JOURNAL_CONTROL} <= kinds
    frames = sum(r.kind == JournalKind.JOURNAL_FRAME_IN for r in records)
    assert frames >= figures["book_updates"]
    again = processes.mm("replay", str(journal), "--json")
    compared = json.loads(again.communicate(timeout=60)[0])
    assert again.returncode == 0
    assert compared["identical"]
    assert compared["payloads"] > 0
    for key in ("book_updates", "decisions", "fills", "position_usd", "fees_btc"):
        assert compared["summary"][key] == figures[key], key


def test_a_session_over_tls_and_an_authority_nobody_trusts(
        processes: Processes, tmp_path: Path) -> None:
    authority = trustme.CA()
    served = authority.issue_cert("127.0.0.1")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    served.private_key_pem.write_to_path(str(key))
    for pem in served.cert_chain_pems:
        pem.write_to_path(str(certificate), append=True)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    _, url, _ = processes.exchange("--tls-cert", str(certificate), "--tls-key", str(key))
    secure = url.replace("ws://", "wss://")
    trusted = processes.mm("run", "--venue", secure, "--headless", "--duration", "5s", "--set",
                           f"venue.ca_file='{tmp_path / 'authority.pem'}'")
    out, err = trusted.communicate(timeout=60)
    assert trusted.returncode == 0, err
    assert "ended by duration" in out
    stranger = processes.mm("run", "--venue", secure, "--headless", "--duration", "5s")
    _, err = stranger.communicate(timeout=60)
    assert stranger.returncode == 1
    assert len(err.splitlines()) == 1
    assert "certificate" in err


def helper_of(pid: int, module: str) -> int:
    """Return the process id of a helper by its module, 0 while it is not there."""
    for child in children_of(pid):
        try:
            if module.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        except OSError:
            continue
    return 0


def test_dead_helpers_are_replaced_and_nothing_is_lost(
        processes: Processes, tmp_path: Path) -> None:
    _, url, http_port = processes.exchange()
    journal, state = tmp_path / "journal", tmp_path / "named"
    child = processes.mm("run", "--venue", url, "--headless",
                         "--set", f"journal.dir='{journal}'",
                         "--set", f"runtime.state_dir='{state}'")
    wait_for(lambda: len(open_orders(http_port)) == 2)
    page = PageSource(shared_path(state) / "page")
    before = {name: helper_of(child.pid, name) for name in ("runner.recorder", "runner.exporter")}
    decided = page.read()["decisions"]
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    for name, pid in before.items():
        wait_for(lambda name=name, pid=pid: helper_of(child.pid, name) not in (0, pid))
    wait_for(lambda: page.read()["process"]["recorder_restarts"] == 1
             and page.read()["process"]["exporter_restarts"] == 1)
    wait_for(lambda: page.read()["process"]["exporter_port"] > 0)
    assert page.read()["decisions"] > decided           # quoting went on
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "recorder ended" in err
    assert "exporter ended" in err
    shutil.rmtree(shared_path(state), ignore_errors=True)
    again = processes.mm("replay", str(journal), "--json")
    assert json.loads(again.communicate(timeout=60)[0])["identical"]


def test_a_full_disk_pulls_the_orders_and_corrupts_nothing(
        processes: Processes, tmp_path: Path) -> None:
    _, url, http_port = processes.exchange()
    journal, state = tmp_path / "journal", tmp_path / "named"
    child = processes.mm("run", "--venue", url, "--headless",
                         "--set", f"journal.dir='{journal}'",
                         "--set", f"runtime.state_dir='{state}'")
    wait_for(lambda: len(open_orders(http_port)) == 2)
    page = PageSource(shared_path(state) / "page")
    wait_for(lambda: any(journal.glob("*.mmj")))
    recorder = helper_of(child.pid, "runner.recorder")
    full = sum(p.stat().st_size for p in journal.glob("*.mmj")) + 1
    resource.prlimit(recorder, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    wait_for(lambda: page.read()["journal_disk_fault"] == 1.0)
    wait_for(lambda: open_orders(http_port) == [])
    wait_for(lambda: page.read()["risk_state"] == RiskState.RISK_PAUSED)
    resource.prlimit(recorder, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for(lambda: page.read()["journal_disk_fault"] == 0.0)
    wait_for(lambda: len(open_orders(http_port)) == 2)          # by itself
    lost = page.read()["journal_lost"]
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "cannot write the journal" in err
    shutil.rmtree(shared_path(state), ignore_errors=True)
    assert lost == 0
    again = processes.mm("replay", str(journal), "--json")
    assert json.loads(again.communicate(timeout=60)[0])["identical"]


def test_a_dead_exchange_of_our_own_ends_the_session_at_once(processes: Processes) -> None:
    child = processes.mm("run", "--headless")
    wait_for(lambda: len(children_of(child.pid)) == 4)  # exchange, recorder, exporter, guard
    time.sleep(4)
    exchange = next(pid for pid in children_of(child.pid)
                    if b"--child" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(exchange, signal.SIGKILL)
    _, err = child.communicate(timeout=40)
    assert child.returncode != 0
    assert "exchange ended by itself" in err


def test_more_orders_than_the_credits_carry_are_refused(processes: Processes) -> None:
    _, url, http_port = processes.exchange()
    child = processes.mm("run", "--venue", url, "--headless", "--set", "quote.levels=10",
                         "--set", "orders.max_updates_per_s=40")
    _, err = child.communicate(timeout=30)
    assert child.returncode == 2
    assert "a full requote is 20 orders" in err
    assert "lower quote.levels" in err
    assert open_orders(http_port) == []


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_nothing_on_the_exchange(
        processes: Processes, number: signal.Signals, times: int) -> None:
    _, url, http_port = processes.exchange()
    child = processes.mm("run", "--venue", url, "--headless")
    wait_for(lambda: len(open_orders(http_port)) == 2)
    for _ in range(times):
        child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0, err
    assert f"ended by {number.name}" in out
    assert open_orders(http_port) == []


def test_a_killed_maker_leaves_no_order_and_no_process(
        processes: Processes, tmp_path: Path) -> None:
    _, url, http_port = processes.exchange()
    journal = tmp_path / "journal"
    child = processes.mm("run", "--venue", url, "--set", f"journal.dir='{journal}'")
    wait_for(lambda: len(open_orders(http_port)) == 2)
    helpers = children_of(child.pid)
    assert len(helpers) == 4            # recorder, exporter, view and guard
    exporter = next(pid for pid in helpers
                    if b"runner.exporter" in Path(f"/proc/{pid}/cmdline").read_bytes())
    child.kill()
    child.wait()
    wait_for(lambda: open_orders(http_port) == [])
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in helpers
                             if pid != exporter))
    assert Path(f"/proc/{exporter}").exists()       # to say that the maker is gone
    assert sum(r.kind == JournalKind.JOURNAL_OUT for r in read_journal(journal)) > 0
    # The next start goes on in the same journal; each session replays on its own.
    child = processes.mm("run", "--venue", url, "--set", f"journal.dir='{journal}'",
                         "--headless", "--duration", "5s")
    child.communicate(timeout=60)
    assert child.returncode == 0
    wait_for(lambda: not Path(f"/proc/{exporter}").exists())    # the next maker has its own
    again = processes.mm("replay", str(journal), "--json")
    compared = json.loads(again.communicate(timeout=60)[0])
    assert compared["sessions"] == 2
    assert compared["identical"], compared


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def test_the_reactor_process_stays_lean() -> None:
    code = ("import sys, runner.live; print(len(sys.modules)); "
            "print(*[m for m in ('rich', 'typer', 'aiohttp', 'zstandard', 'numpy', "
            "'prometheus_client', 'optuna', 'distributed') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True,
                          timeout=60, check=True)
    count, heavy = done.stdout.split("\n")[:2]
    assert heavy == ""
    assert int(count) < 420, count


def test_a_second_maker_is_refused(processes: Processes) -> None:
    _, url, http_port = processes.exchange()
    first = processes.mm("run", "--venue", url, "--headless")
    wait_for(lambda: len(open_orders(http_port)) == 2)
    second = processes.mm("run", "--venue", url, "--headless")
    _, err = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"process {first.pid}" in err
    assert err.count("\n") == 1
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    assert first.returncode == 0


def test_a_start_that_cannot_be_is_one_line(processes: Processes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    exchange, url, _ = processes.exchange("--client-id", "maker", "--client-secret", "right")
    for arguments, code, words in (
            (["--venue", f"ws://127.0.0.1:{port}"], 1, "run mm doctor"),
            (["--venue", url], 1, "check venue.client_id"),
            (["--venue", url, "--set", "venue.client_secret=right", "--set",
              "instrument.0.name=BTC-1JAN20"], 2, "BTC-1JAN20"),
            (["--set", "runtime.reactor_cpu=4000"], 2, "this process may use CPUs")):
        child = processes.mm("run", "--headless", *arguments)
        _, err = child.communicate(timeout=30)
        assert exchange.poll() is None, exchange.communicate()
        assert child.returncode == code, (arguments, err)
        said = [line for line in err.splitlines() if words in line]
        assert len(said) == 1, err
        assert "Traceback" not in err


def test_the_embedded_exchange_starts_and_leaves_with_the_maker(processes: Processes) -> None:
    child = processes.mm("run", "--duration", "8s", "--set", "telemetry.line_s=1")
    helpers: list[int] = []

    def all_there() -> bool:
        helpers[:] = children_of(child.pid)
        return len(helpers) == 5     # exchange, recorder, exporter, view and guard

    wait_for(all_there)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert out.count("BTC-PERPETUAL book") >= 3
    assert "volatile market" in out
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in helpers))


def test_sim_refuses_what_it_cannot_serve(processes: Processes, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"no recording")
    for arguments, words in (
            (["--regime", "lunatic"], "'lunatic' is not known"),
            (["--once"], "give one with --data"),
            (["--tls-cert", "x.pem"], "--tls-key"),
            (["--client-secret", "x"], "--client-id"),
            (["--data", str(broken)], "broken.gz"),
            (["--data", str(tmp_path / "absent.gz")], "absent.gz"),
            (["--port", "70000"], "0 to 65535"),
            (["--speed", "0"], "speed")):
        child = processes.mm("sim", *arguments)
        out, err = child.communicate(timeout=30)
        assert child.returncode == 2, (arguments, err)
        assert err.count("\n") == 1, err
        assert words in err
        assert out == ""


def test_every_key_outside_the_engine_is_read_somewhere() -> None:
    """No configuration key without effect: each is read as an attribute in the shell."""
    text = "\n".join(p.read_text() for p in (ROOT / "runner").glob("*.py")
                     if not p.name.startswith("config_"))
    unread = [
        k.name for k in KEYS.values() if k.name.partition(".")[0] not in ENGINE_SECTIONS
        and not re.search(rf"\b(venue|entry|i|telemetry|journal|runtime|start|shutdown|"
                          rf"settings)"
                          rf"\.{k.name.rpartition('.')[2]}\b", text)]
    assert unread == []
