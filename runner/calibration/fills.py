"""How long to hold after a fill, from the markouts of a run's own fills."""

import numpy as np

from runner.calibration.estimates import FITS_LEAST, Z95, hold_s, refusal
from runner.calibration.suggestion import Suggestion
from runner.tearsheet.run_data import MarketRun, Run
from runner.tearsheet.statistics import HORIZONS_S, markouts_bps, mean_of

HOLD_KEY = "orders.post_fill_hold_ms"
HOLD_MAX_S = 60.0


def market_named(run: Run, name: str) -> MarketRun:
    """Return a run's market by name; ValueError names those it has."""
    for market in run.markets:
        if market.name == name:
            return market
    raise ValueError(f"{run.title}: no fills of {name}, only of "
                     f"{', '.join(m.name for m in run.markets)}; give a run of that instrument")


def hold_after_fill(market: MarketRun) -> Suggestion:
    """Suggest the hold: the first horizon after which the mean markout no longer moves.

    What comes later is not known to differ; to quote again sooner is to be filled into the move.
    """
    count = len(market.fill_s)
    found = {h: mean_of(markouts_bps(market, h), market.fill_amount) for h in HORIZONS_S
             if h <= HOLD_MAX_S}
    known = {h: m for h, m in found.items() if m.count >= FITS_LEAST}
    if not known:
        return Suggestion(HOLD_KEY, np.nan, f"{count} fills", refusal(
            max((m.count for m in found.values()), default=0), "fills with a markout"))
    horizons = np.array(list(known))
    means = np.array([m.mean for m in known.values()])
    errors = np.array([(m.high - m.low) / (2.0 * Z95) for m in known.values()])
    told = ", ".join(f"{h:g} s {m.mean:+.2f} [{m.low:+.2f}, {m.high:+.2f}]"
                     for h, m in known.items())
    return Suggestion(HOLD_KEY, round(1_000.0 * hold_s(horizons, means, errors)),
                      f"markouts of {count} own fills, bps: {told}; settled from there on")
