"""The Grafana dashboards, from tables of panels; a test compares the shipped files.

Every dashboard takes its data source and job as variables, so that it needs no editing.
"""

import json
from typing import Any, NamedTuple

SCHEMA_VERSION = 38
WIDTH = 24
ROW_HEIGHT = 7


class Panel(NamedTuple):
    """One graph. queries: (legend, PromQL); unit: of Grafana; kind: timeseries or stat."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    width: int = 8
    text: str = ""


def one(title: str, unit: str, query: str, legend: str = "", **more: Any) -> Panel:
    return Panel(title, unit, ((legend, query),), **more)


def stat(title: str, unit: str, query: str, width: int = 4) -> Panel:
    return Panel(title, unit, (("", query),), "stat", width)


BTC, USD, RATIO, SECONDS, BYTES, COUNT = "none", "currencyUSD", "percentunit", "s", "bytes", "short"
J = 'job="$job"'



def quantile(share: float, family: str, by: str) -> str:
    """Return the query of a quantile over five minutes."""
    return f"histogram_quantile({share:g}, sum by ({by}) (rate({family}_bucket{{{J}}}[5m])))"


OVERVIEW = (
    stat("Up", COUNT, f"mm_up{{{J}}}"),
    stat("Risk state", COUNT, f"mm_risk_state{{{J}}}"),
    stat("Equity, BTC", BTC, f"mm_equity_btc{{{J}}}"),
    stat("Profit of the session, BTC", BTC, f"mm_equity_btc{{{J}}} - mm_equity_start_btc{{{J}}}"),
    stat("Net delta, BTC", BTC, f"mm_delta_btc{{{J}}}"),
    stat("Maker share of fills", RATIO, "mm:maker_share:ratio"),
    Panel("Profit parts, BTC", BTC, (
        ("realised", f"sum(mm_realized_btc{{{J}}})"),
        ("unrealised", f"sum(mm_unrealized_btc{{{J}}})"),
        ("fees", f"-sum(mm_fees_btc{{{J}}})"),
        ("funding", f"sum(mm_funding_btc{{{J}}})")), width=12),
    one("Where the profit came from, BTC", BTC, f"sum by (part) (mm_profit_part_btc{{{J}}})",
        "{{part}}", width=12),
    one("Equity, BTC", BTC, f"mm_equity_btc{{{J}}}", "equity", width=12),
    one("Round trips", COUNT, f"mm_round_trips_total{{{J}}}", "{{instrument}}", width=12),
    one("Position, USD", USD, f"mm_position_usd{{{J}}}", "{{instrument}}"),
    one("Fills a minute", COUNT, "60 * mm:fills:rate1m", "{{instrument}}"),
    stat("Since the last own fill", SECONDS, f"mm_last_fill_age_seconds{{{J}}}"),
    one("Volume of the session, USD", USD, f"mm_volume_usd_total{{{J}}}", "{{instrument}}"),
    one("Order messages a second", COUNT, "mm:order_messages:rate1m", "{{instrument}} {{action}}"),
    one("Frames and decisions a second", COUNT, f"rate(mm_frames_total{{{J}}}[1m])", "frames"),
    one("Firing alerts", COUNT, f"sum(mm_alerts_firing{{{J}}})", "alerts"),
    stat("Build and configuration", COUNT, f"mm_info{{{J}}}", 12),
    stat("Uptime", SECONDS, f"mm_process_uptime_seconds{{{J}}}", 12),
)
QUOTING = (
    Panel("Prices, USD", USD, (
        ("our {{side}}", f"mm_quote_price_usd{{{J},instrument=~\"$instrument\"}}"),
        ("best {{side}}", f"mm_best_price_usd{{{J},instrument=~\"$instrument\"}}"),
        ("reference", f"mm_reference_price_usd{{{J},instrument=~\"$instrument\"}}")), width=24),
    one("Distance of our quotes to the mid", RATIO, f"mm_quote_distance_ratio{{{J}}}",
        "{{instrument}} {{side}}"),
    one("Quoted amount", COUNT, f"mm_quoted_amount{{{J}}}", "{{instrument}} {{side}}"),
    one("Why a side is empty", COUNT,
        f"max by (instrument, side, reason) (mm_side_removed{{{J}}})",
        "{{instrument}} {{side}} {{reason}}"),
    Panel("Half-spread and its parts, USD", USD, (
        ("half-spread {{instrument}}", f"mm_half_spread_usd{{{J}}}"),
        ("fee floor {{instrument}}", f"mm_fee_floor_usd{{{J}}}"),
        ("base {{instrument}}", f"mm_half_base_usd{{{J}}}"),
        ("volatility {{instrument}}", f"mm_half_vol_usd{{{J}}}"),
        ("market {{instrument}}", f"mm_half_market_usd{{{J}}}"),
        ("drought {{instrument}}", f"mm_drought_usd{{{J}}}"),
        ("markout {{instrument}} {{side}}", f"mm_markout_added_usd{{{J}}}"),
        ("signals {{instrument}} {{side}}", f"mm_signal_added_usd{{{J}}}"),
        ("round trip {{instrument}}", f"mm_pad_usd{{{J}}}"))),
    Panel("Shifts of the price, USD", USD, (
        ("skew {{instrument}}", f"mm_skew_usd{{{J}}}"),
        ("alpha {{instrument}}", f"mm_alpha_usd{{{J}}}"),
        ("{{term}} {{instrument}}", f"mm_alpha_term_usd{{{J}}}"),
        ("carry {{instrument}}", f"mm_carry_usd{{{J}}}"))),
    Panel("Factors", COUNT, (
        ("width {{instrument}}", f"mm_spread_factor_ratio{{{J}}}"),
        ("size {{instrument}}", f"mm_size_factor_ratio{{{J}}}"))),
    one("Regime", COUNT, f"mm_regime{{{J}}}", "{{instrument}}"),
    one("Volatility, USD a root second", USD, f"mm_volatility_usd{{{J}}}", "{{instrument}}"),
    one("Imbalance", COUNT, f"mm_imbalance_ratio{{{J}}}", "{{instrument}}"),
    one("Markout of the session", RATIO, f"mm_markout_ratio{{{J}}}",
        "{{instrument}} {{side}} {{horizon}}", width=12),
    one("Recent markout, 5 s", RATIO, f"mm_markout_recent_ratio{{{J}}}",
        "{{instrument}} {{side}}", width=12),
    one("Spread of the market, USD", USD, f"mm_spread_usd{{{J}}}", "{{instrument}}"),
    one("Changes of the touch a second", COUNT, f"mm_top_changes_per_second{{{J}}}",
        "{{instrument}}"),
    one("Order messages for each BTC traded", COUNT, f"mm_order_to_volume_messages_per_btc{{{J}}}",
        "{{instrument}}"),
)
RISK = (
    Panel("Net delta and its limit, BTC", BTC, (
        ("delta", f"mm_delta_btc{{{J}}}"), ("limit", f"mm_delta_limit_btc{{{J}}}"),
        ("limit", f"-mm_delta_limit_btc{{{J}}}")), width=12),
    one("Use of the position limit", RATIO, "mm:delta_limit_use:ratio", "share", width=12),
    one("Orders that may fill, BTC", BTC, f"mm_worst_case_orders_btc{{{J}}}",
        "{{instrument}} {{side}}"),
    Panel("Drawdown, BTC", BTC, (
        ("drawdown", f"mm_drawdown_btc{{{J}}}"), ("limit", f"mm_drawdown_limit_btc{{{J}}}"))),
    Panel("Margin in use, and leverage", RATIO, (
        ("margin", f"mm_margin_use_ratio{{{J}}}"), ("leverage", f"mm_leverage_ratio{{{J}}}"))),
    Panel("Stops, throttles, liquidations", COUNT, (
        ("closed for loss", f"mm_loss_stops_total{{{J}}}"),
        ("sides paused", f"mm_execution_throttles_total{{{J}}}"),
        ("liquidations", f"mm_liquidations_total{{{J}}}"),
        ("rests at the cap", f"mm_closing_at_cap{{{J}}}"),
        ("without a stop at the venue", f"mm_position_unprotected{{{J}}}"))),
    one("Rejects by code", COUNT, f"increase(mm_rejects_by_code_total{{{J}}}[5m])", "{{code}}"),
    one("Actions held back by the gate", COUNT, f"increase(mm_gate_refusals_total{{{J}}}[5m])",
        "{{reason}}"),
    Panel("Request credits", COUNT, (
        ("left", f"mm_credits_requests{{{J}}}"), ("reserve", f"mm_credits_reserve_requests{{{J}}}"),
        ("burst", f"mm_credits_burst_requests{{{J}}}"))),
    Panel("Orders in doubt", COUNT, (
        ("unknown", f"mm_unknown_orders{{{J}}}"),
        ("unanswered", f"mm_unanswered_requests{{{J}}}"))),
    Panel("Differences to the venue", COUNT, (
        ("position, USD", f"mm_reconcile_difference_usd{{{J}}}"),
        ("mismatches", f"mm_position_mismatches_total{{{J}}}"),
        ("foreign fills", f"mm_foreign_fills_total{{{J}}}"))),
    Panel("Connection", COUNT, (
        ("connected", f"mm_connected{{{J}}}"), ("ready", f"mm_ready{{{J}}}"),
        ("cancel on disconnect", f"mm_cancel_on_disconnect{{{J}}}"))),
    stat("Kill latch on disk", COUNT, f"mm_kill_latch{{{J}}}"),
    stat("Fault code", COUNT, f"mm_fault_code{{{J}}}"),
    stat("Starts in a row", COUNT, f"mm_engine_starts_total{{{J}}}"),
    stat("Connections made", COUNT, f"mm_connects_total{{{J}}}"),
    stat("Book gaps", COUNT, f"sum(mm_book_gaps_total{{{J}}})"),
    stat("Reject storms", COUNT, f"mm_reject_storms_total{{{J}}}"),
    Panel("Journal", BYTES, (
        ("in the ring", f"mm_journal_ring_bytes{{{J}}}"),
        ("written", f"mm_journal_written_bytes_total{{{J}}}")), width=12),
    Panel("Journal losses and faults", COUNT, (
        ("records lost", f"mm_journal_lost_records_total{{{J}}}"),
        ("disk fault", f"mm_journal_disk_fault{{{J}}}"),
        ("segments deleted", f"mm_journal_deleted_segments_total{{{J}}}")), width=12),
)
LATENCY = (
    Panel("Tick to order", SECONDS, (
        ("p50", "mm:tick_to_order_seconds:p50_5m"), ("p99", "mm:tick_to_order_seconds:p99_5m")),
        width=12),
    one("Tick to order, whole session", SECONDS, f"mm_tick_to_order_quantile_seconds{{{J}}}",
        "{{quantile}}", width=12),
    one("Stages, p99", SECONDS,
        quantile(0.99, "mm_stage_seconds", "stage, le"), "{{stage}}"),
    one("Stages, p50", SECONDS,
        quantile(0.5, "mm_stage_seconds", "stage, le"), "{{stage}}"),
    Panel("Round trip of order requests", SECONDS, (
        ("p50", quantile(0.5, "mm_request_round_trip_seconds", "le")),
        ("p99", quantile(0.99, "mm_request_round_trip_seconds", "le")),
        ("measured p95", f"mm_round_trip_p95_seconds{{{J}}}"))),
    one("Feed lag", SECONDS, f"mm_feed_lag_seconds{{{J}}}", "{{instrument}}"),
    Panel("Age of the data", SECONDS, (
        ("last frame", f"mm_last_frame_age_seconds{{{J}}}"),
        ("book {{instrument}}", f"mm_book_age_seconds{{{J}}}"),
        ("page", f"mm_page_age_seconds{{{J}}}"))),
    Panel("Loop stalls", SECONDS, (
        ("longest", f"mm_loop_stall_max_seconds{{{J}}}"),
        ("stalls", f"mm_loop_stalls_total{{{J}}}"))),
    one("Memory of the reactor", BYTES, f"mm_process_resident_bytes{{{J}}}", "resident"),
    one("CPU of the reactor", RATIO, f"rate(mm_process_cpu_seconds_total{{{J}}}[1m])", "share"),
    Panel("Collector", COUNT, (
        ("collections", f"mm_gc_collections_total{{{J}}}"),
        ("pending objects", f"mm_gc_pending_objects{{{J}}}"))),
    Panel("Open files and threads", COUNT, (
        ("files", f"mm_process_open_fds{{{J}}}"), ("threads", f"mm_process_threads{{{J}}}"))),
    Panel("Queues", BYTES, (
        ("send buffer", f"mm_send_buffer_bytes{{{J}}}"),
        ("log records", f"mm_log_queue_records{{{J}}}"),
        ("cold requests", f"mm_rpc_waiting_requests{{{J}}}"))),
    Panel("Helpers", COUNT, (
        ("recorder restarts", f"mm_recorder_restarts_total{{{J}}}"),
        ("exporter restarts", f"mm_exporter_restarts_total{{{J}}}"),
        ("guard restarts", f"mm_guard_restarts_total{{{J}}}"),
        ("guard warm", f"mm_guard_warm{{{J}}}"),
        ("scrapes", f"mm_scrapes_total{{{J}}}"))),
)
DASHBOARDS: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "overview": ("mm overview", OVERVIEW), "quoting": ("mm quoting", QUOTING),
    "risk": ("mm risk", RISK), "latency": ("mm latency", LATENCY)}


def variable(name: str, query: str, *, multi: bool = False) -> dict[str, Any]:
    return {"name": name, "label": name, "type": "query", "query": query, "definition": query,
            "datasource": {"type": "prometheus", "uid": "${datasource}"}, "refresh": 2,
            "multi": multi, "includeAll": multi, "allValue": ".*" if multi else None, "sort": 1,
            "current": {"text": "All", "value": "$__all"} if multi
            else {"text": "mm", "value": "mm"}}


def panel_json(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    """Return one panel as Grafana keeps it."""
    source = {"type": "prometheus", "uid": "${datasource}"}
    targets = [{"datasource": source, "expr": query, "legendFormat": legend or "__auto",
                "refId": chr(ord("A") + i), "range": True}
               for i, (legend, query) in enumerate(panel.queries)]
    return {
        "id": number, "type": panel.kind, "title": panel.title, "datasource": source,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": ROW_HEIGHT}, "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {"legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"}}
        if panel.kind == "timeseries" else {"reduceOptions": {"calcs": ["lastNotNull"]}}}


def dashboard(key: str) -> str:
    """Return one dashboard as JSON text."""
    title, panels = DASHBOARDS[key]
    placed = []
    x = y = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > WIDTH:
            x, y = 0, y + ROW_HEIGHT
        placed.append(panel_json(number, panel, x, y))
        x += panel.width
    return json.dumps({
        "uid": f"mm-{key}", "title": title, "tags": ["mm"], "schemaVersion": SCHEMA_VERSION,
        "version": 1, "editable": True, "refresh": "5s", "timezone": "utc",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["mm"], "title": "mm", "asDropdown": True}],
        "templating": {"list": [
            {"name": "datasource", "label": "datasource", "type": "datasource",
             "query": "prometheus", "current": {}},
            variable("job", "label_values(mm_up, job)"),
            variable("instrument", 'label_values(mm_book_valid{job="$job"}, instrument)',
                     multi=True)]},
        "panels": placed}, indent=1) + "\n"


def queries(key: str) -> list[tuple[str, str]]:
    """Return (panel's title, PromQL with the variables filled in) of a dashboard."""
    return [(panel.title, query.replace("$job", "mm").replace("$instrument", ".*"))
            for panel in DASHBOARDS[key][1] for _, query in panel.queries]
