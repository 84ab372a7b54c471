"""The configuration: what it refuses, in what words, and what it makes of what it accepts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.deribit.endpoints import is_loopback
from runner.config import (
    ConfigError,
    Credentials,
    credentials,
    http_address,
    load,
    locate,
)
from runner.config_keys import ENGINE_SECTIONS, KEYS, SECTIONS
from runner.live import main as live_main
from runner.options import RunOptions

pytestmark = pytest.mark.quick

LIVE = """
[venue]
url = "testnet"
client_id = "env:MM_TEST_ID"
client_secret = "env:MM_TEST_SECRET"
[quote]
size_btc = 0.01
[inventory]
limit_btc = 0.1
[risk]
price_collar_bps = 50
max_order_usd = 2000
max_open_orders = 8
"""


def live(old: str = "", new: str = "") -> str:
    assert old in LIVE
    return LIVE.replace(old, new) if old else LIVE


# Each: what is wrong, the file, the line it must name (0: the file as a whole), words the one
# line must hold: key and remedy.
WRONG = {
    "a hedge without a second contract": (
        "[hedge]\nenabled = true\n", 2, ["hedge.enabled", "[[instrument]]"]),
    "a hedge that would never end": (
        "[hedge]\nrelease_btc = 0.3\n", 2, ["hedge.release_btc", "hedge.trigger_btc"]),
    "a clip larger than its pair": (
        "[basis]\nsize_btc = 0.5\n", 2, ["basis.size_btc", "basis.max_btc"]),
    "funding paid at intervals": (
        "[funding]\nmodel = \"interval\"\n", 2, ["funding.model", "continuously"]),
    "typo in a key": ("[quote]\nsise_btc = 0.02\n", 2, ["quote.sise_btc", "quote.size_btc"]),
    "typo in a section": ("[qoute]\nlevels = 1\n", 1, ["qoute", "nearest: quote"]),
    "key in the wrong section": ("[quote]\nlevels = 1\nmax_order_usd = 5\n", 3,
                                 ["quote.max_order_usd", "nearest: risk.max_order_usd"]),
    "key before any section": ("stale_ms = 5\n", 1, ["stale_ms", "no such section"]),
    "key of an instrument": ("[[instrument]]\nname = 'perpetual'\nlimits_btc = 1\n", 3,
                             ["instrument.limits_btc", "nearest: instrument.limit_btc"]),
    "out of range, high": ("[quote]\nlevels = 11\n", 2, ["quote.levels = 11", "from 1 to 10"]),
    "out of range, low": ("[venue]\nheartbeat_s = 5\n", 2, ["venue.heartbeat_s", "10 to 600 s"]),
    "negative": ("[risk]\n\nstale_ms = -1\n", 3, ["risk.stale_ms = -1", "from 50 to 60000 ms"]),
    "not a number": ("[quote]\nvol_k = nan\n", 2, ["quote.vol_k = nan", "from 0 to 100"]),
    "infinite": ("[quote]\nmax_skew_bps = inf\n", 2, ["quote.max_skew_bps", "0 to 1000 bps"]),
    "string for a number": ("[quote]\nsize_btc = '0.02'\n", 2,
                            ["quote.size_btc = '0.02'", "a number from 0.0001"]),
    "fraction for a whole number": ("[quote]\nlevels = 1.5\n", 2,
                                    ["quote.levels = 1.5", "a whole number from 1 to 10"]),
    "number for a switch": ("[quote]\nfee_floor = 1\n", 2,
                            ["quote.fee_floor = 1", "true or false"]),
    "switch for a number": ("[quote]\nlevels = true\n", 2,
                            ["quote.levels = True", "a whole number"]),
    "no such choice": ("[start]\nposition = 'adpot'\n", 2,
                       ["start.position = 'adpot'", "adopt, refuse", "nearest: adopt"]),
    "value for a section": ("quote = 1\n", 1, ["quote is a section", "[quote]"]),
    "one bracket for an instrument": ("[instrument]\nname = 'perpetual'\n", 1,
                                      ["[[instrument]]"]),
    "not TOML": ("[quote]\nlevels = = 2\n", 2, ["not valid TOML"]),
    "resume above stand-aside": ("[quote]\nresume_vol = 40.0\n", 2,
                                 ["quote.resume_vol", "quote.stand_aside_vol"]),
    "stand-aside without an end": ("[quote]\nresume_vol = 0\n", 2,
                                   ["quote.resume_vol = 0 is never reached", "raise the first"]),
    "size by an edge nobody counts": ("[quote]\nfee_floor = false\nsize_edge_k = 1\n", 3,
                                      ["quote.size_edge_k = 1", "turn the floor on"]),
    "depth the signals do not look at": ("[signals]\nimbalance_levels = 21\n", 2,
                                         ["signals.imbalance_levels = 21", "from 1 to 20"]),
    "shrink after pause": ("[inventory]\nfills_in_row_shrink = 9\n", 2,
                           ["inventory.fills_in_row_shrink", "inventory.fills_in_row_pause"]),
    "twice the same key": ("[quote]\nlevels = 1\nlevels = 2\n", 3, ["not valid TOML"]),
    "unknown instrument rule": ("[[instrument]]\nname = 'perpetaul'\n", 2,
                                ["'perpetaul'", "nearest: perpetual"]),
    "the same instrument twice": ("[[instrument]]\n[[instrument]]\n", 0,
                                  ["'perpetual' is listed 2 times", "keep one"]),
    "no such venue": ("[venue]\nurl = 'http://127.0.0.1/'\n", 2, ["venue.url", "testnet, ws://host:port"]),
    "keys in the clear over a network": ("[venue]\nurl = 'ws://example.com/ws'\n", 2,
                                         ["venue.url", "use wss://"]),
    "width above its cap": ("[quote]\nbase_half_spread_bps = 40\n", 2,
                            ["quote.base_half_spread_bps = 40", "quote.max_half_spread_bps = 30",
                             "raise the second"]),
    "skew stated twice": ("[quote]\ngamma = 0.1\nskew_usd_at_limit = 20\n", 2,
                          ["quote.gamma and quote.skew_usd_at_limit", "keep one"]),
    "skew too small to reduce": ("[quote]\nbase_half_spread_bps = 9\n", 2,
                                 ["quote.max_skew_bps = 8", "raise quote.max_skew_bps"]),
    "size above the limit": ("[quote]\nsize_btc = 0.5\n", 2,
                             ["quote.size_btc = 0.5", "inventory.limit_btc = 0.3",
                              "lower the size"]),
    "target beyond the limit": ("[inventory]\ntarget_btc = -0.4\n", 2,
                                ["inventory.target_btc = -0.4", "inside the limit"]),
    "instrument above the net limit": ("[[instrument]]\nlimit_btc = 0.4\n", 2,
                                       ["instrument.0.limit_btc = 0.4", "lower it"]),
    "ladder above the order limit": ("[quote]\nlevels = 3\n[risk]\nmax_open_orders = 4\n", 4,
                                     ["needs 6 orders", "lower quote.levels"]),
    "the brake stops before it slows": ("[orders]\notv_soft = 8000\n", 2,
                                        ["orders.otv_soft = 8000", "orders.otv_hard = 8000"]),
    "chase beyond off-centre": ("[orders]\nrequote_bps = 12\n", 2,
                                ["orders.requote_bps = 12", "orders.off_center_bps = 10"]),
    "ring no power of two": ("[journal]\nring_mib = 12\n", 2, ["journal.ring_mib = 12", "use 16"]),
    "spinning on a shared CPU": ("[runtime]\nspin = true\nreactor_cpu = 0\n", 2,
                                 ["runtime.helper_cpu = -1 share it", "a CPU of its own"]),
    "label prefix": ("[venue]\nlabel_prefix = 'my maker'\n", 2,
                     ["venue.label_prefix", "1 to 8 letters or digits"]),
    "limit missing live": (live("max_order_usd = 2000\n"), 0,
                           ["limits stated", "add risk.max_order_usd"]),
    "all limits missing live": ("[venue]\nurl = 'prod'\n", 0,
                                ["inventory.limit_btc", "venue.client_secret"]),
    "secret in clear live": (live("env:MM_TEST_SECRET", "hunter2"), 5,
                             ["venue.client_secret", "env:NAME or file:PATH"]),
    "secret's variable not set": (live("MM_TEST_SECRET", "MM_TEST_NOT_SET"), 5,
                                  ["MM_TEST_NOT_SET", "export it"]),
    "secret's file missing": (live("env:MM_TEST_SECRET", "file:/nowhere/secret"), 5,
                              ["/nowhere/secret", "check the path"]),
    "secret's file readable by others": (live("env:MM_TEST_SECRET", "file:{open_secret}"), 5,
                                         ["mode 0644", "chmod 600"]),
    "secret's file empty": (live("env:MM_TEST_SECRET", "file:{empty_secret}"), 5, ["is empty"]),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MM_TEST_ID", "somebody")
    monkeypatch.setenv("MM_TEST_SECRET", "quiet")
    for name, mode, text in (("open_secret", 0o644, "loud"), ("empty_secret", 0o600, ""),
                             ("good_secret", 0o600, "quiet\n")):
        file = tmp_path / name
        file.write_text(text)
        file.chmod(mode)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "maker.toml"
    for name in ("open_secret", "empty_secret", "good_secret"):
        text = text.replace(f"{{{name}}}", str(folder / name))
    path.write_text(text)
    return path


@pytest.mark.parametrize("case", WRONG)
def test_wrong_config_is_one_line_with_place_and_remedy(case: str, folder: Path) -> None:
    text, line, words = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text))
    assert len(caught.value.lines) == 1, caught.value.lines
    said = caught.value.lines[0]
    assert "\n" not in said
    if line:
        assert said.startswith(f"maker.toml:{line}: ")
    for word in words:
        assert word in said
    assert "hunter2" not in said


@pytest.mark.parametrize("case", WRONG)
def test_mm_run_refuses_every_wrong_config_with_2(
        case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder, WRONG[case][0])
    assert live_main(RunOptions(config=str(path), headless=True)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mm: ")
    assert err.count("\n") == 1


def test_the_process_says_it_in_one_line_and_leaves_with_2(folder: Path) -> None:
    path = written(folder, WRONG["typo in a key"][0])
    done = subprocess.run(
        [sys.executable, "-P", "-m", "runner", "run", "-c", str(path), "--headless"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    said = "mm: maker.toml:2: quote.sise_btc: no such key; nearest: quote.size_btc\n"
    assert done.stderr == said
    assert done.stdout == ""


@pytest.mark.parametrize(("text", "words"), [
    ("quote.levels", ["expected key=value"]),
    ("quote.levels=", ["wrong type", "a whole number"]),
    ("quote.levels=99", ["--set quote.levels=99", "from 1 to 10"]),
    ("quote.level=2", ["quote.level", "nearest: quote.levels"]),
    ("instrument.name=front", ["instrument.0.name"]),
    ("instrument.3.name=front", ["the next is instrument.0"]),
])
def test_wrong_set_names_option_and_remedy(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, [text])
    assert len(caught.value.lines) == 1
    for word in words:
        assert word in caught.value.lines[0]


def test_a_secret_given_with_set_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, ["venue.client_secret=[1]", "venue.client_secre=hunter2"])
    assert "hunter2" not in str(caught.value)


def test_every_fault_is_listed_in_one_go(folder: Path) -> None:
    path = written(folder, "[quote]\nlevels = 0\nsise = 1\n[risk]\nstale_ms = 'x'\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [line.split(":")[1] for line in caught.value.lines] == ["2", "3", "5"]


def test_live_config_loads_and_keeps_its_secret(folder: Path) -> None:
    config = load(written(folder, live("env:MM_TEST_SECRET", "file:{good_secret}")))
    assert config.profile == "live"
    assert credentials(config) == Credentials("somebody", "quiet")
    assert "quiet" not in repr(credentials(config))
    assert b"secret" not in config.redacted_json().replace(b"client_secret", b"")
    assert config.signals.warmup_s == KEYS["signals.warmup_s"].default


def test_sim_profile_differs_and_says_where_values_come_from() -> None:
    config = load(None, ["quote.levels=2"])
    assert config.profile == "sim"
    assert config.embedded
    assert config.signals.warmup_s == 3.0
    assert config.origin["signals.warmup_s"] == "sim profile"
    assert config.origin["quote.levels"] == "--set quote.levels=2"
    assert config.origin["quote.vol_k"] == "sim profile"
    assert credentials(config).client_id


def test_venue_option_wins_over_set_and_file(folder: Path) -> None:
    path = written(folder, "[venue]\nurl = 'prod'\n")
    config = load(path, ["venue.url=testnet"], "ws://127.0.0.1:5000/ws/api/v2")
    assert config.venue.url == "ws://127.0.0.1:5000/ws/api/v2"
    assert config.profile == "sim"
    assert not config.embedded
    assert http_address(config.venue) == "http://127.0.0.1:5001/api/v2"


def test_only_this_machine_counts_as_embedded() -> None:
    assert is_loopback("ws://127.0.0.1:9/x")
    assert is_loopback("ws://[::1]:9/x")
    assert not is_loopback("ws://127.0.0.1.example.com/x")
    assert not is_loopback("wss://www.deribit.com/ws/api/v2")


def test_fingerprint_follows_values_and_not_secrets() -> None:
    base = load(None).fingerprint()
    assert load(None, ["quote.levels=2"]).fingerprint() != base
    first = load(None, ["venue.client_secret=a"]).fingerprint()
    assert load(None, ["venue.client_secret=b"]).fingerprint() == first


def test_every_key_states_unit_range_and_effect() -> None:
    for spec in KEYS.values():
        assert spec.effect.endswith("."), spec.name
        if spec.type in (int, float):
            assert spec.low is not None, spec.name
            assert spec.high is not None, spec.name
            suffix = spec.name.rpartition("_")[2]
            unit = {"bps": "bps", "s": "s", "ms": "ms", "btc": "BTC", "usd": "USD", "mib": "MiB",
                    "ticks": "ticks"}.get(suffix)
            if unit and not spec.name.endswith(("per_s", "vol_bps")):
                assert spec.unit == unit, spec.name
            for value in (spec.default, spec.sim):
                assert value is None or spec.low <= value <= spec.high, spec.name


def test_no_key_is_unused_by_the_engine_and_none_is_missing() -> None:
    params = pytest.importorskip("mmcore.params").Params
    mine = {k.name for k in KEYS.values()
            if k.core and k.name.partition(".")[0] in ENGINE_SECTIONS}
    assert mine == set(params.keys())


def test_defaults_are_those_of_the_sections() -> None:
    assert list(SECTIONS) == ["venue", "instrument", "signals", "quote", "orders", "inventory",
                              "risk", "cover", "expiry", "settlement", "hedge", "basis",
                              "funding", "preference", "telemetry", "journal", "runtime",
                              "start", "shutdown", "backtest"]
    assert load(None).start.position == "adopt"


def test_lines_are_found_in_tables_dotted_and_quoted_keys() -> None:
    lines = locate('a.b = 1\n[c]\n"d" = 2\n[[instrument]]\nname = 1\n[[instrument]]\nname = 2\n')
    assert lines["a.b"] == 1
    assert lines["c.d"] == 3
    assert lines["instrument.0.name"] == 5
    assert lines["instrument.1.name"] == 7


def test_a_config_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert len(caught.value.lines) == 1
        assert "check the path" in caught.value.lines[0]
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError) as caught:
        load(binary)
    assert "not UTF-8" in caught.value.lines[0]
    assert os.linesep not in caught.value.lines[0]


@pytest.mark.parametrize(("text", "words"), [
    ('[quote]\nown_1_shift_bps = 0.5\n', "signal number 1 of your own"),
    ('[quote]\nmodel = "own"\n', "no width model of your own is registered"),
])
def test_what_names_a_signal_or_model_of_ones_own_must_find_one(
        text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mm.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert words in str(refused.value)
    assert f"{path.name}:2" in str(refused.value)


def test_strategy_page_lists_every_key_of_the_strategy_with_its_default() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "strategy.md").read_text()
    for spec in KEYS.values():
        if spec.name.partition(".")[0] in ("signals", "quote", "cover"):
            shown = spec.default if isinstance(spec.default, str) else f"{spec.default:g}"
            if isinstance(spec.default, bool):
                shown = str(spec.default).lower()
            assert f"| `{spec.name}` | {shown} |" in page, spec.name


def test_a_limit_that_may_lose_more_than_the_kill_is_refused_live(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, live()), ["inventory.limit_btc=0.5"])
    (said,) = [line for line in caught.value.lines if "stress_kill_pct" in line]
    assert "0.0556 BTC" in said             # 0.5 (1 / 0.9 - 1)
    assert "to 0.450" in said
    load(None, ["inventory.limit_btc=0.5"])     # the embedded exchange may


def test_a_live_maker_without_a_kill_of_the_day_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, live()), ["risk.day_kill_btc=0"])
    assert "set what a day may cost" in str(caught.value)
    load(None, ["risk.day_kill_btc=0"])


def test_time_windows_of_a_file_replace_the_shipped_ones(folder: Path) -> None:
    text = '[[quote.window]]\nat_utc = "12:30"\ndays = ["mon"]\nbefore_s = 60\npull = true\n'
    config = load(written(folder, text))
    assert [w.row() for w in config.windows] == [(1, 45_000, 60, 0, 1.0, 1.0, True)]
    assert len(load(None).windows) == 5
    with pytest.raises(ConfigError, match=r"quote\.window.*at_utc"):
        load(written(folder, text.replace("12:30", "25:00")))


def test_standing_aside_that_is_off_needs_no_end() -> None:
    assert load(None, ("quote.stand_aside_vol=0", "quote.resume_vol=0")).quote.resume_vol == 0.0
