"""Fills, profit and speed beside hftbacktest 2.4.4, on the same recording in one run.

    pip install hftbacktest==2.4.4
    python benchmarks/hftbacktest_parity.py FILE... [--json] [--orders 3000] [--queue power]

Parity: one script of post-only orders and cancels, at stated times, with the same latency and the
same queue model, through both. An order agrees when both filled the same amount of it. Then only
those that agree, in the time of the fill too, run again through both, and positions and profit
are compared, each taken from its own accounts. hftbacktest's own partial fills end in an error
(its 14) once an order is filled twice, so orders are of the smallest amount.

Throughput: events preloaded on both sides, in pairs, one after the other: hftbacktest's array
depth with 10 ms steps and a two-sided quoting strategy, and `mm backtest` with the full engine on
every message.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hftbacktest_anchor import (
    CANCEL,
    NEW,
    Model,
    Outcome,
    Script,
    anchor_rows,
    lot,
    quote_both_sides,
    quoting,
    run_script,
)
from hftbacktest_queue import Standing, fill_ns

from connectors.deribit.labels import Labels
from connectors.replay.books import DictBook
from connectors.replay.event import EventFlag, EventKind
from connectors.replay.player import Player, play_rows
from connectors.replay.reader import open_recording
from connectors.replay.recording import Recording
from connectors.replay.script import ScriptedOrders
from connectors.sim.direct import FILL_FIELDS, DirectVenue
from connectors.sim.exchange import Exchange
from connectors.sim.latency import Latency
from connectors.sim.market.recorded import charging
from mmcore.types import InstrumentSpec
from runner.backtest import run_session
from runner.backtest_session import assemble
from runner.config import load

QUEUES = ("risk_averse", "proportional", "power", "log")    # sim.queue.QueueKind
OFFSETS_TICKS = (-1, 0, 0, 1, 2, 5, 10, 20, 50)     # behind the own side's best; -1 improves it
LIFE_S = 2.0
ODD_NS = 123_457        # off every millisecond: no order meets an event at the same nanosecond
TELL_MAX = 20
SCALE = 1000
HALF_SPREAD_USD = 6.0   # of the quoting strategy whose speed is compared
LIFE_LEAST_NS = 10**8   # a cancel goes out when the order is known to be there


def touches(recording: Recording, rows: npt.NDArray[np.int64],
            at_ns: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the best bid and ask, in ticks, at every time."""
    events = recording.events
    book = DictBook()
    found: list[tuple[int, int]] = []
    names = ("kind", "flags", "exch_ns", "side", "price_ticks", "amount_contracts")
    kind, flags, exch, side, price, amount = (events[name].tolist() for name in names)
    now = 0
    for row in rows.tolist():
        now = max(now, exch[row])
        while len(found) < len(at_ns) and at_ns[len(found)] < now:
            bid, ask = book.best
            found.append((bid or 0, ask or 0))
        if kind[row] not in (EventKind.EVENT_LEVEL, EventKind.EVENT_EMPTY):
            continue
        if flags[row] & EventFlag.FLAG_SNAPSHOT:
            book.clear()
        while True:
            if kind[row] == EventKind.EVENT_LEVEL:
                book.set_level(side[row], price[row], amount[row])
            if flags[row] & EventFlag.FLAG_LAST:
                break
            row += 1
    return found + [(0, 0)] * (len(at_ns) - len(found))


def in_recorded_units(recording: Recording) -> Recording:
    """Return the recording with one contract the smallest amount in it, counted a thousandfold.

    Orders of one such contract fill whole or not at all, in every fill model. The venue rounds
    fees to eight decimals, which would show in small ones: so the same book is played larger.
    """
    events = recording.events.copy()
    spec = recording.instruments[0]
    amounts = np.isin(events["kind"], (EventKind.EVENT_LEVEL, EventKind.EVENT_TRADE))
    unit = int(np.gcd.reduce(events["amount_contracts"][amounts]))
    events["amount_contracts"] //= unit
    size = spec.contract_size * unit * SCALE
    coarse = InstrumentSpec(spec.name, tick_size=spec.tick_usd, contract_size=size,
                            min_amount=size, inverse=spec.inverse)
    return Recording(events, [coarse], recording.integrity, recording.format, recording.sources)


