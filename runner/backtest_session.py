"""One backtest put together: a recording, an exchange, an engine, and the loop between them."""

import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.deribit.encode import Encoder
from connectors.deribit.labels import Labels
from connectors.replay.backtest import Backtest
from connectors.replay.observer import Observer
from connectors.replay.player import Player, play_rows
from connectors.replay.reader import open_recording
from connectors.replay.recording import Recording
from connectors.sim.direct import DirectVenue
from connectors.sim.direct_sink import DirectSink
from connectors.sim.exchange import Exchange
from connectors.sim.latency import Latency
from connectors.sim.market.protocol import MAKER_FEE, TAKER_FEE
from connectors.sim.market.recorded import charging
from mmcore.engine import Engine
from mmcore.types import ControlKind, InstrumentSpec
from runner.assemble import make_engine
from runner.config import Config

START_NOW_NS = 1_000 * 1_000_000_000    # the engine's clock at the first event; 0 means never
QUEUE_MODELS = ("risk_averse", "proportional", "power", "log")      # sim.queue.QueueKind
TIER_CREDITS = {0: (1_000_000, 1e6), 1: (100, 30.0), 2: (50, 20.0), 3: (30, 10.0), 4: (20, 5.0)}
NS_PER_MS = 1e6
CHUNK_EVENTS = 1 << 20
RUN = 0xB7      # of the labels: every backtest is the same run, so its bytes can be compared


class BacktestError(ValueError):
    """A backtest that cannot be run; the text says why and what to do."""


@dataclass
class Session:
    """A backtest ready to run, and what its result needs."""

    backtest: Backtest
    recording: Recording
    specs: list[InstrumentSpec]         # of the engine's markets
    markets: list[int]                  # the recording's instrument of each
    start_e8: tuple[int, int]           # opening balance, BTC and USDC
    shift_ns: int                       # added to the recorder's clock
    load_s: float
    config: Config


def prepare(paths: list[Path], config: Config) -> Session:
    """Read a recording and build everything a run needs.

    Raises RecordingError where a file is damaged, BacktestError where recording and config do not
    fit.
    """
    began = time.perf_counter()
    recording = open_recording(paths)
    return assemble(recording, config, began)


def assemble(recording: Recording, config: Config, began: float) -> Session:
    """Build engine, exchange and loop for a recording; began: when loading it began."""
    settings = config.backtest
    listed = [charging(spec, fee(config.venue.maker_fee_bps, MAKER_FEE),
                       fee(config.venue.taker_fee_bps, TAKER_FEE))
              for spec in recording.instruments]
    markets = choose([i.name for i in config.instrument], recording.instruments)
    specs = [listed[number] for number in markets]
    engine = make_engine(config.engine_values(), config.instrument, specs, None, config.windows,
                         config.micro_table)
    rows = recording.rows
    if rows is None:
        rows = play_rows(recording.events, recording.format in ("collector", "tables"))
    events = recording.events
    index_names = ["btc_usd" if spec.inverse else "btc_usdc" for spec in listed]
    player = Player(events, rows, index_names)
    shift_ns = clock_shift(events, round(settings.feed_ms * NS_PER_MS))
    exchange = Exchange(settings.seed, settings.credit_tier)
    for spec, name in zip(listed, index_names, strict=True):
        exchange.add_market(spec, name, spec.expiry_ms == 0)
    for book in exchange.books:
        book.set_queue_model(QUEUE_MODELS.index(settings.queue), settings.queue_power)
    first_ns = int(events["exch_ns"][rows[0]])
    start_e8 = opening_balance(config, recording)
    account = exchange.open_account("maker", first_ns, *start_e8, False)
    entry, response = latencies(config)
    labels = Labels(config.venue.label_prefix, run=RUN, config=int(config.fingerprint(), 16))
    venue = DirectVenue(exchange, labels, markets, account=account, t_ns=first_ns, entry=entry,
                        response=response, feed_ns=round(settings.feed_ms * NS_PER_MS))
    origin_ns = first_received_ns(events, markets) + shift_ns - START_NOW_NS
    sink = DirectSink(engine, Encoder(specs, labels), venue, origin_ns)
    engine.attach(sink)
    observer = Observer(engine, events, markets, shift_ns=shift_ns, origin_ns=origin_ns)
    backtest = Backtest(engine, venue, sink, player, observer, origin_ns=origin_ns,
                        sample_ns=round(settings.sample_s * 1e9))
    greet(engine, config, origin_ns, start_equity_btc(start_e8, recording, markets),
          entry, response)
    return Session(backtest, recording, specs, markets, start_e8, shift_ns,
                   time.perf_counter() - began, config)


