"""Why the maker decided as it did: sides removed, terms of width and shift, references, takes."""

from typing import Any

import msgspec
import numpy as np

from mmcore.alpha import TERM_NAMES
from mmcore.types import TakeReason
from runner.picture import REFERENCES, REMOVED_WORDS, TAKE_WORDS
from runner.tearsheet.run_data import Floats, MarketRun, Run

SIDES = ("bid", "ask")
QUANTILES = (0.05, 0.5, 0.95)
# name on the page, column; what is in USD comes first
WIDTH_TERMS = (
    ("base", "half_base_usd"), ("volatility", "half_vol_usd"),
    ("market share, at least", "half_market_usd"), ("drought", "drought_usd"),
    ("half-spread after the factor", "half_usd"), ("latency pad", "pad_usd"),
    ("markout, bid", "markout_bid_usd"), ("markout, ask", "markout_ask_usd"),
    ("signals against it, bid", "signal_bid_usd"), ("signals against it, ask", "signal_ask_usd"),
    ("fee floor", "half_floor_usd"))
SHIFT_TERMS = (
    ("inventory skew", "skew_usd"), ("signals, capped", "alpha_usd"),
    *((f"signal: {name}", f"alpha_{name}_usd") for name in TERM_NAMES), ("carry", "carry_usd"))
FACTOR_TERMS = (("spread factor", "spread_factor"), ("size factor", "size_factor"))


class Term(msgspec.Struct, frozen=True):
    """Mean and quantiles of one term over the time there was a reference."""

    mean: float
    low: float
    median: float
    high: float


def removed_shares(market: MarketRun) -> dict[str, tuple[float, float]]:
    """Return by reason the share of time bid and ask were removed for it, the largest first.

    A side may have several reasons at once; "any of them" counts it once.
    """
    bits = [market.why[f"removed_{side}"].astype(np.int64) for side in SIDES]
    found: dict[str, tuple[float, float]] = {}
    for reason, word in REMOVED_WORDS.items():
        bid, ask = (float(((values & int(reason)) != 0).mean()) for values in bits)
        if bid or ask:
            found[word] = (bid, ask)
    ordered = dict(sorted(found.items(), key=lambda item: -max(item[1])))
    return {"any of them": (float((bits[0] != 0).mean()), float((bits[1] != 0).mean())),
            **ordered}


def term_of(values: Floats) -> Term:
    if not len(values):
        return Term(np.nan, np.nan, np.nan, np.nan)
    low, median, high = np.quantile(values, QUANTILES)
    return Term(float(values.mean()), float(low), float(median), float(high))


def terms(market: MarketRun, chosen: tuple[tuple[str, str], ...]) -> dict[str, Term]:
    """Return the figures of each term, over the samples that had a reference price."""
    known = market.why["reference_usd"] > 0.0
    return {name: term_of(market.why[column][known]) for name, column in chosen}


def reference_shares(market: MarketRun) -> dict[str, float]:
    """Return the share of time per source of the reference price, the largest first."""
    kinds, counts = np.unique(market.why["reference_source"].astype(np.int64),
                              return_counts=True)
    found = {REFERENCES[k] if 0 <= k < len(REFERENCES) else str(k): float(n / counts.sum())
             for k, n in zip(kinds, counts, strict=True)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def takes(run: Run, market: MarketRun) -> dict[str, dict[str, float]]:
    """Return by reason how many orders took liquidity, and what they asked for."""
    found = run.summary.get("takes", {}).get(market.name, {})
    return {TAKE_WORDS.get(TakeReason[name], name): sums for name, sums in found.items()}


def figures_of(run: Run, market: MarketRun) -> dict[str, Any]:
    """Return it all for a program."""
    return {
        "removed": removed_shares(market), "takes": takes(run, market),
        "reference": reference_shares(market),
        **{name: {term: msgspec.structs.asdict(value)
                  for term, value in terms(market, chosen).items()}
           for name, chosen in (("width_usd", WIDTH_TERMS), ("shift_usd", SHIFT_TERMS),
                                ("factors", FACTOR_TERMS))}}
