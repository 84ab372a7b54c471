"""A run as it lies on disk: summary.json, fills, samples and requests as Parquet."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from connectors.replay.journal import segments
from runner.why_table import WHY_FIELDS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BOOK = ("t_ns", "market", "best_bid_usd", "best_ask_usd", "quote_bid_usd", "quote_ask_usd",
           "mark_usd", "position_contracts", "equity", "regime", "risk_state")
SAMPLES = (*BOOK, *WHY_FIELDS)
FILLS = ("t_ns", "market", "slot", "side", "price_ticks", "amount_contracts", "maker", "fee_e8",
         "mid_usd")
REQUESTS = ("sent_ns", "arrived_ns", "kind", "market", "error")


class RunError(Exception):
    """A folder that holds no run, or one that cannot be read; says what to do."""


class MarketRun(msgspec.Struct, frozen=True):
    """One instrument of a run. Times in s from its start, sides +1 bought and -1 sold."""

    name: str
    inverse: bool
    contract_size: float            # USD if inverse, else BTC
    t_s: Floats                     # of the samples
    bid_usd: Floats
    ask_usd: Floats
    quote_bid_usd: Floats           # nan: not quoted
    quote_ask_usd: Floats
    mark_usd: Floats
    position: Floats                # amount, signed
    equity: Floats                  # of the account in the settlement currency
    regime: Ints
    risk_state: Ints
    why: dict[str, Floats]          # of the decision in force at each sample, by WHY_FIELDS
    fill_s: Floats
    fill_side: Floats
    fill_usd: Floats
    fill_amount: Floats             # unsigned, as contract_size counts
    fill_fee: Floats                # settlement currency; negative is a rebate
    fill_maker: npt.NDArray[np.bool_]
    fill_mid_usd: Floats

    @property
    def mid_usd(self) -> Floats:
        """Mid of each sample; nan where a side is empty."""
        return (self.bid_usd + self.ask_usd) / 2.0

    @property
    def currency(self) -> str:
        """What profits are in."""
        return "BTC" if self.inverse else "USD"

    def btc_of(self, amount: Floats, price_usd: Floats) -> Floats:
        """BTC worth of amounts at prices."""
        return amount / price_usd if self.inverse else amount


class Run(msgspec.Struct, frozen=True):
    """Everything of one run."""

    title: str
    summary: dict[str, Any]
    markets: list[MarketRun]
    started_ns: int                 # venue's clock
    lasted_s: float
    latency_ms: Floats              # of order requests, sent to arrived
    errors: Ints                    # of the requests; 0: none


def read_run(folder: Path) -> Run:
    """Read a run's folder; RunError says which file is missing or does not fit."""
    for place in (folder, folder / "journal"):
        if segments(place):
            from runner.tearsheet.journal_run import read_journal_run

            return read_journal_run(place)
    try:
        import polars as pl
    except ImportError:
        raise RunError("reports read Parquet, which needs polars: pip install 'mmcore[report]'"
                       ) from None
    path = folder / "summary.json"
    try:
        summary = msgspec.json.decode(path.read_bytes())
        frames = {}
        for name, fields in (("samples", SAMPLES), ("fills", FILLS), ("requests", REQUESTS)):
            path = folder / f"{name}.parquet"
            frame = pl.read_parquet(path)
            missing = [f for f in fields if f not in frame.columns]
            if missing:
                raise RunError(f"{path}: no column {', '.join(missing)}; write the run again with "
                               "this version")
            frames[name] = {f: frame[f].to_numpy() for f in fields}
        specs = summary["specs"]
    except FileNotFoundError:
        raise RunError(f"{path}: not there; a run's folder is what mm backtest --out DIR "
                       "wrote, or the journal of mm run") from None
    except (OSError, msgspec.DecodeError, pl.exceptions.PolarsError) as error:
        raise RunError(f"{path}: {error}; write the run again") from None
    except (KeyError, TypeError):
        raise RunError(f"{path}: does not describe its instruments; write the run again with "
                       "this version") from None
    return run_of(folder, summary, specs, frames)


def run_of(folder: Path, summary: dict[str, Any], specs: list[dict[str, Any]],
           frames: dict[str, dict[str, Any]]) -> Run:
    """Put a run together from its tables: samples, fills and requests by column."""
    samples = frames["samples"]
    if not len(samples["t_ns"]):
        raise RunError(f"{folder}: the run has no sample; it ended before its first second")
    started_ns = int(samples["t_ns"].min())
    requests = frames["requests"]
    arrived = requests["arrived_ns"] > 0
    return Run(
        title=folder.resolve().name, summary=summary, started_ns=started_ns,
        lasted_s=(int(samples["t_ns"].max()) - started_ns) * 1e-9,
        markets=[market_run(i, spec, samples, frames["fills"], started_ns)
                 for i, spec in enumerate(specs)],
        latency_ms=(requests["arrived_ns"] - requests["sent_ns"])[arrived].astype(float) * 1e-6,
        errors=requests["error"].astype(np.int64))


def market_run(index: int, spec: dict[str, Any], samples: dict[str, Any], fills: dict[str, Any],
               started_ns: int) -> MarketRun:
    """Return the part of one instrument."""
    here, own = samples["market"] == index, fills["market"] == index

    def prices(name: str) -> Floats:
        values: Floats = samples[name][here].astype(float)
        values[values <= 0.0] = np.nan
        return values

    return MarketRun(
        name=spec["name"], inverse=spec["inverse"], contract_size=spec["contract_size"],
        t_s=(samples["t_ns"][here] - started_ns).astype(float) * 1e-9,
        bid_usd=prices("best_bid_usd"), ask_usd=prices("best_ask_usd"),
        quote_bid_usd=prices("quote_bid_usd"), quote_ask_usd=prices("quote_ask_usd"),
        mark_usd=prices("mark_usd"),
        position=samples["position_contracts"][here] * spec["contract_size"],
        equity=samples["equity"][here].astype(float),
        regime=samples["regime"][here].astype(np.int64),
        risk_state=samples["risk_state"][here].astype(np.int64),
        why={name: samples[name][here].astype(float) for name in WHY_FIELDS},
        fill_s=(fills["t_ns"][own] - started_ns).astype(float) * 1e-9,
        fill_side=np.where(fills["side"][own] == 0, 1.0, -1.0),
        fill_usd=fills["price_ticks"][own] * spec["tick_usd"],
        fill_amount=fills["amount_contracts"][own] * spec["contract_size"],
        fill_fee=fills["fee_e8"][own] * 1e-8,
        fill_maker=fills["maker"][own].astype(bool),
        fill_mid_usd=fills["mid_usd"][own].astype(float))
