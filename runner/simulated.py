"""`mm sim`: the exchange as a process of its own."""

import asyncio
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from msgspec import Struct, convert, structs, to_builtins

from connectors.deribit.connection import ClientConfig
from connectors.deribit.public import PublicFeed
from connectors.deribit.rpc import RpcError
from connectors.deribit.session import CONNECT_ERRORS
from connectors.sim.faults import read_plan
from connectors.sim.market import Market, open_market
from connectors.sim.market.relayed import RelayedMarket
from connectors.sim.wire.roll import QUEUE_MODELS
from connectors.sim.wire.server import SimConfig, SimServer, wall_clock
from connectors.sim.wire.server import serve as serve_exchange
from connectors.sim.wire.trace import Tracer, read_trace, replay, serve_traced
from connectors.sim.wire.venue import TIERS
from runner.certificate import make_certificate
from runner.config import load
from runner.credentials import SecretError, read_secret
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE
from runner.proxy import proxy_url

FIRST_YEAR, LAST_YEAR = 2016, 2100      # of --now
RELAY_ERRORS: tuple[type[Exception], ...] = (*CONNECT_ERRORS, RpcError, ValueError)
BOOKS_WAIT_S = 20.0                     # for the first snapshot of every book
PROCESSING_MAX_US = 5_000_000
BALANCE_MAX_BTC = 1_000_000.0
QUEUE_POWER_MAX = 10.0


class SimOptions(Struct, frozen=True, kw_only=True):
    """Options of `mm sim`. child: leave when standard input ends."""

    port: int
    http_port: int | None
    seed: int
    data: tuple[Path, ...]
    speed: float
    once: bool
    regime: str
    maker_fee: float
    taker_fee: float
    client_id: str | None
    client_secret: str | None
    tls_cert: Path | None
    tls_key: Path | None
    child: bool
    tier: int = 4
    balance_btc: float = 0.9
    terminate_on_limit: bool = False
    processing_us: tuple[int, int] = (0, 0)
    queue_model: str = QUEUE_MODELS[0]
    queue_power: float = 2.0
    spread: bool = True
    tls: bool = False
    faults: Path | None = None
    trace: Path | None = None
    now: str | None = None      # ISO 8601: the exchange's clock starts there
    now_ns: int | None = None   # the same, and the date of the synthetic contracts
    relay: str | None = None    # a venue whose public market data is the market
    relay_instruments: tuple[str, ...] = ()
    relay_config: Path | None = None    # how that venue is reached: venue.ca_file, venue.proxy


def serve(options: SimOptions) -> int:
    """Run the exchange until a signal, or the end of the recording with --once."""
    fault = contradiction(options)
    if fault:
        return refuse(fault)
    try:
        if options.tls:
            certificate, key = make_certificate()
            options = structs.replace(options, tls_cert=certificate, tls_key=key)
        clock = wall_clock() if options.now is None else clock_from(options.now)
        options = structs.replace(options, now_ns=clock())
        if options.relay is not None:
            return relay(options, clock)
        config = exchange_config(options, market_of(options))
    except SecretError as error:
        return refuse(f"--client-secret: {error}")
    except OSError as error:
        return refuse(f"{error.filename}: {error.strerror}; check the path")
    except ValueError as error:
        return refuse(str(error))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(config, options, clock))


def clock_from(text: str) -> Callable[[], int]:
    """Return a clock that shows `text` now and runs in real time; UTC where it names no zone."""
    try:
        shown = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--now {text!r} is no date and time; write 2026-09-25T07:55") from None
    shown = shown if shown.tzinfo is not None else shown.replace(tzinfo=UTC)
    if not FIRST_YEAR <= shown.year <= LAST_YEAR:
        raise ValueError(f"--now {text!r} is outside {FIRST_YEAR} to {LAST_YEAR}")
    offset = int(shown.timestamp()) * 1_000_000_000 - time.monotonic_ns()
    return lambda: time.monotonic_ns() + offset


def processing_of(text: str) -> tuple[int, int]:
    """Return least and most microseconds of `200` or `100-400`; ValueError otherwise."""
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not 0 <= least <= most <= PROCESSING_MAX_US:
        raise ValueError(f"--processing-us {text!r}: write 200 or 100-400, at most "
                         f"{PROCESSING_MAX_US}")
    return least, most


def market_of(options: SimOptions) -> Market:
    return open_market(options.data, seed=options.seed, speed=options.speed,
                       regime=options.regime, once=options.once, maker_fee=options.maker_fee,
                       taker_fee=options.taker_fee, now_ns=options.now_ns)


def facts_of(options: SimOptions) -> dict[str, Any]:
    """Return what a trace must say of the exchange to be run again; no secret of ours."""
    known = structs.replace(options, tls_cert=None, tls_key=None, client_secret=None, trace=None)
    facts: dict[str, Any] = to_builtins(known, enc_hook=str)
    return facts