def fee(stated_bps: float | None, usual: float) -> float:
    return usual if stated_bps is None else stated_bps * 1e-4


def choose(names: list[str], listed: list[InstrumentSpec]) -> list[int]:
    """Return the instrument numbers that names and rules stand for; see InstrumentSpec."""
    chosen: list[int] = []
    dated = sorted((i for i, s in enumerate(listed) if s.expiry_ms),
                   key=lambda i: listed[i].expiry_ms)
    perpetual = sorted((i for i, s in enumerate(listed) if s.name.endswith("-PERPETUAL")),
                       key=lambda i: not listed[i].inverse)
    for name in names:
        found = [i for i, s in enumerate(listed) if s.name == name]
        if name == "perpetual":
            found = perpetual[:1]
        elif name in ("front", "next-quarter"):
            found = dated[:1] if name == "front" else dated[1:2]
        if not found:
            held = ", ".join(s.name for s in listed)
            raise BacktestError(f"instrument {name!r} is not in this recording, which holds "
                                f"{held}; name one of these with --set instrument.0.name=…")
        if found[0] in chosen:
            raise BacktestError(f"instrument {name!r} is {listed[found[0]].name}, which another "
                                "[[instrument]] names already; drop one of them")
        chosen += found
    return chosen


def clock_shift(events: npt.NDArray[np.void], least_ns: int) -> int:
    """Return what to add to the recorder's clock so that nothing is received before it happens.

    0 where it never was behind: then the recorded latencies are taken as they are.
    """
    least = min(int((part["local_ns"] - part["exch_ns"]).min())
                for part in np.split(events, range(CHUNK_EVENTS, len(events), CHUNK_EVENTS)))
    return least_ns - least if least < 0 else 0


def first_received_ns(events: npt.NDArray[np.void], markets: list[int]) -> int:
    """Return when the first event of one of the markets was received, by the recorder's clock."""
    head = events[:CHUNK_EVENTS]
    mine = np.isin(head["instrument"], markets)
    return int(head["local_ns"][np.argmax(mine)])


def opening_balance(config: Config, recording: Recording) -> tuple[int, int]:
    """Return the balance an account opens with, in 1e-8 BTC and in 1e-8 USDC."""
    capital = config.inventory.capital_btc
    linear = [number for number, spec in enumerate(recording.instruments) if not spec.inverse]
    usdc = 0
    if linear:
        spec = recording.instruments[linear[0]]
        usdc = round(capital * first_price_usd(recording, linear[0], spec) * 1e8)
    return (round(capital * 1e8) if len(linear) < len(recording.instruments) else 0, usdc)


def first_price_usd(recording: Recording, number: int, spec: InstrumentSpec) -> float:
    """Return the best bid of an instrument's first snapshot, or its first price."""
    head = recording.events[:CHUNK_EVENTS]
    mine = (head["instrument"] == number) & (head["price_ticks"] > 0) & (head["side"] == 0)
    if not np.any(mine):
        raise BacktestError(f"{spec.name}: the recording begins without a price; record from the "
                            "book's snapshot on")
    first = np.argmax(mine)
    same = mine & (head["sequence"] == head["sequence"][first])
    return float(head["price_ticks"][same].max() * spec.tick_usd)


def start_equity_btc(start_e8: tuple[int, int], recording: Recording,
                     markets: list[int]) -> float:
    """Return the opening balance in BTC, as the engine counts equity."""
    linear = [n for n in markets if not recording.instruments[n].inverse]
    if len(linear) == len(markets):
        spec = recording.instruments[linear[0]]
        return start_e8[1] * 1e-8 / first_price_usd(recording, linear[0], spec)
    return start_e8[0] * 1e-8


