"""The latch of a kill, and the only way out of it."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.latch import LATCH_BYTES, Latch, refusal
from runner.live import main
from runner.options import EXIT_KILLED, RunOptions


def test_a_latch_survives_and_the_first_one_stays(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.prepare()
    assert latch.read() is None
    latch.set("FAULT_DRAWDOWN", "engine")
    latch.set("something later", "engine")
    killed = Latch(tmp_path).read()
    assert killed is not None
    assert (killed.reason, killed.who) == ("FAULT_DRAWDOWN", "engine")
    assert "mm ctl unkill --reason" in refusal(killed)
    latch.prepare()                                     # a start does not clear it
    assert latch.read() is not None


def test_a_full_disk_does_not_keep_a_kill_from_being_latched(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.prepare()
    blocks = latch.path.stat().st_blocks
    (tmp_path / "audit.jsonl").mkdir()                  # the audit cannot be written
    latch.set("FAULT_OPERATOR")
    assert latch.path.stat().st_size == LATCH_BYTES   # nothing grew
    assert latch.path.stat().st_blocks == blocks
    assert latch.read() is not None


def test_a_damaged_latch_is_latched(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.path.write_text("{ not json")
    killed = latch.read()
    assert killed is not None
    assert "cannot be read" in killed.reason


def test_unkill_needs_a_reason_and_is_audited(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.set("FAULT_DRAWDOWN", "engine")
    with pytest.raises(ValueError, match="--reason"):
        latch.clear("  ")
    latch.clear("position checked by hand", "somebody")
    assert latch.read() is None
    rows = [json.loads(line) for line in latch.audit.read_text().splitlines()]
    assert [row["what"] for row in rows] == ["kill", "unkill"]
    assert rows[1]["reason"] == "position checked by hand"
    assert rows[1]["cleared"]["reason"] == "FAULT_DRAWDOWN"
    with pytest.raises(ValueError, match="nothing is latched"):
        latch.clear("again")


def test_no_latch_goes_without_its_audit(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.set("FAULT_DRAWDOWN", "engine")
    latch.audit.unlink()
    latch.audit.mkdir()
    with pytest.raises(OSError, match="directory"):
        latch.clear("position checked")
    assert latch.read() is not None


def test_a_latched_maker_does_not_start(tmp_path: Path,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    Latch(tmp_path).set("FAULT_DRAWDOWN", "engine")
    options = RunOptions(sets=(f"runtime.state_dir={tmp_path}",), duration_s=1.0, headless=True)
    assert main(options) == EXIT_KILLED
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "FAULT_DRAWDOWN" in said
    assert "mm ctl unkill --reason" in said


def test_unkill_on_the_command_line(tmp_path: Path) -> None:
    Latch(tmp_path).set("FAULT_DRAWDOWN", "engine")
    state = ["--set", f"runtime.state_dir={tmp_path}"]
    run = CliRunner().invoke
    assert run(app, ["ctl", "unkill", *state]).exit_code == 2
    assert Latch(tmp_path).read() is not None
    assert run(app, ["ctl", "unkill", *state, "--reason", "looked at it"]).exit_code == 0
    assert Latch(tmp_path).read() is None
    assert run(app, ["ctl", "status", *state]).exit_code == 1       # nobody there
    assert stat.S_IMODE((tmp_path / "latch").stat().st_mode) == 0o600
