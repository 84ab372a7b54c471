"""Does it earn? Default and fitted configurations, out of sample, beside a naive grid.

    python benchmarks/honest_table.py [--data FOLDER] [--json FILE] [--out FILE.md]

Every market is cut in two: parameters are fitted to the first part, every figure is of the second.
Markets: the recorded inverse and linear perpetuals (FOLDER or MM_DATA, skipped where absent) and
every regime of the synthetic market (fitted to one seed, judged on others). Fees: a standard
account of August 2026 (1.5 and 3.5 bps), none, and a rebate (-0.5 and 2.5). Requests take 10 ms
each way; queue positions are probabilistic (power 3). Profits are at the mid.

default: what mm init writes for a live venue. fitted: the same with the lines of mm calibrate.
close: fitted, without the fee floor, at the width and size that in the first part came nearest to
the volume of a grid 1 bp off the mid (6 USD on the inverse recording). grid: an order a side at a
fixed distance, which sees nothing; at 1 bp, and where it traded nearest to what `close` did.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from connectors.replay.cut import cut, span_s
from connectors.replay.event import EventKind
from connectors.replay.reader import open_recording
from connectors.replay.recording import Integrity, Recording
from connectors.sim.market.facts import synthetic_events
from connectors.sim.market.latent import REGIMES
from runner.calibration.fragment import Calibration, calibrate
from runner.calibration.tape import tape_of
from runner.config import Config, load
from runner.evaluation.grid import run_grid
from runner.evaluation.judge import as_row, judge, verdict

FEES = {"Aug 2026": (1.5, 3.5), "no fee": (0.0, 0.0), "rebate": (-0.5, 2.5)}
ASSUMED = ("backtest.queue=power", "backtest.queue_power=3", "backtest.entry_ms=10",
           "backtest.response_ms=10", "backtest.sample_s=0.1", "signals.warmup_s=20")
CLOSE = ("quote.fee_floor=false", "quote.min_half_spread_usd=0.5", "quote.min_half_spread_bps=0",
         "quote.vol_k=0.3", "quote.latency_z=0")
WIDTHS_BPS = (0.1, 0.3, 0.5, 0.8, 1.2)          # of `close`: one of each is chosen in the fit
SIZES_BTC = (0.02, 0.05, 0.1)
GRID_BPS = 1.0
GRIDS_BPS = (0.2, 0.35, 0.5, 0.7, 1.0, 1.3, 1.7, 2.0, 2.5, 3.0)
RECORDED = {"inverse": "binance_coinm_2024-08-08", "linear": "binance_usdm_2023-04-04"}
REPORT_TRIPS = (20, 50)                 # a day, what the strategy's own report expects
REPORT_BTC = (0.002, 0.005)
NEXT_TIER_BPS = 0.0             # maker fee of the tier after the standard account's


class Case(msgspec.Struct):
    """One market: what is fitted to, and what is judged."""

    name: str
    fitted: Recording
    judged: list[Recording]


class Line(msgspec.Struct):
    """One line of the table."""

    market: str
    config: str
    fees: str
    part: int
    found: dict[str, Any]


def config_of(sets: Sequence[str], fee: tuple[float, float], spec_name: str) -> Config:
    """Return a live venue's defaults with changes; no venue is reached."""
    return load(None, (*ASSUMED, f"instrument.0.name={spec_name}",
                       f"venue.maker_fee_bps={fee[0]}", f"venue.taker_fee_bps={fee[1]}", *sets),
                "prod", connects=False)


def recorded_cases(folder: Path) -> Iterator[Case]:
    """Yield the recordings there are, cut in the middle."""
    for name, place in RECORDED.items():
        files = sorted((folder / place).glob("*.gz"))
        if not files:
            sys.stderr.write(f"{folder / place}: not there, left out; name it with --data\n")
            continue
        whole = open_recording(files)
        middle = span_s(whole) / 2.0
        yield Case(f"recorded {name}", cut(whole, 0.0, middle), [cut(whole, middle, math.inf)])


def synthetic_case(regime: str, seconds: float, seeds: int) -> Case:
    """Return a regime: the first seed is fitted to, the others are judged."""
    parts = [synthetic(seed, regime, seconds) for seed in range(1, seeds + 2)]
    return Case(regime, parts[0], parts[1:])


