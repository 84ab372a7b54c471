"""The alerts: condition, what it means, what to do. One table for Prometheus, exporter, runbook.

A condition is of one shape, so that the exporter can judge it without Prometheus: a metric, its
growth over a window, or its ratio to another, compared with a number.
"""

from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]
PAGE, WARN = "page", "warn"


class Condition(NamedTuple):
    """metric: full name. per: divisor with the same labels. window_s: growth over that time."""

    metric: str
    op: str
    value: float
    labels: Labels = ()
    per: str = ""
    window_s: int = 0
    absolute: bool = False

    def promql(self) -> str:
        """Return the condition as Prometheus reads it."""
        names = ",".join(f'{name}="{value}"' for name, value in self.labels)
        text = self.metric + (f"{{{names}}}" if names else "")
        if self.window_s:
            text = f"increase({text}[{self.window_s}s])"
        if self.absolute:
            text = f"abs({text})"
        if self.per:
            text = f"{text} / {self.per}"
        return f"{text} {self.op} {self.value:g}"


class Alert(NamedTuple):
    """name: also the runbook's section. local: whether the exporter judges it too."""

    name: str
    severity: str
    condition: Condition
    for_s: int
    summary: str
    meaning: str
    action: str
    local: bool = True


def when(metric: str, op: str, value: float, *, per: str = "", window_s: int = 0,
         absolute: bool = False, **labels: str) -> Condition:
    return Condition(metric, op, value, tuple(labels.items()), per, window_s, absolute)


LOOK = "Look at the venue's own page for open orders and the position"

