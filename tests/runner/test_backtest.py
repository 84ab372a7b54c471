"""`mm backtest` on made-up recordings: determinism, money, keys with their effect, bad input."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from collector_files import write_collector
from typer.testing import CliRunner

from runner.backtest import run_job
from runner.backtest_session import latencies
from runner.cli import app
from runner.config import load

SECONDS = 40
LIVELY = ("signals.warmup_s=1", "quote.fee_floor=false", "quote.base_half_spread_bps=0.02",
          "quote.min_half_spread_usd=0", "quote.min_half_spread_bps=0", "quote.vol_k=0",
          "quote.stand_aside_vol=0", "signals.regime=false")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what a run without --out writes out of the home of who tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="module")
def inverse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collector(tmp_path_factory.mktemp("inverse") / "a.gz", SECONDS, 7)


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collector(tmp_path_factory.mktemp("linear") / "a.gz", SECONDS, 8, inverse=False)


def call(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["backtest", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def run(*paths: Path, sets: tuple[str, ...] = (), more: tuple[object, ...] = ()) -> Any:
    options = [item for text in (*LIVELY, *sets) for item in ("--set", text)]
    code, out, err = call(*paths, *options, "--json", *more)
    assert code == 0, err
    return json.loads(out)


def test_summary_has_the_keys_of_the_contract(inverse: Path) -> None:
    found = run(inverse)
    for name in ("book_updates", "book_gaps", "book_crossed", "decisions", "max_abs_delta_btc",
                 "orders_new", "orders_edit", "orders_cancel", "rejects", "fills", "maker_fills",
                 "position_usd", "delta_btc", "realized_btc", "unrealized_btc", "fees_btc",
                 "funding_btc", "equity_btc", "tick_to_order_us", "markout_bps", "instruments",
                 "exit", "events", "level_changes", "wall_s", "load_s", "outbound_sha256"):
        assert name in found, name
    assert found["book_crossed"] == found["book_gaps"] == 0
    assert found["fills"] > 5
    assert list(found["instruments"]) == ["BTC-PERPETUAL"]
    assert found["exit"] == "end of data"


def test_the_same_bytes_every_time_and_other_bytes_with_another_key(inverse: Path) -> None:
    first, again = run(inverse), run(inverse)
    assert first["outbound_sha256"] == again["outbound_sha256"]
    other = run(inverse, sets=("orders.keep_ticks=3",))
    assert other["outbound_sha256"] != first["outbound_sha256"]


def test_every_run_a_person_reads_ends_with_a_page(inverse: Path, state: Path) -> None:
    code, out, err = call(inverse)
    assert code == 0, err
    pages = [*state.glob("mm/backtests/a-*/report.html")]
    assert len(pages) == 1
    assert f"report         {pages[0]}" in out
    call(inverse)                                   # the same command takes the page's place
    assert [*state.glob("mm/backtests/*")] == [pages[0].parent]
    call(inverse, "--set", "quote.levels=1")
    assert len([*state.glob("mm/backtests/*")]) == 2


def test_a_home_that_cannot_be_written_costs_the_page_alone(
        inverse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    code, out, err = call(inverse)
    assert (code, "decisions" in out) == (0, True)
    assert "no page" in err
    assert "--out" in err


@pytest.mark.parametrize("option", ["--json", "--no-page"])
def test_nothing_is_written_where_nobody_looks(inverse: Path, state: Path, option: str) -> None:
    assert call(inverse, option)[0] == 0
    assert not state.exists()


def test_progress_is_told_and_changes_nothing(inverse: Path) -> None:
    config = load(None, LIVELY, connects=False)
    heard: list[float] = []
    told, untold = run_job([inverse], config, None, heard.append), run_job([inverse], config, None)
    assert told["outbound_sha256"] == untold["outbound_sha256"]
    assert told["fills"] == untold["fills"] > 5
    assert heard == sorted(heard)
    assert len(heard) == 99
    assert 0.0 < heard[0] < heard[-1] < 1.0


def test_workers_change_nothing(inverse: Path, linear: Path) -> None:
    alone = run(inverse, linear, more=("--workers", 1))
    shared = run(inverse, linear, more=("--workers", 2))
    assert alone["outbound_sha256"] == shared["outbound_sha256"]
    assert [r["fills"] for r in alone["runs"]] == [r["fills"] for r in shared["runs"]]
    assert alone["fills"] == sum(r["fills"] for r in alone["runs"])


@pytest.mark.parametrize("kind", ["inverse", "linear"])
def test_money_is_conserved_and_its_parts_add_up(
        kind: str, request: pytest.FixtureRequest) -> None:
    found = run(request.getfixturevalue(kind))
    (name, part), = found["money"].items()
    assert found["fills"] > 5
    assert max(abs(e) for e in found["conservation_error"].values()) < 1e-8
    assert abs(part["decomposition_error"]) < 1e-8
    of_venue = part["trading"] + part["funding"] - part["fees"]
    market = found["instruments"][name]
    of_engine = (market["realized_btc"] + market["unrealized_btc"] + market["funding_btc"]
                 - market["fees_btc"])
    price = 1.0 if kind == "inverse" else market["mark_usd"]
    # The venue rounds the profit of every closing trade to 1e-8, and so does the engine.
    assert of_engine * price == pytest.approx(of_venue, abs=1e-8 * (1 + found["fills"]))


def test_funding_is_paid_where_the_recording_has_a_rate(linear: Path) -> None:
    found = run(linear)
    assert found["funding_btc"] != 0.0


def test_fees_are_those_of_the_config(inverse: Path) -> None:
    usual, free = run(inverse), run(inverse, sets=("venue.maker_fee_bps=0.0",))
    part = usual["money"]["BTC-PERPETUAL"]
    assert part["fees"] == pytest.approx(1.5e-4 * part["volume"] / 60_000, rel=0.03)
    assert free["fees_btc"] == 0.0
    rebate = run(inverse, sets=("venue.maker_fee_bps=-1.0", "venue.taker_fee_bps=5.0"))
    assert rebate["fees_btc"] < 0.0


@pytest.mark.parametrize("text", [
    "backtest.queue='log'", "backtest.entry_ms=200.0", "backtest.response_ms=200.0",
    "backtest.latency_sigma=1.0", "backtest.feed_ms=40.0"])
def test_a_key_of_the_venue_changes_the_run(inverse: Path, text: str) -> None:
    plain, changed = run(inverse), run(inverse, sets=(text,))
    assert [plain[k] for k in ("fills", "realized_btc", "decisions")] != [
        changed[k] for k in ("fills", "realized_btc", "decisions")]


def test_power_and_seed_and_spikes_have_an_effect(inverse: Path) -> None:
    seen = [run(inverse, sets=("backtest.queue='power'", f"backtest.queue_power={p}"))
            for p in (0.2, 8.0)]
    assert seen[0]["realized_btc"] != seen[1]["realized_btc"]
    drawn = []
    for seed in (1, 2):
        ways = latencies(load(None, ["backtest.latency_sigma=1.0", f"backtest.seed={seed}"]))
        drawn += [[way.at_time(t) for t in range(50)] for way in ways]
    # no two of the four share a draw: neither the ways nor the seeds are one sequence shifted
    assert len({value for values in drawn for value in values}) == 200
    spiky = run(inverse, sets=("backtest.spike_every_s=3.0", "backtest.spike_ms=3000.0",
                               "backtest.spike_for_ms=3000.0"))
    assert spiky["venue"]["too_late"] > 0       # beyond orders.valid_for_ms


def test_credit_tier_is_the_accounts(inverse: Path) -> None:
    code, _, err = call(inverse, "--set", "quote.levels=10", "--json")
    assert code == 2
    assert "burst of 20" in err
    assert err.count("\n") == 1
    assert run(inverse, sets=("quote.levels=5", "backtest.credit_tier=1"))["orders_new"] > 0


def test_measured_latencies_come_from_a_file(inverse: Path, tmp_path: Path) -> None:
    table = tmp_path / "latency.csv"
    table.write_text("time_ns,entry_ns,response_ns\n0,300000000,300000000\n")
    plain = run(inverse)
    for model in ("sampled", "recorded"):
        slow = run(inverse, sets=(f"backtest.latency={model}",
                                  f"backtest.latency_file='{table}'"))
        assert slow["realized_btc"] != plain["realized_btc"]
    table.write_text("time_ns,entry_ns,response_ns\n0,quick,1\n")
    code, _, err = call(inverse, "--set", "backtest.latency=sampled", "--set",
                        f"backtest.latency_file='{table}'")
    assert code == 2
    assert "latency.csv: line 2" in err
    assert err.count("\n") == 1


def test_results_are_tables(inverse: Path, tmp_path: Path) -> None:
    found = run(inverse, sets=("backtest.sample_s=2.0",), more=("--out", tmp_path / "out"))
    fills = pl.read_parquet(tmp_path / "out" / "fills.parquet")
    assert len(fills) == found["fills"]
    assert fills["fee_e8"].sum() == round(found["fees_btc"] * 1e8)
    samples = pl.read_parquet(tmp_path / "out" / "samples.parquet")
    assert SECONDS / 2 - 2 <= len(samples) <= SECONDS / 2 + 2
    assert samples["equity"][0] == pytest.approx(0.9)
    assert samples["half_base_usd"][-1] == pytest.approx(
        0.02e-4 * samples["reference_usd"][-1], rel=1e-6)
    assert samples["reference_usd"][0] == 0.0       # nothing is decided yet
    assert samples["removed_bid"].dtype == pl.Int64
    requests = pl.read_parquet(tmp_path / "out" / "requests.parquet")
    assert len(requests) == found["venue"]["requests"]
    assert (requests["arrived_ns"] - requests["sent_ns"]).min() >= 10_000_000
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == found


def test_an_instrument_not_recorded_is_one_line(inverse: Path) -> None:
    code, _, err = call(inverse, "--set", "instrument.0.name=BTC-27DEC24")
    assert code == 2
    assert "holds BTC-PERPETUAL" in err
    assert err.count("\n") == 1


def test_a_recording_of_options_has_no_perpetual(tmp_path: Path) -> None:
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": {
        "channel": "book.BTC-23APR21-56000-C.raw", "data": {
            "type": "snapshot", "timestamp": 1617580800000, "change_id": 7, "bids": [],
            "instrument_name": "BTC-23APR21-56000-C", "asks": [["new", 0.05, 10.0]]}}}
    path = tmp_path / "frames.jsonl"
    path.write_text(json.dumps({"recv_ns": 1617580800000000000, "frame": frame}) + "\n")
    code, _, err = call(path)
    assert code == 2
    assert "holds BTC-23APR21-56000-C" in err
    assert err.count("\n") == 1


def test_a_damaged_recording_is_one_line_or_a_count(inverse: Path, tmp_path: Path) -> None:
    whole = inverse.read_bytes()
    lines = gzip.decompress(whole).split(b"\n")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(whole[:len(whole) // 2])
    wrong = tmp_path / "wrong.gz"
    wrong.write_bytes(gzip.compress(b"\n".join([*lines[:50], b"17230752 {", *lines[50:]])))
    absent = tmp_path / "absent.gz"
    for path in (cut, wrong, absent):
        code, out, err = call(path, "--json")
        assert (code, out) == (2, ""), path
        assert path.name in err
        assert err.count("\n") == 1, err
    gap = tmp_path / "gap.gz"
    gap.write_bytes(gzip.compress(b"\n".join(lines[:300] + lines[340:])))
    found = run(gap)
    assert found["problems"]["gaps"] > 0
    assert found["book_gaps"] == found["problems"]["gaps"]
    assert found["fills"] > 0                   # a fresh snapshot after a round trip, and on


def test_a_live_config_needs_no_secret_here(inverse: Path, tmp_path: Path) -> None:
    config = tmp_path / "live.toml"
    config.write_text('[venue]\nurl = "prod"\nclient_id = "env:NOT_SET_ANYWHERE"\n'
                      'client_secret = "env:NOT_SET_ANYWHERE"\n')
    code, out, err = call(inverse, "-c", config, "--json")
    assert code == 0, err
    assert json.loads(out)["exit"] == "end of data"


def test_a_fitted_micro_price_changes_what_is_decided(inverse: Path) -> None:
    plain = run(inverse, sets=("quote.micro_price=true",))
    table = run(inverse, sets=("quote.micro_price=true", "signals.micro_table=[[-9, 9], [-9, 9]]"))
    assert table["outbound_sha256"] != plain["outbound_sha256"]
    assert table["decisions"] > 0


def test_a_profile_brings_its_defaults_and_is_said(inverse: Path) -> None:
    told = {}
    for profile in ("sim", "live"):
        code, out, err = call(inverse, "--profile", profile, "--json")
        assert code == 0, err
        told[profile] = json.loads(out)
        assert told[profile]["profile"] == profile
    assert told["live"]["config"]["signals"]["warmup_s"] > told["sim"]["config"]["signals"][
        "warmup_s"]
    assert told["live"]["config"]["quote"]["fee_floor"]
    assert "--profile live" in call(inverse)[1]
    assert call(inverse, "--profile", "other")[0] == 2
