"""`mm report` on the journal of a real, short `mm run`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.config import load
from runner.final_page import draw_page, page_wanted
from runner.options import RunOptions

pytest.importorskip("plotly")


def test_the_report_of_a_run_is_the_run(tmp_path: Path) -> None:
    """Figures of the summary come out of the journal again, and the page names the reasons."""
    journal, told = tmp_path / "journal", tmp_path / "summary.json"
    sets = (f"journal.dir='{journal}'", f"runtime.state_dir='{tmp_path / 'state'}'",
            "telemetry.prometheus=false", "signals.warmup_s=1")
    options = [word for text in sets for word in ("--set", text)]
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "runner", "run", "--headless", "--duration", "8s",
         "--summary", str(told), *options], check=True, timeout=180, capture_output=True, text=True)
    figures = json.loads(told.read_text())
    done = CliRunner().invoke(app, ["report", str(journal), "--json"])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    head = found["headline"]
    profit = (figures["realized_btc"] + figures["unrealized_btc"] + figures["funding_btc"]
              - figures["fees_btc"])
    assert head["profit_btc"] == pytest.approx(profit, abs=1e-12)
    assert (head["fills"], head["max_abs_delta_btc"]) == (
        figures["fills"], figures["max_abs_delta_btc"])
    ((name, part),) = found["instruments"].items()
    assert name == "BTC-PERPETUAL"
    why = part["why"]
    assert 0.0 < why["removed"]["warming up"][0] < 1.0
    assert why["reference"]["mid"] > 0.5
    # the embedded exchange's default: 0.3 bps of a price of some ten thousand
    assert 0.3e-4 * 10_000 < why["width_usd"]["base"]["mean"] < 0.3e-4 * 200_000
    assert set(why["shift_usd"]) >= {"inventory skew", "signal: imbalance", "carry"}
    shown = CliRunner().invoke(app, ["report", str(journal), "--out", str(tmp_path / "a.html")])
    assert shown.exit_code == 0, shown.output
    page = (tmp_path / "a.html").read_text()
    assert "sides removed, by reason" in page
    # the session itself ended with one, of the same journal
    ended = tmp_path / "state" / "report.html"
    assert ran.stdout.splitlines()[-1] == f"  report         {ended}"
    assert json.loads(ended.with_suffix(".json").read_text()) == json.loads(
        (tmp_path / "a.json").read_text())
    assert (tmp_path / "state" / "report-fills.parquet").exists()
    assert "<td>warming up</td>" in page


def test_a_session_with_the_built_in_exchange_keeps_its_page(tmp_path: Path) -> None:
    """Its temporary folder goes, and the journal in it; the page it was drawn from stays."""
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "runner", "run", "--headless", "--duration", "5s",
         "--set", "telemetry.prometheus=false"], check=True, timeout=180, capture_output=True,
        text=True, env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)})
    page = tmp_path / "mm" / "embedded" / "report.html"
    assert ran.stdout.splitlines()[-1] == f"  report         {page}"
    assert "BTC-PERPETUAL" in page.read_text()
    assert not list(tmp_path.glob("mm-embedded-*"))


def test_a_folder_without_a_session_is_refused(tmp_path: Path) -> None:
    (tmp_path / "000000.mmj").write_bytes(b"nothing")
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 2
    assert "no journal header" in done.stderr


def test_who_gets_a_page_and_what_is_said_where_none_can_be_drawn(tmp_path: Path) -> None:
    service, timed, watched = RunOptions(headless=True), RunOptions(
        headless=True, duration_s=5.0), RunOptions()
    assert [page_wanted(load(None), o) for o in (service, timed, watched)] == [False, True, True]
    for off in ("journal.report=false", "journal.enabled=false"):
        assert not page_wanted(load(None, [off]), timed)
    told = draw_page(tmp_path, tmp_path / "report.html")
    assert told.startswith("  report         none: ")
    assert "holds no run" in told or "not there" in told
    assert "mm report" in draw_page(tmp_path, tmp_path / "report.html", limit_s=0.01)
    (tmp_path / "file").touch()
    told = draw_page(tmp_path, tmp_path / "file" / "report.html")
    assert told.startswith(f"  report         none: {tmp_path / 'file'}: ")
    assert "set runtime.state_dir" in told
