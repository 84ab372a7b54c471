"""The one description of every metric.

From these rows come the layout of the telemetry page, the exporter's families, docs/metrics.md and
the checks that dashboards and alerts name only what exists. A row's place in its table is its
place in the page. After a change: python -m runner.metrics_docs, which writes the rest.
"""

from typing import NamedTuple

HORIZON_WORDS = ("100ms", "1s", "5s", "30s", "300s")
SIDES = ("bid", "ask")
Labels = tuple[tuple[str, str], ...]


class Metric(NamedTuple):
    """One number of the page and how Prometheus sees it.

    slot: its name in the page. family: the Prometheus name without `mm_` and `_total`; empty where
    it is not exported. scale: page unit to base unit. sparse: no
    sample while it is 0, because 0 stands for "none".
    """

    slot: str
    kind: str
    help: str
    family: str
    labels: Labels = ()
    scale: float = 1.0
    sparse: bool = False


class Histogram(NamedTuple):
    """One log-bucket histogram in nanoseconds; its family is in seconds."""

    slot: str
    help: str
    family: str
    labels: Labels = ()


def counter(slot: str, text: str, family: str | None = None, **labels: str) -> Metric:
    return Metric(slot, "counter", text, slot if family is None else family,
                  tuple(labels.items()))


def gauge(slot: str, text: str, family: str | None = None, scale: float = 1.0, *,
          sparse: bool = False, **labels: str) -> Metric:
    return Metric(slot, "gauge", text, slot if family is None else family,
                  tuple(labels.items()), scale, sparse)


SUM = ""        # the family of an engine metric that is the sum over the markets
NAMED = ""      # the family of a market metric the exporter names by the code's own list
ALPHA_TERMS = 7     # ALPHA_TERMS_MAX of mmcore.types

