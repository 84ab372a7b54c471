"""One job: one configuration on one part of the data, wherever it runs; and what it came to."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from connectors.replay.recording import Recording, RecordingError
from connectors.replay.store import read_store
from runner.config import Config
from runner.evaluation.judge import (
    blocks,
    btc_of_currency,
    gross_curve,
    play,
    ratio_interval_bps,
    verdict,
)
from runner.tearsheet.run_data import Floats, MarketRun
from runner.version import product_version

PARTS_KEPT = 8          # recordings a process holds mapped at a time


class JobError(RuntimeError):
    """A job that cannot run where it was sent; says what to do."""


class Part(Struct, frozen=True, kw_only=True):
    """One stretch of the data, as a file that every worker can read."""

    number: int
    path: Path
    sha256: str             # of its events; another machine's file of that name may be another
    begin_s: float          # from the beginning of the data
    lasted_s: float


class Job(Struct, frozen=True, kw_only=True):
    """Everything a worker needs to know."""

    config: Config
    part: Part
    block_s: float
    version: str            # of this program: another one may decide otherwise

    @property
    def key(self) -> str:
        """What tells its outcome from any other."""
        named = f"{self.version} {self.part.sha256} {self.block_s:g} ".encode()
        return hashlib.sha256(named + self.config.redacted_json()).hexdigest()[:24]


class Outcome(Struct, frozen=True, kw_only=True):
    """What a configuration came to on one part, or on several after each other. In BTC."""

    fills: int
    round_trips: int
    volume_btc: float
    net_btc: float
    gross_btc: float            # before fees
    fees_btc: float
    funding_btc: float
    drawdown_btc: float         # the worst of any part
    uptime: float               # share of time quoting both sides
    lasted_s: float
    killed: int                 # parts that ended in a kill
    block_net_btc: list[float]
    block_gross_btc: list[float]
    block_volume_btc: list[float]

    @property
    def net_bps(self) -> float | None:
        """Profit over volume; None without a fill."""
        return self.net_btc / self.volume_btc * 1e4 if self.volume_btc else None

    @property
    def gross_bps(self) -> float | None:
        """Profit before fees over volume; None without a fill."""
        return self.gross_btc / self.volume_btc * 1e4 if self.volume_btc else None

    def interval_bps(self) -> tuple[float | None, float | None]:
        """Return the 95 % interval of profit over volume."""
        low, high = ratio_interval_bps(np.array(self.block_net_btc),
                                       np.array(self.block_volume_btc))
        return (None, None) if np.isnan(low) else (low, high)


def run_job(job: Job) -> Outcome:
    """Run one job; JobError where this worker is not fit for it."""
    if product_version() != job.version:
        raise JobError(f"this worker runs mm {product_version()}, the sweep {job.version}; "
                       "install the same one everywhere")
    markets, funding, killed = play(recording_of(job.part.path, job.part.sha256), job.config)
    return outcome_of(markets, funding, job.block_s, killed=killed)


@functools.lru_cache(PARTS_KEPT)
def recording_of(path: Path, sha256: str) -> Recording:
    """Map a part of the data, once for many jobs."""
    try:
        recording = read_store(path)
    except OSError as error:
        raise JobError(f"{path}: {error.strerror}; every worker must see the folder of --out under "
                       "the same name") from None
    except RecordingError as error:
        raise JobError(str(error)) from None
    if digest(recording) != sha256:
        raise JobError(f"{path}: another recording than the sweep's; give --out a folder of its "
                       "own that every worker sees")
    return recording


def digest(recording: Recording) -> str:
    """Return the hash of a recording's events and of the order they are played in."""
    found = hashlib.sha256(np.ascontiguousarray(recording.events).view(np.uint8).data)
    if recording.rows is not None:
        found.update(np.ascontiguousarray(recording.rows, "<i8").view(np.uint8).data)
    return found.hexdigest()[:24]


def outcome_of(markets: Sequence[MarketRun], funding: Sequence[float], block_s: float, *,
               killed: bool) -> Outcome:
    """Add up the markets of one run."""
    found = [verdict(m, None, f) for m, f in zip(markets, funding, strict=True)]
    sums = [profit_blocks(m, f, block_s) for m, f in zip(markets, funding, strict=True)]
    length = max(len(net) for net, _, _ in sums)
    gross, net, traded = (
        sum((np.pad(row[i], (0, length - len(row[i]))) for row in sums), np.zeros(length))
        for i in range(3))
    whole = [btc_of_currency(m) * f for m, f in zip(markets, funding, strict=True)]
    return Outcome(
        fills=sum(v.fills for v in found), round_trips=sum(v.round_trips for v in found),
        volume_btc=sum(v.volume_btc for v in found), net_btc=sum(v.net_btc for v in found),
        gross_btc=sum(v.gross_btc for v in found), funding_btc=sum(whole),
        fees_btc=sum(v.gross_btc + f - v.net_btc for v, f in zip(found, whole, strict=True)),
        drawdown_btc=min(v.drawdown_btc for v in found), lasted_s=found[0].lasted_s,
        uptime=sum(v.uptime for v in found) / len(found), killed=int(killed),
        block_net_btc=net.tolist(), block_gross_btc=gross.tolist(),
        block_volume_btc=traded.tolist())


def profit_blocks(market: MarketRun, funding: float,
                  block_s: float) -> tuple[Floats, Floats, Floats]:
    """Return profit before fees, after fees and funding, and volume, in every block of time.

    Fees follow volume; funding is spread evenly, as it is accrued.
    """
    to_btc = btc_of_currency(market)
    volume = market.btc_of(market.fill_amount, market.fill_usd)
    curve, _ = gross_curve(market)
    gross, traded = blocks(market, curve * to_btc, volume, block_s)
    whole = float(volume.sum())
    fees = float(market.fill_fee.sum()) * to_btc / whole if whole else 0.0
    net = gross - traded * fees + funding * to_btc / max(1, len(gross))
    return gross, net, traded


def after_each_other(parts: Sequence[Outcome]) -> Outcome:
    """Put the outcomes of parts together; each of them began flat."""
    lasted_s = sum(p.lasted_s for p in parts)
    return Outcome(
        fills=sum(p.fills for p in parts), round_trips=sum(p.round_trips for p in parts),
        volume_btc=sum(p.volume_btc for p in parts), net_btc=sum(p.net_btc for p in parts),
        gross_btc=sum(p.gross_btc for p in parts), fees_btc=sum(p.fees_btc for p in parts),
        funding_btc=sum(p.funding_btc for p in parts),
        drawdown_btc=min(p.drawdown_btc for p in parts),
        uptime=sum(p.uptime * p.lasted_s for p in parts) / lasted_s, lasted_s=lasted_s,
        killed=sum(p.killed for p in parts),
        block_net_btc=[x for p in parts for x in p.block_net_btc],
        block_gross_btc=[x for p in parts for x in p.block_gross_btc],
        block_volume_btc=[x for p in parts for x in p.block_volume_btc])
