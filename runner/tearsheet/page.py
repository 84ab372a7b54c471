"""The page: one HTML file that needs nothing else, and the same figures as JSON."""

import html
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import plotly.graph_objects as go
import plotly.io
from plotly.offline import get_plotlyjs

from runner.tearsheet import plots, reasons
from runner.tearsheet.run_data import MarketRun, Run
from runner.tearsheet.statistics import (
    Mean,
    headline,
    markout_table,
    regime_of_fills,
    round_trips,
    shares,
    signal_values,
    uptime,
)
from runner.version import product_version

STYLE = """
:root{--ink:#22303c;--quiet:#5c6b78;--line:#dde3e8;--soft:#f5f7f9}
*{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:20px 16px 60px;
font:15px/1.5 system-ui,sans-serif;color:var(--ink)}h1{font-size:24px;margin:0 0 4px}
h3{font-size:16px;margin:26px 0 6px}
h2{font-size:18px;margin:36px 0 10px;border-bottom:1px solid var(--line);padding-bottom:4px}
p.sub{color:var(--quiet);margin:0 0 18px}.cards{display:grid;gap:10px;
grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}.card{background:var(--soft);
border-radius:8px;padding:10px 12px}.card b{display:block;font-size:19px;
font-variant-numeric:tabular-nums}.card span{color:var(--quiet);font-size:13px}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:14px;min-width:340px}
td,th{padding:4px 12px 4px 0;border-bottom:1px solid var(--line);text-align:right;
font-variant-numeric:tabular-nums;white-space:nowrap}td:first-child,th:first-child{text-align:left}
.bad{color:#b3261e}.good{color:#2c6e37}ul{padding-left:20px}details{margin:8px 0}
.plot{margin:14px -6px}h4{margin:0 6px;font-size:15px;font-weight:500}
@media(max-width:700px){.modebar-container{display:none}
td,th{padding-right:8px;font-size:12px;white-space:normal}table{min-width:0}
td:first-child{overflow-wrap:anywhere;min-width:110px}}
"""
HEADLINES: tuple[tuple[str, str, str], ...] = (
    ("profit_btc", "profit, BTC", "+.8f"), ("profit_usd", "profit, USD", "+,.2f"),
    ("profit_bps", "profit, bps of volume", "+.2f"),
    ("before_fees_bps", "before fees, bps of volume", "+.2f"),
    ("btc_a_day", "BTC a day at this rate", "+.6f"), ("volume_btc", "volume, BTC", ",.4f"),
    ("volume_usd", "volume, USD", ",.0f"),
    ("volume_usd_30_days", "volume in 30 days at this rate, USD", ",.0f"),
    ("fills", "fills", ",.0f"),
    ("maker_share", "of them as maker", ".1%"), ("round_trips", "round trips", ",.0f"),
    ("max_drawdown_btc", "deepest drawdown, BTC", ".8f"),
    ("max_abs_delta_btc", "largest inventory, BTC", ".4f"),
    ("fees_btc", "fees paid, BTC", ".8f"), ("funding_btc", "funding, BTC", "+.8f"),
    ("messages_a_btc", "order messages a BTC traded", ",.0f"),
    ("uptime_both_sides", "time quoting both sides", ".1%"))


def shown(value: Any, form: str) -> str:
    """Return a figure as text; a dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return format(value, form)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table; cells are escaped."""
    cells = "".join(f"<th>{html.escape(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>"
                   for row in rows)
    return f'<div class="wide"><table><tr>{cells}</tr>{body}</table></div>'


def mean_text(mean: Mean) -> str:
    if not mean.count:
        return "-"
    if not math.isfinite(mean.low):
        return f"{mean.mean:+.2f} (1 fill)"
    return f"{mean.mean:+.2f} [{mean.low:+.2f}, {mean.high:+.2f}]"


def cards(run: Run) -> str:
    figures = headline(run)
    parts = []
    for name, text, form in HEADLINES:
        tone = ""
        if name.startswith("profit") and figures[name] == figures[name]:
            tone = ' class="good"' if figures[name] > 0 else ' class="bad"'
        parts.append(f'<div class="card"><b{tone}>{shown(figures[name], form)}</b>'
                     f"<span>{text}</span></div>")
    return f'<div class="cards">{"".join(parts)}</div>'


MONEY: tuple[tuple[str, str], ...] = (
    ("capture", "spread captured"), ("drift", "drift of inventory"), ("mid_to_mark", "mid to mark"),
    ("funding", "funding"), ("fees", "fees paid"))