# Written by mmcore.publish from the engine.
ENGINE_METRICS: tuple[Metric, ...] = (
    counter("frames", "Frames received"),
    counter("malformed", "Messages that could not be trusted", "malformed_messages"),
    counter("book_updates", "Book change messages applied", SUM),
    counter("book_snapshots", "Book snapshots applied"),
    counter("book_gaps", "Breaks of the change-id chain", SUM),
    counter("book_crossed", "Books that came out crossed", SUM),
    counter("trades", "Public prints", "public_trades"),
    counter("tickers", "Ticker messages"),
    counter("decisions", "Pipeline runs"),
    counter("batches", "Decisions that sent something"),
    counter("orders_new", "Creates sent", SUM),
    counter("orders_edit", "Edits sent", SUM),
    counter("orders_cancel", "Cancels sent", SUM),
    counter("rejects", "Requests the venue refused", SUM),
    counter("post_only_rejects", "Refusals for crossing"),
    counter("refused_by_risk", "Actions held back by the risk gate"),
    counter("deferred", "Actions put off for want of credits or rate", "deferred_actions"),
    counter("unknown_ids", "Answers to requests not known here", "unknown_answers"),
    counter("timeouts", "Requests without an answer in time", "request_timeouts"),
    counter("duplicate_fills", "Trades reported twice, booked once"),
    counter("foreign_fills", "Trades of orders not known here"),
    counter("reject_storms", "Pauses for too many refusals"),
    counter("fills", "Own trades", SUM),
    counter("maker_fills", "Own trades as maker", SUM),
    gauge("risk_state", "0 active, 1 reducing, 2 paused, 3 stopped, 4 killed"),
    gauge("fault", "First fault code, 0 while none", "fault_code"),
    gauge("credits", "Matching-engine requests that may be sent now", "credits_requests"),
    gauge("unanswered", "Matching-engine requests in flight", "unanswered_requests"),
    gauge("unknown_orders", "Orders whose state only the venue knows"),
    gauge("delta_btc", "Net delta in BTC"),
    gauge("max_abs_delta_btc", "Largest net delta of the session in BTC", "delta_max_abs_btc"),
    gauge("realized_btc", "Realised profit before fees in BTC", SUM),
    gauge("unrealized_btc", "Unrealised profit at mark in BTC", SUM),
    gauge("fees_btc", "Fees paid in BTC", SUM),
    gauge("funding_btc", "Funding received in BTC", SUM),
    gauge("equity_btc", "Start equity plus everything earned in BTC"),
    gauge("equity_start_btc", "Equity at the start in BTC"),
    counter("journal_lost", "Journal records that found no room", "journal_lost_records"),
    gauge("journal_depth_bytes", "Journal bytes waiting for the recorder", "journal_ring_bytes"),
    gauge("last_frame_age_seconds", "Time since the last frame"),
    gauge("journal_capacity_bytes", "Size of the journal's ring", "journal_ring_capacity_bytes"),
    gauge("equity_max_btc", "Highest equity of the session in BTC"),
    gauge("drawdown_btc", "Highest equity of the session minus equity now, in BTC"),
    gauge("venue_equity_btc", "Equity as the venue last said, in BTC"),
    gauge("delta_limit_btc", "inventory.limit_btc"),
    gauge("credits_burst", "Requests the account's pool holds when full",
          "credits_burst_requests"),
    gauge("credits_reserve", "Requests kept back for cancels", "credits_reserve_requests"),
    gauge("round_trip_seconds", "p95 of the measured round trips", "round_trip_p95_seconds"),
    gauge("kill_latch", "1 once the engine is killed: no order leaves any more",
          "engine_killed"),
    gauge("journal_disk_fault", "1 while the recorder cannot write"),
    counter("journal_written_bytes", "Bytes the recorder wrote"),
    counter("journal_segments", "Segments the recorder began"),
    counter("journal_deleted_segments", "Segments deleted for journal.quota_mib"),
    gauge("last_fill_age_seconds", "Time since the last own fill; at first since the start"),
    gauge("target_btc", "Net position aimed at: configured, and leant to for funding"),
    gauge("hedge_phase", "0 idle, 1 resting at the touch, 2 taking"),
    counter("hedges", "Hedges begun"),
    counter("hedge_takes", "Orders that took liquidity for a hedge", "hedge_takes"),
    counter("hedge_no_leg", "Hedges that found no instrument to trade", "hedge_without_leg"),
    gauge("hedged_btc", "Hedged since the start, each clip counted"),
    gauge("pair_phase", "0 idle, 1 opening, 2 closing"),
    counter("pairs_opened", "Clips of a pair with both legs filled", "pair_clips",
            step="opened"),
    counter("pairs_closed", "Clips of a pair with both legs filled", "pair_clips",
            step="closed"),
    counter("pair_legs_taken", "Legs of a pair that did not come by themselves", "pair_legs",
            action="taken"),
    counter("pair_legs_cut", "Legs of a pair that did not come by themselves", "pair_legs",
            action="cut"),
    counter("book_off_grid", "Book messages with a price or amount off the grid",
            "off_grid_messages"),
)

