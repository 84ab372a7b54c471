"""Python face of one instrument's signals."""

from collections.abc import Sequence
from enum import IntEnum
from typing import TypedDict, final, type_check_only

class ReferenceSource(IntEnum):
    REFERENCE_MID = 0
    REFERENCE_MICRO = 1
    REFERENCE_LAST = 2
    REFERENCE_MARK = 3
    REFERENCE_NONE = 4
    REFERENCE_LEAD = 5

@type_check_only
class Reading(TypedDict):
    best_bid_ticks: int | None
    best_ask_ticks: int | None
    others_bid_ticks: int | None
    others_ask_ticks: int | None
    touch_contracts: tuple[int, int]
    mid_usd: float
    micro_usd: float
    spread_usd: float
    imbalance: float
    vol_usd: float
    reference_usd: float
    reference_source: str
    mark_usd: float
    index_usd: float
    last_usd: float
    current_funding: float
    funding_8h: float
    run: int
    top_rate: float
    top_rise: float
    depth_contracts: float
    mean_depth_contracts: float
    fair_basis_usd: float
    lead_basis_usd: float
    basis_year: float
    vol_year: float
    range_year: float
    window_vol_usd: float
    drift_z: float

@final
class Signals:
    def read(self) -> Reading: ...
    def set_micro_table(self, rows: Sequence[Sequence[float]]) -> None: ...
    def flow_at(
        self, half_life_s: float, ofi_half_life_s: float, now_ns: int
    ) -> tuple[float, float]: ...
