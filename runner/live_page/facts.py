"""What the web page shows: the telemetry page, and what the journal and the log tell of late."""

import contextlib
import math
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from connectors.replay.changes import is_change, read_change
from connectors.replay.journal import Record
from mmcore.journal import JournalKind
from mmcore.market import explain_record
from runner.live_page.tail import JournalTail
from runner.metric_source import PageSource, Reading
from runner.picture import REGIMES, RISK_STATES, profit_btc, removed_words, take_word

HISTORY = 3600              # samples, one a second
FILLS = 200
TRADES = 60
LOG_LINES = 60
LOG_BYTES = 65_536
POLL_S = 0.25
SAMPLE_S = 1.0
CHANNEL_AT = 140            # bytes of a frame within which its channel stands
PARTS = ("capture", "hedge", "drift", "basis", "mid_to_mark", "carried", "funding", "fees")
HORIZONS = ("100ms", "1s", "5s", "30s", "300s")
PROCESS_SHOWN = ("connected", "ready", "loop_stalls", "guard_warm", "guard_wanted",
                 "recorder_restarts", "exporter_restarts")


class Trade(msgspec.Struct):
    """A print, or one of ours where it has an order."""

    timestamp: int
    price: float
    amount: float
    direction: str
    instrument_name: str
    trade_id: str = ""
    fee: float = 0.0
    liquidity: str = ""


class PrintParams(msgspec.Struct):
    """Parameters of a trades notification."""

    data: list[Trade]


class Prints(msgspec.Struct):
    """A trades notification."""

    params: PrintParams


class OwnChanges(msgspec.Struct):
    """Data of a user.changes notification."""

    trades: list[Trade]


class OwnParams(msgspec.Struct):
    """Parameters of a user.changes notification."""

    data: OwnChanges


class Own(msgspec.Struct):
    """A user.changes notification."""

    params: OwnParams