def make_script(recording: Recording, rows: npt.NDArray[np.int64], orders: int,
                seed: int) -> Script:
    """Draw orders near the touch, each cancelled after a while."""
    rng = np.random.default_rng(seed)
    events = recording.events
    first = int(events["exch_ns"][np.argmax(events["flags"] & EventFlag.FLAG_SNAPSHOT != 0)])
    last = int(events["exch_ns"].max())
    sent = np.sort(rng.integers(first + 10**9, last - 2 * 10**9, orders)) // 10**6 * 10**6 + ODD_NS
    best = touches(recording, rows, sent)
    made: list[tuple[int, int, int, int, int, int]] = []
    for number, (at, (bid, ask)) in enumerate(zip(sent.tolist(), best, strict=True)):
        side = int(rng.integers(2))
        offset = int(rng.choice(OFFSETS_TICKS))
        ticks = bid - offset if side == 0 else ask + offset
        if bid == 0 or ask == 0 or (ask - bid < 2 and offset < 0):
            ticks = (bid or ask) if side == 0 else (ask or bid)
        contracts = 1
        ends = at + int(rng.exponential(LIFE_S) * 1e9) // 10**6 * 10**6 + LIFE_LEAST_NS
        made.append((at, NEW, number, side, ticks, contracts))
        if ends < last:
            made.append((ends + 1, CANCEL, number, side, ticks, contracts))
    table = np.array(sorted(made), dtype=np.int64)
    return Script(*(np.ascontiguousarray(table[:, i]) for i in range(6)))


def run_ours(recording: Recording, rows: npt.NDArray[np.int64], spec: InstrumentSpec,
             model: Model, script: Script) -> Outcome:
    """Run a script through the exchange's direct front."""
    exchange = Exchange(1, 0)
    index = "btc_usd" if spec.inverse else "btc_usdc"
    exchange.add_market(charging(spec, model.maker_fee, model.taker_fee), index, True)
    exchange.books[0].set_queue_model(QUEUES.index(model.queue), model.power)
    first = int(recording.events["exch_ns"][rows[0]])
    account = exchange.open_account("script", first, 10**14, 10**18, False)
    venue = DirectVenue(exchange, Labels("mm", run=1), [0], account=account, t_ns=first,
                        entry=Latency.constant(model.entry_ns),
                        response=Latency.constant(model.response_ns))
    orders = ScriptedOrders(venue, Player(recording.events, rows, [index]))
    columns = (script.t_ns, script.kind, script.number, script.side, script.ticks,
               script.contracts)
    for at, kind, number, side, ticks, contracts in zip(*(c.tolist() for c in columns),
                                                        strict=True):
        if kind == NEW:
            orders.place(at, number, side, ticks, contracts)
        else:
            orders.cancel(at, number)
    orders.run()
    return outcome_of(exchange, venue, spec, model, script)


def outcome_of(exchange: Exchange, venue: DirectVenue, spec: InstrumentSpec, model: Model,
               script: Script) -> Outcome:
    fills = [dict(zip(FILL_FIELDS, row, strict=True)) for row in venue.fills]
    whole = {int(script.number[i]): int(script.contracts[i])
             for i in np.flatnonzero(script.kind == NEW)}
    filled: dict[int, int] = {}
    fill_ns: dict[int, int] = {}
    known = np.zeros(len(script.t_ns), np.int64)
    for fill in fills:
        number = fill["generation"] - 1
        filled[number] = filled.get(number, 0) + fill["amount_contracts"]
        if filled[number] == whole[number]:
            fill_ns[number] = fill["t_ns"]
        signed = fill["amount_contracts"] * (-1 if fill["side"] else 1)
        known[np.searchsorted(script.t_ns, fill["t_ns"] + model.response_ns):] += signed
    book = exchange.books[0]
    mid = 0.5 * (book.levels_of(0)[0][0] + book.levels_of(1)[0][0]) * spec.tick_usd
    balance, session, _, _ = venue.money(0 if spec.inverse else 1)
    size, entry, _, _ = exchange.accounts[venue.account].position(0)
    amount = abs(size) * spec.contract_size
    opened = entry * (1e-12 if spec.inverse else 1e-8)
    gain = opened - amount / mid if spec.inverse else amount * mid - opened
    start = 10**14 if spec.inverse else 10**18
    equity = (balance + session - start) * 1e-8 + (gain if size > 0 else -gain)
    return Outcome(filled, fill_ns, known, equity)