def rerun(path: Path) -> int:
    """Run a trace on a new exchange; print size and hash of what each connection was sent."""
    try:
        header, entries = read_trace(path)
        options = convert(header.facts, SimOptions, dec_hook=lambda kind, value: kind(value))
        sent = replay(exchange_config(options, market_of(options)), entries)
    except OSError as error:
        return refuse(f"{error.filename}: {error.strerror}")
    except (SecretError, ValueError) as error:
        return refuse(str(error))
    sys.stdout.write(json.dumps({number: {
        "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        for number, text in sent.items()}) + "\n")
    return EXIT_CLEAN


def contradiction(options: SimOptions) -> str:
    """Say which options do not go together, or nothing."""
    if options.once and not options.data:
        return "--once ends with a recording; give one with --data"
    if (options.tls_cert is None) != (options.tls_key is None):
        return "--tls-cert and --tls-key belong together; give both or neither"
    if options.tls and options.tls_cert is not None:
        return "--tls makes a certificate; leave out --tls-cert and --tls-key, or --tls"
    if options.relay is not None and (options.data or options.trace or options.now):
        return "--relay plays a venue as it is now; leave out --data, --trace and --now"
    if options.trace is not None and options.http_port is not None:
        return "--trace serves no HTTP; leave out --http-port"
    if options.client_secret is not None and options.client_id is None:
        return "--client-secret needs --client-id"
    if options.tier not in TIERS:
        return f"--tier {options.tier} is none; expected 1 to 4, or 0 for no limits"
    if not 0.0 < options.balance_btc <= BALANCE_MAX_BTC:
        return (f"--balance-btc {options.balance_btc:g} is out of range; expected over 0 to "
                f"{BALANCE_MAX_BTC:g}")
    if options.queue_model not in QUEUE_MODELS:
        return f"--queue-model {options.queue_model!r}: one of {', '.join(QUEUE_MODELS)}"
    if not 0.0 < options.queue_power <= QUEUE_POWER_MAX:
        return (f"--queue-power {options.queue_power:g} is out of range; expected over 0 to "
                f"{QUEUE_POWER_MAX:g}")
    for port in (options.port, options.http_port or 0):
        if not 0 <= port <= 65535:
            return f"port {port} is out of range; expected 0 to 65535"
    return ""


def exchange_config(options: SimOptions, market: Market) -> SimConfig:
    secret = options.client_secret
    return SimConfig(
        market=market, port=options.port, http_port=options.http_port, seed=options.seed,
        once=options.once, http=options.trace is None, tier=options.tier,
        balance_btc=options.balance_btc, terminate_on_limit=options.terminate_on_limit,
        processing_us=options.processing_us, queue_model=options.queue_model,
        queue_power=options.queue_power, spread=options.spread,
        faults=read_plan(options.faults.read_bytes()) if options.faults is not None else None,
        client_id=options.client_id,
        client_secret=read_secret(secret, literal_allowed=True) if secret is not None else None,
        tls_cert=str(options.tls_cert) if options.tls_cert else None,
        tls_key=str(options.tls_key) if options.tls_key else None)


def relay(options: SimOptions, clock: Callable[[], int]) -> int:
    """Run the exchange on a venue's live market; nothing but public questions goes there."""
    config = load(options.relay_config, (), options.relay, connects=False)
    names = options.relay_instruments or tuple(i.name for i in config.instrument)
    settings = ClientConfig(
        url=config.venue.url, client_id="", client_secret="", proxy=proxy_url(config),
        ca_file=config.venue.ca_file or None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(relayed(settings, names, options, clock))
        except RELAY_ERRORS as error:
            return refuse(f"{config.venue.url}: {str(error) or type(error).__name__}")


async def relayed(settings: ClientConfig, names: tuple[str, ...], options: SimOptions,
                  clock: Callable[[], int]) -> int:
    """Follow the venue; serve once every book is there."""
    market = RelayedMarket()
    feed = PublicFeed(settings, names, market.take)
    following = asyncio.ensure_future(feed.run())
    ready = asyncio.ensure_future(feed.ready.wait())
    try:
        await asyncio.wait({following, ready}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()          # raises why
        market.take_listings(feed)
        async with asyncio.timeout(BOOKS_WAIT_S):
            await market.complete.wait()
        config = exchange_config(structs.replace(options, spread=False), market)
        return await run(config, options, clock)
    finally:
        following.cancel()
        ready.cancel()
        await asyncio.wait({following, ready})
        feed.close()


async def run(config: SimConfig, options: SimOptions, clock: Callable[[], int]) -> int:
    """Serve; print the ports as one JSON line first. Return the exit code."""
    loop = asyncio.get_running_loop()
    leave = asyncio.Event()
    tracer: Tracer | None = None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave.set)
    try:
        if options.trace is not None:
            server, tracer = await serve_traced(
                config, options.trace, facts_of(options), clock)
        else:
            server = await serve_exchange(config, clock)
    except OSError as error:
        sys.stderr.write(f"mm sim: cannot listen on port {config.port}: {error.strerror}; "
                         "give another --port, or 0 for a free one\n")
        return EXIT_FAILURE
    if isinstance(config.market, RelayedMarket):
        config.market.wake = server.news
    ports = server.ports()
    if options.tls:
        ports["certificate"] = str(options.tls_cert)
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    if options.child:
        watch_parent(loop, leave)
    else:
        announce(server, options)
    ended = [loop.create_task(leave.wait())]
    if config.once:
        ended.append(loop.create_task(server.ended.wait()))
    await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        task.cancel()
    await server.stop()
    if tracer is not None:
        tracer.close()
    if options.tls and options.tls_cert is not None:
        shutil.rmtree(options.tls_cert.parent)
    return EXIT_CLEAN


def watch_parent(loop: asyncio.AbstractEventLoop, leave: asyncio.Event) -> None:
    """Leave when the pipe from the parent ends."""
    def readable() -> None:
        if os.read(0, 4096) == b"":
            loop.remove_reader(0)
            leave.set()

    loop.add_reader(0, readable)


def announce(server: SimServer, options: SimOptions) -> None:
    files = ", ".join(p.name for p in options.data)
    market = options.relay or files or f"synthetic, seed {options.seed}"
    scheme = "wss" if options.tls_cert else "ws"
    sys.stderr.write(f"exchange on {scheme}://127.0.0.1:{server.ws_port}/ws/api/v2 "
                     f"({market}); Ctrl-C ends it\n")


def refuse(fault: str) -> int:
    """Say why not in one line."""
    sys.stderr.write(f"mm sim: {fault}\n")
    return EXIT_USAGE