# Written by mmcore.publish for each instrument; every family has the label `instrument`.
MARKET_METRICS: tuple[Metric, ...] = (
    gauge("book_valid", "1 while the book may be trusted"),
    gauge("best_bid_usd", "Venue's best price", "best_price_usd", sparse=True, side="bid"),
    gauge("best_ask_usd", "Venue's best price", "best_price_usd", sparse=True, side="ask"),
    gauge("mid_usd", "Mid without our own orders", "mid_price_usd", sparse=True),
    gauge("micro_usd", "Size-weighted mid without our own orders", "micro_price_usd",
          sparse=True),
    gauge("mark_usd", "Mark price", "mark_price_usd", sparse=True),
    gauge("index_usd", "Index price", "index_price_usd", sparse=True),
    gauge("spread_usd", "Spread without our own orders"),
    gauge("imbalance", "Depth imbalance in [-1, 1]", "imbalance_ratio"),
    gauge("vol_usd", "Volatility, USD per square root of a second", "volatility_usd"),
    gauge("reference_usd", "Price the quotes are built on", "reference_price_usd", sparse=True),
    gauge("half_spread_usd", "Half-spread of the last decision"),
    gauge("fee_floor_usd", "Least distance of an adding quote"),
    gauge("skew_usd", "Reservation price minus fair value"),
    gauge("alpha_usd", "Fair value minus reference from signals"),
    gauge("removed_bid", "Why a side is empty, bits of RemovedReason", "side_removed_bits",
          side="bid"),
    gauge("removed_ask", "Why a side is empty, bits of RemovedReason", "side_removed_bits",
          side="ask"),
    gauge("unquoted", "1 while no order rests in a contract that neither waits nor ends"),
    gauge("quote_bid_usd", "Our best price; absent while there is none", "quote_price_usd",
          sparse=True, side="bid"),
    gauge("quote_ask_usd", "Our best price; absent while there is none", "quote_price_usd",
          sparse=True, side="ask"),
    gauge("position_usd", "Position in USD, signed"),
    gauge("position_btc", "Position in BTC at mark, signed"),
    gauge("average_usd", "Average entry price", "average_price_usd", sparse=True),
    gauge("realized_btc", "Realised profit before fees"),
    gauge("unrealized_btc", "Unrealised profit at mark"),
    gauge("fees_btc", "Fees paid; a rebate lowers them"),
    gauge("funding_btc", "Funding received"),
    counter("volume_usd", "Own traded volume in USD"),
    counter("book_updates", "Book change messages applied"),
    counter("fills", "Own trades"),
    counter("maker_fills", "Own trades as maker"),
    counter("orders_new", "Order messages sent", "order_messages", action="new"),
    counter("orders_edit", "Order messages sent", "order_messages", action="edit"),
    counter("orders_cancel", "Order messages sent", "order_messages", action="cancel"),
    counter("rejects", "Requests refused"),
    gauge("open_orders", "Orders that are not closed"),
    gauge("feed_lag_seconds", "Arrival minus venue time of book messages, averaged"),
    gauge("book_age_seconds", "Time since the last book message"),
    gauge("regime", "0 normal, 1 calm, 2 volatile, 3 trending, 4 stand aside"),
    gauge("vol_year", "One-minute realised volatility, annualised", "volatility_year_ratio"),
    gauge("carry_usd", "Shift of the fair value for funding or basis"),
    gauge("half_base_usd", "Half-spread of the model without risk"),
    gauge("half_vol_usd", "What volatility adds to the half-spread"),
    gauge("half_market_usd", "Share of the prevailing half-spread: the half-spread is no less"),
    gauge("drought_usd", "Added to the half-spread for a thin book"),
    gauge("pad_usd", "Distance added for the round trip"),
    gauge("markout_add_bid_usd", "Added to a side whose fills turned out bad", "markout_added_usd",
          side="bid"),
    gauge("markout_add_ask_usd", "Added to a side whose fills turned out bad", "markout_added_usd",
          side="ask"),
    gauge("signal_add_bid_usd", "Added to the side that signals speak against",
          "signal_added_usd", side="bid"),
    gauge("signal_add_ask_usd", "Added to the side that signals speak against",
          "signal_added_usd", side="ask"),
    gauge("take", "TakeReason of the liquidity wanted, 0: none", "take_reason"),
    gauge("take_amount", "Liquidity wanted, USD (BTC where linear); above 0 it buys"),
    gauge("reference_source", "ReferenceSource of the last decision"),
    *(gauge(f"alpha_term_{i}_usd", "A signal's shift before the cap, as alpha.TERM_NAMES", NAMED)
      for i in range(ALPHA_TERMS)),
    gauge("spread_factor", "Width factor of regime, time of day and speed of the touch",
          "spread_factor_ratio"),
    gauge("size_factor", "Size factor of adding quotes", "size_factor_ratio"),
    gauge("top_rate", "Changes of the best prices in the last second", "top_changes_per_second"),
    gauge("fills_per_min", "Own fills, half-life five minutes", "fills_per_second", 1 / 60),
    gauge("markout_bid_bps", "Recent mean 5 s markout of our fills", "markout_recent_ratio",
          1e-4, side="bid"),
    gauge("markout_ask_bps", "Recent mean 5 s markout of our fills", "markout_recent_ratio",
          1e-4, side="ask"),
    counter("book_gaps", "Breaks of the change-id chain"),
    counter("book_crossed", "Books that came out crossed"),
    gauge("limit_btc", "Position limit of this instrument", "position_limit_btc"),
    gauge("worst_bid_btc", "BTC of our orders that may fill", "worst_case_orders_btc",
          side="bid"),
    gauge("worst_ask_btc", "BTC of our orders that may fill", "worst_case_orders_btc",
          side="ask"),
    gauge("quote_bid_amount", "Amount of our resting orders, USD (BTC where linear)",
          "quoted_amount", side="bid"),
    gauge("quote_ask_amount", "Amount of our resting orders, USD (BTC where linear)",
          "quoted_amount", side="ask"),
    gauge("distance_bid", "Our best price to the mid, as a share of it; absent without a quote",
          "quote_distance_ratio", sparse=True, side="bid"),
    gauge("distance_ask", "Our best price to the mid, as a share of it; absent without a quote",
          "quote_distance_ratio", sparse=True, side="ask"),
    gauge("order_to_volume", "Order messages of the session for each BTC traded; 0 without fills",
          "order_to_volume_messages_per_btc"),
    gauge("part_capture_btc", "Parts of the profit; they add up to it", "profit_part_btc",
          part="capture"),
    gauge("part_hedge_btc", "Parts of the profit; they add up to it", "profit_part_btc",
          part="hedge"),
    gauge("part_basis_btc", "Parts of the profit; they add up to it", "profit_part_btc",
          part="basis"),
    gauge("part_drift_btc", "Parts of the profit; they add up to it", "profit_part_btc",
          part="drift"),
    gauge("part_mid_to_mark_btc", "Parts of the profit; they add up to it", "profit_part_btc",
          part="mid_to_mark"),
    gauge("part_carried_btc", "Parts of the profit; they add up to it", "profit_part_btc",
          part="carried"),
    gauge("part_funding_btc", "Parts of the profit; they add up to it", "profit_part_btc",
          part="funding"),
    gauge("part_fees_btc", "Parts of the profit; they add up to it", "profit_part_btc",
          part="fees"),
    counter("round_trips", "Positions opened and closed again"),
    counter("unplanned_takers", "Fills as taker of orders that were post-only",
            "unplanned_taker_fills"),
    gauge("current_funding", "Funding rate of 8 h as it accrues now", "funding_current_ratio"),
    gauge("funding_8h", "Funding rate over the last 8 h", "funding_8h_ratio"),
    gauge("basis_year", "Basis of a dated contract to the index, a year", "basis_year_ratio"),
    gauge("fair_basis_usd", "EWMA of mid minus index"),
    gauge("basis_usd", "Mid of a dated contract minus the perpetual's micro-price"),
    gauge("pair_fair_usd", "What that basis is taken to be worth", "basis_fair_usd"),
    gauge("matched_usd", "Position that another instrument's hedges, signed"),
    gauge("funding_model_btc", "Funding received by our own count, to hold the venue's against"),
    gauge("preference", "Share of its size an instrument keeps", "preference_ratio"),
    *(gauge(f"markout_{side}_{word}_bps", "Mean markout of our fills over the session",
            "markout_ratio", 1e-4, side=side, horizon=word)
      for side in SIDES for word in HORIZON_WORDS),
    *(counter(f"markout_{side}_{word}_fills", "Fills whose markout is known", "markout_fills",
              side=side, horizon=word)
      for side in SIDES for word in HORIZON_WORDS),
)

