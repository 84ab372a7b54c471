"""A telemetry page as an engine would keep it, published by hand, and the causes of every alert."""

import os
import struct
import threading
import time
from pathlib import Path

from desk import BID, Desk

from mmcore.publish import publish
from mmcore.telemetry import PAGE_SIZE, TelemetryPage, schema
from runner.state import map_file

INFO = {"version": "0.1", "config": "abcd1234", "venue": "ws://here", "instance": "one"}
HEALTHY = {
    "ready": 1.0, "connected": 1.0, "cancel_on_disconnect": 1.0, "credits": 20.0,
    "credits_reserve": 6.0, "journal_capacity_bytes": 1000.0, "memory_limit_bytes": 1e12,
    "drawdown_limit_btc": 0.05, "delta_limit_btc": 0.3, "last_frame_age_seconds": 0.0,
    "last_fill_age_seconds": 60.0, "fill_silence_limit_seconds": 21_600.0}
HEALTHY_MARKET = {"quote_bid_amount": 10.0, "quote_ask_amount": 10.0, "order_to_volume": 0.0,
                  "feed_lag_seconds": 0.0, "book_valid": 1.0}


class ScriptedEngine:
    """Writes the page of one instrument; `facts` and `market_facts` win over the engine's own."""

    def __init__(self, folder: Path, process_id: int = 0) -> None:
        self.path = folder / "page"
        self.process_id = process_id or os.getpid()
        self.memory = map_file(self.path, PAGE_SIZE)
        self.facts = dict(HEALTHY)
        self.market_facts = dict(HEALTHY_MARKET)
        self.desk = Desk()
        self.start()
        actions = self.desk.turn()
        bids = [a for a in actions if a["side"] == BID]
        self.unanswered = [a for a in actions if a["side"] != BID]
        self.desk.accept(bids)
        self.desk.fill(bids[0], 50, fee_e8=100)
        self.desk.turn()
        self.publish()

    def start(self) -> None:
        """Begin the page, as an engine does at its start."""
        self.page = TelemetryPage(self.memory, [m.name for m in self.desk.engine.markets], INFO,
                                  self.process_id)

    def publish(self, **facts: float) -> None:
        """Publish now, by the clock the exporter compares with."""
        self.facts.update(facts)
        now_ns = time.monotonic_ns()
        publish(self.desk.engine, self.page, now_ns)
        self.page.put(self.facts, now_ns)
        self.page.put(self.market_facts, now_ns, 0)

    def reject(self, code: int) -> None:
        """Have the venue refuse the create it has not answered yet."""
        self.desk.refuse(self.unanswered, code)
        self.unanswered = []

    def slow_down(self, second: float = 1.0) -> None:
        """Let the page say that one order took so long."""
        found = schema()
        at = found["offsets"]["histograms"]
        took_ns = int(second * 1e9)
        octave = took_ns.bit_length() - 1
        bucket = (octave - 3) * 16
        struct.pack_into("<Qqq", self.memory, at, 1, took_ns, took_ns)
        struct.pack_into("<Q", self.memory, at + 24 + 8 * bucket, 1)


# What makes each alert fire: facts of the engine or process, facts of the instrument.
CAUSES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "MmPortTaken": ({"exporter_port_taken": 1}, {}),
    "MmKillUnlatched": ({"kill_latch": 1}, {}),
    "MmGuardCold": ({"guard_wanted": 1, "guard_warm": 0}, {}),
    "MmException": ({"exceptions": 1}, {}),
    "MmPaused": ({"risk_state": 2}, {}),
    "MmNotQuoting": ({}, {"unquoted": 1}),
    "MmNoFills": ({"last_fill_age_seconds": 21_601}, {}),
    "MmPositionMismatch": ({"position_mismatches": 1}, {}),
    "MmReconcileDifference": ({"reconcile_difference_usd": 10}, {}),
    "MmForeignFills": ({"foreign_fills": 1}, {}),
    "MmRejectStorm": ({"reject_storms": 1}, {}),
    "MmUnknownOrders": ({"unknown_orders": 1}, {}),
    "MmCancelOnDisconnectOff": ({"cancel_on_disconnect": 0}, {}),
    "MmDisconnected": ({"connected": 0}, {}),
    "MmNotReady": ({"ready": 0}, {}),
    "MmFeedStale": ({"last_frame_age_seconds": 6}, {}),
    "MmFeedLag": ({}, {"feed_lag_seconds": 1}),
    "MmBookInvalid": ({}, {"book_valid": 0}),
    "MmBookGaps": ({}, {"book_gaps": 5}),
    "MmBookCrossed": ({}, {"book_crossed": 1}),
    "MmMalformed": ({"malformed": 1}, {}),
    "MmDrawdownHalf": ({"drawdown_btc": 0.03}, {}),
    "MmDrawdownHigh": ({"drawdown_btc": 0.045}, {}),
    "MmMarginHigh": ({"margin_use_ratio": 0.6}, {}),
    "MmLiquidation": ({"liquidations": 1}, {}),
    "MmCloseAtCap": ({"closing_at_cap": 1}, {}),
    "MmUnprotected": ({"position_unprotected": 1}, {}),
    "MmLossStop": ({"loss_stops": 1}, {}),
    "MmThrottled": ({"throttles": 1}, {}),
    "MmPositionNearLimit": ({"delta_btc": -0.28}, {}),
    "MmPositionOverLimit": ({"delta_btc": -0.5}, {}),
    "MmBadMarkout": ({}, {"markout_bid_bps": -8}),
    "MmUnplannedTaker": ({}, {"unplanned_takers": 1}),
    "MmOrderToVolume": ({}, {"order_to_volume": 5000}),
    "MmCreditsLow": ({"credits": 3}, {}),
    "MmLoopStall": ({"loop_stalls": 1}, {}),
    "MmMemory": ({"memory_limit_bytes": 1}, {}),
    "MmJournalLost": ({"journal_lost": 1}, {}),
    "MmJournalDisk": ({"journal_disk_fault": 1}, {}),
    "MmJournalBacklog": ({"journal_depth_bytes": 700}, {}),
    "MmRecorderRestarted": ({"recorder_restarts": 1}, {}),
    "MmExporterRestarted": ({"exporter_restarts": 1}, {}),
    "MmLogLost": ({"log_lost_records": 1}, {}),
}
# Those whose cause is no number of the page alone.
OTHER_CAUSES = {"MmEngineDown", "MmScrapeFailed", "MmKilled", "MmRestartLoop",
                "MmTooManyRequests", "MmSlow"}


class Publisher:
    """Publishes from a thread of its own until left."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.engine = engine
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> "Publisher":
        self.thread.start()
        return self

    def run(self) -> None:
        while not self.ended.wait(0.1):
            now_ns = time.monotonic_ns()
            self.engine.page.put(dict(self.engine.facts), now_ns)
            self.engine.page.put(dict(self.engine.market_facts), now_ns, 0)

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
