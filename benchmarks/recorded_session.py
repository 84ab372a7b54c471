"""Quote into a recorded market over real sockets and compare everything with the exchange.

usage: recorded_session.py FILE… [--seconds N] [--json]

Starts `mm sim --data FILE…` and `mm run` against it as processes, for the whole recording unless
told otherwise. Then: the exchange's own position, profit and fees against the maker's summary;
open orders; and the maker's journal, replayed: outbound bytes, and the book against a dict book
at every half second. Exit code 0: all equal.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "pipeline"))
from dict_book import DictBook

from connectors.replay.journal import read_journal
from connectors.replay.reader import open_recording
from mmcore.journal import JournalKind
from runner.replay import rebuild

EVERY_NS = 500_000_000
START_BTC = 0.9
SETS = ("quote.fee_floor=false", "quote.base_half_spread_bps=0.3", "quote.levels=2")


def ask(http_port: int, method: str) -> Any:
    """Ask the exchange over HTTP, as another program would."""
    login = "Basic " + base64.b64encode(b"maker:maker").decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{http_port}/api/v2/private/{method}", headers={"Authorization": login})
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)["result"]


def check_journal(folder: Path) -> dict[str, Any]:
    """Replay the journal; compare bytes, and the book at every half second."""
    replay, reference = None, DictBook("BTC-PERPETUAL")
    compared = different = 0
    due_ns = 0
    for kind, _, now_ns, payload in read_journal(folder):
        if kind == JournalKind.JOURNAL_HEADER and replay is None:
            replay = rebuild(payload)
            continue
        assert replay is not None
        replay.take(kind, now_ns, payload)
        if kind == JournalKind.JOURNAL_FRAME_IN:
            reference.take(payload)
        market = replay.engine.markets[0]
        if now_ns >= due_ns and reference.messages and market.book.valid:
            due_ns = now_ns + EVERY_NS
            spec = market.spec_object
            ours = tuple([(spec.price(ticks), spec.amount(contracts))
                          for ticks, contracts in market.book.levels(side, 1_000_000)]
                         for side in range(2))
            compared += 1
            different += ours != reference.levels()
    assert replay is not None
    return {"checkpoints": compared, "checkpoints_different": different,
            "changes_received": reference.changes, "payloads": replay.expected,
            "payloads_equal": replay.equal, "identical": replay.identical}


def trade(files: list[Path], seconds: float, place: Path) -> dict[str, Any]:
    """Run exchange and maker; return the maker's summary and the exchange's account."""
    mm = [sys.executable, "-P", "-m", "runner"]
    exchange = subprocess.Popen([*mm, "sim", "--port", "0", "--data", *map(str, files)],
                                stdout=subprocess.PIPE, text=True)
    try:
        assert exchange.stdout is not None
        ports = json.loads(exchange.stdout.readline())
        sets = [word for each in (*SETS, f"journal.dir='{place / 'journal'}'")
                for word in ("--set", each)]
        code = subprocess.run(
            [*mm, "run", "--venue", f"ws://127.0.0.1:{ports['ws']}", "--headless", "--duration",
             f"{seconds:g}s", "--summary", str(place / "summary.json"), *sets],
            check=False, stdout=sys.stderr,
            env={**os.environ, "XDG_STATE_HOME": str(place / "state")}).returncode
        account = ask(ports["http"], "get_account_summary?currency=BTC&extended=true")
        position = ask(ports["http"], "get_position?instrument_name=BTC-PERPETUAL")
        return {"code": code, "maker": json.loads((place / "summary.json").read_text()),
                "account": account, "position": position,
                "open_orders": ask(ports["http"], "get_open_orders")}
    finally:
        exchange.terminate()
        exchange.wait(timeout=20)


def main() -> int:
    """Trade, compare, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seconds = options.seconds
    if seconds is None:
        events = open_recording(options.files).events
        seconds = float(events["local_ns"][-1] - events["local_ns"][0]) / 1e9 + 8.0
    with tempfile.TemporaryDirectory() as name:
        ran = trade(options.files, seconds, Path(name))
        journal = check_journal(Path(name) / "journal")
    maker = ran["maker"]
    pairs = {
        "position_usd": (maker["position_usd"], ran["position"]["size"]),
        "realized_btc": (maker["realized_btc"], ran["account"]["session_rpl"]),
        "fees_btc": (maker["fees_btc"], round(START_BTC - ran["account"]["balance"], 8)),
    }
    good = (ran["code"] == 0 and not ran["open_orders"] and journal["identical"]
            and journal["checkpoints_different"] == 0 and maker["book_gaps"] == 0
            and maker["book_crossed"] == 0
            and journal["changes_received"] == maker["book_updates"]
            and all(ours == theirs for ours, theirs in pairs.values()))
    figures = {"seconds": seconds, "book_updates": maker["book_updates"],
               "book_gaps": maker["book_gaps"], "book_crossed": maker["book_crossed"],
               "decisions": maker["decisions"], "orders_new": maker["orders_new"],
               "orders_edit": maker["orders_edit"], "rejects": maker["rejects"],
               "fills": maker["fills"], "tick_to_order_us": maker["tick_to_order_us"],
               "open_orders": len(ran["open_orders"]), "exit_code": ran["code"], **journal,
               **{f"{name}_maker_and_exchange": pair for name, pair in pairs.items()},
               "all_equal": good}
    print(json.dumps(figures) if options.json
          else "\n".join(f"{name:32s} {value}" for name, value in figures.items()))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
