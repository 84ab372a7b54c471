"""Python face of what the engine holds."""

from collections.abc import Collection
from enum import IntFlag

from typing_extensions import disjoint_base

from mmcore.budget import Budget
from mmcore.faults import Faults
from mmcore.journal import Journal
from mmcore.limits import Limits
from mmcore.market import Market
from mmcore.params import Params
from mmcore.risk import RiskGate
from mmcore.sink import OrderSink
from mmcore.types import InstrumentSpec
from mmcore.windows import TimeWindows

class EngineFlag(IntFlag):
    FLAG_RESYNC = 1
    FLAG_RECONCILE = 2
    FLAG_KILLED = 4
    FLAG_DEFERRED = 8
    FLAG_SECOND_PATH = 16
    FLAG_TRADES = 32

@disjoint_base
class Intake:
    def __init__(
        self,
        params: Params,
        instruments: Collection[InstrumentSpec],
        journal: Journal | None = None,
    ) -> None: ...
    @property
    def params(self) -> Params: ...
    @property
    def faults(self) -> Faults: ...
    @property
    def budget(self) -> Budget: ...
    @property
    def risk(self) -> RiskGate: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def markets(self) -> list[Market]: ...
    @property
    def windows(self) -> TimeWindows: ...
    @property
    def market_count(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def resync_mask(self) -> int: ...
    @property
    def second_path_mask(self) -> int: ...
    @property
    def trades_mask(self) -> int: ...
    @property
    def wall_offset_ns(self) -> int: ...
    @property
    def equity_btc(self) -> float: ...
    @property
    def equity_start_btc(self) -> float: ...
    @property
    def max_abs_delta_btc(self) -> float: ...
    def attach(self, sink: OrderSink) -> None: ...
    def take_second_path(self) -> int: ...
    def take_trades(self) -> int: ...