def synthetic(seed: int, regime: str, seconds: float) -> Recording:
    """Return what the synthetic perpetual shows, as a recording."""
    events, spec = synthetic_events(seed, regime, seconds)
    mine = events[events["instrument"] <= 0]
    return Recording(mine, [spec], Integrity(), "tape", (Path(f"{regime}-{seed}"),))


def fit(case: Case, fee: tuple[float, float]) -> tuple[Calibration, list[str], tuple[Any, ...]]:
    """Return what was found, the keys it sets, and the micro-price table."""
    spec = case.fitted.instruments[0]
    events = case.fitted.events
    tape = tape_of(case.fitted, 0, events[events["instrument"] == 0])
    found = calibrate(tape, config_of((), fee, spec.name), None)
    sets = [f"{item.key}={item.value:.6g}" for item in found.suggestions if not item.refused]
    return found, sets, found.micro_table


def with_table(config: Config, table: tuple[Any, ...]) -> Config:
    """Return a config that quotes around a micro-price, where there is a table."""
    if not table:
        return config
    quote = msgspec.structs.replace(config.quote, micro_price=True)
    return msgspec.structs.replace(config, micro_table=table, quote=quote)


def usd_of(bps: float, recording: Recording) -> float:
    """Return a distance in USD, to half a dollar, at a recording's price."""
    events = recording.events
    prices = events["price_ticks"][events["kind"] == EventKind.EVENT_TRADE]
    price = float(np.median(prices)) * recording.instruments[0].tick_usd
    return max(0.5, round(2e-4 * bps * price) / 2.0)


def closest(case: Case, sets: list[str], table: tuple[Any, ...]) -> list[str]:
    """Return the keys of `close`: width and size that trade like the grid in the fitted part."""
    name = case.fitted.instruments[0].name
    grid = run_grid(case.fitted, usd_of(GRID_BPS, case.fitted), config_of((), (0.0, 0.0), name))
    aim = verdict(grid, 0.0).volume_btc
    tried: list[tuple[float, list[str]]] = []
    for width in WIDTHS_BPS:
        for size in SIZES_BTC:
            keys = [*sets, *CLOSE, f"quote.base_half_spread_bps={width}", f"quote.size_btc={size}"]
            found = judge(case.fitted, with_table(config_of(keys, (0.0, 0.0), name), table))
            tried.append((abs(found.volume_btc - aim), keys))
    return min(tried)[1]


def lines_of(case: Case) -> Iterator[Line]:
    """Judge every configuration with every fee on every part."""
    name = case.fitted.instruments[0].name
    volume: dict[int, float] = {}
    close: list[str] = []
    for fee_name, fee in FEES.items():
        _, sets, table = fit(case, fee)
        if not close:
            close = closest(case, sets, table)
        for part, recording in enumerate(case.judged):
            made = {"default": config_of((), fee, name),
                    "fitted": with_table(config_of(sets, fee, name), table),
                    close_name(close): with_table(config_of(close, fee, name), table)}
            for config_name, config in made.items():
                found = judge(recording, config)
                if config_name.startswith("close"):
                    volume.setdefault(part, found.volume_btc)
                yield Line(case.name, config_name, fee_name, part, as_row(found))
    for part, recording in enumerate(case.judged):
        yield from grids(case.name, recording, part, volume[part])


def close_name(keys: Sequence[str]) -> str:
    """Return what tells one `close` from another."""
    width, size = (key.partition("=")[2] for key in keys[-2:])
    return f"close {width} bps, {size} BTC"


def grids(market: str, recording: Recording, part: int, volume: float) -> Iterator[Line]:
    """Judge the grid at 1 bp and at the distance that traded nearest to a volume."""
    config = config_of((), (0.0, 0.0), recording.instruments[0].name)
    usual = usd_of(GRID_BPS, recording)
    runs = {usd: run_grid(recording, usd, config)
            for usd in (usd_of(bps, recording) for bps in GRIDS_BPS)}
    gross = {usd: verdict(run, 0.0) for usd, run in runs.items()}
    equal = min(gross, key=lambda usd: abs(gross[usd].volume_btc - volume))
    for fee_name, fee in FEES.items():
        for usd, label in ((usual, f"grid {usual:g} USD"),
                           (equal, f"grid {equal:g} USD, equal volume")):
            yield Line(market, label, fee_name, part, as_row(verdict(runs[usd], fee[0])))


COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("fills", "fills", ",.0f"), ("volume_btc", "volume, BTC", ".3f"),
    ("net_btc", "net, BTC", "+.6f"), ("net_bps", "net, bps", "+.2f"),
    ("gross_bps", "before fees", "+.2f"), ("capture_bps", "capture", "+.2f"),
    ("drift_bps", "drift", "+.2f"), ("funding_bps", "funding", "+.3f"),
    ("fees_bps", "fees", "+.2f"),
    ("drawdown_btc", "drawdown, BTC", ".6f"), ("uptime", "uptime", ".0%"),
    ("round_trips", "round trips", ",.0f"))
MARKOUTS = ("0.1 s", "1 s", "5 s", "30 s")


def shown(value: Any, form: str) -> str:
    number = float("nan") if value is None else float(value)
    return "-" if math.isnan(number) else format(number, form)


def markdown(lines: Sequence[Line]) -> str:
    """Return a table for every market."""
    text = []
    for market in dict.fromkeys(line.market for line in lines):
        head = ["configuration", "fees", *(title for _, title, _ in COLUMNS), "95 % before fees",
                *(f"markout {name}" for name in MARKOUTS)]
        text += [f"### {market}", "", "| " + " | ".join(head) + " |",
                 "|" + "---|" * 2 + "--:|" * (len(head) - 2)]
        for line in lines:
            if line.market != market:
                continue
            found = line.found
            cells = [line.config, line.fees,
                     *(shown(found[key], form) for key, _, form in COLUMNS),
                     (f"[{shown(found['gross_low_bps'], '+.2f')}, "
                      f"{shown(found['gross_high_bps'], '+.2f')}]"),
                     *(shown(found["markout_bps"][name], "+.2f") for name in MARKOUTS)]
            text.append("| " + " | ".join(cells) + " |")
        text.append("")
    return "\n".join(text)


def brief(lines: Sequence[Line]) -> str:
    """Return one table, a line for every market and configuration, its parts and fees together."""
    head = ["market", "configuration", "fills", "volume, BTC", "before fees, bps [95 %], each part",
            "capture / drift", "markout 1 s / 30 s", *(f"net at {name}" for name in FEES),
            "drawdown, BTC", "uptime"]
    text = ["| " + " | ".join(head) + " |", "|---|---|" + "--:|" * (len(head) - 2)]
    rows: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        name = line.config if not line.config.startswith("grid") else (
            "grid, equal volume" if "equal" in line.config else f"grid {GRID_BPS:g} bp")
        rows.setdefault((line.market, name), []).append(line)
    for (market, name), found in rows.items():
        fees = {fee: [x.found for x in found if x.fees == fee] for fee in FEES}
        first = next(iter(fees.values()))
        counts = [sum(x["fills"] for x in parts) for parts in fees.values()]
        same = len(set(counts)) == 1
        text.append("| " + " | ".join([
            market, name, str(counts[0]) if same else "/".join(map(str, counts)),
            f"{sum(x['volume_btc'] for x in first):.3f}",
            "; ".join(interval(x) for x in first),
            f"{mean_of(first, 'capture_bps')} / {mean_of(first, 'drift_bps')}",
            f"{mean_of(first, 'markout_bps', '1 s')} / {mean_of(first, 'markout_bps', '30 s')}",
            *(f"{sum(x['net_btc'] for x in parts):+.6f} ({mean_of(parts, 'net_bps')})"
              for parts in fees.values()),
            f"{min(x['drawdown_btc'] for x in first):.6f}",
            f"{np.mean([x['uptime'] for x in first]):.0%}"]) + " |")
    return "\n".join(text) + "\n"


def interval(found: dict[str, Any]) -> str:
    if not found["fills"]:
        return "-"
    low, high = (shown(found[f"gross_{end}_bps"], "+.2f") for end in ("low", "high"))
    return f"{shown(found['gross_bps'], '+.2f')} [{low}, {high}]"


def mean_of(parts: Sequence[dict[str, Any]], key: str, horizon: str | None = None) -> str:
    """Return a figure in bps, parts weighted by their volume."""
    pairs = [(x[key][horizon] if horizon else x[key], x["volume_btc"]) for x in parts]
    held = [(value, volume) for value, volume in pairs if value is not None and volume]
    if not held:
        return "-"
    return f"{sum(a * b for a, b in held) / sum(b for _, b in held):+.2f}"


