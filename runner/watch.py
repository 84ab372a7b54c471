"""What the process knows and the engine does not: connection, helpers, loop, collector, log.

Read five times a second into the telemetry page. No system call here: a scrape and the watch cost
the reactor nothing but memory traffic.
"""

import gc
import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from connectors.deribit.client import DeribitClient
from connectors.deribit.session import DeribitSession
from mmcore.engine import Engine
from mmcore.types import ControlKind
from runner.record_keys import Telemetry

# While the journal cannot be written, quoting is put off again and again by so much.
PENDING_LOOKED_AT = 100_000      # fewer objects than that are counted one by one
DISK_FAULT_PAUSE_NS = 5_000_000_000
DISK_FAULT_AGAIN_NS = 1_000_000_000


class GarbageWatch:
    """Counts collections and the time inside them; the collector is off while trading."""

    def __init__(self) -> None:
        self.collections = 0
        self.pause_s = 0.0
        self.began_s = 0.0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self.began_s = time.perf_counter()
        else:
            self.collections += 1
            self.pause_s += time.perf_counter() - self.began_s


class ProcessWatch(Protocol):
    """What the reactor asks of whoever watches the process."""

    def stalled(self, late_ns: int) -> None:
        """Note a tick that came too late."""

    def guard_journal(self, now_ns: int) -> None:
        """Quote nothing while the journal cannot be written."""

    def facts(self) -> dict[str, float]:
        """Return the numbers of the process."""


class Watch:
    """Facts of the process by slot of PROCESS_METRICS."""

    def __init__(self, client: DeribitClient, session: DeribitSession,
                 telemetry: Telemetry) -> None:
        self.client = client
        self.session = session
        self.memory_limit_bytes = telemetry.memory_limit_mib << 20
        self.fill_silence_s = 3600.0 * telemetry.fill_silence_h
        self.garbage = GarbageWatch()
        self.stalls = 0
        self.longest_stall_ns = 0
        self.outside: list[Callable[[], dict[str, float]]] = []
        self.paused_ns = 0

    def add(self, source: Callable[[], dict[str, float]]) -> None:
        """Take more facts from a part only the live session has."""
        self.outside.append(source)

    def watch_garbage(self) -> None:
        """Measure every collection of this process from now on."""
        gc.callbacks.append(self.garbage)

    def stalled(self, late_ns: int) -> None:
        """Note a tick that came too late."""
        self.stalls += 1
        self.longest_stall_ns = max(self.longest_stall_ns, late_ns)

    def facts(self) -> dict[str, float]:
        """Return everything, for TelemetryPage.put."""
        client, session, reconciler = self.client, self.session, self.client.reconciler
        found: dict[str, float] = {
            "connected": session.sink.is_connected,
            "ready": client.state == "ready",
            "cancel_on_disconnect": client.cancel_on_disconnect,
            "connects": client.connects,
            "resyncs": client.subscriptions.resyncs,
            "exceptions": session.exceptions,
            "order_queries": reconciler.sweep.queries,
            "position_mismatches": reconciler.mismatches_total,
            "reconcile_difference_usd": reconciler.difference_usd,
            "loop_stalls": self.stalls,
            "loop_stall_max_seconds": self.longest_stall_ns * 1e-9,
            "gc_collections": self.garbage.collections,
            "gc_pause_seconds": self.garbage.pause_s,
            "gc_pending_objects": pending_objects(),
            "rpc_waiting": client.rpc.outstanding,
            "send_buffer_bytes": send_buffer_bytes(session),
            # 0 turns that kill off: then no loss is a share of it
            "drawdown_limit_btc": session.engine.params.get("risk.day_kill_btc") or math.inf,
            "memory_limit_bytes": self.memory_limit_bytes,
            "fill_silence_limit_seconds": self.fill_silence_s or math.inf,
            "liquidations": session.feed.own.liquidations,
        }
        found |= loss_facts(session.engine)
        account = reconciler.account
        if account is not None:
            found["margin_initial_btc"] = account.initial_margin
            found["margin_balance_btc"] = account.margin_balance
            found["margin_use_ratio"] = (account.initial_margin / account.margin_balance
                                         if account.margin_balance > 0 else 0.0)
        for source in self.outside:
            found.update(source())
        return found

    def pauses(self) -> dict[str, float]:
        """Return what held the loop up over the whole session, for the summary."""
        return {"gc_collections": self.garbage.collections,
                "gc_pause_ms": 1e3 * self.garbage.pause_s,
                "loop_stalls": self.stalls, "loop_stall_max_ms": 1e-6 * self.longest_stall_ns}

    def guard_journal(self, now_ns: int) -> None:
        """Quote nothing while the recorder cannot write; the pause ends by itself."""
        if not self.session.engine.journal.disk_fault:
            return
        if now_ns - self.paused_ns >= DISK_FAULT_AGAIN_NS:
            self.paused_ns = now_ns
            self.session.control(ControlKind.CONTROL_PAUSE, 0, DISK_FAULT_PAUSE_NS)


def pending_objects() -> int:
    """Return how many objects the collector knows were made since its last run and still are.

    Its counter holds the interpreter's lists of free objects too, which fill for a long time; it
    stands in where there are so many that a look at each would hold up the loop.
    """
    count = gc.get_count()[0]
    return len(gc.get_objects(0)) if count < PENDING_LOOKED_AT else count


def loss_facts(engine: Engine) -> dict[str, float]:
    """Return what the rules on losses have come to, for TelemetryPage.put."""
    limits = engine.limits.figures()
    return {"leverage_ratio": limits["leverage"], "loss_stops": limits["stops"],
            "throttles": limits["throttles"], "closing_at_cap": limits["at_cap"]}


def send_buffer_bytes(session: DeribitSession) -> int:
    """Return how much of what was written still lies in this process."""
    transport: Any = session.transport
    if transport is None or transport.is_disconnected:
        return 0
    return int(transport.underlying_transport.get_write_buffer_size())
