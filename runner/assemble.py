"""Composition root: the only module that knows every part of the maker.

No module-level state, no signal handler, no process: the same function serves a live session and
a test in virtual time. What differs comes in as arguments.
"""

import asyncio
import logging
import mmap
import os
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from connectors.deribit.client import DeribitClient
from connectors.deribit.connection import ClientConfig, Held, QuoteLimits, fetch_instruments
from connectors.deribit.encode import Encoder
from connectors.deribit.feed import DeribitFeed
from connectors.deribit.instruments import spec_of
from connectors.deribit.labels import Labels
from connectors.deribit.roster import Choice, Roster, make_roster
from connectors.deribit.session import DeribitSession, DeribitSink
from mmcore.engine import Engine
from mmcore.journal import Journal, JournalKind
from mmcore.params import Params
from mmcore.telemetry import TelemetryPage
from mmcore.types import InstrumentSpec
from runner.config import Config, Credentials
from runner.config_keys import Instrument
from runner.micro_price import Table
from runner.proxy import proxy_url
from runner.reactor import Reactor
from runner.time_windows import TimeWindow
from runner.watch import Watch

log = logging.getLogger("mm.run")

# A dated contract's book rests for up to half a minute without anything being wrong.
DATED_SILENCE_MS = 30_000.0
AUTH: dict[str, Literal["client_credentials", "client_signature"]] = {
    "credentials": "client_credentials", "signature": "client_signature"}


class Maker:
    """Everything of one session, put together and not yet running."""

    def __init__(self, engine: Engine, client: DeribitClient, session: DeribitSession,
                 page: TelemetryPage, reactor: Reactor, watch: Watch) -> None:
        self.engine = engine
        self.client = client
        self.session = session
        self.page = page
        self.reactor = reactor
        self.watch = watch


async def assemble(
    config: Config, secrets: Credentials, *, url: str, journal: Journal,
    page_memory: mmap.mmap | bytearray,
    rng: random.Random, clock: Callable[[], int] | None = None,
    use_aiofastnet: bool | None = None, build: str = "",
    wall_ms: Callable[[], int] | None = None, held: Mapping[str, Held] | None = None,
    before: Sequence[str] = (), positions: Sequence[str] = (),
) -> Maker:
    """Ask the venue for its instruments and build the maker for them.

    clock: ns, None for CLOCK_MONOTONIC. rng: labels, jitter, nonces. use_aiofastnet: False where
    transports are in memory. build: version for the journal's header. wall_ms: this machine's
    clock, which a live venue's must agree with. held: by instrument, what a process that was
    killed held; the venue tells the trades since. before, positions: where this session goes on
    from one that ended for other contracts, as `before` and `held` of make_roster(). Raises
    ValueError where an instrument cannot
    be had, and what fetch_instruments raises.
    """
    listed, venue_ms = await fetch_instruments(
        url, ca_file=config.venue.ca_file or None, use_aiofastnet=use_aiofastnet,
        proxy=proxy_url(config))
    roster = make_roster(choice_of(config), listed, venue_ms, before=before, held=positions)
    chosen = [place.data for place in roster.places]
    specs = [spec_of(data) for data in chosen]
    say_roster(roster)
    run = rng.getrandbits(32)
    seed = rng.getrandbits(32)
    labels = Labels(config.venue.label_prefix, run=run, config=int(config.fingerprint(), 16))
    rolls = [(place.entry, place.predecessor, place.rolls_ms) for place in roster.places]
    engine = make_engine(config.engine_values(), config.instrument, specs, journal,
                         config.windows, config.micro_table, rolls)
    encoder = Encoder(specs, labels, mask_seed=seed)
    sink = DeribitSink(engine, encoder)
    engine.attach(sink)
    feed = DeribitFeed(engine, specs, labels)
    session = DeribitSession(feed, sink, clock)
    data = (DeribitSession(feed, sink, clock, orders=False) if config.venue.split_connections
            else None)
    journal.write(JournalKind.JOURNAL_HEADER, 0, session.now_ns(), msgspec.json.encode({
        "build": build, "config": msgspec.json.decode(config.redacted_json()),
        "fingerprint": config.fingerprint(), "run": run, "url": url,
        "instruments": [msgspec.to_builtins(data) for data in chosen], "rolls": rolls}))
    settings = msgspec.structs.replace(
        client_config(config, secrets, url, use_aiofastnet, wall_ms), roster=roster)
    if held:            # what was not traded then may have been since
        nothing = Held(0, 0.0, 0, min(h.since_ms for h in held.values()))
        settings = msgspec.structs.replace(
            settings, held=tuple(held.get(spec.name, nothing) for spec in specs))
    client = DeribitClient(settings, session, specs, rng=rng, data=data)
    page = TelemetryPage(
        page_memory, names=[spec.name for spec in specs],
        info={"version": build, "config": config.fingerprint(), "venue": url,
              "instance": config.runtime.instance}, process_id=os.getpid())
    watch = Watch(client, session, config.telemetry)
    reactor = Reactor(engine, page, client.on_tick, asyncio.get_running_loop(), session.now_ns,
                      watch)
    return Maker(engine, client, session, page, reactor, watch)