# Written by the runner: what the process knows and the engine does not.
PROCESS_METRICS: tuple[Metric, ...] = (
    gauge("connected", "1 while there is a connection"),
    gauge("ready", "1 while connected, agreed with the venue and subscribed"),
    gauge("cancel_on_disconnect", "1 while the venue has confirmed cancel-on-disconnect"),
    counter("connects", "Connections made"),
    counter("resyncs", "Fresh snapshots asked for"),
    counter("exceptions", "Exceptions caught in the session"),
    counter("order_queries", "Queries for orders of unknown fate"),
    counter("position_mismatches", "Times our position and the venue's differed"),
    gauge("reconcile_difference_usd", "Largest difference to the venue's positions, last time"),
    gauge("margin_initial_btc", "Initial margin with open orders, as the venue last said"),
    gauge("margin_balance_btc", "Margin balance, as the venue last said"),
    gauge("margin_use_ratio", "Initial margin over margin balance"),
    counter("loop_stalls", "Ticks that came over 50 ms late"),
    gauge("loop_stall_max_seconds", "Latest tick of the session"),
    counter("gc_collections", "Garbage collections; the collector is off while trading"),
    counter("gc_pause_seconds", "Time inside garbage collections"),
    gauge("gc_pending_objects", "Objects made since the last collection and still there"),
    gauge("send_buffer_bytes", "Bytes written that the socket has not taken"),
    gauge("log_queue_records", "Log records waiting for their writer"),
    counter("log_lost_records", "Log records that found no room"),
    counter("recorder_restarts", "Times the journal's recorder was started again"),
    counter("exporter_restarts", "Times this exporter was started again"),
    counter("guard_restarts", "Times the guard was started again"),
    gauge("guard_warm", "1 while the guard, the second path of cancels, reaches the venue"),
    gauge("guard_wanted", "1 while runtime.guard asks for the guard"),
    gauge("rpc_waiting", "Cold requests, like login and queries, that wait for an answer",
          "rpc_waiting_requests"),
    gauge("exporter_port_taken", "1 while another program has the metrics port"),
    gauge("exporter_port", "Port that serves the metrics; 0 while none"),
    gauge("drawdown_limit_btc", "risk.day_kill_btc; +Inf: off"),
    gauge("memory_limit_bytes", "telemetry.memory_limit_mib"),
    gauge("fill_silence_limit_seconds", "telemetry.fill_silence_h; +Inf: off"),
    gauge("leverage_ratio", "Gross exposure over equity"),
    counter("loss_stops", "Positions closed for their loss"),
    counter("throttles", "Sides paused for repeated execution", "execution_throttles"),
    counter("liquidations", "Words of the venue on a liquidation, or a cancel for risk"),
    gauge("closing_at_cap", "1 while a position to be closed rests at its worst price"),
    gauge("position_unprotected", "1 while a position has no dead-man stop at the venue"),
)

