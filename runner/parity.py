"""`mm replay --parity`: a live or paper session against its own backtest, side by side.

The journal's market, without our orders, goes through mm backtest with the session's configuration
and the round trips it measured. What then differs is what the fill and latency models get wrong.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from connectors.replay.journal import read_journal
from connectors.replay.journaled import Journaled, OwnTrade, read_session
from connectors.replay.recording import RecordingError
from mmcore.types import InstrumentSpec
from runner.backtest import run_session
from runner.backtest_result import fills_of
from runner.backtest_session import BacktestError, Session, assemble
from runner.config import Config, ConfigError, load
from runner.options import EXIT_CLEAN, EXIT_USAGE

SAME_FILL_S = 2.0       # fills of one side and price this far apart are one event in both
LEFT_OUT = ("venue.client_id", "venue.client_secret", "venue.url", "venue.rest_url",
            "venue.proxy", "venue.ca_file", "quote.window", "signals.micro_table",
            "backtest.latency", "backtest.latency_file")
PLAIN = ("fills", "buys", "sells", "maker_share", "volume", "fees", "profit", "requests")
Fill = tuple[str, int, int, float, float, float, bool]  # name, ms, side, price, amount, fee, maker


def main(folder: Path, *, as_json: bool) -> int:
    """Compare and report; the exit code."""
    try:
        session = read_session(list(read_journal(folder, [])), folder)
        figures = compare(session)
    except OSError as error:
        return refuse(f"{error.filename}: {error.strerror}; check the path")
    except ConfigError as error:
        return refuse("; ".join(error.lines))
    except (RecordingError, BacktestError, ValueError, KeyError) as error:
        return refuse(str(error))
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n" if as_json else text_of(figures))
    return EXIT_CLEAN


def refuse(fault: str) -> int:
    """Say what is wrong in one line."""
    sys.stderr.write(f"mm replay: {fault}\n")
    return EXIT_USAGE


def config_of(header: dict[str, Any], latency_file: Path | None) -> Config:
    """Return the configuration a session had, for a backtest of it."""
    sets: list[str] = []
    for section, values in header["config"].items():
        if section == "instrument":
            sets += [f"instrument.{i}.{name}={json.dumps(value)}"
                     for i, entry in enumerate(values) for name, value in entry.items()
                     if value is not None]
            continue
        sets += [f"{section}.{name}={json.dumps(value)}" for name, value in values.items()
                 if value is not None and f"{section}.{name}" not in LEFT_OUT]
    for i, data in enumerate(header["instruments"]):
        sets = [s for s in sets if not s.startswith(f"instrument.{i}.name=")]
        sets.insert(i, f"instrument.{i}.name={json.dumps(data['instrument_name'])}")
    first = header["instruments"][0]
    sets += [f"venue.maker_fee_bps={first['maker_commission'] * 1e4:.6f}",
             f"venue.taker_fee_bps={first['taker_commission'] * 1e4:.6f}"]
    if latency_file is not None:
        sets += ['backtest.latency="recorded"',
                 f"backtest.latency_file={json.dumps(str(latency_file))}"]
    return load(None, sets, connects=False)


def write_latencies(trips: Sequence[tuple[int, int]], path: Path) -> None:
    """Write measured round trips as latencies, half of each for either way."""
    lines = ["time_ns,entry_ns,response_ns"]
    lines += [f"{at},{trip // 2},{trip - trip // 2}" for at, trip in trips]
    path.write_text("\n".join(lines) + "\n")


def compare(journal: Journaled) -> dict[str, Any]:
    """Run the backtest and put both side by side."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mm-parity-") as folder:
        path = Path(folder) / "latency.csv"
        trips = sorted(journal.round_trips)
        if trips:
            write_latencies(trips, path)
        config = config_of(journal.header, path if trips else None)
        session = assemble(journal.recording, config, began)
        session.backtest.venue.keep_trail = True
        run_session(session)
    specs = {spec.name: spec for spec in session.specs}
    marks = {session.backtest.engine.markets[i].name: session.backtest.prices(i)[0]
             for i in range(len(session.specs))}
    live = [fill_of_trade(trade) for trade in journal.trades]
    ours = backtest_fills(session)
    matched = match(live, ours, specs)
    most = max(len(live), len(ours))
    return {
        "lasted_s": session.backtest.lasted_s, "instruments": list(specs),
        "fills_matched": matched, "fills_matched_share": matched / most if most else 1.0,
        "session": side_of(live, specs, marks, [trip for _, trip in trips]),
        "backtest": side_of(ours, specs, marks, round_trips(session)),
        "problems": journal.recording.integrity.problems()}