def comparison(runs: Sequence[Run]) -> str:
    """Return the figures of several runs beside each other, and the parameters that differ."""
    figures = [headline(run) for run in runs]
    rows = [[text, *(shown(f[name], form) for f in figures)] for name, text, form in HEADLINES]
    for market in runs[0].markets:
        name = market.name
        rows += [[f"{name}: {text}, {market.currency}",
                  *(shown(run.summary["money"].get(name, {}).get(part), "+.8f") for run in runs)]
                 for part, text in MONEY]
        beside = [next((m for m in run.markets if m.name == name), None) for run in runs]
        tables = [markout_table(m) if m is not None else {} for m in beside]
        rows += [[f"{name}: {'captured' if horizon == 'fill' else f'markout {horizon}'}, bps",
                  *(mean_text(t[horizon]) if t else "-" for t in tables)]
                 for horizon in tables[0]]
    keys = [parameters(run) for run in runs]
    named = sorted({key for found in keys for key in found})
    rows += [[key, *(found.get(key, "-") for found in keys)] for key in named
             if len({found.get(key) for found in keys}) > 1]
    return table(["", *(run.title for run in runs)], rows)


def parameters(run: Run) -> dict[str, str]:
    """Return every key of a run's configuration with its value."""
    return {f"{section}.{name}": str(value)
            for section, part in sorted(run.summary.get("config", {}).items())
            if isinstance(part, dict) for name, value in sorted(part.items())}


def markout_rows(market: MarketRun) -> list[list[str]]:
    regimes = regime_of_fills(market)
    groups: list[tuple[str, Any]] = [
        ("all", None), ("bought", market.fill_side > 0), ("sold", market.fill_side < 0)]
    groups += [(f"regime {name}", regimes == kind) for kind, name in plots.REGIMES.items()
               if (regimes == kind).any()]
    rows = []
    for name, chosen in groups:
        found = markout_table(market, chosen)
        rows.append([name, str(found["fill"].count), *(mean_text(m) for m in found.values())])
    return rows


def why_part(run: Run, market: MarketRun, plot: Callable[[go.Figure], str]) -> str:
    """Return what the decisions were made of."""
    rows = [[group, *(shown(value, form) for value in (t.mean, t.low, t.median, t.high))]
            for chosen, form in ((reasons.WIDTH_TERMS, ".2f"), (reasons.SHIFT_TERMS, "+.2f"),
                                 (reasons.FACTOR_TERMS, ".3f"))
            for group, t in reasons.terms(market, chosen).items()]
    removed = [[word, f"{bid:.2%}", f"{ask:.2%}"]
               for word, (bid, ask) in reasons.removed_shares(market).items()]
    taken = [[word, f"{sums['orders']:,.0f}", f"{sums['bought']:,.4g}", f"{sums['sold']:,.4g}"]
             for word, sums in reasons.takes(run, market).items()]
    facts = [["reference price", ", ".join(
        f"{name} {share:.1%}" for name, share in reasons.reference_shares(market).items())]]
    return ("<h3>Why</h3>" + plot(plots.removed(market))
            + "<p>Share of time a side was removed, by reason; several may hold at once.</p>"
            + table(["reason", "bid", "ask"], removed)
            + "<p>Terms of the quotes in USD and their factors, over the time with a reference "
            "price. Width: both sides further out. Shift: both sides up.</p>"
            + table(["term", "mean", "5 %", "median", "95 %"], rows)
            + table(["", ""], facts)
            + (table(["liquidity taken", "orders", "bought", "sold"], taken) if taken
               else "<p>No liquidity was taken.</p>"))


def signal_part(market: MarketRun, plot: Callable[[go.Figure], str]) -> str:
    """Return what the signals foresaw; one that moved no price is not judged."""
    if not signal_values(market):
        return "<p>No signal moved a price, so none can be judged.</p>"
    return plot(plots.signal_value(market)) + (
        "<p>Rank correlation of a signal's shift of the price with the mid's move after it, with "
        "95 % intervals (blocks of 60 s): above 0, it foresaw something.</p>")


