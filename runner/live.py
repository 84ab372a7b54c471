"""`mm run`: the process that trades. Started by the command line, which it replaces.

This process is the reactor: killing it closes its socket, and with it every order. It imports
no terminal, HTTP or compression library; those live in the helpers.
"""

import asyncio
import logging
import mmap
import os
import random
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from connectors.deribit.reconcile import (
    InstrumentChangedError,
    NothingLeftError,
    RosterChangedError,
    UnfitConfigError,
)
from connectors.deribit.rpc import RpcError
from connectors.deribit.session import CONNECT_ERRORS
from mmcore.journal import Journal
from mmcore.risk import RiskState
from mmcore.telemetry import PAGE_SIZE
from runner.accounts import NextTier, left_behind, volume_text
from runner.assemble import Maker, assemble
from runner.changes import Changes, burst_of
from runner.children import python_command, python_environment
from runner.config import Config, ConfigError, Credentials, credentials, load
from runner.final_page import draw_page, page_path, page_wanted
from runner.guarding import sight_of
from runner.latch import Latch, refusal
from runner.log import LogWriter, start_log
from runner.options import (
    EXIT_CLEAN,
    EXIT_FAILURE,
    EXIT_KILLED,
    EXIT_NOT_FLAT,
    EXIT_USAGE,
    RunOptions,
)
from runner.outlet import keep_private, write_out
from runner.oversight import Oversight
from runner.paper import market_options, paper_config, paper_title, paper_words
from runner.processes import EXCHANGE_REGIME, HelperError, Helpers
from runner.proxy import proxy_url
from runner.reactor import Signals, freeze_garbage, pin
from runner.report import report_text, session_summary, summary_json
from runner.shutdown import flatten, leave, left_open
from runner.state import StateError, StateFolder, map_file
from runner.stress import say_stress
from runner.version import product_version

RING_HEADER_BYTES = 4096
ROLL = "roll"           # the reason of a session that ends for other contracts
AUTH_METHOD = "public/auth"
POLL_S = 0.1
log = logging.getLogger("mm.run")
START_ERRORS: tuple[type[Exception], ...] = (*CONNECT_ERRORS, RpcError)


class Ending(msgspec.Struct, frozen=True):
    """Why a session ends; code is the exit code of a fault."""

    reason: str
    fault: str = ""
    code: int = EXIT_FAILURE
    changed: bool = False       # a contract is not what the session was built for


class Outcome(msgspec.Struct):
    """How a session went."""

    reason: str
    code: int
    fault: str = ""
    maker: Maker | None = None
    changed: bool = False


def main(options: RunOptions) -> int:
    """Trade as told; return the exit code."""
    keep_private()
    path = Path(options.config) if options.config else None
    try:
        named = load(path, options.sets, options.venue, connects=not options.paper)
        config = paper_config(named, options)
        secrets = credentials(config)
        proxy_url(config)       # a wrong one is told now
    except ConfigError as error:
        return refuse(error.lines, EXIT_USAGE)
    try:
        pin(config.runtime.reactor_cpu)
    except OSError:
        usable = sorted(os.sched_getaffinity(0))
        fault = (f"runtime.reactor_cpu = {config.runtime.reactor_cpu}: this process may use CPUs "
                 f"{usable}; choose one, or -1")
        return refuse([fault], EXIT_USAGE)
    try:
        folder = StateFolder.open(config, secrets.client_id)
    except StateError as error:
        return refuse([str(error)], EXIT_FAILURE)
    if options.summary and not os.access(Path(options.summary).absolute().parent, os.W_OK):
        folder.close()
        fault = f"--summary {options.summary}: its folder is missing or not writable; make it first"
        return refuse([fault], EXIT_USAGE)
    latch = Latch(folder.path)
    killed = latch.read()
    if killed is not None:
        folder.close()
        return refuse([refusal(killed)], EXIT_KILLED)
    try:
        latch.prepare()
    except OSError as error:
        folder.close()
        fault = (f"{latch.path}: {error.strerror}; a kill could not be latched: free space or set "
                 "runtime.state_dir")
        return refuse([fault], EXIT_FAILURE)
    started_s = time.monotonic()
    helpers = Helpers(config, folder)
    if options.paper:
        tell(paper_words(named, options))
        helpers.market = market_options(named, options)
    try:
        outcome = trade(config, secrets, options, folder, helpers)
        kept = helpers.leave()
    except BaseException:
        helpers.leave()
        folder.close(keep_shared=True)
        raise
    figures = session_summary(outcome.maker.engine if outcome.maker else None, outcome.reason)
    if outcome.maker is not None:
        figures |= outcome.maker.watch.pauses()
    if options.summary:
        Path(options.summary).write_bytes(summary_json(figures))
    if outcome.maker is not None:
        told = paper_title(named, options) if options.paper else title(config)
        tell(report_text(figures, time.monotonic() - started_s, told))
    code = refuse([outcome.fault] if outcome.fault else [], outcome.code)
    anew = following(options, outcome, time.monotonic() - started_s)
    if anew is None and outcome.maker is not None and page_wanted(config, options):
        # before a temporary folder goes, the journal in it
        tell(draw_page(helpers.journal_folder, page_path(folder)))
    folder.close(keep_shared=kept)
    if anew is not None:
        tell("mm: starting anew with the contracts as they are listed now\n")
        command = python_command("runner.live", msgspec.json.encode(anew).decode())
        sys.stdout.flush()
        os.execve(command[0], command, python_environment())  # noqa: S606 no shell is meant
    return code