def pooled(lines: Sequence[Line]) -> dict[tuple[str, str, str], dict[str, float]]:
    """Return net, gross and volume in BTC, fills and days by market, configuration and fees."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for line in lines:
        key = (line.market, line.config.split(" ")[0] + (
            " equal" if "equal" in line.config else ""), line.fees)
        here = found.setdefault(key, dict.fromkeys(("net", "gross", "volume", "fills", "days",
                                                    "trips"), 0.0))
        row = line.found
        here["net"] += row["net_btc"]
        here["volume"] += row["volume_btc"]
        here["gross"] += (row["gross_bps"] or 0.0) * 1e-4 * row["volume_btc"] if (
            row["volume_btc"]) else 0.0
        here["fills"] += row["fills"]
        here["trips"] += row["round_trips"]
        here["days"] += row["lasted_s"] / 86_400.0
    return found


def words(lines: Sequence[Line]) -> str:
    """Say where it earns and where it loses, from the figures themselves."""
    sums = pooled(lines)
    text: list[str] = []
    for (market, config, fees), part in sums.items():
        if config not in ("default", "close") or fees == "no fee":
            continue
        if not part["fills"]:
            text.append(f"- {market}, {config}, {fees}: not one fill in "
                        f"{part['days'] * 86_400:,.0f} s, so nothing earned and nothing lost.")
            continue
        net, gross = (part[x] / part["volume"] * 1e4 for x in ("net", "gross"))
        does = "earns" if net > 0.0 else "loses"
        text.append(
            f"- {market}, {config}, {fees}: {does} {abs(net):.2f} bps of volume ({gross:+.2f} "
            f"before fees) over {part['fills']:.0f} fills; breaks even at a maker fee of "
            f"{gross:+.2f} bps. At this rate {part['trips'] / part['days']:,.0f} round trips and "
            f"{part['net'] / part['days']:+.4f} BTC a day; the report expects {REPORT_TRIPS[0]} to "
            f"{REPORT_TRIPS[1]} and {REPORT_BTC[0]} to {REPORT_BTC[1]}. {next_tier(part, fees)}")
    return "\n".join(text) + "\n"


def parser_of(doc: str | None, seconds: float) -> argparse.ArgumentParser:
    """Return the options of a command that judges on the markets of this file."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--data", type=Path,
                        default=Path(os.environ.get("MM_DATA", "../shared/data")))
    parser.add_argument("--json", type=Path, help="write every line to this file")
    parser.add_argument("--out", type=Path, help="write the table to this file; else the screen")
    parser.add_argument("--seconds", type=float, default=seconds, help="of every synthetic part")
    parser.add_argument("--seeds", type=int, default=2, help="synthetic parts judged of a regime")
    return parser


def tell(options: argparse.Namespace, page: str, lines: Sequence[msgspec.Struct]) -> None:
    """Write a page and the lines behind it where the options say."""
    if options.json is not None:
        options.json.write_bytes(msgspec.json.encode(lines))
    if options.out is not None:
        options.out.write_text(page)
    else:
        sys.stdout.write(page)


def next_tier(part: dict[str, float], fees: str) -> str:
    """Say what the next fee tier would make of the same fills."""
    saved_bps = FEES[fees][0] - NEXT_TIER_BPS
    if saved_bps <= 0.0:
        return "That is under the next fee tier's already."
    per_btc = part["net"] + saved_bps * 1e-4 * part["volume"]
    return (f"The next fee tier (maker {NEXT_TIER_BPS:g}) makes that "
            f"{per_btc / part['volume'] * 1e4:+.2f} bps and {per_btc / part['days']:+.4f} BTC a "
            f"day, on {part['volume'] / part['days'] * 30:,.0f} BTC in 30 days.")


def main() -> int:
    parser = parser_of(__doc__, 900.0)
    parser.add_argument("--regime", action="append", help="only this one; none: no synthetic")
    parser.add_argument("--recorded", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    regimes = [] if options.regime == ["none"] else options.regime or list(REGIMES)
    cases = list(recorded_cases(options.data)) if options.recorded else []
    lines = [line for case in cases for line in told(case)]
    for regime in regimes:
        lines += told(synthetic_case(regime, options.seconds, options.seeds))
    if not lines:
        sys.stderr.write("nothing to judge: name recordings with --data, or a --regime\n")
        return 2
    tell(options, "\n".join((brief(lines), words(lines), markdown(lines))), lines)
    return 0


def told(case: Case) -> list[Line]:
    sys.stderr.write(f"{case.name} ...\n")
    return list(lines_of(case))


if __name__ == "__main__":
    sys.exit(main())