HISTOGRAM_METRICS: tuple[Histogram, ...] = (
    Histogram("tick_to_order_ns", "First byte of a socket read to the write of its orders",
              "tick_to_order_seconds"),
    Histogram("apply_ns", "Time in a stage between a socket read and its orders",
              "stage_seconds", (("stage", "apply"),)),
    Histogram("decide_ns", "Time in a stage between a socket read and its orders",
              "stage_seconds", (("stage", "decide"),)),
    Histogram("send_ns", "Time in a stage between a socket read and its orders",
              "stage_seconds", (("stage", "send"),)),
    Histogram("round_trip_ns", "Decision to the venue's answer to its order request",
              "request_round_trip_seconds"),
)

# Made by the exporter itself: (family with its suffix, kind, labels, help).
EXPORTER_FAMILIES: tuple[tuple[str, str, Labels, str], ...] = (
    ("up", "gauge", (), "1 while the engine publishes; 0 once it is silent or gone"),
    ("page_age_seconds", "gauge", (), "Time since the engine last published"),
    ("info", "gauge", (("version", ""), ("config", ""), ("venue", ""), ("instance", "")),
     "Build, fingerprint of the configuration, venue and instance; always 1"),
    ("rejects_by_code", "counter", (("code", ""),), "Requests refused, by the venue's error code"),
    ("gate_refusals", "counter", (("reason", ""),), "Actions the risk gate held back, by reason"),
    ("side_removed", "gauge", (("instrument", ""), ("side", ""), ("reason", "")),
     "1 while a side is empty for this reason"),
    ("alpha_term_usd", "gauge", (("instrument", ""), ("term", "")),
     "Shift of the fair value by one signal, before the cap on their sum"),
    ("tick_to_order_quantile_seconds", "gauge", (("quantile", ""),),
     "Quantiles of the whole session, as in its summary"),
    ("process_resident_bytes", "gauge", (), "Resident memory of the reactor"),
    ("process_cpu_seconds", "counter", (), "CPU time of the reactor"),
    ("process_open_fds", "gauge", (), "Open files of the reactor"),
    ("process_threads", "gauge", (), "Threads of the reactor"),
    ("process_uptime_seconds", "gauge", (), "Time since the reactor started"),
    ("kill_latch", "gauge", (), "1 while a kill is latched on disk"),
    ("kill_unlatched", "gauge", (), "1 while the engine is killed and the disk does not say so"),
    ("engine_starts", "counter", (), "Starts since an engine last ended in order or lived an hour"),
    ("scrapes", "counter", (), "Answers of this exporter to /metrics"),
    ("alerts_firing", "gauge", (("alert", ""),), "1 while the exporter itself sees this alert"),
    ("webhook_messages", "counter", (("result", ""),),
     "Alert messages: sent, failed, or held back by the rate limit"),
)


