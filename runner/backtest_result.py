"""What a backtest came to: the summary, the check that money is conserved, tables on disk."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from connectors.replay.backtest import SAMPLE_FIELDS
from connectors.sim.direct import FILL_FIELDS, REQUEST_FIELDS
from mmcore.market import explain_record
from mmcore.types import InstrumentSpec
from runner.backtest_session import BacktestError, Session, counted
from runner.report import session_summary
from runner.why_table import WHY_FIELDS, takes_by_reason, why_row

Row = dict[str, Any]


def result_of(session: Session, wall_s: float) -> dict[str, Any]:
    """Return the figures of a finished run, keyed as `mm backtest --json` writes them."""
    backtest = session.backtest
    engine = backtest.engine
    exit_reason = "killed" if engine.risk.state_name == "RISK_KILLED" else "end of data"
    figures = session_summary(engine, exit_reason)
    books = [money_of(session, market) for market in range(engine.market_count)]
    return {
        **figures, **counted(session), "lasted_s": backtest.lasted_s,
        "wall_s": wall_s, "load_s": session.load_s,
        "outbound_sha256": backtest.sink.outbound_sha256,
        "sources": [str(path) for path in session.recording.sources],
        "clock_shift_s": session.shift_ns * 1e-9,
        "venue": backtest.venue.counts,
        "integrity": dict(session.recording.integrity.rows()),
        "problems": session.recording.integrity.problems(),
        "money": {engine.markets[i].name: part for i, part in enumerate(books)},
        "conservation_error": conservation_error(session, books),
        "takes": takes_by_reason([take[1:] for take in backtest.sink.takes], session.specs),
        "specs": [{"name": spec.name, "inverse": spec.inverse,
                   "contract_size": spec.contract_size, "tick_usd": spec.tick_usd}
                  for spec in session.specs],
        "assumptions": assumptions_of(session),
        "profile": session.config.profile,
        "config": msgspec.json.decode(session.config.redacted_json()),
    }


def assumptions_of(session: Session) -> dict[str, str]:
    """Return in words what a reader must take on trust."""
    settings = session.config.backtest
    fees = ", ".join(f"{s.name} {s.maker_fee * 1e4:g} maker, {s.taker_fee * 1e4:g} taker"
                     for s in session.specs)
    latency = (f"{settings.latency}: {settings.entry_ms:g} ms to the venue, "
               f"{settings.response_ms:g} ms back")
    return {"fees, bps": fees, "queue model": settings.queue,
            "latency": settings.latency_file or latency}


def fills_of(session: Session) -> list[Row]:
    """Return every own trade as the venue booked it."""
    return [dict(zip(FILL_FIELDS, row, strict=True)) for row in session.backtest.venue.fills]


def worth(spec: InstrumentSpec, price_usd: float) -> float:
    """Return what profits are linear in: a long unit from one price to another earns the gap."""
    return price_usd if not spec.inverse else -1.0 / price_usd


def money_of(session: Session, market: int) -> dict[str, float]:
    """Return the profit of one market, taken apart; in its settlement currency.

    capture: what fills were better than the mid; drift: the mid's moves while holding;
    mid_to_mark: the mark instead of the mid at the end. Their sum with funding less fees is the
    change of equity.
    """
    spec = session.specs[market]
    backtest = session.backtest
    mine = [f for f in fills_of(session) if f["market"] == market]
    mark, mid = backtest.prices(market)
    position = 0.0
    capture: list[float] = []
    drift: list[float] = []
    cash: list[float] = []
    for at, fill in enumerate(mine):
        signed = fill["amount_contracts"] * spec.contract_size * (-1 if fill["side"] else 1)
        price = fill["price_ticks"] * spec.tick_usd
        position += signed
        later = mine[at + 1]["mid_usd"] if at + 1 < len(mine) else mid
        capture.append(signed * (worth(spec, fill["mid_usd"]) - worth(spec, price)))
        drift.append(position * (worth(spec, later) - worth(spec, fill["mid_usd"])))
        cash.append(-signed * worth(spec, price))
    closing = position * (worth(spec, mark) - worth(spec, mid)) if mine else 0.0
    fees = math.fsum(f["fee_e8"] for f in mine) * 1e-8
    trading = math.fsum([*cash, position * worth(spec, mark)]) if mine else 0.0
    return {
        "capture": math.fsum(capture), "drift": math.fsum(drift), "mid_to_mark": closing,
        "fees": fees, "funding": backtest.funding(market), "trading": trading,
        "decomposition_error": math.fsum([*capture, *drift, closing, -trading]),
        "volume": math.fsum(f["amount_contracts"] for f in mine) * spec.contract_size}


def conservation_error(session: Session, books: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return by how much equity differs from the sum of cash flows, per currency, and the
    engine's profit from the venue's; what the venue rounded is given back first.
    """
    found: dict[str, float] = {}
    backtest = session.backtest
    for currency, name in enumerate(("btc", "usdc")):
        parts = [book for spec, book in zip(session.specs, books, strict=True)
                 if spec.inverse == (currency == 0)]
        if not parts:
            continue
        flows = math.fsum([p["trading"] + p["funding"] - p["fees"] for p in parts])
        equity, rounded = backtest.equity(currency)
        found[name] = equity + rounded - session.start_e8[currency] * 1e-8 - flows
    return found


def tables_of(session: Session) -> dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]]:
    backtest = session.backtest
    return {"fills": (FILL_FIELDS, backtest.venue.fills),
            "requests": (REQUEST_FIELDS, backtest.venue.trail),
            "samples": ((*SAMPLE_FIELDS, *WHY_FIELDS), [
                (*sample, *why_row(explain_record(why)))
                for sample, why in zip(backtest.samples, backtest.whys, strict=True)])}


def write_results(session: Session, result: dict[str, Any], folder: Path) -> None:
    """Write fills, requests and samples as Parquet and the summary as JSON into a folder.

    Raises BacktestError where polars is not installed.
    """
    try:
        import polars as pl
    except ImportError:
        raise BacktestError("--out writes Parquet, which needs polars: pip install polars, or "
                            "leave out --out") from None
    folder.mkdir(parents=True, exist_ok=True)
    for name, (fields, rows) in tables_of(session).items():
        frame = pl.DataFrame(rows, schema=list(fields), orient="row", infer_schema_length=None)
        frame.write_parquet(folder / f"{name}.parquet")
    summary = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (folder / "summary.json").write_bytes(summary + b"\n")