def compare(recording: Recording, model: Model, orders: int, seed: int) -> dict[str, Any]:
    """Run a script in both; return how far they agree."""
    recording = in_recorded_units(recording)
    spec = recording.instruments[0]
    rows = play_rows(recording.events, recording.format == "collector")
    theirs_rows = anchor_rows(recording, rows, spec)
    script = make_script(recording, rows, orders, seed)
    ours = run_ours(recording, rows, spec, model, script)
    theirs = run_script(theirs_rows, spec, model, script, orders)
    numbers = np.unique(script.number)
    differ = [n for n in numbers.tolist() if ours.filled.get(n, 0) != theirs.filled.get(n, 0)]
    late = [n for n in numbers.tolist() if ours.fill_ns.get(n) != theirs.fill_ns.get(n)]
    same = script.only(np.setdiff1d(numbers, late))
    ours_same = run_ours(recording, rows, spec, model, same)
    theirs_same = run_script(theirs_rows, spec, model, same, orders)
    prices = dict(zip(script.number.tolist(), (script.ticks * spec.tick_usd).tolist(),
                      strict=True))
    volume = sum(size * spec.contract_size / (prices[n] if spec.inverse else 1.0 / prices[n])
                 for n, size in ours_same.filled.items())
    bound = max(abs(theirs_same.equity), 1e-4 * volume)
    return {
        "orders": len(numbers), "agree": len(numbers) - len(differ),
        "agree_share": 1.0 - len(differ) / len(numbers),
        "agree_share_with_time": 1.0 - len(late) / len(numbers),
        "filled_ours": len(ours.filled), "filled_theirs": len(theirs.filled),
        "pnl_ours": ours_same.equity, "pnl_theirs": theirs_same.equity,
        "pnl_relative_difference": abs(ours_same.equity - theirs_same.equity) / bound
        if bound else 0.0,
        "position_path_equal": bool(np.array_equal(ours_same.position, theirs_same.position)),
        "volume": volume,
        "differences": explained(recording, rows, theirs_rows, model, script, late, ours, theirs),
    }


def explained(recording: Recording, rows: npt.NDArray[np.int64],
              theirs_rows: npt.NDArray[np.void], model: Model, script: Script, late: list[int],
              ours: Outcome, theirs: Outcome) -> list[dict[str, Any]]:
    """Return the orders that differ, in amount or time, and why.

    Each is run again alone: where both then agree, it was other orders of ours that made the
    difference. Here a print is shared by all orders it reaches; there each takes the whole of it.
    Else its queue is retold by the rules of both: if that gives both times, the rules differ.
    """
    spec = recording.instruments[0]
    found = []
    for number in late:
        alone = script.only(np.array([number]))
        one = run_ours(recording, rows, spec, model, alone)
        other = run_script(theirs_rows, spec, model, alone, number + 1)
        same = one.fill_ns.get(number) == other.fill_ns.get(number)
        found.append({
            "order": number, "ours": ours.filled.get(number, 0),
            "theirs": theirs.filled.get(number, 0),
            "why": "own orders share a print here" if same
            else queue_told(theirs_rows, alone, spec, model, one.fill_ns.get(number),
                            other.fill_ns.get(number))})
    return found


def queue_told(rows: npt.NDArray[np.void], alone: Script, spec: InstrumentSpec, model: Model,
               ours_ns: int | None, theirs_ns: int | None) -> str:
    """Say whether the queue rules explain both times of one order's fill."""
    cancels = alone.t_ns[alone.kind == CANCEL]
    order = Standing(
        arrives_ns=int(alone.t_ns[0]) + model.entry_ns,
        ends_ns=int(cancels[0]) + model.entry_ns if len(cancels) else int(rows["exch_ts"][-1]),
        side=int(alone.side[0]), price=float(alone.ticks[0] * spec.tick_usd), tick=spec.tick_usd,
        lot=lot(spec), power=model.power)
    if model.queue == "power" and (ours_ns, theirs_ns) == (
            fill_ns(rows, order, theirs=False), fill_ns(rows, order, theirs=True)):
        return "prints still stand behind the order there"
    return "unexplained"


