"""A kill with a part of the process gone: orders away, latched, no start until it is cleared."""

import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from test_live import Processes, helper_of, open_orders, processes, wait_for

from mmcore.risk import RiskState
from runner.latch import Latch
from runner.metric_source import PageSource
from runner.state import shared_path

__all__ = ["processes"]

pytestmark = pytest.mark.slow


def nothing_wrong(_pid: int, _journal: Path) -> None:
    return


def metrics_process_dead(pid: int, _journal: Path) -> None:
    os.kill(helper_of(pid, "runner.exporter"), signal.SIGKILL)


def metrics_process_hung(pid: int, _journal: Path) -> None:
    os.kill(helper_of(pid, "runner.exporter"), signal.SIGSTOP)


def journal_blocked(pid: int, _journal: Path) -> None:
    os.kill(helper_of(pid, "runner.recorder"), signal.SIGSTOP)


def disk_full(pid: int, journal: Path) -> None:
    full = sum(p.stat().st_size for p in journal.glob("*.mmj")) + 1
    resource.prlimit(helper_of(pid, "runner.recorder"), resource.RLIMIT_FSIZE,
                     (full, resource.RLIM_INFINITY))


@pytest.mark.parametrize("situation", [
    nothing_wrong, metrics_process_dead, metrics_process_hung, journal_blocked, disk_full])
def test_a_kill_works(situation: Callable[[int, Path], None], processes: Processes,
                      tmp_path: Path) -> None:
    _, url, http_port = processes.exchange()
    journal, state = tmp_path / "journal", tmp_path / "named"
    sets = ("--venue", url, "--set", f"journal.dir='{journal}'",
            "--set", f"runtime.state_dir='{state}'")
    maker = processes.mm("run", "--headless", *sets)
    wait_for(lambda: len(open_orders(http_port)) == 2)
    page = PageSource(shared_path(state) / "page")
    wait_for(lambda: any(journal.glob("*.mmj")) and bool(helper_of(maker.pid, "runner.exporter")))
    helpers = [helper_of(maker.pid, name) for name in ("runner.recorder", "runner.exporter")]
    situation(maker.pid, journal)
    killed = processes.mm("ctl", "kill", "--reason", "a drill", *sets)
    killed.communicate(timeout=30)
    assert killed.returncode == 0
    wait_for(lambda: open_orders(http_port) == [], 5.0)
    wait_for(lambda: page.read()["risk_state"] == RiskState.RISK_KILLED)
    latched = Latch(state).read()
    assert latched is not None
    assert latched.reason == "a drill"
    for pid in helpers:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            continue
    maker.send_signal(signal.SIGTERM)
    maker.communicate(timeout=60)
    assert maker.returncode == 3
    again = processes.mm("run", "--headless", "--duration", "1s", *sets)
    _, said = again.communicate(timeout=30)
    assert again.returncode == 3
    assert "a drill" in said
    assert "mm ctl unkill --reason" in said
    assert open_orders(http_port) == []
    shutil.rmtree(shared_path(state), ignore_errors=True)