def latencies(config: Config) -> tuple[Latency, Latency]:
    """Return the models of both directions. Raises BacktestError."""
    settings = config.backtest
    seed = settings.seed
    try:
        if settings.latency == "lognormal":
            entry = Latency.lognormal(round(settings.entry_ms * NS_PER_MS),
                                      settings.latency_sigma, 2 * seed)
            response = Latency.lognormal(round(settings.response_ms * NS_PER_MS),
                                         settings.latency_sigma, 2 * seed + 1)
        else:
            times, entries, responses = measured(settings.latency_file)
            if settings.latency == "sampled":
                entry = Latency.sampled(entries, 2 * seed)
                response = Latency.sampled(responses, 2 * seed + 1)
            else:
                entry = Latency.recorded(times, entries)
                response = Latency.recorded(times, responses)
        if settings.spike_every_s > 0.0:
            spike_ns = round(settings.spike_ms * NS_PER_MS)
            for_ns = round(settings.spike_for_ms * NS_PER_MS)
            entry.with_spikes(settings.spike_every_s, spike_ns, for_ns)
            response.with_spikes(settings.spike_every_s, spike_ns, for_ns)
    except ValueError as error:
        raise BacktestError(f"backtest.latency: {error}") from None
    return entry, response


def measured(path: str) -> tuple[list[int], list[int], list[int]]:
    """Read time_ns, entry_ns, response_ns from a CSV. Raises ValueError naming file and line."""
    if not path:
        raise ValueError("measured latencies need backtest.latency_file")
    columns: tuple[list[int], list[int], list[int]] = ([], [], [])
    names = ("time_ns", "entry_ns", "response_ns")
    try:
        with Path(path).open(newline="") as file:
            table = csv.DictReader(file)
            if table.fieldnames is None or not set(names) <= set(table.fieldnames):
                raise ValueError(f"{path}: line 1: the columns must be {', '.join(names)}")
            for row in table:
                try:
                    for column, name in zip(columns, names, strict=True):
                        column.append(int(row[name]))
                except (TypeError, ValueError):
                    raise ValueError(f"{path}: line {table.line_num}: {', '.join(names)} must be "
                                     "whole numbers") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; check the path") from None
    return columns


def greet(engine: Engine, config: Config, origin_ns: int, equity_btc: float, entry: Latency,
          response: Latency) -> None:
    """Tell the engine what a client tells it before the first message: clock, account, ready."""
    now_ns = START_NOW_NS
    burst, rate = TIER_CREDITS[config.backtest.credit_tier]
    orders = 2 * config.quote.levels * len(config.instrument)
    if 2 * orders > burst:
        raise BacktestError(
            f"a full requote is {orders} orders, more than half of tier "
            f"{config.backtest.credit_tier}'s burst of {burst} requests; lower quote.levels or "
            "choose another backtest.credit_tier")
    trip_ns = entry.quantile(0.95) + response.quantile(0.95)
    told: list[tuple[int, int, int, float]] = [
        (ControlKind.CONTROL_WALL_OFFSET, 0, origin_ns, 0.0),
        (ControlKind.CONTROL_ROUND_TRIP, 0, trip_ns, 0.0),
        (ControlKind.CONTROL_EQUITY, 0, 0, equity_btc),
        (ControlKind.CONTROL_CREDITS, 0, burst, rate),
        *((ControlKind.CONTROL_SUBSCRIBED, i, 0, 0.0) for i in range(engine.market_count)),
        (ControlKind.CONTROL_CONNECTED, 0, 0, 0.0),
        (ControlKind.CONTROL_RECONCILED, 0, 0, 0.0)]
    for kind, market, value, real in told:
        engine.control(kind, now_ns, market, value, real)


def counted(session: Session) -> dict[str, Any]:
    """Return how much of the recording a run has used."""
    observer = session.backtest.observer
    return {"events": observer.events, "messages": observer.messages,
            "level_changes": observer.level_changes}