def throughput(recording: Recording, spec: InstrumentSpec, model: Model,
               pairs: int) -> dict[str, Any]:
    """Time both in turn; rows are level changes and prints on both sides."""
    rows = play_rows(recording.events, recording.format == "collector")
    theirs_rows = anchor_rows(recording, rows, spec)
    settings = ["backtest.sample_s=0"]
    qty = 10.0 if spec.inverse else 0.01
    rates: list[tuple[float, float]] = []
    changes: list[float] = []
    for _ in range(pairs + 1):      # the first pair compiles and warms up
        hbt = quoting(theirs_rows, spec, model)
        began = time.perf_counter()
        quote_both_sides(hbt, HALF_SPREAD_USD, spec.tick_usd, qty)
        theirs_s = time.perf_counter() - began
        hbt.close()
        session = assemble(recording, load(None, settings, connects=False), time.perf_counter())
        ours_s = run_session(session)
        observer = session.backtest.observer
        rates.append((observer.events / ours_s, len(theirs_rows) / theirs_s))
        changes.append(observer.level_changes / ours_s)
    ratios = [ours / theirs for ours, theirs in rates[1:]]
    return {
        "pairs": pairs, "mrows_per_s_ours": statistics.median(r[0] for r in rates[1:]) / 1e6,
        "mrows_per_s_theirs": statistics.median(r[1] for r in rates[1:]) / 1e6,
        "level_changes_per_s": statistics.median(changes[1:]), "ratio": statistics.median(ratios),
        "ratio_min": min(ratios), "ratio_max": max(ratios)}


def text(result: dict[str, Any]) -> str:
    lines = [
        "{orders} orders, {agree} agree ({agree_share:.2%}; with the time of the fill "
        "{agree_share_with_time:.2%}); filled: {filled_ours} here, {filled_theirs} "
        "there".format(**result),
        "profit of the agreeing orders {pnl_ours:.8f} here, {pnl_theirs:.8f} there: relative "
        "difference {pnl_relative_difference:.2e}; position path equal: "
        "{position_path_equal}".format(**result)]
    lines += ["  order {order}: {ours} contracts here, {theirs} there: {why}".format(**d)
              for d in result["differences"][:TELL_MAX]]
    whys = [d["why"] for d in result["differences"]]
    lines += [f"  {whys.count(why)} differ: {why}" for why in sorted(set(whys))]
    if "throughput" in result:
        lines.append("throughput {mrows_per_s_ours:.2f} M rows/s here, {mrows_per_s_theirs:.2f} "
                     "there: {ratio:.2f} x (pairs {ratio_min:.2f} to {ratio_max:.2f})".format(
                         **result["throughput"]))
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--orders", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queue", choices=("risk_averse", "power", "log"), default="power")
    parser.add_argument("--power", type=float, default=3.0)
    parser.add_argument("--latency-ms", type=float, default=10.0)
    parser.add_argument("--pairs", type=int, default=5, help="of the throughput; 0: leave it out")
    options = parser.parse_args()
    recording = open_recording(options.data)
    spec = recording.instruments[0]
    one_way_ns = round(options.latency_ms * 1e6)
    if not 0 <= 2 * one_way_ns < LIFE_LEAST_NS:
        parser.error(f"--latency-ms must be from 0 to {LIFE_LEAST_NS / 2e6:g}")
    model = Model(options.queue, options.power, one_way_ns, one_way_ns, 0.00015, 0.00035)
    result = compare(recording, model, options.orders, options.seed)
    result |= {"queue": options.queue, "seed": options.seed,
               "unexplained": sum(d["why"] == "unexplained" for d in result["differences"])}
    if options.pairs:
        result["throughput"] = throughput(recording, spec, model, options.pairs)
    sys.stdout.write(json.dumps(result) + "\n" if options.json else text(result))
    good = (result["agree_share"] >= 0.99 and result["pnl_relative_difference"] <= 1e-3
            and result["orders"] >= 2000)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
