"""Python face of an account; amounts of money are integers in 1e-8."""

from enum import IntEnum
from typing import Self, final

from connectors.sim.mmp import MmpGroup

class SelfTradeMode(IntEnum):
    SELF_TRADE_REJECT_TAKER = 0
    SELF_TRADE_CANCEL_MAKER = 1

@final
class Account:
    number: int
    client_id: str
    user_id: int
    created_ms: int
    mmp_groups: list[MmpGroup]
    mass_quotes: bool
    def __new__(cls, number: int, client_id: str, t_ns: int, tier: int) -> Self: ...
    @property
    def open_orders(self) -> int: ...
    def money(self, currency: int = 0) -> tuple[int, int, int, int]: ...
    def position(self, market: int) -> tuple[int, int, int, int]: ...
