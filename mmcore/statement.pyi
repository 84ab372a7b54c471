"""Python face of one instrument's profit and its parts."""

from typing import TypedDict, final, type_check_only

from mmcore.types import InstrumentSpec

@type_check_only
class PartFigures(TypedDict):
    realized: float
    unrealized: float
    fees: float
    funding: float
    profit: float
    capture: float
    hedge: float
    drift: float
    adverse: float
    mid_to_mark: float
    carried: float
    unexplained: float

@final
class Statement:
    @property
    def contracts(self) -> int: ...
    @property
    def capture(self) -> float: ...
    @property
    def hedge(self) -> float: ...
    @property
    def drift(self) -> float: ...
    @property
    def carried(self) -> float: ...
    @property
    def fees_e8(self) -> int: ...
    @property
    def rebates_e8(self) -> int: ...
    @property
    def volume_usd(self) -> float: ...
    @property
    def maker_volume_usd(self) -> float: ...
    @property
    def round_trips(self) -> int: ...
    @property
    def round_trips_won(self) -> int: ...
    @property
    def round_trip_profit(self) -> float: ...
    @property
    def planned_takers(self) -> int: ...
    @property
    def unplanned_takers(self) -> int: ...
    @property
    def realized(self) -> float: ...
    @property
    def entry_cost(self) -> float: ...
    def fill(
        self,
        spec: InstrumentSpec,
        side: int,
        price_ticks: int,
        amount_contracts: int,
        *,
        fee_e8: int = 0,
        mid: float = 0.0,
        maker: bool = True,
        aggressive: bool = False,
    ) -> None: ...
    def take_over(
        self, spec: InstrumentSpec, contracts: int, average_price: float
    ) -> None: ...
    def settle_at(self, spec: InstrumentSpec, price: float, deliver: bool = False) -> None: ...
    def fund(self, amount: float) -> None: ...
    def move_mid(self, spec: InstrumentSpec, mid: float) -> None: ...
    def figures(
        self, spec: InstrumentSpec, mark: float, adverse: float = 0.0
    ) -> PartFigures: ...