ALERTS: tuple[Alert, ...] = (
    Alert("MmEngineDown", PAGE, when("mm_up", "==", 0), 5,
          "No engine publishes",
          "The process that trades has ended, or hangs. Its connection is closed or dead, so "
          "cancel-on-disconnect removes its orders; the position stays.",
          f"{LOOK}. Read the last lines of mm.log in the state folder and the end of the service's "
          "output. Start again: a start cancels what is left and adopts the position. If the "
          "process is there but hangs, end it with SIGKILL first."),
    Alert("MmScrapeFailed", PAGE, when("up", "==", 0, job="mm"), 10,
          "Prometheus cannot reach the exporter",
          "Whether trading goes on cannot be seen. The exporter is a process of its own; its "
          "absence says nothing of the engine.",
          "See whether another program has the port (ss -ltnp), and whether mm run is there. "
          "mm metrics beside the maker serves the same numbers.", local=False),
    Alert("MmPortTaken", WARN, when("mm_exporter_port_taken", "==", 1), 30,
          "Another program has the metrics port",
          "The maker trades, and nobody can see it.",
          "Free the port, or choose another with telemetry.prometheus_port and tell Prometheus."),
    Alert("MmRestartLoop", PAGE, when("mm_engine_starts_total", ">", 3), 0,
          "The engine was started more than three times within an hour of life each",
          "It dies soon after each start, and something starts it again. Every round costs a "
          "cancel of everything and the place in the queue.",
          "Stop the service. Read mm.log from the first start on. Run mm doctor."),
    Alert("MmKilled", PAGE, when("mm_kill_latch", "==", 1), 0,
          "The engine was killed",
          "A fault, a limit or the operator stopped trading for good. Orders are cancelled until "
          "the venue says that none is left. A kill for the day's loss closes the position "
          "(risk.kill_flatten); after any other it stays as it is.",
          f"{LOOK}. mm_fault_code and mm.log name the cause. Decide on the position. Start again "
          "only when the cause is understood."),
    Alert("MmKillUnlatched", PAGE, when("mm_kill_unlatched", "==", 1), 5,
          "The engine is killed and the disk does not say so",
          "The latch could not be written. A restart would trade again as if nothing had been.",
          "Do not restart. Free space or mend the disk of the state folder, then mm ctl kill "
          "writes the latch again."),
    Alert("MmGuardCold", WARN, when("mm_guard_warm", "==", 0, per="mm_guard_wanted"), 30,
          "The guard does not reach the venue for 30 s",
          "The second path of cancels is missing: a reactor that hangs is still ended, and "
          "cancel-on-disconnect then is the only way its orders go.",
          "mm.log says what the guard was answered. Check venue.rest_url and the network; the "
          "HTTP address is another host than the WebSocket's on some venues."),
    Alert("MmException", PAGE, when("mm_exceptions_total", ">", 0, window_s=600), 0,
          "An exception was caught in the session",
          "A message met code that could not handle it; the engine is killed by that.",
          "The traceback is in mm.log, the message in the journal. Keep both for whoever mends "
          "it: mm replay shows it again."),
    Alert("MmPaused", WARN, when("mm_risk_state", "==", 2), 60,
          "Quoting has been paused for a minute",
          "A person, a reject storm, a lost journal record or two position mismatches paused it. "
          "A pause of its own ends by itself when its cause does.",
          "See which other alert is there; mm.log names the cause."),
    Alert("MmNotQuoting", WARN, when("mm_unquoted", "==", 1), 300,
          "No quote of an instrument for five minutes",
          "Nothing is earned. mm_side_removed names the reason for each side.",
          "Look at the quoting dashboard: warm-up, width over the cap, regime, time window, "
          "inventory, or an invalid book."),
    Alert("MmNoFills", WARN,
          when("mm_last_fill_age_seconds", ">", 1, per="mm_fill_silence_limit_seconds"), 0,
          "No own fill for telemetry.fill_silence_h",
          "Quotes that nobody meets earn nothing. It is told and never chased: no quote moves for "
          "it. Before the first fill of a session the time counts from its start.",
          "See whether there are quotes at all (MmNotQuoting) and how far from the mid "
          "(mm_quote_distance_ratio), and what makes the half-spread: fee floor, volatility, "
          "markouts, factors. A quiet market is a cause, too: compare mm_public_trades_total. "
          "Narrow on purpose or leave it."),
    Alert("MmPositionMismatch", PAGE, when("mm_position_mismatches_total", ">", 0, window_s=600),
          0, "Our position and the venue's differ",
          "A trade was missed, or somebody else trades this account. Two mismatches in a row "
          "pause quoting.",
          f"{LOOK} and compare with mm_position_usd. Find the trade in the venue's list. One "
          "maker needs one sub-account of its own."),
    Alert("MmReconcileDifference", PAGE, when("mm_reconcile_difference_usd", ">", 0), 60,
          "The last comparison of positions differed",
          "The difference is still there. mm_reconcile_difference_usd says how large it is.",
          "As for MmPositionMismatch; a restart adopts the venue's position."),
    Alert("MmForeignFills", PAGE, when("mm_foreign_fills_total", ">", 0, window_s=600), 0,
          "A trade of an order this session did not send",
          "Somebody else trades this account, or an order outlived its session.",
          f"{LOOK}. Stop whatever else uses the account."),
    Alert("MmTooManyRequests", PAGE,
          when("mm_rejects_by_code_total", ">", 0, window_s=600, code="10028"), 0,
          "The venue answered 10028: too many requests",
          "The account's credits were overdrawn, which the budget exists to prevent. The venue "
          "may close the connection.",
          "Stop other programs of the same account. Lower orders.max_updates_per_s. Keep the "
          "journal."),
    Alert("MmRejectStorm", WARN, when("mm_reject_storms_total", ">", 0, window_s=600), 0,
          "Quoting paused for too many refusals",
          "mm_rejects_by_code_total says which codes. Margin, price band and a closed instrument "
          "are the usual ones.",
          "Look the code up in the venue's list and mend the cause."),
    Alert("MmUnknownOrders", PAGE, when("mm_unknown_orders", ">", 0), 30,
          "The fate of an order is unknown for 30 s",
          "A request was not answered and the venue did not tell about the order since. It counts "
          "as exposure and blocks its slot.",
          f"{LOOK}. If it goes on, stop mm run: leaving cancels everything and verifies it."),
    Alert("MmCancelOnDisconnectOff", PAGE, when("mm_cancel_on_disconnect", "==", 0), 30,
          "Cancel-on-disconnect is not confirmed",
          "There is no connection, or the venue has not confirmed it; no quote is sent without.",
          "See MmDisconnected. If the connection is there, ask the venue for its status."),
    Alert("MmDisconnected", PAGE, when("mm_connected", "==", 0), 15,
          "No connection to the venue for 15 s",
          "Orders are gone by cancel-on-disconnect; a position cannot be reduced.",
          "Look at the venue's status page and this machine's network. The client tries again by "
          "itself."),
    Alert("MmNotReady", WARN, when("mm_ready", "==", 0), 60,
          "Not ready to quote for a minute",
          "Connected, but login, reconciliation or subscription does not come to an end.",
          "mm.log says what the venue answered. Run mm doctor."),
    Alert("MmFeedStale", PAGE, when("mm_last_frame_age_seconds", ">", 5), 5,
          "Nothing was received for 5 s",
          "The connection is silent; quotes were pulled after risk.stale_ms.",
          "As for MmDisconnected."),
    Alert("MmFeedLag", WARN, when("mm_feed_lag_seconds", ">", 0.25), 30,
          "Market data comes over 250 ms late",
          "Quotes made on old prices are picked off; beyond risk.max_feed_lag_ms they are pulled.",
          "Check this machine's clock, its load and its way to the venue."),
    Alert("MmBookInvalid", WARN, when("mm_book_valid", "==", 0), 15,
          "A book is invalid for 15 s",
          "A gap was found and no fresh snapshot came; that instrument is not quoted.",
          "A resync is asked for by itself. mm.log says what the venue answers."),
    Alert("MmBookGaps", WARN, when("mm_book_gaps_total", ">", 3, window_s=600), 0,
          "More than three gaps in a book within ten minutes",
          "Messages are lost on the way, and every gap pulls the quotes.",
          "Check network and load. Subscribe to fewer instruments."),
    Alert("MmBookCrossed", WARN, when("mm_book_crossed_total", ">", 0, window_s=600), 0,
          "A book came out crossed",
          "A message was applied that does not fit; the book was thrown away and asked for anew.",
          "Keep the journal: mm replay shows the message. If it repeats, stop and report it."),
    Alert("MmMalformed", WARN, when("mm_malformed_messages_total", ">", 0, window_s=600), 0,
          "A message could not be trusted",
          "The venue changed a message, or bytes were damaged. It was not acted upon.",
          "Find it in the journal. Compare with the venue's change log."),
    Alert("MmDrawdownHalf", WARN,
          when("mm_drawdown_btc", ">", 0.5, per="mm_drawdown_limit_btc"), 0,
          "Half of the drawdown limit is lost",
          "Equity is half of risk.day_kill_btc under its best of the session.",
          "Look at the risk dashboard: markouts and drift say whether fills are bad or the "
          "position is."),
    Alert("MmDrawdownHigh", PAGE,
          when("mm_drawdown_btc", ">", 0.8, per="mm_drawdown_limit_btc"), 0,
          "Four fifths of the drawdown limit are lost",
          "The limit is near.",
          "Decide now: stop mm run and close the position, or watch it to the limit."),
    Alert("MmMarginHigh", PAGE, when("mm_margin_use_ratio", ">", 0.5), 0,
          "More than half of the margin is in use",
          "A fast market can bring the account near liquidation.",
          "Reduce the position or add funds. Lower inventory.limit_btc."),
    Alert("MmLiquidation", PAGE, when("mm_liquidations_total", ">", 0, window_s=600), 0,
          "The venue liquidates, or cancels for risk",
          "An own trade or order came back marked as a liquidation or a risk measure. Quoting is "
          "paused until somebody resumes it; stops go on.",
          f"{LOOK} and at the margin. Add funds or close. mm ctl resume once it is understood."),
    Alert("MmCloseAtCap", PAGE, when("mm_closing_at_cap", "==", 1), 5,
          "A position to be closed rests at its worst price",
          "A stop, a kill or an order to flatten finds nobody within risk.kill_flatten_cap_bps of "
          "the mark. An order rests there; the loss may grow meanwhile.",
          "Close it at the venue, or mm ctl set risk.kill_flatten_cap_bps higher."),
    Alert("MmUnprotected", PAGE, when("mm_position_unprotected", "==", 1), 15,
          "A position may have no stop at the venue",
          "The guard could not place or verify the dead-man stop: if this machine goes now, "
          "nobody closes the position.",
          "mm.log says what the venue answered the guard. See MmGuardCold. Place a stop by hand "
          "at the venue if it lasts."),
    Alert("MmLossStop", PAGE, when("mm_loss_stops_total", ">", 0, window_s=600), 0,
          "A position was closed for its loss",
          "risk.stop_loss_btc or risk.stop_move_pct was reached. Nothing adds for "
          "risk.stop_pause_s; then quoting goes on by itself.",
          "Look at the market and at the fills before it. Stop mm run if the cause is not plain."),
    Alert("MmThrottled", WARN, when("mm_execution_throttles_total", ">", 0, window_s=600), 0,
          "Repeated execution paused a side",
          "More fills or BTC of one side within risk.throttle_s than allowed. "
          "risk.throttle_pauses_kill of them within an hour kill.",
          "Somebody trades against these quotes as fast as they are renewed: look at the width "
          "and the markouts."),
    Alert("MmPositionNearLimit", WARN,
          when("mm_delta_btc", ">", 0.9, per="mm_delta_limit_btc", absolute=True), 300,
          "Net position over 90 % of its limit for five minutes",
          "Only the reducing side earns; the skew does not bring the position back.",
          "Look at the trend and at funding. Raise quote.skew_usd_at_limit."),
    Alert("MmPositionOverLimit", PAGE,
          when("mm_delta_btc", ">", 1.05, per="mm_delta_limit_btc", absolute=True), 5,
          "Net position over its limit",
          "A falling mark or a late fill can do that by little; more is a fault.",
          f"{LOOK}. If it grows, stop mm run."),
    Alert("MmBadMarkout", WARN, when("mm_markout_recent_ratio", "<", -0.0005), 600,
          "Fills turn out more than 5 bps bad within 5 s",
          "Somebody faster trades against these quotes.",
          "Widen, or stand aside at these hours. Look at latency and feed lag first."),
    Alert("MmUnplannedTaker", WARN,
          when("mm_unplanned_taker_fills_total", ">", 0, window_s=600), 0,
          "A post-only order was filled as taker",
          "That is never meant, and costs the taker fee.",
          "Keep the journal; compare the trade with the venue's list."),
    Alert("MmOrderToVolume", WARN, when("mm_order_to_volume_messages_per_btc", ">", 4000), 300,
          "More than 4,000 order messages for each BTC traded",
          "The venue calls 10,000 high and may limit the account.",
          "Raise orders.requote_bps and orders.keep_ticks."),
    Alert("MmCreditsLow", WARN,
          when("mm_credits_requests", "<", 1, per="mm_credits_reserve_requests"), 10,
          "Request credits are down to the reserve",
          "Quotes cannot follow the market; cancels still can.",
          "Lower orders.max_updates_per_s or quote.levels."),
    Alert("MmLoopStall", WARN, when("mm_loop_stalls_total", ">", 0, window_s=300), 0,
          "The loop stood still for more than 50 ms",
          "Something held the processor: another process, swapping, a virtual machine's host.",
          "Pin the reactor with runtime.reactor_cpu, the helpers another CPU; look at steal."),
    Alert("MmSlow", WARN, when("mm_tick_to_order_quantile_seconds", ">", 0.02, quantile="0.99"),
          60, "Tick to order p99 over 20 ms",
          "Orders leave late, on old prices.",
          "As for MmLoopStall; the latency dashboard shows which stage."),
    Alert("MmMemory", WARN,
          when("mm_process_resident_bytes", ">", 1, per="mm_memory_limit_bytes"), 60,
          "The reactor uses more memory than telemetry.memory_limit_mib",
          "Something grows that should not; the collector is off while trading.",
          "Restart at a quiet moment and report it with the journal and mm_gc_pending_objects."),
    Alert("MmJournalLost", PAGE, when("mm_journal_lost_records_total", ">", 0, window_s=600), 0,
          "Journal records were lost",
          "The recorder did not keep up. Quoting pauses by itself; replay stops at the gap.",
          "See MmJournalDisk and MmHelperRestarted; raise journal.ring_mib."),
    Alert("MmJournalDisk", PAGE, when("mm_journal_disk_fault", "==", 1), 0,
          "The journal cannot be written",
          "The disk is full or gone. Quotes are pulled and quoting is paused; what the segments "
          "hold is whole. It goes on by itself once there is room.",
          "Free space, or lower journal.quota_mib and delete old segments."),
    Alert("MmJournalBacklog", WARN,
          when("mm_journal_ring_bytes", ">", 0.5, per="mm_journal_ring_capacity_bytes"), 5,
          "The journal's ring is half full",
          "The recorder is behind; when the ring is full, records are lost.",
          "Look at disk and CPU load; raise journal.ring_mib."),
    Alert("MmRecorderRestarted", WARN, when("mm_recorder_restarts_total", ">", 0, window_s=600),
          0, "The journal's recorder was started again",
          "It died; nothing is lost as long as the ring is not full.",
          "mm.log has its exit code: -9 is a kill, by the kernel when memory is short."),
    Alert("MmExporterRestarted", WARN, when("mm_exporter_restarts_total", ">", 0, window_s=600),
          0, "This exporter was started again",
          "It died; trading was not touched.",
          "As for MmRecorderRestarted."),
    Alert("MmLogLost", WARN, when("mm_log_lost_records_total", ">", 0, window_s=600), 0,
          "Log records were lost",
          "mm.log could not be written fast enough, or at all.",
          "Look at the disk of the state folder."),
)
