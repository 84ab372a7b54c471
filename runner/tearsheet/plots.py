"""The pictures of a run. Each function returns one plotly figure."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from runner.tearsheet.reasons import removed_shares
from runner.tearsheet.run_data import Floats, MarketRun, Run
from runner.tearsheet.statistics import (
    HORIZONS_S,
    Mean,
    drawdown,
    markout_table,
    regime_of_fills,
    shares,
    signal_values,
)

POINTS_MAX = 3_000
BID, ASK, INK, QUIET, BAD = "#1f77b4", "#d9642c", "#22303c", "#9aa7b2", "#b3261e"
PALETTE = ("#1f77b4", "#d9642c", "#3a7d44", "#7b4fa3", "#8c6d1f", "#b3261e", "#22303c")
REGIMES = {0: "normal", 1: "calm", 2: "volatile", 3: "trending", 4: "stand aside"}
RISK_STATES = {0: "active", 1: "reducing", 2: "paused", 3: "stopped", 4: "killed"}


def laid_out(figure: go.Figure, title: str, *, height: int = 340) -> go.Figure:
    """Give a figure the page's look; the page writes the title, which wraps there."""
    figure.update_layout(
        meta=title, template="plotly_white", height=height, font={"color": INK, "size": 12},
        margin={"l": 56, "r": 16, "t": 34, "b": 40}, hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"})
    return figure


def thin(t_s: Floats, *series: Floats) -> tuple[Floats, ...]:
    """Keep at most POINTS_MAX samples, evenly; the last one always."""
    step = max(1, len(t_s) // POINTS_MAX)
    places = np.unique(np.append(np.arange(0, len(t_s), step), len(t_s) - 1))
    return (t_s[places], *(values[places] for values in series))


def equity(runs: Sequence[Run]) -> go.Figure:
    """Equity since the start in both currencies and drawdown under it, each run a colour."""
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.4, 0.35, 0.25],
                           vertical_spacing=0.05)
    for run, colour in zip(runs, PALETTE, strict=False):
        market = run.markets[0]
        gain = market.equity - market.equity[0]
        other = gain * market.mid_usd if market.inverse else gain / market.mid_usd
        t_s, *columns = thin(market.t_s, gain, other, drawdown(market.equity))
        for row, (values, name) in enumerate(zip(columns, (run.title, "the other currency",
                                                           "drawdown"), strict=True), 1):
            figure.add_trace(go.Scatter(
                x=t_s, y=values, name=name, showlegend=row == 1, mode="lines",
                fill="tozeroy" if row == 3 else None, line={"color": colour, "width": 1.4}),
                row, 1)
    unit = runs[0].markets[0].currency
    figure.update_yaxes(title_text=f"profit, {unit}", row=1, col=1)
    figure.update_yaxes(title_text=f"in {'USD' if unit == 'BTC' else 'BTC'}", row=2, col=1)
    figure.update_yaxes(title_text="drawdown", row=3, col=1)
    figure.update_xaxes(title_text="s from the start", row=3, col=1)
    return laid_out(figure, "Equity, marked to market, after fees", height=520)


def inventory(run: Run) -> go.Figure:
    """Position of every instrument in BTC."""
    figure = go.Figure()
    for market, colour in zip(run.markets, PALETTE, strict=False):
        t_s, delta = thin(market.t_s, market.btc_of(market.position, market.mark_usd))
        figure.add_trace(go.Scatter(x=t_s, y=delta, name=market.name,
                                      line={"color": colour, "width": 1.2, "shape": "hv"}))
    figure.update_yaxes(title_text="BTC", zeroline=True, zerolinecolor=QUIET)
    figure.update_xaxes(title_text="s from the start")
    return laid_out(figure, "Inventory")


def quotes(market: MarketRun) -> go.Figure:
    """Our quotes against the market, and where we were filled."""
    t_s, bid, ask, own_bid, own_ask = thin(market.t_s, market.bid_usd, market.ask_usd,
                                           market.quote_bid_usd, market.quote_ask_usd)
    figure = go.Figure()
    for name, values, colour, width in (("best bid", bid, QUIET, 1), ("best ask", ask, QUIET, 1),
                                        ("our bid", own_bid, BID, 1.3),
                                        ("our ask", own_ask, ASK, 1.3)):
        figure.add_trace(go.Scatter(x=t_s, y=values, name=name, mode="lines",
                                      line={"color": colour, "width": width, "shape": "hv"}))
    for side, name, colour, symbol in ((1.0, "bought", BID, "triangle-up"),
                                       (-1.0, "sold", ASK, "triangle-down")):
        mine = market.fill_side == side
        # vectors need no graphics card and are always drawn, but not for many thousands of marks
        marks = go.Scatter if mine.sum() <= POINTS_MAX else go.Scattergl
        figure.add_trace(marks(
            x=market.fill_s[mine], y=market.fill_usd[mine], name=name, mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 9,
                    "line": {"color": "white", "width": 1}}))
    figure.update_yaxes(title_text="USD")
    figure.update_xaxes(title_text="s from the start")
    return laid_out(figure, f"{market.name}: our quotes and fills", height=420)


def markout_curve(market: MarketRun) -> go.Figure:
    """Captured half-spread and what is left of it after each horizon, per side, with intervals."""
    figure = go.Figure()
    for side, name, colour in ((1.0, "bought", BID), (-1.0, "sold", ASK)):
        table = markout_table(market, market.fill_side == side)
        add_intervals(figure, table, name, colour)
    figure.add_hline(y=0, line={"color": QUIET, "width": 1})
    figure.update_yaxes(title_text="bps of price")
    return laid_out(figure, f"{market.name}: spread captured and markouts, 95 % intervals")


