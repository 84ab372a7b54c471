"""Python face of the loss limits."""

from typing import TypedDict, final, type_check_only

@type_check_only
class LimitFigures(TypedDict):
    day: int
    day_profit_btc: float
    day_high_btc: float
    day_trips: int
    day_settled_btc: float
    total_btc: float
    margin_use: float
    throttles: int
    stops: int
    at_cap: bool
    leverage: float

@final
class Limits:
    @property
    def throttles(self) -> int: ...
    @property
    def stops(self) -> int: ...
    @property
    def margin_use(self) -> float: ...
    @property
    def leverage(self) -> float: ...
    @property
    def at_cap(self) -> bool: ...
    def figures(self) -> LimitFigures: ...
