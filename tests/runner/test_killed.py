"""A maker that is killed with kill -9 and started again: its day goes on to the last digit."""

import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

from test_live import Processes, open_orders, processes, wait_for  # noqa: F401

LIVELY = ("quote.fee_floor=false", "quote.base_half_spread_bps=0.2", "signals.warmup_s=0.5",
          "quote.min_half_spread_usd=0.5", "quote.min_half_spread_bps=0.05",
          "orders.post_fill_hold_ms=50", "start.position='adopt'")
BALANCE_BTC = 0.9


def ask(http_port: int, path: str) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{http_port}/api/v2/private/{path}",
        headers={"Authorization": "Basic " + base64.b64encode(b"maker:maker").decode()})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return json.load(answer)["result"]


def day_file(state: Path) -> dict[str, Any]:
    files = sorted(state.glob("accounts/*.json"))
    return dict(json.loads(files[-1].read_text())) if files else {}


def test_the_day_goes_on_after_a_kill(
        processes: Processes, tmp_path: Path) -> None:  # noqa: F811
    _, url, http_port = processes.exchange()
    state = tmp_path / "named"
    sets = [part for text in (*LIVELY, f"runtime.state_dir='{state}'") for part in ("--set", text)]
    child = processes.mm("run", "--venue", url, "--headless", *sets)
    trades = "get_user_trades_by_instrument?instrument_name=BTC-PERPETUAL&count=1000"
    # The file is written after 5 s and then once a minute: what follows it must be asked for.
    wait_for(lambda: day_file(state).get("held", {}) != {})
    written = len(ask(http_port, trades)["trades"])
    wait_for(lambda: len(ask(http_port, trades)["trades"]) >= written + 2, 60.0)
    child.kill()
    child.wait()
    wait_for(lambda: open_orders(http_port) == [])
    again = processes.mm("run", "--venue", url, "--headless", "--duration", "4s", *sets,
                         "--set", "shutdown.flatten=true")
    _, err = again.communicate(timeout=90)
    assert again.returncode == 0, err
    day = day_file(state)
    assert day["held"] == {}                        # it left in order
    assert day["net"]["fills"] == len(ask(http_port, trades)["trades"]) >= written + 2
    position = ask(http_port, "get_position?instrument_name=BTC-PERPETUAL")
    assert position["size"] == 0.0
    summary = ask(http_port, "get_account_summary?currency=BTC")
    assert abs(day["net"]["profit"] - (summary["equity"] - BALANCE_BTC)) < 1e-6
