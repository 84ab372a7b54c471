"""The command line as a shell sees it."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

import mmcore
from connectors.deribit.connection import ClientConfig
from connectors.deribit.rpc import Rpc
from runner import doctor, doctor_venue
from runner.config import load
from runner.options import parse_duration

pytestmark = pytest.mark.quick


def mm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-m", "runner", *arguments],
                          capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", ["run", "sim", "doctor"])
def test_help_names_every_option_of_the_contract(command: str) -> None:
    done = mm(command, "--help")
    assert done.returncode == 0
    wanted = {
        "run": ["-c", "--venue", "--duration", "--set", "--headless", "--summary"],
        "sim": ["--port", "--http-port", "--seed", "--data", "--speed", "--once", "--client-id",
                "--client-secret", "--tls-cert", "--tls-key"],
        "doctor": ["-c", "--venue", "--set", "--json", "--drill", "--probe"],
    }[command]
    for option in wanted:
        assert option in done.stdout


def test_help_imports_little() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "runner", "--help"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    for heavy in ("rich.", "asyncio", "msgspec", "mmcore.engine", "picows", "aiohttp"):
        assert f" {heavy}" not in done.stderr, heavy


def test_usage_errors_leave_with_2() -> None:
    for arguments in (["--nonsense"], ["run", "--nonsense"], ["run", "--duration", "soon"],
                      ["nonsense"], ["run", "--duration", "-1s"]):
        done = mm(*arguments)
        assert done.returncode == 2, arguments
        assert "Traceback" not in done.stderr


def test_version() -> None:
    done = mm("--version")
    assert done.returncode == 0
    # The hash of the sources, so that two builds of one version can be told apart.
    assert re.fullmatch(rf"mm {re.escape(mmcore.__version__)}\+[0-9a-f]{{12}}\n", done.stdout)


def test_doctor_reports_every_check_with_a_remedy() -> None:
    done = mm("doctor", "--json", "--drill", "--probe", "500ms")
    findings = {f["name"]: f for f in json.loads(done.stdout)}
    for name in ("mm", "python", "picows", "uvloop", "msgspec", "openssl", "packages",
                 "compiled core", "clock source", "clock sync", "processors", "cpu governor",
                 "open files", "shared memory", "configuration", "state folder", "disk", "key",
                 "account", "latency", "cancel drill"):
        assert name in findings, name
    for finding in findings.values():
        assert (finding["state"] == "ok") == (finding["remedy"] == ""), finding
    for name in ("key", "account", "cancel drill"):
        assert findings[name]["state"] == "ok", findings[name]
    assert "round trips in 0.5 s" in findings["latency"]["found"]
    assert "gone" in findings["cancel drill"]["found"]
    failed = any(f["state"] == "fail" for f in findings.values())
    assert done.returncode == (1 if failed else 0)


def test_doctor_fails_on_a_bad_config_and_an_absent_venue(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[quote]\nlevels = 99\n")
    done = mm("doctor", "-c", str(path))
    assert done.returncode == 1
    assert "quote.levels = 99 is out of range" in done.stdout
    done = mm("doctor", "--venue", "ws://127.0.0.1:1/ws/api/v2",
              "--set", f"runtime.state_dir='{tmp_path}'")
    assert done.returncode == 1
    assert "venue.url" in done.stdout


@pytest.mark.parametrize(("scope", "state", "said"), [
    ("session:mm account:read_write trade:read_write", "ok", "trade:read_write"),
    ("account:read_write trade:read", "fail", "lacks trade:read_write"),
    ("account:read_write trade:read_write wallet:read_write", "fail", "may withdraw")])
def test_doctor_judges_a_key(scope: str, state: str, said: str) -> None:
    found = doctor_venue.key_scopes(scope, strict=True)
    assert (found.state, bool(found.remedy)) == (state, state != "ok")
    assert said in found.found


def test_doctor_drills_no_live_venue() -> None:
    config = msgspec.structs.replace(load(None), profile="live")
    settings = ClientConfig(url="wss://www.example.org/ws/api/v2", client_id="x", client_secret="y")
    found = asyncio.run(doctor_venue.disconnect_drill(Rpc(lambda *_: False), config, settings))
    assert (found.state, "left out" in found.found) == ("warn", True)


def test_doctor_tells_a_disk_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    for free_mib, state in ((100, "fail"), (5000, "warn"), (50_000, "ok")):
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _, n=free_mib: SimpleNamespace(
            free=n << 20))
        assert doctor.disk(load(None)).state == state


def test_doctor_knows_the_pins_of_the_project() -> None:
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    wanted = tomllib.loads(project.read_text())["project"]["dependencies"]
    assert f"picows=={doctor.PICOWS}" in wanted
    for name, least in doctor.LEAST.items():
        assert f"{name}>={'.'.join(str(n) for n in least)}" in wanted


@pytest.mark.parametrize(("text", "seconds"), [
    ("90", 90), ("60s", 60), ("10m", 600), ("1.5h", 5400), ("500ms", 0.5), ("2d", 172800)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0", "-1", "1 week", "nan", "1e3"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="write 90, 60s"):
        parse_duration(text)


def test_sim_report_states_bands() -> None:
    done = mm("sim", "--report", "--duration", "120s", "--json")
    found = json.loads(done.stdout)
    assert found["regime"] == "normal"
    assert done.returncode == (1 if found["outside"] else 0)
    facts = {row["name"]: row for row in found["facts"]}
    spread = facts["spread of one tick"]
    assert spread["band"][0] <= spread["synthetic"] <= spread["band"][1]
    assert spread["within"] is True
    assert "within" in mm("sim", "--report", "--duration", "60s").stdout
    assert "belong to --report" in mm("sim", "--json").stderr
