"""Stylised facts of a market: of a synthetic run and of a recording, side by side.

Everything is computed from an event array, so both sides of the table go through the same code.
Amounts are in USD (BTC amounts of linear contracts at the print's price), distances from the mid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from connectors.replay.books import DictBook
from connectors.replay.columns import BOOK_KINDS
from connectors.replay.event import EventFlag, EventKind
from connectors.replay.reader import open_recording
from connectors.replay.recording import Events
from connectors.sim.exchange import Exchange
from connectors.sim.market.synthetic import SyntheticMarket
from connectors.sim.market.tape import EventTape
from mmcore.types import InstrumentSpec

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
SAMPLE_NS = NS_PER_S
DEPTH_LEVELS = (1, 5, 10, 25)
SIGN_LAGS = (1, 2, 5, 10)
RATIO_S = (10, 60)
START_NS = 1_717_200_000 * NS_PER_S     # a date for runs of which only the statistics count

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One fact: its name, unit and value per market, nan where a market has none.

    error: standard error of the synthetic value, from how the runs differ; nan of one run.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    error: float = float("nan")


@dataclass
class Samples:
    """The book of one instrument, once a second."""

    mid_usd: list[float] = field(default_factory=list)
    spread_ticks: list[float] = field(default_factory=list)
    touch_usd: list[float] = field(default_factory=list)     # both sides in turn
    depth_usd: list[list[float]] = field(default_factory=list)
    away_usd: list[list[float]] = field(default_factory=list)


def take_sample(book: DictBook, spec: InstrumentSpec, samples: Samples) -> None:
    """Add the book as it is now; a one-sided book counts as no sample."""
    bid, ask = book.best
    if bid is None or ask is None:
        return
    mid_usd = (spec.price(bid) + spec.price(ask)) / 2.0
    unit_usd = spec.contract_size if spec.inverse else spec.contract_size * mid_usd
    samples.mid_usd.append(mid_usd)
    samples.spread_ticks.append(ask - bid)
    for side in (0, 1):
        ticks = sorted(book.sides[side], reverse=side == 0)[:DEPTH_LEVELS[-1]]
        running = np.cumsum([book.sides[side][t] for t in ticks]) * unit_usd
        samples.touch_usd.append(float(running[0]))
        samples.depth_usd.append([float(running[n - 1]) if n <= len(ticks) else np.nan
                                  for n in DEPTH_LEVELS])
        samples.away_usd.append([abs(spec.price(ticks[n - 1]) - mid_usd) if n <= len(ticks)
                                 else np.nan for n in DEPTH_LEVELS])


def sample_book(events: Events, spec: InstrumentSpec) -> Samples:
    """Rebuild one instrument's book and sample it once a second from its first snapshot on."""
    book, samples = DictBook(), Samples()
    due_ns = 0
    names = ("exch_ns", "kind", "flags", "side", "price_ticks", "amount_contracts")
    for t_ns, kind, flags, side, ticks, contracts in zip(
            *(events[name].tolist() for name in names), strict=True):
        if flags & EventFlag.FLAG_FIRST:
            while due_ns and t_ns >= due_ns:
                take_sample(book, spec, samples)
                due_ns += SAMPLE_NS
            if flags & EventFlag.FLAG_SNAPSHOT:
                book.clear()
                due_ns = due_ns or t_ns + SAMPLE_NS
        if kind == EventKind.EVENT_LEVEL:
            book.set_level(side, ticks, contracts)
    return samples


def autocorrelation(values: Floats, lag: int) -> float:
    """Return the correlation of a series with itself lag steps later."""
    if len(values) <= lag + 2:
        return float("nan")
    centred = values - values.mean()
    variance = float(centred @ centred)
    return float(centred[lag:] @ centred[:-lag]) / variance if variance else float("nan")


def variance_ratio(prices: Floats, steps: int) -> float:
    """Return Var(change over steps) / (steps Var(change over one)); 1 for a random walk."""
    ones = np.diff(prices)
    many = prices[steps:] - prices[:-steps]
    if len(many) < 2 or not ones.var():
        return float("nan")
    return float(many.var() / (steps * ones.var()))


def quantile_facts(name: str, unit: str, values: Floats,
                   shares: Sequence[int]) -> dict[tuple[str, str], float]:
    """Return quantiles in percent under their names."""
    return {(f"{name} p{share}", unit): float(np.percentile(values, share))
            if len(values) else float("nan") for share in shares}


