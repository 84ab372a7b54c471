"""`mm metrics` by hand: it finds its maker, prints once, tests the webhook, says what is wrong."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_engine import ScriptedEngine

from runner import metrics, webhook
from runner.config import ConfigError, load
from runner.state import shared_path, state_path


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    shared = shared_path(folder)
    shared.mkdir(parents=True, exist_ok=True)
    yield folder
    for path in shared.iterdir():
        path.unlink()
    shared.rmdir()


def command(*sets: str, page: Path | None = None, once: bool = False,
            test_alert: bool = False) -> int:
    return metrics.main(None, None, sets, page, once=once, test_alert=test_alert)


def test_once_prints_the_maker_of_the_state_folder(
        state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setting = f"runtime.state_dir='{state}'"
    assert command(setting, once=True) == 1             # nobody is there
    assert "mm_up 0.0" in capsys.readouterr().out
    engine = ScriptedEngine(shared_path(state))
    assert command(setting, once=True) == 0
    assert 'mm_fills_total{instrument="BTC-PERPETUAL"} 1.0' in capsys.readouterr().out
    engine.publish()
    assert command(page=engine.path, once=True) == 0


def test_two_makers_have_to_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(metrics, "SHARED_MEMORY", tmp_path)
    assert command(once=True) == 2
    assert "no maker runs" in capsys.readouterr().err
    made = []
    for mark in ("0123456789ab", "ba9876543210"):
        folder = tmp_path / metrics.shared_pattern().replace(12 * "[0-9a-f]", mark)
        folder.mkdir()
        made.append(folder / "page")
        ScriptedEngine(folder)
        if mark.startswith("0"):
            assert metrics.find_page(metrics.state_folder(load(None))) == made[0]
    with pytest.raises(ConfigError, match="--page"):
        metrics.find_page(metrics.state_folder(load(None)))
    made[1].unlink()
    made[1].touch()                         # what a maker leaves that was killed at its start
    assert metrics.find_page(metrics.state_folder(load(None))) == made[0]


def test_a_named_venue_has_its_own_page() -> None:
    config = load(None, (), "ws://127.0.0.1:8765")
    state = state_path(config, "maker")
    assert metrics.find_page(metrics.state_folder(config)) == shared_path(state) / "page"


def test_the_test_alert_says_what_happened(capsys: pytest.CaptureFixture[str],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(test_alert=True) == 2
    assert "telemetry.webhook_url is empty" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    address = f"telemetry.webhook_url='http://127.0.0.1:{port}/'"
    assert command(address, test_alert=True) == 1
    assert "not delivered: 127.0.0.1" in capsys.readouterr().err
    sent: list[bytes] = []
    monkeypatch.setattr(webhook, "post", lambda _url, body: sent.append(body))
    assert command(address, test_alert=True) == 0
    assert b"MmTest" in sent[0]
    assert command(address, "telemetry.webhook_shape=telegram", test_alert=True) == 2
    assert "telemetry.webhook_chat" in capsys.readouterr().err


def test_a_secret_in_clear_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("telemetry.webhook_url=https://hooks.example.com/secret", once=True,
                   page=Path("absent")) == 2
    said = capsys.readouterr().err
    assert "env:NAME" in said
    assert "hooks.example.com/secret" not in said
