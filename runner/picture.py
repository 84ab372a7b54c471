"""What the terminal shows of a telemetry reading: a picture, or one plain line."""

from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mmcore.alpha import TERM_NAMES
from mmcore.types import RemovedReason, TakeReason
from runner.duration import duration

Reading = dict[str, Any]

RISK_STATES = ("active", "reducing", "paused", "stopped", "killed")
RISK_STYLES = ("green", "yellow", "yellow", "cyan", "bold red")
REMOVED_WORDS = {
    RemovedReason.REMOVED_NOT_READY: "not connected",
    RemovedReason.REMOVED_WARMUP: "warming up",
    RemovedReason.REMOVED_BOOK_INVALID: "book invalid",
    RemovedReason.REMOVED_STALE: "data stale",
    RemovedReason.REMOVED_STATE: "not trading",
    RemovedReason.REMOVED_INVENTORY: "at the limit",
    RemovedReason.REMOVED_REFERENCE: "reference off mark",
    RemovedReason.REMOVED_WIDTH: "too wide",
    RemovedReason.REMOVED_HOLD: "hold after fill",
    RemovedReason.REMOVED_MOMENTUM: "momentum",
    RemovedReason.REMOVED_COLLAR: "outside collar",
    RemovedReason.REMOVED_SIZE: "size rounds to 0",
    RemovedReason.REMOVED_LAG: "feed lag",
    RemovedReason.REMOVED_KILLED: "killed",
    RemovedReason.REMOVED_SIGNAL: "signal against it",
    RemovedReason.REMOVED_REGIME: "regime",
    RemovedReason.REMOVED_WINDOW: "time window",
    RemovedReason.REMOVED_TOP_RATE: "touch too fast",
    RemovedReason.REMOVED_FILLS: "fills in a row",
    RemovedReason.REMOVED_COVER: "covering",
    RemovedReason.REMOVED_VOL: "stand aside",
    RemovedReason.REMOVED_SWEEP: "sweep",
    RemovedReason.REMOVED_CALENDAR: "settlement or expiry",
    RemovedReason.REMOVED_STANDBY: "standby for the contract before it",
    RemovedReason.REMOVED_FROZEN: "quote protection tripped",
    RemovedReason.REMOVED_FUNDING: "funding ahead",
    RemovedReason.REMOVED_PREFERENCE: "another contract preferred",
    RemovedReason.REMOVED_THROTTLE: "too many fills",
    RemovedReason.REMOVED_EDGE: "no edge left there",
}
TAKE_WORDS = {
    TakeReason.TAKE_COVER: "cover of an adverse fill",
    TakeReason.TAKE_CUT: "cut: the price runs against the inventory",
    TakeReason.TAKE_HEDGE: "hedge of the net exposure",
    TakeReason.TAKE_PAIR: "other leg of a pair",
    TakeReason.TAKE_UNPAIR: "out of a pair's single leg",
    TakeReason.TAKE_EXPIRY: "out before the expiry",
    TakeReason.TAKE_STOP: "stop: the loss or the move is too large",
    TakeReason.TAKE_FLATTEN: "close the position",
}
HEDGE_WORDS = ("", "hedge rests", "hedge takes")
PAIR_WORDS = ("", "pair opens", "pair closes")
REFERENCES = ("mid", "micro-price", "last trade", "mark", "none", "perpetual")
REGIMES = ("normal", "calm", "volatile", "trending", "stand aside")
COUNTED = ("book_updates", "decisions", "orders_new", "orders_edit", "orders_cancel", "fills")
BOOK_ROWS = 5


class Rates:
    """Counts a second between two readings, by the engine's own clock."""

    def __init__(self) -> None:
        self.before: Reading = {}
        self.per_s: dict[str, float] = dict.fromkeys(COUNTED, 0.0)
        self.still_reads = 0

    def update(self, reading: Reading) -> None:
        """Take a reading; one that has not changed counts as a silent engine."""
        if not self.before:
            self.before = reading
            return
        passed_s = (reading["published_ns"] - self.before["published_ns"]) / 1e9
        self.still_reads = self.still_reads + 1 if passed_s <= 0 else 0
        if passed_s >= 1.0:
            self.per_s = {
                name: (reading[name] - self.before[name]) / passed_s for name in COUNTED}
            self.before = reading


def risk_word(reading: Reading) -> str:
    state = int(reading["risk_state"])
    return RISK_STATES[state] if 0 <= state < len(RISK_STATES) else f"state {state}"


def removed_words(bits: float) -> str:
    """Say why a side is empty."""
    return ", ".join(word for bit, word in REMOVED_WORDS.items() if int(bits) & bit)


def profit_btc(reading: Reading) -> float:
    """Return what the session earned, in BTC; fees are what was paid."""
    return float(reading["realized_btc"] + reading["unrealized_btc"] + reading["funding_btc"]
                 - reading["fees_btc"])


