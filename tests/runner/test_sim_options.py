"""mm sim with TLS, faults and traces, as a shell and a client see it."""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest


@contextmanager
def sim(*options: str) -> Iterator[dict[str, Any]]:
    """A running exchange and the line it prints first."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "runner", "sim", "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 0


async def ask(url: str, *methods: str, tls: ssl.SSLContext | None = None) -> list[Any]:
    answers = []
    try:
        async with aiohttp.ClientSession() as http, http.ws_connect(
                url, ssl=tls or True) as socket:
            for method in methods:
                await socket.send_str(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}))
                answers.append(json.loads(await socket.receive_str(timeout=10)))
    finally:
        await asyncio.sleep(0.25)   # a TLS connection ends a moment after its session
    return answers


def test_tls_with_a_certificate_made_for_the_run() -> None:
    with sim("--tls") as ports:
        path = Path(ports["certificate"])
        context = ssl.create_default_context(cafile=str(path))
        for host in ("127.0.0.1", "localhost"):
            answer, = asyncio.run(ask(f"wss://{host}:{ports['ws']}/ws/api/v2", "public/test",
                                      tls=context))
            assert answer["result"]["version"]
        assert (path.parent / "key.pem").stat().st_mode & 0o077 == 0
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            asyncio.run(ask(f"wss://127.0.0.1:{ports['ws']}/ws/api/v2", "public/test"))
    assert not path.exists()


def test_the_clock_starts_where_it_is_told() -> None:
    with sim("--now", "2026-09-25T07:59:57") as ports:
        url = f"ws://127.0.0.1:{ports['ws']}/ws/api/v2"
        (time,) = asyncio.run(ask(url, "public/get_time"))
        assert 0 <= time["result"] - 1_790_323_197_000 < 20_000


def test_settings_of_the_exchange() -> None:
    async def asked(url: str) -> list[Any]:
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            answers = []
            for method, params in (
                    ("public/auth", {"grant_type": "client_credentials", "client_id": "me",
                                     "client_secret": "x"}),
                    ("private/get_account_summary", {"currency": "BTC"}),
                    ("public/get_combos", {"currency": "BTC"}),
                    ("private/cancel_all", {}), ("private/cancel", {"order_id": "1"})):
                await socket.send_str(json.dumps({"id": 1, "method": method, "params": params}))
                answers.append(json.loads(await socket.receive_str(timeout=10)))
            return answers

    with sim("--tier", "1", "--balance-btc", "2", "--no-spread", "--processing-us", "20000-30000",
             "--queue-model", "power", "--queue-power", "3") as ports:
        _, summary, combos, cancelled, missing = asyncio.run(
            asked(f"ws://127.0.0.1:{ports['ws']}/ws/api/v2"))
    assert summary["result"]["equity"] == 2.0
    limits = summary["result"]["limits"]["matching_engine"]
    assert limits["trading"]["total"] == {"rate": 30, "burst": 100}
    assert combos["result"] == []
    assert cancelled["result"] == 0
    assert cancelled["usDiff"] >= 20_000
    assert missing["error"]["code"] == 10004


def test_faults_from_a_file(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[[fault]]\nkind = "error"\nmethod = "public/test"\ncode = 13028\n')
    with sim("--faults", str(plan)) as ports:
        url = f"ws://127.0.0.1:{ports['ws']}/ws/api/v2"
        failed, time = asyncio.run(ask(url, "public/test", "public/get_time"))
        assert failed["error"] == {"code": 13028, "message": "temporarily_unavailable"}
        assert time["result"] > 0


def test_a_trace_runs_again(tmp_path: Path) -> None:
    path = tmp_path / "one.trace"
    with sim("--trace", str(path), "--seed", "5") as ports:
        assert ports["http"] == 0
        asyncio.run(ask(f"ws://127.0.0.1:{ports['ws']}/ws/api/v2", "public/test",
                        "public/get_currencies", "public/nothing"))
    first, second = (subprocess.run(
        [sys.executable, "-P", "-m", "runner", "sim", "--replay", str(path)],
        capture_output=True, text=True, timeout=60, check=True).stdout for _ in range(2))
    assert first == second
    assert json.loads(first)["1"]["bytes"] > 500


@pytest.mark.parametrize(("text", "said"), [
    ("# A page, with words, commas, and more\n", "line 1: is of no known format; give raw"),
    ("a,b,c,d\n1,2,3,4\n", "line 1: is a table"),
])
def test_a_file_that_is_no_recording(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "page.md"
    path.write_text(text)
    done = subprocess.run([sys.executable, "-P", "-m", "runner", "sim", "--data", str(path)],
                          check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"{path}: {said}" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("options", "said"), [
    (("--faults", "nowhere.toml"), "nowhere.toml"),
    (("--replay", "nowhere.trace"), "nowhere.trace"),
    (("--tls", "--tls-cert", "a", "--tls-key", "b"), "leave out"),
    (("--trace", "x", "--http-port", "0"), "leave out --http-port"),
    (("--regime", "wild"), "flash_crash"),
    (("--tier", "9"), "1 to 4"),
    (("--balance-btc", "-1"), "out of range"),
    (("--processing-us", "5-1"), "write 200 or 100-400"),
    (("--queue-model", "hopeful"), "pessimistic, proportional, power"),
    (("--queue-power", "0"), "out of range"),
    (("--now", "tomorrow"), "write 2026-09-25T07:55"),
    (("--now", "1999-01-01"), "outside 2016 to 2100"),
    (("--maker-fee-bps", "500"), "maker fee 500 bps"),
])
def test_contradictions_are_named(options: tuple[str, ...], said: str) -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "runner", "sim", *options], check=False,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