def following(options: RunOptions, outcome: Outcome, lasted_s: float) -> RunOptions | None:
    """Return what to go on with after a contract has changed; None where the end is the end.

    After a changed definition only where there were orders, and none is left: no start can follow
    itself. After a change of contracts always: a session that began so does not end so for a while.
    """
    maker = outcome.maker
    if maker is None or not outcome.changed:
        return None
    if outcome.reason != ROLL and (outcome.code != EXIT_FAILURE or not orders_sent(maker)):
        return None
    if outcome.code not in (EXIT_FAILURE, EXIT_CLEAN):
        return None
    left_s = None if options.duration_s is None else options.duration_s - lasted_s
    if left_s is not None and left_s <= 0.0:
        return None
    before, positions = going_on(maker)
    return msgspec.structs.replace(options, duration_s=left_s, before=before, positions=positions)


def going_on(maker: Maker) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return who stands for each [[instrument]] now, and in which contracts a position is left."""
    roster = maker.client.config.roster
    now_ms = (maker.session.now_ns() + maker.engine.wall_offset_ns) // 1_000_000
    return (roster.chosen(now_ms) if roster is not None else (),
            tuple(market.name for market in maker.engine.markets if market.position.contracts))


def refuse(lines: list[str], code: int) -> int:
    """Say what went wrong, one line each."""
    write_out(sys.stderr, "".join(f"mm: {line}\n" for line in lines))
    return code


def tell(text: str) -> None:
    """Write to whoever listens."""
    write_out(sys.stdout, text)


def title(config: Config) -> str:
    venue = "embedded exchange" if config.embedded else config.venue.url
    return f"mm on {venue} ({config.profile} profile)"


def trade(config: Config, secrets: Credentials, options: RunOptions, folder: StateFolder,
          helpers: Helpers) -> Outcome:
    """Start the helpers, then the loop; return when everything of the session has ended."""
    drawn = not options.headless and sys.stdout.isatty()
    writer = start_log(folder.path / "mm.log", on_screen=not drawn,
                       file_bytes=config.telemetry.log_mib << 20)
    if config.profile == "sim" and not options.paper:
        market = f", {EXCHANGE_REGIME} market" if config.embedded else ""
        tell(f"{title(config)}{market}: warm-up {config.signals.warmup_s:g} s and lively widths "
             "for demonstration, not the defaults of a live venue\n")
    try:
        url = helpers.start_exchange() if config.embedded else config.venue.url
        journal = Journal()
        if config.journal.enabled:
            ring = folder.shared / f"ring-{config.journal.ring_mib}"
            journal = Journal(map_file(ring, RING_HEADER_BYTES + (config.journal.ring_mib << 20)))
            helpers.start_recorder(ring)
        page = folder.shared / "page"
        page_memory = map_file(page, PAGE_SIZE)
        if config.telemetry.prometheus:
            helpers.start_exporter(page)
        if not options.headless:
            helpers.start_view(page, title(config))
        if config.runtime.guard:
            helpers.start_guard(secrets)
    except (HelperError, StateError) as error:
        return Outcome("error", EXIT_FAILURE, str(error))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(session(config, secrets, options, url, journal, page_memory,
                                  helpers, writer, folder))


async def session(config: Config, secrets: Credentials, options: RunOptions, url: str,
                  journal: Journal, page_memory: mmap.mmap, helpers: Helpers,
                  writer: LogWriter, folder: StateFolder) -> Outcome:
    """Assemble, connect, trade until told to leave, leave."""
    signals = Signals(asyncio.get_running_loop())
    signals.install()
    behind = left_behind(folder.path, time.time())
    try:
        maker = await assemble(
            config, secrets, url=url, journal=journal, page_memory=page_memory,
            rng=random.Random(), build=product_version(), wall_ms=lambda: int(time.time() * 1000),
            held=behind, before=options.before,
            positions=(*options.positions, *(name for name, h in behind.items() if h.contracts)))
    except START_ERRORS as error:       # first: an untrusted certificate is a ValueError too
        return Outcome("error", EXIT_FAILURE,
                       f"{url}: {str(error) or type(error).__name__}; run mm doctor")
    except ValueError as error:
        return Outcome("error", EXIT_USAGE, str(error))
    maker.watch.add(helpers.facts)
    maker.watch.add(writer.facts)
    maker.client.reconciler.on_account = lambda summary: say_stress(config, summary.equity)
    changes = Changes(config, maker.engine, maker.session.note,
                      burst=partial(burst_of, maker.client), entries=entries_of(maker))
    oversight = Oversight(folder.path, folder.shared, maker.engine, maker.session.control, changes)
    oversight.accounts.listens_ms = lambda: maker.client.reconciler.fills.listened_ms
    if config.venue.next_tier_usd > 0.0:
        oversight.accounts.tier = NextTier(
            config.venue.next_tier_usd, config.venue.next_tier_maker_bps,
            config.venue.next_tier_taker_bps)
    await oversight.start()
    freeze_garbage()
    maker.watch.watch_garbage()
    maker.client.second_path = helpers.guard.cancel
    helpers.guard.sight = lambda: sight_of(maker.engine, maker.client.connects)
    maker.reactor.beat = helpers.guard.beat
    maker.reactor.start(spin=config.runtime.spin)
    keeping = asyncio.ensure_future(maker.client.run())
    verified = False
    try:
        try:
            ending = await until_the_end(maker, keeping, signals, options.duration_s, helpers,
                                         oversight)
        except Exception as error:      # a mistake of ours is a way out like any other
            log.exception("the session ends by an exception")
            ending = Ending("error", f"{type(error).__name__}: {error}; see mm.log")
        leaves = not (ending.fault or ending.changed)   # else another session goes on with it
        if leaves and config.shutdown.flatten and not await flatten(
                maker.engine, maker.session.control, config.shutdown.flatten_s, signals.hurry):
            log.error("shutdown.flatten: the position could not be closed in time")
        if ending.fault and not orders_sent(maker):
            maker.session.close()       # nothing to cancel, and perhaps no login to cancel with
        else:
            verified = await leave(maker.client, maker.session, config.shutdown.deadline_s,
                                   signals.hurry)
    finally:
        maker.reactor.stop()
        keeping.cancel()
        await asyncio.wait({keeping})
        log.info("%s", volume_text((await oversight.stop()).net))
    held = left_open(maker.engine)
    if held and not ending.changed:
        level = logging.INFO if config.embedded else logging.WARNING    # that market ends with us
        log.log(level, "A POSITION IS LEFT OPEN: %s; %s", held, (
            "its stop order at the venue stays" if config.risk.deadman_pct and config.runtime.guard
            else "nobody looks after it (shutdown.flatten, risk.deadman_pct)"))
    return closed(maker, ending, verified=verified)


async def until_the_end(maker: Maker, keeping: "asyncio.Future[None]", signals: Signals,
                        duration_s: float | None, helpers: Helpers,
                        oversight: Oversight) -> Ending:
    """Wait for a signal, the duration, or a start that cannot be; say which it was."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + duration_s if duration_s is not None else None
    leaving = asyncio.ensure_future(signals.leave.wait())
    try:
        while True:
            waited: set[asyncio.Future[Any]] = {leaving, keeping}
            await asyncio.wait(waited, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                return Ending(signals.name)
            if keeping.done():
                error = keeping.exception()
                if isinstance(error, RosterChangedError):
                    log.warning("instruments: %s", error)
                    return Ending(ROLL, changed=True)
                if isinstance(error, NothingLeftError):
                    log.warning("instruments: %s", error)
                    return Ending("delivered")
                code = EXIT_USAGE if isinstance(error, UnfitConfigError) else EXIT_FAILURE
                return Ending("error", str(error) if error else "the connection's keeper ended",
                              code, isinstance(error, InstrumentChangedError))
            oversight.step()
            broken = helpers.mend()
            if broken:
                return Ending("error", broken)
            # A refused login will be refused again; any other loss is worth another attempt.
            refused = maker.client.error
            if isinstance(refused, RpcError) and refused.method == AUTH_METHOD:
                return Ending("error",
                              f"{refused}; check venue.client_id and venue.client_secret, and "
                              f"that it was made at {maker.client.config.url}: test and production "
                              "do not know each other's keys")
            if end_s is not None and loop.time() >= end_s:
                return Ending("duration")
    finally:
        leaving.cancel()


def entries_of(maker: Maker) -> list[int]:
    """Return by market the [[instrument]] it belongs to; -1: none."""
    roster = maker.client.config.roster
    return [place.entry for place in roster.places] if roster is not None else []


def orders_sent(maker: Maker) -> bool:
    """Return whether there was ever an order; where there was none, none can be left."""
    return bool(session_summary(maker.engine, "")["orders_new"])


def closed(maker: Maker, ending: Ending, *, verified: bool) -> Outcome:
    """Judge a session that has ended."""
    reason, fault = ending.reason, ending.fault
    if not verified and orders_sent(maker):
        fault = fault or "the venue did not confirm that no order is left; look there now"
        return Outcome(reason, EXIT_NOT_FLAT, fault, maker)
    if maker.engine.risk.state == RiskState.RISK_KILLED:
        return Outcome("killed", EXIT_KILLED, fault or "the engine was killed; see mm.log", maker)
    return Outcome(reason, ending.code if fault else EXIT_CLEAN, fault, maker, ending.changed)


if __name__ == "__main__":
    sys.exit(main(msgspec.json.decode(sys.argv[1], type=RunOptions)))