def book_facts(samples: Samples, rate: float) -> dict[tuple[str, str], float]:
    spread = np.array(samples.spread_ticks)
    mid = np.array(samples.mid_usd)
    facts = {("book messages", "1/s"): rate,
             ("spread of one tick", "share"): float((spread == 1).mean()),
             ("spread mean", "ticks"): float(spread.mean())}
    facts |= quantile_facts("touch", "USD", np.array(samples.touch_usd), (10, 50, 90))
    depth, away = np.array(samples.depth_usd), np.array(samples.away_usd)
    for column, level in enumerate(DEPTH_LEVELS):
        facts[f"depth to level {level}", "USD"] = float(np.nanmedian(depth[:, column]))
        facts[f"distance of level {level}", "USD"] = float(np.nanmedian(away[:, column]))
    moves = np.diff(mid)
    facts["mid unmoved in a second", "share"] = float((moves == 0.0).mean())
    facts["mid change in a second", "bp sd"] = float(moves.std() / mid.mean() * 1e4)
    spread_out = moves - moves.mean()
    facts["kurtosis of it", ""] = float((spread_out ** 4).mean() / spread_out.var() ** 2)
    for seconds in RATIO_S:
        facts[f"variance ratio {seconds} s", ""] = variance_ratio(mid, seconds)
    facts["clustering: |change| lag 1", ""] = autocorrelation(np.abs(moves), 1)
    return facts


def trade_facts(trades: Events, spec: InstrumentSpec,
                seconds: float) -> dict[tuple[str, str], float]:
    prices = trades["price_ticks"] * spec.tick_usd
    usd = trades["amount_contracts"] * spec.contract_size
    usd = usd if spec.inverse else usd * prices
    ms = trades["exch_ns"] // NS_PER_MS
    heads = np.ones(len(trades), dtype=bool)
    heads[1:] = (ms[1:] != ms[:-1]) | (trades["side"][1:] != trades["side"][:-1])
    signs = np.where(trades["side"][heads] == 0, 1.0, -1.0)
    facts = {("trades", "1/s"): len(trades) / seconds,
             ("trade milliseconds", "1/s"): len(np.unique(ms)) / seconds}
    facts |= quantile_facts("trade size", "USD", usd.astype(np.float64), (10, 50, 90, 99))
    gaps = np.diff(np.unique(ms)).astype(np.float64)
    facts |= quantile_facts("gap of bursts", "ms", gaps, (10, 50, 90))
    for lag in SIGN_LAGS:
        facts[f"burst sign autocorrelation lag {lag}", ""] = autocorrelation(signs, lag)
    return facts


def market_facts(events: Events, spec: InstrumentSpec,
                 instrument: int = 0) -> dict[tuple[str, str], float]:
    """Return {(name, unit): value} of one instrument; at least some seconds of events."""
    mine = events[events["instrument"] == instrument]
    book = mine[np.isin(mine["kind"], BOOK_KINDS)]
    trades = mine[(mine["kind"] == EventKind.EVENT_TRADE)
                  & ((mine["flags"] & EventFlag.FLAG_EXCLUDED) == 0)]
    samples = sample_book(book, spec)
    if len(samples.mid_usd) < 3:
        raise ValueError(f"{spec.name}: under 3 seconds of a two-sided book; give more data")
    begin = book["exch_ns"][0]
    trades = trades[trades["exch_ns"] >= begin]
    seconds = float(book["exch_ns"].max() - begin) / NS_PER_S
    messages = int(((book["flags"] & EventFlag.FLAG_LAST) != 0).sum())
    return book_facts(samples, messages / seconds) | trade_facts(trades, spec, seconds)


def synthetic_events(seed: int, regime: str, seconds: float) -> tuple[Events, InstrumentSpec]:
    """Run the synthetic market alone in an exchange; return what it shows and the perpetual."""
    market = SyntheticMarket(seed=seed, regime=regime, now_ns=START_NS)
    exchange = Exchange(seed)
    listings = market.instruments()
    for listing in listings:
        exchange.add_market(listing.spec, listing.index_name, listing.spec.expiry_ms == 0)
    market.start(exchange, START_NS)
    tape = EventTape(exchange, START_NS)
    market.advance(exchange, START_NS + int(seconds * NS_PER_S))
    return tape.events(), listings[0].spec


def report(seed: int, regime: str, seconds: float,
           data: Sequence[Path | str] = (), runs: int = 1) -> list[Row]:
    """Return the facts of a synthetic run, beside those of a recording where one is given.

    runs: take the mean over this many runs, of the seed and those after it.
    Row.values is (synthetic,) or (synthetic, recorded); the recorded instrument is the one with
    the most book messages. Raises ValueError for a run too short and RecordingError for bad data.
    """
    found = [market_facts(*synthetic_events(seed + run, regime, seconds)) for run in range(runs)]
    columns = [{key: float(np.mean([facts[key] for facts in found])) for key in found[0]}]
    if data:
        recording = open_recording(data)
        numbers = recording.events["instrument"][np.isin(recording.events["kind"], BOOK_KINDS)]
        busiest = int(np.bincount(numbers).argmax())
        columns.append(market_facts(recording.events, recording.instruments[busiest], busiest))
    errors = {key: float(np.std([facts[key] for facts in found], ddof=1)) / runs ** 0.5
              for key in found[0]} if runs > 1 else {}
    return [Row(name, unit, tuple(column.get((name, unit), float("nan")) for column in columns),
                errors.get((name, unit), float("nan")))
            for name, unit in columns[0]]
