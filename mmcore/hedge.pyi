"""Python face of hedging."""

from enum import IntEnum
from typing import TypedDict, type_check_only

from typing_extensions import disjoint_base

class HedgePhase(IntEnum):
    HEDGE_IDLE = 0
    HEDGE_RESTING = 1
    HEDGE_TAKING = 2

@type_check_only
class HedgeFigures(TypedDict):
    phase: str
    leg: int
    side: int
    asked: bool
    net_btc: float
    hedges: int
    takes: int
    no_leg: int
    done_btc: float

@disjoint_base
class Hedge:
    @property
    def phase(self) -> int: ...
    @property
    def leg(self) -> int: ...
    @property
    def side(self) -> int: ...
    @property
    def asked(self) -> bool: ...
    @property
    def hedges(self) -> int: ...
    @property
    def takes(self) -> int: ...
    @property
    def no_leg(self) -> int: ...
    @property
    def done_btc(self) -> float: ...
    def figures(self) -> HedgeFigures: ...
