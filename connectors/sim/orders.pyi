"""Python face of orders and trades."""

from enum import IntEnum, IntFlag
from typing import Self, final

class SimOrderType(IntEnum):
    SIM_ORDER_LIMIT = 0
    SIM_ORDER_MARKET = 1

class CancelReason(IntEnum):
    CANCEL_NONE = 0
    CANCEL_USER_REQUEST = 1
    CANCEL_DISCONNECT = 2
    CANCEL_EDIT_POST_ONLY = 3
    CANCEL_OVERLAP = 4
    CANCEL_SETTLEMENT = 5
    CANCEL_UNFILLED = 6
    CANCEL_LIQUIDATION = 7
    CANCEL_MMP = 8
    CANCEL_DELIVERY = 9

class TriggerKind(IntEnum):
    TRIGGER_NONE = 0
    TRIGGER_STOP = 1
    TRIGGER_TAKE = 2

class TriggerBy(IntEnum):
    TRIGGER_BY_MARK = 0
    TRIGGER_BY_INDEX = 1
    TRIGGER_BY_LAST = 2

class OrderScope(IntFlag):
    SCOPE_ANY = 0
    SCOPE_LIMIT = 1
    SCOPE_STOP = 2
    SCOPE_TAKE = 4
    SCOPE_FUTURE = 8
    SCOPE_COMBO = 16

class TradeFlag(IntFlag):
    TRADE_PLAIN = 0
    TRADE_BLOCK = 1
    TRADE_COMBO_LEG = 2
    TRADE_LIQUIDATION = 4

@final
class OrderPool:
    def __new__(cls, kept: int = 20000) -> Self: ...

@final
class TradeLog:
    def __new__(cls, capacity: int = 65536) -> Self: ...
