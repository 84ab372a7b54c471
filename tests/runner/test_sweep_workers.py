"""The same sweep by one process, by two, by a Dask cluster, and by one that is killed half way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from market_file import write_market

from runner.children import python_environment

pytestmark = pytest.mark.slow
MM = (sys.executable, "-P", "-m", "runner")
OPTIONS = ("--set", "signals.warmup_s=5", "--set", "quote.fee_floor=false", "--folds", "1",
           "--over", "quote.base_half_spread_bps=0.5..3/10", "--over", "quote.size_btc=0.01,0.03",
           "--top", "1", "--json")
LIMIT_S = 240.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_market(tmp_path_factory.mktemp("data") / "market.mmev")


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process makes of it."""
    found = sweep(data, tmp_path_factory.mktemp("alone"), "--workers", "1")
    assert found["run"]["workers"] == "1 process"
    return found


def sweep(data: Path, out: Path, *more: str) -> dict[str, Any]:
    done = subprocess.run([*MM, "sweep", str(data), *OPTIONS, "--out", str(out), *more], text=True,
                          capture_output=True, timeout=LIMIT_S, check=False,
                          env=python_environment())
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {**one, "run": 0} == {**other, "run": 0}


def wait_for(path: Path, process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + LIMIT_S
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def children(pid: int) -> set[int]:
    """Return the processes a process has started."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.add(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_killed_goes_on_where_it_was(data: Path, tmp_path: Path,
                                             alone: dict[str, Any]) -> None:
    """Two processes, killed with signal 9: nobody stays behind, nothing is run twice."""
    kept = tmp_path / "outcomes.jsonl"
    running = subprocess.Popen(
        [*MM, "sweep", str(data), *OPTIONS, "--out", str(tmp_path), "--workers", "2"],
        stdout=subprocess.DEVNULL, env=python_environment())
    wait_for(kept, running)
    end = time.monotonic() + LIMIT_S
    while kept.read_bytes().count(b"\n") < 5:
        assert running.poll() is None
        assert time.monotonic() < end
        time.sleep(0.005)
    workers = children(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(30)
    assert len(workers) >= 2
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.1)
    done = kept.read_bytes().count(b"\n")
    found = sweep(data, tmp_path, "--workers", "2")
    assert same(found, alone)
    assert found["run"]["kept"] == done
    assert found["run"]["kept"] + found["run"]["ran"] == alone["run"]["ran"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A scheduler and two workers as an operator starts them."""
    if shutil.which("dask", path=str(Path(sys.executable).parent)) is None:
        if os.environ.get("CI") == "true":
            pytest.fail("distributed is not installed; requirements/dev.txt has it")
        pytest.skip("distributed is not installed; pip install 'mmcore[cluster]'")
    place = tmp_path / "scheduler.json"
    dask = (sys.executable, "-P", "-m", "dask")
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
                             "cwd": tmp_path, "env": python_environment()}
    started = [subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
         "--scheduler-file", str(place)], **quiet)]
    try:
        wait_for(place, started[0])
        started += [subprocess.Popen(
            [*dask, "worker", "--scheduler-file", str(place), "--nthreads", "1", "--no-nanny",
             "--no-dashboard", "--local-directory", str(tmp_path)], **quiet) for _ in range(2)]
        end = time.monotonic() + LIMIT_S
        while not place.stat().st_size:
            assert time.monotonic() < end
            time.sleep(0.05)
        yield str(json.loads(place.read_text())["address"])
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:       # a worker may wait for a scheduler that went
                process.kill()
                process.wait(20)


def test_a_cluster_finds_the_same(data: Path, tmp_path: Path, cluster: str,
                                  alone: dict[str, Any]) -> None:
    found = sweep(data, tmp_path / "out", "--cluster", cluster)
    assert found["run"]["workers"] == f"the cluster {cluster}"
    assert found["run"]["ran"] == alone["run"]["ran"]
    assert same(found, alone)
