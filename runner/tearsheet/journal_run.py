"""A run of `mm run`, told from its journal: the replayed engine is looked at once a second.

Everything that reached the engine is in the journal, so book, quotes, position and the why of
every decision come out again as they were. Own trades are read from the frames that carried them.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from connectors.replay.journal import JournalDamagedError, Record, read_journal
from connectors.replay.replay import JournalReplay, ReplayStoppedError
from mmcore.journal import JournalKind
from mmcore.market import Market, explain_record
from mmcore.publish import summary
from mmcore.regime import Regime
from mmcore.types import InstrumentSpec, TakeReason
from runner.replay import rebuild
from runner.tearsheet.run_data import FILLS, REQUESTS, SAMPLES, Run, RunError, run_of
from runner.why_table import takes_by_reason, why_row

SAMPLE_NS = 1_000_000_000
NEVER_RESTS = (b'"immediate_or_cancel"', b'"fill_or_kill"')
Row = tuple[Any, ...]


class Witness:
    """One session of a journal: its engine, and the rows of what was seen of it."""

    def __init__(self, header: Record) -> None:
        self.told = msgspec.json.decode(header.payload)
        self.session: JournalReplay = rebuild(header.payload)
        self.engine = self.session.engine
        self.markets: list[Market] = list(self.engine.markets)
        self.specs: list[InstrumentSpec] = [market.spec_object for market in self.markets]
        self.number = {spec.name: i for i, spec in enumerate(self.specs)}
        self.samples: list[Row] = []
        self.fills: list[Row] = []
        self.takes: list[tuple[int, int, int]] = []
        self.asked: dict[int, tuple[int, int]] = {}     # market: take of the decision being sent
        self.seen: set[tuple[str, str]] = set()
        self.booked = 0
        self.sample_ns = 0
        self.digest = hashlib.sha256()

    def take(self, record: Record) -> None:
        """Look at the engine where a sample is due, then hand it the record."""
        if record.kind == JournalKind.JOURNAL_TURN and record.now_ns >= self.sample_ns:
            self.sample(record.now_ns)
        if record.kind == JournalKind.JOURNAL_WHY:
            why = explain_record(record.payload)
            reason = int(TakeReason[why["take"]])
            self.asked[record.source] = (reason, why["take_contracts"])
        elif record.kind == JournalKind.JOURNAL_OUT:
            self.digest.update(record.payload)
            self.note_takes(record.payload)
        self.session.take(record.kind, record.now_ns, record.payload)
        if record.kind == JournalKind.JOURNAL_FRAME_IN and b'"liquidity"' in record.payload:
            self.note_fills(record)

    def sample(self, now_ns: int) -> None:
        self.sample_ns = now_ns + SAMPLE_NS
        equity_btc = summary(self.engine)["equity_btc"]
        for number, (market, spec) in enumerate(zip(self.markets, self.specs, strict=True)):
            seen, why = market.signals.read(), market.why()
            best = [spec.price(ticks) if ticks is not None else 0.0
                    for ticks in (seen["best_bid_ticks"], seen["best_ask_ticks"])]
            own = [[row["price_ticks"] for row in market.orders.rows()
                    if row["side"] == side and row["state"] != "ORDER_NEW_PENDING"
                    and row["price_ticks"] > 0] for side in range(2)]
            quotes = [spec.price(max(own[0])) if own[0] else 0.0,
                      spec.price(min(own[1])) if own[1] else 0.0]
            equity = equity_btc if spec.inverse else equity_btc * seen["mark_usd"]
            self.samples.append((
                now_ns, number, *best, *quotes, seen["mark_usd"], market.position.contracts,
                equity, int(Regime[why["regime"]]), int(self.engine.risk.state), *why_row(why)))

    def note_takes(self, payload: bytes) -> None:
        """Count the takes of a decision; its why records come just before its orders."""
        if any(words in payload for words in NEVER_RESTS):
            self.takes += [(market, reason, contracts)
                           for market, (reason, contracts) in self.asked.items() if reason]
        self.asked.clear()

    def note_fills(self, record: Record) -> None:
        """Keep the trades of a frame, once each, if the engine booked one at all."""
        booked = sum(market.ledger.fills for market in self.markets)
        if booked == self.booked:
            return
        self.booked = booked
        for trade in own_trades(msgspec.json.decode(record.payload)):
            key = (trade["instrument_name"], str(trade["trade_id"]))
            market = self.number.get(trade["instrument_name"])
            if market is None or key in self.seen:
                continue
            self.seen.add(key)
            spec = self.specs[market]
            self.fills.append((
                record.now_ns, market, 0, 0 if trade["direction"] == "buy" else 1,
                spec.ticks(trade["price"]), spec.contracts(trade["amount"]),
                trade["liquidity"] == "M", round(trade["fee"] * 1e8),
                self.markets[market].signals.read()["mid_usd"] or np.nan))

    def figures(self, folder: Path, problems: list[str]) -> dict[str, Any]:
        """Return the summary of the session, keyed as a backtest's."""
        money = {
            spec.name: market.statement.figures(spec, market.signals.read()["mark_usd"])
            for market, spec in zip(self.markets, self.specs, strict=True)}
        fees = ", ".join(f"{s.name} {s.maker_fee * 1e4:g} maker, {s.taker_fee * 1e4:g} taker"
                         for s in self.specs)
        return {
            **summary(self.engine), "exit": "end of the journal", "sources": [str(folder)],
            "outbound_sha256": self.digest.hexdigest(), "problems": problems, "money": money,
            "takes": takes_by_reason(self.takes, self.specs), "config": self.told["config"],
            "assumptions": {"venue": self.told["url"], "fees, bps": fees,
                            "build": self.told["build"]},
            "replayed": True}


def own_trades(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every own trade of a frame, wherever it hangs."""
    if isinstance(tree, dict):
        if "liquidity" in tree and "trade_id" in tree:
            yield tree
        else:
            for part in tree.values():
                yield from own_trades(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from own_trades(part)


def read_journal_run(folder: Path) -> Run:
    """Replay the last session of a journal and return it as a run. RunError says what is wrong."""
    witness: Witness | None = None
    problems: list[str] = []
    try:
        for record in read_journal(folder):
            if record.kind == JournalKind.JOURNAL_HEADER:
                witness, problems = Witness(record), []
            elif witness is not None and not problems:
                try:
                    witness.take(record)
                except ReplayStoppedError as error:
                    problems = [f"The replay stopped early: {error}."]
    except JournalDamagedError as error:
        problems.append(f"The journal is damaged: {error}.")
    except (OSError, ValueError) as error:
        raise RunError(f"{folder}: {error}") from None
    if witness is None:
        raise RunError(f"{folder}: no journal header in it; give the folder of a session, where "
                       "the NNNNNN.mmj files lie")
    if witness.session.first_difference is not None:
        problems.append("The replay sent other orders than the session did; see mm replay.")
    specs = [{"name": spec.name, "inverse": spec.inverse, "contract_size": spec.contract_size,
              "tick_usd": spec.tick_usd} for spec in witness.specs]
    frames = {"samples": columns(witness.samples, SAMPLES),
              "fills": columns(witness.fills, FILLS), "requests": columns([], REQUESTS)}
    return run_of(folder, witness.figures(folder, problems), specs, frames)


def columns(rows: list[Row], names: tuple[str, ...]) -> dict[str, Any]:
    """Return rows as one array a column."""
    parts = zip(*rows, strict=True) if rows else ((),) * len(names)
    return {name: np.array(part) for name, part in zip(names, parts, strict=True)}
