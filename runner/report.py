"""What a session came to: the summary as a dict, and as a page of text."""

from typing import Any

import msgspec

from mmcore.engine import Engine
from mmcore.publish import summary
from runner.duration import duration

Summary = dict[str, Any]


def session_summary(engine: Engine | None, reason: str) -> Summary:
    """Return the figures `--summary` writes; before there was an engine only `exit`."""
    figures: Summary = dict(summary(engine)) if engine is not None else {}
    figures["exit"] = reason
    return figures


def summary_json(figures: Summary) -> bytes:
    """Return a summary as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n"


def report_text(figures: Summary, lasted_s: float, title: str) -> str:
    """Return the report a session ends with."""
    lines = [f"{title}: {duration(lasted_s)}, ended by {figures['exit']}"]
    if "decisions" not in figures:
        return lines[0] + "\n"
    lines += [
        row("P&L", f"{profit_btc(figures):+.8f} BTC",
            f"realized {figures['realized_btc']:+.8f}, unrealized "
            f"{figures['unrealized_btc']:+.8f}"),
        row("", "", f"fees {0.0 - figures['fees_btc']:+.8f}, "
            f"funding {figures['funding_btc']:+.8f}"),
        row("equity", f"{figures['equity_btc']:.8f} BTC", ""),
        row("position", f"{figures['position_usd']:+,.0f} USD",
            f"{figures['delta_btc']:+.6f} BTC; at most {figures['max_abs_delta_btc']:.6f}"),
        row("fills", f"{figures['fills']:,}", maker_share(figures)),
        row("orders", f"{figures['orders_new']:,} new",
            f"{figures['orders_edit']:,} edits, {figures['orders_cancel']:,} cancels, "
            f"{figures['rejects']:,} rejects"),
        row("book", f"{figures['book_updates']:,} changes",
            f"{figures['book_gaps']} gaps, {figures['book_crossed']} crossed, "
            f"{figures['decisions']:,} decisions"),
        row("tick to order", *latency(figures["tick_to_order_us"])),
    ]
    settled = {name: value for name, value in figures["markout_bps"].items() if value is not None}
    if settled:
        lines.append(row("markout bps", "",
                         ", ".join(f"{name} {value:+.2f}" for name, value in settled.items())))
    if len(figures["instruments"]) > 1:
        lines += [
            row(name, f"{part['position_usd']:+,.0f} USD",
                f"{part['fills']:,} fills, realized {part['realized_btc']:+.8f} BTC")
            for name, part in figures["instruments"].items()]
    return "\n".join(lines) + "\n"


def row(name: str, main: str, detail: str) -> str:
    return f"  {name:<15}{main:>20}  {detail}".rstrip()


def profit_btc(figures: Summary) -> float:
    """Return what the session earned; fees are what was paid."""
    return float(figures["realized_btc"] + figures["unrealized_btc"] + figures["funding_btc"]
                 - figures["fees_btc"])


def maker_share(figures: Summary) -> str:
    if not figures["fills"]:
        return ""
    return f"{100 * figures['maker_fills'] / figures['fills']:.0f} % as maker"


def latency(quantiles_us: dict[str, float]) -> tuple[str, str]:
    if not quantiles_us.get("p50"):
        return "-", ""
    return (f"{quantiles_us['p50']:,.0f} us",
            f"median; p99 {quantiles_us['p99']:,.0f}, p99.9 {quantiles_us['p999']:,.0f}")
