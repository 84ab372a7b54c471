"""The why record of a decision as a row of numbers: one column a term, for tables on disk."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmcore.alpha import TERM_NAMES
from mmcore.types import InstrumentSpec, TakeReason

PLAIN = ("reference_usd", "carry_usd", "alpha_usd", "skew_usd", "half_floor_usd", "half_base_usd",
         "half_vol_usd", "half_market_usd", "drought_usd", "pad_usd", "half_usd", "spread_factor",
         "size_factor", "sigma_usd", "vol_year")
ALPHA_FIELDS = tuple(f"alpha_{name}_usd" for name in TERM_NAMES)
WHY_FIELDS = (*PLAIN, "markout_bid_usd", "markout_ask_usd", "signal_bid_usd", "signal_ask_usd",
              *ALPHA_FIELDS, "reference_source", "removed_bid", "removed_ask", "take")


def why_row(why: Mapping[str, Any]) -> tuple[float, ...]:
    """Return what Market.why() or explain_record() gave, in the order of WHY_FIELDS."""
    return (*(float(why[name]) for name in PLAIN), *why["markout_usd"],
            *why["signal_usd"],
            *why["alpha_terms_usd"].values(), int(why["reference_source"]), *why["removed"],
            int(TakeReason[why["take"]]))


def takes_by_reason(takes: Iterable[tuple[int, int, int]], specs: Sequence[InstrumentSpec]
                    ) -> dict[str, dict[str, dict[str, float]]]:
    """Sum up takes (market, reason, contracts; bought above 0) per instrument and reason."""
    found: dict[str, dict[str, dict[str, float]]] = {spec.name: {} for spec in specs}
    for market, reason, contracts in takes:
        spec = specs[market]
        sums = found[spec.name].setdefault(
            TakeReason(reason).name, {"orders": 0, "bought": 0.0, "sold": 0.0})
        sums["orders"] += 1
        sums["bought" if contracts > 0 else "sold"] += spec.amount(abs(contracts))
    return found