def markout_by_regime(market: MarketRun) -> go.Figure:
    """The 5 s markout of fills in each regime."""
    regimes = regime_of_fills(market)
    horizon = f"{HORIZONS_S[2]:g} s"
    table = {name: markout_table(market, regimes == kind)[horizon]
             for kind, name in REGIMES.items() if (regimes == kind).any()}
    figure = go.Figure()
    add_intervals(figure, table, horizon, BID)
    figure.add_hline(y=0, line={"color": QUIET, "width": 1})
    figure.update_yaxes(title_text="bps of price")
    return laid_out(figure, f"{market.name}: markout after {horizon} by regime")


def add_intervals(figure: go.Figure, table: dict[str, Mean], name: str, colour: str) -> None:
    means = list(table.values())
    figure.add_trace(go.Scatter(
        x=list(table), y=[m.mean for m in means], name=name, mode="markers+lines",
        marker={"color": colour, "size": 8}, line={"color": colour, "width": 1},
        customdata=[m.count for m in means], hovertemplate="%{y:.2f} bps, %{customdata} fills",
        error_y={"type": "data", "symmetric": False, "thickness": 1,
                 "array": [m.high - m.mean for m in means],
                 "arrayminus": [m.mean - m.low for m in means]}))


def signal_value(market: MarketRun) -> go.Figure:
    """What each signal's shift was worth: its rank correlation with the mid's later move."""
    figure = go.Figure()
    for (name, found), colour in zip(signal_values(market).items(), PALETTE, strict=False):
        add_intervals(figure, found, name, colour)
    figure.update_traces(hovertemplate="%{y:.3f}, %{customdata} samples")
    figure.add_hline(y=0, line={"color": QUIET, "width": 1})
    figure.update_yaxes(title_text="rank correlation")
    return laid_out(figure, f"{market.name}: signals against the mid's move after them")


def decomposition(run: Run) -> go.Figure:
    """Where the profit came from, as a waterfall, in the instrument's currency."""
    figure = go.Figure()
    for name, money in run.summary["money"].items():
        parts = [("spread captured", money["capture"]), ("drift of inventory", money["drift"]),
                 ("mid to mark", money["mid_to_mark"]), ("funding", money["funding"]),
                 ("fees", 0.0 - money["fees"])]
        parts += [(word, money[part]) for part, word in (
            ("hedge", "takes and hedges"), ("basis", "basis of matched positions"),
            ("carried", "carried in")) if money.get(part)]
        figure.add_trace(go.Waterfall(
            name=name, x=[p[0] for p in parts] + ["profit"],
            y=[p[1] for p in parts] + [0.0], measure=["relative"] * len(parts) + ["total"],
            increasing={"marker": {"color": "#3a7d44"}}, decreasing={"marker": {"color": BAD}},
            totals={"marker": {"color": INK}}, connector={"line": {"color": QUIET}}))
    figure.update_yaxes(title_text=run.markets[0].currency)
    return laid_out(figure, "Where the profit came from")


def quote_distance(market: MarketRun) -> go.Figure:
    """How far from the mid we quoted."""
    figure = go.Figure()
    for name, values, colour in (
            ("bid", (market.mid_usd - market.quote_bid_usd) / market.mid_usd * 1e4, BID),
            ("ask", (market.quote_ask_usd - market.mid_usd) / market.mid_usd * 1e4, ASK)):
        kept = values[np.isfinite(values)]
        figure.add_trace(go.Histogram(x=kept, name=name, opacity=0.6, nbinsx=60,
                                      histnorm="percent", marker={"color": colour}))
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(title_text="bps from the mid")
    figure.update_yaxes(title_text="% of samples quoted")
    return laid_out(figure, f"{market.name}: distance of our best quotes")


def removed(market: MarketRun) -> go.Figure:
    """Share of time each side was removed, by reason."""
    found = removed_shares(market)
    figure = go.Figure()
    for side, (name, colour) in enumerate((("bid", BID), ("ask", ASK))):
        figure.add_trace(go.Bar(y=list(found), x=[100 * both[side] for both in found.values()],
                                name=name, orientation="h", marker={"color": colour}))
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="% of time")
    return laid_out(figure, f"{market.name}: sides removed, by reason",
                    height=160 + 34 * len(found))


def time_shares(run: Run) -> go.Figure:
    """Time in regimes and in risk states."""
    figure = make_subplots(rows=1, cols=2, subplot_titles=("regimes", "risk states"))
    lead = run.markets[0]
    for column, (values, names) in enumerate(((lead.regime, REGIMES),
                                              (lead.risk_state, RISK_STATES)), 1):
        found = shares(values, names)
        figure.add_trace(go.Bar(x=list(found), y=[100 * v for v in found.values()],
                                marker={"color": PALETTE[column - 1]}, showlegend=False),
                         1, column)
    figure.update_yaxes(title_text="% of time", row=1, col=1)
    return laid_out(figure, f"{lead.name}: time in each state")


def latency(run: Run) -> go.Figure:
    """How long requests took to the venue."""
    figure = go.Figure(go.Histogram(x=run.latency_ms, nbinsx=80, marker={"color": PALETTE[3]}))
    figure.update_xaxes(title_text="ms from decision to the venue")
    figure.update_yaxes(title_text="requests")
    return laid_out(figure, "Order entry latency")