def families() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Return every exported family: kind, label names and help by full name, `_total` included."""
    found: dict[str, tuple[str, tuple[str, ...], str]] = {}

    def add(family: str, kind: str, names: tuple[str, ...], text: str) -> None:
        full = f"mm_{family}_total" if kind == "counter" else f"mm_{family}"
        assert found.get(full, (kind, names))[:2] == (kind, names), full
        found.setdefault(full, (kind, names, text))

    for rows, first in ((ENGINE_METRICS, ()), (MARKET_METRICS, ("instrument",)),
                        (PROCESS_METRICS, ())):
        for row in rows:
            if row.family:
                add(row.family, row.kind, (*first, *(name for name, _ in row.labels)), row.help)
    for each in HISTOGRAM_METRICS:
        add(each.family, "histogram", tuple(name for name, _ in each.labels), each.help)
    for family, kind, labels, text in EXPORTER_FAMILIES:
        add(family, kind, tuple(name for name, _ in labels), text)
    return found


def enums() -> str:
    """Return the enums of telemetry.pxd that name the places in the page."""
    parts = []
    for title, prefix, slots in (
            ("EngineMetric", "ENGINE", [m.slot for m in ENGINE_METRICS]),
            ("MarketMetric", "MARKET", [m.slot for m in MARKET_METRICS]),
            ("ProcessMetric", "PROCESS", [m.slot for m in PROCESS_METRICS]),
            ("HistogramMetric", "HISTOGRAM", [m.slot for m in HISTOGRAM_METRICS])):
        names = [f"    {prefix}_{slot.upper()}" for slot in slots]
        last = "HISTOGRAMS" if prefix == "HISTOGRAM" else f"{prefix}_SLOTS"
        parts.append("\n".join([f"cdef enum:                      # {title}", f"{names[0]} = 0",
                                *names[1:], f"    {last}"]))
    return "\n\n".join(parts) + "\n"