def price(value: float) -> str:
    return f"{value:,.1f}" if value > 0 else "-"


def microseconds(reading: Reading, share: str) -> str:
    histogram = reading["histograms"]["tick_to_order_ns"]
    return f"{histogram[share] / 1000:.0f}" if histogram["count"] else "-"


def line(reading: Reading, rates: Rates, at: str) -> str:
    """Return the session in one line, for logs and pipes."""
    parts = [at, risk_word(reading), *map(market_words, reading["markets"])]
    orders = sum(rates.per_s[name] for name in ("orders_new", "orders_edit", "orders_cancel"))
    parts.append(f"delta {reading['delta_btc']:+.4f} BTC")
    parts.append(f"P&L {profit_btc(reading):+.8f} BTC")
    parts.append(f"fills {reading['fills']:.0f} (maker {reading['maker_fills']:.0f}), last "
                 f"{last_fill(reading)}")
    parts.append(f"book {rates.per_s['book_updates']:.0f}/s orders {orders:.1f}/s")
    parts.append(f"tick to order p50 {microseconds(reading, 'p50')} us")
    return " | ".join(parts)


def market_words(market: Reading) -> str:
    return (f"{market['name']} book {price(market['best_bid_usd'])}/"
            f"{price(market['best_ask_usd'])} quotes {price(market['quote_bid_usd'])}/"
            f"{price(market['quote_ask_usd'])} position {market['position_usd']:+,.0f} USD")


def picture(reading: Reading, rates: Rates, title: str) -> RenderableType:
    """Return the whole screen."""
    state = int(reading["risk_state"])
    head = Text(f" {title}  ")
    head.append(risk_word(reading), style=RISK_STYLES[min(max(state, 0), len(RISK_STYLES) - 1)])
    if reading["fault"]:
        head.append(f"  fault {reading['fault']:.0f}", style="bold red")
    for name, words in (("hedge_phase", HEDGE_WORDS), ("pair_phase", PAIR_WORDS)):
        if reading[name]:
            head.append(f"  {words[int(reading[name])]}", style="yellow")
    if rates.still_reads > 4:
        head.append("  the engine is silent", style="bold red")
    parts: list[RenderableType] = [head]
    parts += [market_panel(market) for market in reading["markets"]]
    parts.append(figures(reading, rates))
    return Group(*parts)


def market_panel(market: Reading) -> Panel:
    """Return one instrument: book with our quotes, position, and why."""
    grid = Table.grid(padding=(0, 3), expand=True)
    grid.add_column()
    grid.add_column(ratio=1)
    grid.add_row(book_table(market), why_table(market))
    valid = "book valid" if market["book_valid"] else "book invalid"
    return Panel(grid, title=f"{market['name']}  {valid}", title_align="left",
                 border_style="green" if market["book_valid"] else "red")


def book_table(market: Reading) -> Table:
    table = Table.grid(padding=(0, 1))
    for name in ("ours", "amount", "bid", "ask", "amount", "ours"):
        table.add_column(name, justify="right")
    ours = {side: dict(market[f"own_{side}"]) for side in ("bids", "asks")}
    table.add_row(*(Text(t, style="dim") for t in ("ours", "amount", "bid", "ask", "amount",
                                                   "ours")))
    for i in range(BOOK_ROWS):
        cells: dict[str, list[str]] = {}
        for side in ("bids", "asks"):
            levels = market[side]
            if i < len(levels):
                at, amount = levels[i]
                own = ours[side].pop(at, 0.0)
                cells[side] = [f"{own:,.0f}" if own else "", f"{amount:,.0f}", price(at)]
            else:
                cells[side] = ["", "", ""]
        left, right = cells["bids"], cells["asks"]
        table.add_row(Text(left[0], style="bold cyan"), left[1], Text(left[2], style="green"),
                      Text(right[2], style="red"), right[1], Text(right[0], style="bold cyan"))
    for side, column in (("bids", 0), ("asks", 5)):
        # Quotes deeper than the rows above.
        for at, amount in ours[side].items():
            row: list[RenderableType] = [""] * 6
            row[column] = Text(f"{amount:,.0f}", style="bold cyan")
            row[2 if side == "bids" else 3] = Text(price(at), style="dim")
            table.add_row(*row)
    return table