def fill_of_trade(trade: OwnTrade) -> Fill:
    return (trade.instrument_name, trade.timestamp, int(trade.direction == "sell"), trade.price,
            trade.amount, trade.fee, trade.liquidity == "M")


def backtest_fills(session: Session) -> list[Fill]:
    """Return the backtest's fills in the venue's units."""
    found: list[Fill] = []
    for fill in fills_of(session):
        spec = session.specs[fill["market"]]
        found.append((spec.name, fill["t_ns"] // 1_000_000, fill["side"],
                      fill["price_ticks"] * spec.tick_usd,
                      spec.amount(fill["amount_contracts"]), fill["fee_e8"] * 1e-8,
                      bool(fill["maker"])))
    return found


def round_trips(session: Session) -> list[int]:
    """Return how long each of the backtest's requests took to be answered, as modelled."""
    return [2 * (row[1] - row[0]) for row in session.backtest.venue.trail]


def match(live: list[Fill], ours: list[Fill], specs: dict[str, InstrumentSpec]) -> int:
    """Return how many fills of one instrument, side and price both have at about one time."""
    left = sorted(ours, key=lambda fill: fill[1])
    matched = 0
    for name, ms, side, price, *_ in sorted(live, key=lambda fill: fill[1]):
        for i, (other, at_ms, its_side, its_price, *_rest) in enumerate(left):
            if (other == name and its_side == side and abs(at_ms - ms) <= SAME_FILL_S * 1e3
                    and abs(its_price - price) < 0.5 * specs[name].tick_usd):
                del left[i]
                matched += 1
                break
    return matched


def side_of(fills: list[Fill], specs: dict[str, InstrumentSpec], marks: dict[str, float],
            trips: list[int]) -> dict[str, Any]:
    """Return the figures of one side; profit at the same marks for both, fees paid."""
    profit: list[float] = []
    position: dict[str, float] = dict.fromkeys(specs, 0.0)
    for name, _, side, price, amount, fee, _ in fills:
        signed = -amount if side else amount
        worth = (1.0 / price - 1.0 / marks[name] if specs[name].inverse
                 else marks[name] - price)
        profit += [signed * worth, -fee]
        position[name] += signed
    return {
        "fills": len(fills), "buys": sum(f[2] == 0 for f in fills),
        "sells": sum(f[2] == 1 for f in fills),
        "maker_share": sum(f[6] for f in fills) / len(fills) if fills else None,
        "volume": math.fsum(f[4] for f in fills), "position": position,
        "fees": math.fsum(f[5] for f in fills), "profit": math.fsum(profit),
        "requests": len(trips),
        "round_trip_ms": {f"p{q}": float(np.percentile(trips, q)) * 1e-6 if trips else None
                          for q in (50, 99)}}


def text_of(figures: dict[str, Any]) -> str:
    """Return the report."""
    one, other = figures["session"], figures["backtest"]
    rows: list[tuple[str, Any, Any]] = [(name, one[name], other[name]) for name in PLAIN]
    rows += [(f"position {key}", one["position"][key], other["position"][key])
             for key in one["position"]]
    rows += [(f"round trip {key}, ms", one["round_trip_ms"][key], other["round_trip_ms"][key])
             for key in one["round_trip_ms"]]
    names = ", ".join(figures["instruments"])
    lines = [f"{names}, {figures['lasted_s']:.1f} s of a session against its own backtest",
             f"  {'':<28}{'session':>16}{'backtest':>16}"]
    lines += [f"  {name:<28}{shown(mine):>16}{shown(its):>16}" for name, mine, its in rows]
    lines.append(f"  {figures['fills_matched']} fills in both ({figures['fills_matched_share']:.1%}"
                 " of the larger number): same instrument, side and price within "
                 f"{SAME_FILL_S:g} s")
    if figures["problems"]:
        lines.append("  journal: " + ", ".join(
            f"{count} {name}" for name, count in figures["problems"].items()))
    return "\n".join(lines) + "\n"


def shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.8g}"