class Facts:
    """Everything the page may ask for. follow() is run by a thread of its own.

    shared: folder of page and ring. state: state folder, None where it is not known.
    journal: folder of the segments, None: not known.
    """

    def __init__(self, shared: Path, state: Path | None, journal: Path | None) -> None:
        self.source = PageSource(shared / "page")
        self.tail = JournalTail(shared, journal)
        self.log = state / "mm.log" if state is not None else None
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self.fills: deque[Trade] = deque(maxlen=FILLS)
        self.trades: deque[Trade] = deque(maxlen=TRADES)
        self.why: dict[int, Any] = {}
        self.changes: deque[dict[str, Any]] = deque(maxlen=20)
        self.prints = msgspec.json.Decoder(Prints)
        self.own = msgspec.json.Decoder(Own)
        self.process_id = 0

    def follow(self) -> None:
        """Read journal and page until ended."""
        sample_s = 0.0
        while not self.ended.wait(POLL_S):
            reading = self.source.read()
            if reading is not None and reading["process_id"] != self.process_id:
                self.begin(reading["process_id"])
            for record in self.tail.poll():
                with self.lock, contextlib.suppress(msgspec.MsgspecError, ValueError):
                    self.take(record)       # what cannot be read is not shown
            if time.monotonic() >= sample_s and reading is not None and self.source.is_up(reading):
                sample_s = time.monotonic() + SAMPLE_S
                with self.lock:
                    self.history.append(sample(reading))

    def begin(self, process_id: int) -> None:
        """Forget what belongs to an engine that has gone."""
        with self.lock:
            self.process_id = process_id
            self.history.clear()
            self.fills.clear()
            self.trades.clear()
            self.why.clear()
            self.changes.clear()

    def take(self, record: Record) -> None:
        """Take one record of the journal; what the page does not show is passed over."""
        if record.kind == JournalKind.JOURNAL_HEADER:
            self.fills.clear()          # another session of the same journal
            self.trades.clear()
        elif record.kind == JournalKind.JOURNAL_FRAME_IN:
            head = record.payload[:CHANNEL_AT]
            if b'"channel":"trades.' in head:
                self.trades.extend(self.prints.decode(record.payload).params.data)
            elif b'"channel":"user.changes.' in head:
                self.own_trades(self.own.decode(record.payload).params.data.trades)
        elif record.kind == JournalKind.JOURNAL_WHY:
            self.why[record.source] = explain_record(record.payload)
        elif record.kind == JournalKind.JOURNAL_SESSION and is_change(record.payload):
            change = read_change(record.payload)
            self.changes.append({"who": change.who, "reason": change.reason,
                                 "changes": change.changes})

    def own_trades(self, trades: list[Trade]) -> None:
        known = {fill.trade_id for fill in self.fills}
        self.fills.extend(trade for trade in trades if trade.trade_id not in known)

    def state(self) -> dict[str, Any]:
        """Return everything of now."""
        reading = self.source.read()
        if reading is None:
            return {"up": False, "found": False}
        state = int(reading["risk_state"])
        with self.lock:
            late = {
                "fills": list(self.fills)[::-1], "trades": list(self.trades)[::-1],
                "changes": list(self.changes)[::-1],
                "why": {str(i): why for i, why in self.why.items()}}
        return {
            "found": True, "up": self.source.is_up(reading), "age_s": self.source.age_s(reading),
            "sample": sample(reading), "info": reading["info"],
            "risk_state": RISK_STATES[state] if 0 <= state < len(RISK_STATES) else str(state),
            "profit_btc": profit_btc(reading), "figures": figures(reading),
            "process": {name: reading["process"][name] for name in PROCESS_SHOWN},
            "markets": [market_facts(market) for market in reading["markets"]],
            "log": self.log_lines(), **late}

    def past(self) -> list[dict[str, Any]]:
        """Return a sample a second of the last hour."""
        with self.lock:
            return list(self.history)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the newest lines of the log, newest first."""
        if self.log is None:
            return []
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LOG_BYTES))
                lines = file.read().splitlines()
        except OSError:
            return []
        found = []
        for line in lines[-LOG_LINES:]:
            try:
                found.append(msgspec.json.decode(line))
            except msgspec.DecodeError:
                continue                # the first one may be cut
        return found[::-1]


def figures(reading: Reading) -> dict[str, Any]:
    """Return the numbers of the session, those of the summary among them."""
    names = ("realized_btc", "unrealized_btc", "fees_btc", "funding_btc", "equity_btc",
             "delta_btc", "delta_limit_btc", "max_abs_delta_btc", "drawdown_btc", "fills",
             "maker_fills", "decisions", "book_updates", "orders_new", "orders_edit",
             "orders_cancel", "rejects", "book_gaps", "unknown_orders", "credits",
             "credits_burst", "round_trip_seconds", "last_frame_age_seconds", "fault",
             "journal_lost", "journal_depth_bytes")
    found: dict[str, Any] = {name: reading[name] for name in names}
    latency = reading["histograms"]["tick_to_order_ns"]
    found["tick_to_order_us"] = {
        key: latency[key] / 1000 if latency["count"] else None for key in ("p50", "p99", "p999")}
    return found


def market_facts(market: Reading) -> dict[str, Any]:
    """Return one instrument with its words for what the page has as numbers."""
    regime = int(market["regime"])
    return {
        **market,
        "regime_word": REGIMES[regime] if 0 <= regime < len(REGIMES) else str(regime),
        "take_word": take_word(market) if market["take"] else "",
        "no_bid": removed_words(market["removed_bid"]),
        "no_ask": removed_words(market["removed_ask"]),
        "parts_btc": {name: market[f"part_{name}_btc"] for name in PARTS},
        "markouts_bps": {side: {word: market[f"markout_{side}_{word}_bps"]
                                if market[f"markout_{side}_{word}_fills"] else None
                                for word in HORIZONS} for side in ("bid", "ask")}}


def sample(reading: Reading) -> dict[str, Any]:
    """Return what the charts draw: wall time, profit, and prices by instrument; None for none."""
    wall_s = time.time() - max(0.0, time.monotonic() - reading["published_ns"] * 1e-9)
    return {"t": round(wall_s, 3), "profit_btc": profit_btc(reading),
            "delta_btc": reading["delta_btc"],
            "markets": [[positive(m["mid_usd"]), positive(m["quote_bid_usd"]),
                         positive(m["quote_ask_usd"]), m["position_btc"]]
                        for m in reading["markets"]]}


def positive(value: float) -> float | None:
    return value if value > 0 and math.isfinite(value) else None