def why_table(market: Reading) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    position = f"{market['position_usd']:+,.0f} USD  {market['position_btc']:+.4f} BTC"
    if market["average_usd"] > 0:
        position += f"  at {price(market['average_usd'])}"
    table.add_row("position", position)
    table.add_row("quotes", f"{price(market['quote_bid_usd'])} / {price(market['quote_ask_usd'])}")
    table.add_row("reference", f"{price(market['reference_usd'])} {reference_word(market)}  mark "
                  f"{price(market['mark_usd'])}  index {price(market['index_usd'])}")
    table.add_row("half-spread", f"{market['half_spread_usd']:.2f} USD = base "
                  f"{market['half_base_usd']:.2f} + vol {market['half_vol_usd']:.2f}, market "
                  f"{market['half_market_usd']:.2f}, drought {market['drought_usd']:.2f}, "
                  f"x{market['spread_factor']:.2f}  fee floor {market['fee_floor_usd']:.2f}")
    table.add_row("further out", f"pad {market['pad_usd']:.2f}  markout bid "
                  f"{market['markout_add_bid_usd']:.2f} ask {market['markout_add_ask_usd']:.2f}"
                  f"  signals bid {market['signal_add_bid_usd']:.2f} ask "
                  f"{market['signal_add_ask_usd']:.2f} USD")
    table.add_row("shift", f"inventory {market['skew_usd']:+.2f}  signals "
                  f"{market['alpha_usd']:+.2f}  carry {market['carry_usd']:+.2f} USD")
    terms = [f"{name} {market[f'alpha_term_{i}_usd']:+.2f}" for i, name in enumerate(TERM_NAMES)]
    table.add_row("signals", "  ".join(terms) + " USD")
    regime = int(market["regime"])
    table.add_row("regime", f"{REGIMES[regime] if regime < len(REGIMES) else regime}  "
                  f"{market['vol_usd']:.2f} USD/√s  {market['vol_year']:.0%} a year  touch "
                  f"{market['top_rate']:.0f}/s")
    if market["basis_year"]:
        table.add_row("basis", f"{market['basis_year']:+.2%} a year, mean "
                      f"{market['fair_basis_usd']:+.2f} USD; to the perpetual "
                      f"{market['basis_usd']:+.2f}, fair {market['pair_fair_usd']:+.2f}")
    if market["matched_usd"]:
        table.add_row("hedged", f"{market['matched_usd']:+,.0f} USD by another contract")
    table.add_row("feed", f"lag {market['feed_lag_seconds'] * 1000:.0f} ms  book "
                  f"{market['book_age_seconds'] * 1000:.0f} ms old")
    for side in ("bid", "ask"):
        words = removed_words(market[f"removed_{side}"])
        if words:
            table.add_row(f"no {side}", Text(words, style="yellow"))
    if market["take"]:
        table.add_row("take", Text(f"{market['take_amount']:+,.4g}: {take_word(market)}",
                                   style="yellow"))
    return table


def reference_word(market: Reading) -> str:
    source = int(market["reference_source"])
    return REFERENCES[source] if 0 <= source < len(REFERENCES) else str(source)


def take_word(market: Reading) -> str:
    """Say why liquidity is wanted."""
    return TAKE_WORDS.get(TakeReason(int(market["take"])), f"reason {market['take']:.0f}")


def last_fill(reading: Reading) -> str:
    """Say how long ago the last own fill was."""
    age = duration(reading["last_fill_age_seconds"])
    return f"{age} ago" if reading["fills"] else f"none in {age}"


def figures(reading: Reading, rates: Rates) -> Panel:
    """Return money, rates and latency."""
    grid = Table.grid(padding=(0, 2), expand=True)
    for _ in range(3):
        grid.add_column(ratio=1)
    money = Table.grid(padding=(0, 1))
    money.add_column(style="dim")
    money.add_column(justify="right")
    total = profit_btc(reading)
    money.add_row("P&L BTC", Text(f"{total:+.8f}", style="green" if total >= 0 else "red"))
    for name, sign in (("realized", 1), ("unrealized", 1), ("fees", -1), ("funding", 1)):
        money.add_row(name, f"{sign * reading[f'{name}_btc']:+.8f}")
    money.add_row("equity", f"{reading['equity_btc']:.8f}")
    money.add_row("net delta", f"{reading['delta_btc']:+.4f}")
    pace = Table.grid(padding=(0, 1))
    pace.add_column(style="dim")
    pace.add_column(justify="right")
    for name in ("book_updates", "decisions", "orders_new", "orders_edit", "orders_cancel"):
        pace.add_row(name.replace("_", " "),
                     f"{rates.per_s[name]:.1f}/s {reading[name]:>10,.0f}")
    pace.add_row("fills", f"{reading['fills']:,.0f}, maker {reading['maker_fills']:,.0f}")
    pace.add_row("last fill", last_fill(reading))
    state = Table.grid(padding=(0, 1))
    state.add_column(style="dim")
    state.add_column(justify="right")
    state.add_row("tick to order", f"p50 {microseconds(reading, 'p50')}  p99 "
                  f"{microseconds(reading, 'p99')} us")
    for name, word in (("rejects", "rejects"), ("book_gaps", "book gaps"),
                       ("malformed", "malformed"), ("unknown_orders", "unknown orders"),
                       ("deferred", "deferred"), ("journal_lost", "journal lost")):
        style = "yellow" if reading[name] else ""
        state.add_row(word, Text(f"{reading[name]:,.0f}", style=style))
    grid.add_row(money, pace, state)
    return Panel(grid, border_style="dim")