def market_part(run: Run, market: MarketRun, plot: Callable[[go.Figure], str]) -> str:
    head = ["", "fills", "captured", "0.1 s", "1 s", "5 s", "30 s", "300 s"]
    trips = round_trips(market)
    up = uptime(market)
    facts = [["time quoting", ", ".join(f"{n} {v:.1%}" for n, v in up.items())],
             ["round trips", (f"{trips.count}, {trips.won} of them won, median "
              f"{shown(trips.median_s, '.1f')} s, mean {shown(trips.mean, '+.8f')} "
              f"{market.currency} before fees")],
             ["regimes", ", ".join(f"{n} {v:.1%}" for n, v in
                                   shares(market.regime, plots.REGIMES).items())]]
    return (f"<h2>{html.escape(market.name)}</h2>" + plot(plots.quotes(market))
            + plot(plots.markout_curve(market))
            + "<p>Bps of price, weighted by amount, with 95 % intervals (block bootstrap of 10 "
            "fills). Captured: against the mid at the fill; then against the mid later.</p>"
            + table(head, markout_rows(market)) + plot(plots.markout_by_regime(market))
            + signal_part(market, plot)
            + plot(plots.quote_distance(market)) + table(["", ""], facts)
            + why_part(run, market, plot))


def caveats(run: Run) -> list[str]:
    """Return what a reader must know before believing the figures."""
    found = []
    if run.lasted_s < 86_400:
        found.append(f"{run.lasted_s:,.0f} s of data: rates per day are an extrapolation, and "
                     "intervals only cover chance within this stretch, not other days.")
    fills = run.summary["fills"]
    if fills < 400:
        found.append(f"{fills} fills: a mean markout is known to about a standard deviation over "
                     "the root of that; see the intervals.")
    found += [str(p) for p in run.summary.get("problems", [])]
    if run.summary.get("replayed"):
        found.append("The market and the fills are those of the venue; the embedded exchange is "
                     "a model of one.")
        return found
    found += [("Fills are judged by a queue model; `mm backtest` with another "
              "backtest.queue shows how much depends on it."),
              "Own orders do not change what others do in a recording."]
    return found


def assumptions(run: Run) -> str:
    rows = [[name, str(value)] for name, value in run.summary.get("assumptions", {}).items()]
    rows += [["recordings", ", ".join(Path(s).name for s in run.summary.get("sources", []))],
             ["exit", str(run.summary.get("exit", ""))],
             ["outbound sha256", str(run.summary.get("outbound_sha256", ""))]]
    keys = [[key, value] for key, value in parameters(run).items()]
    return (table(["assumption", "value"], rows) + "<details><summary>Every parameter</summary>"
            + table(["key", "value"], keys) + "</details>")


def page(runs: Sequence[Run]) -> str:
    """Return the report of the first run, compared with the others, as one HTML document."""
    run = runs[0]
    made: list[str] = []

    def plot(figure: go.Figure) -> str:
        title = str(figure.layout.meta)
        made.append(title)
        body = plotly.io.to_html(figure, include_plotlyjs=False, full_html=False,
                                 div_id=f"plot-{len(made)}",
                                 config={"responsive": True, "displaylogo": False})
        return f'<div class="plot"><h4>{html.escape(title)}</h4>{body}</div>'

    parts = [f"<h1>{html.escape(run.title)}</h1>",
             (f'<p class="sub">{run.lasted_s:,.0f} s, {len(run.markets)} instrument(s), mmcore '
             f"{html.escape(product_version())}</p>"), cards(run)]
    if len(runs) > 1:
        parts += ["<h2>Compared</h2>", comparison(runs)]
    parts += ["<h2>Account</h2>", plot(plots.equity(runs)), plot(plots.decomposition(run)),
              plot(plots.inventory(run)), plot(plots.time_shares(run))]
    if len(run.latency_ms):
        parts.append(plot(plots.latency(run)))
    parts += [market_part(run, market, plot) for market in run.markets]
    parts += ["<h2>What this cannot show</h2><ul>",
              *(f"<li>{html.escape(c)}</li>" for c in caveats(run)), "</ul>",
              "<h2>Assumptions and parameters</h2>", assumptions(run)]
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="icon" href="data:,"><title>{html.escape(run.title)}</title>'
            f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head>"
            f"<body>{''.join(parts)}</body></html>\n")


def figures(run: Run) -> dict[str, Any]:
    """Return the page's figures for a program."""
    return {
        "title": run.title, "headline": headline(run), "caveats": caveats(run),
        "instruments": {
            m.name: {"markouts_bps": {name: msgspec.structs.asdict(mean)
                                      for name, mean in markout_table(m).items()},
                     "round_trips": msgspec.structs.asdict(round_trips(m)),
                     "uptime": uptime(m), "regimes": shares(m.regime, plots.REGIMES),
                     "signal_value": {
                         name: {h: msgspec.structs.asdict(v) for h, v in found.items()}
                         for name, found in signal_values(m).items()},
                     "why": reasons.figures_of(run, m)}
            for m in run.markets}}