def choice_of(config: Config) -> Choice:
    """Return how a configuration chooses its contracts."""
    return Choice(tuple(entry.name for entry in config.instrument),
                  max(config.expiry.wind_down_h, config.expiry.min_days * 24),
                  config.expiry.standby)


def say_roster(roster: Roster) -> None:
    """Log which contracts the session follows, and what for."""
    for place in roster.places:
        name = roster.choice.names[place.entry] if place.entry >= 0 else ""
        if place.predecessor >= 0:
            log.info("%s: standby for %s, by rule %s", place.name,
                     roster.places[place.predecessor].name, name)
        elif not name:
            log.warning("%s: nobody chooses it any more; the position left in it is worked off",
                        place.name)
        elif name != place.name:
            log.info("%s: by rule %s", place.name, name)


def make_engine(values: dict[str, float], entries: Sequence[Instrument],
                specs: list[InstrumentSpec], journal: Journal | None,
                windows: Sequence[TimeWindow] = (), micro_table: Table = (),
                rolls: Sequence[tuple[int, int, int]] = ()) -> Engine:
    """Build the engine with the configured values, and each instrument's own over them.

    rolls: by market its entry (-1: none), the market whose place it takes, and when its own is
    taken; empty: each entry is a market of the same number.
    """
    params = Params()
    for key, value in values.items():
        params.set(key, value)
    engine = Engine(params, specs, journal)
    engine.windows.replace([window.row() for window in windows])
    for market in engine.markets:
        market.signals.set_micro_table(micro_table)
    rolls = rolls or [(number, -1, 0) for number in range(len(entries))]
    for market, (number, predecessor, rolls_ms) in zip(engine.markets, rolls, strict=True):
        market.roll(predecessor, rolls_ms)
        entry = entries[number] if number >= 0 else Instrument()
        silence_ms = entry.book_silence_ms
        if silence_ms is None and market.spec_object.expiry_ms:
            silence_ms = max(DATED_SILENCE_MS, values["risk.book_silence_ms"])
        own = {"inventory.limit_btc": entry.limit_btc, "quote.size_btc": entry.size_btc,
               "risk.book_silence_ms": silence_ms}
        for key, stated in own.items():
            if stated is not None:
                market.params.set(key, stated)
    return engine


def client_config(config: Config, secrets: Credentials, url: str,
                  use_aiofastnet: bool | None,
                  wall_ms: Callable[[], int] | None = None) -> ClientConfig:
    quotes = None
    if config.orders.mode == "mass_quote":
        quotes = QuoteLimits(
            rungs=config.quote.levels, interval_s=config.orders.mmp_interval_s,
            frozen_s=config.orders.mmp_frozen_s, quantity_btc=config.orders.mmp_quantity_btc,
            delta_btc=config.orders.mmp_delta_btc, max_quote_btc=config.orders.mmp_max_quote_btc)
    known: dict[str, Any] = {
        "quotes": quotes, "start_requests": config.orders.start_requests,
        "url": url, "client_id": secrets.client_id, "client_secret": secrets.client_secret,
        "auth": AUTH[config.venue.auth], "session_name": config.venue.label_prefix,
        "ca_file": config.venue.ca_file or None, "heartbeat_s": config.venue.heartbeat_s,
        "requote_orders": 2 * config.quote.levels * len(config.instrument),
        "position": config.start.position, "foreign_orders": config.start.foreign_orders,
        "proxy": proxy_url(config),
        "dead_after_s": config.venue.dead_after_s,
        # A key of the embedded class may do everything, and its clock is this machine's.
        "strict_key": config.profile == "live",
        "wall_ms": wall_ms if config.profile == "live" else None,
        "stop_deadline_s": config.shutdown.deadline_s,
        "use_aiofastnet": use_aiofastnet,
        # The reactor ticks, also while there is no connection.
        "tick_s": 0.0,
    }
    return ClientConfig(**known)
