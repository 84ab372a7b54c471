"""Python face of the table of own orders."""

from enum import IntEnum, IntFlag
from typing import TypedDict, final, type_check_only

class OrderState(IntEnum):
    ORDER_CLOSED = 0
    ORDER_NEW_PENDING = 1
    ORDER_LIVE = 2
    ORDER_EDIT_PENDING = 3
    ORDER_CANCEL_PENDING = 4
    ORDER_UNKNOWN = 5
    ORDER_STATES = 6

class OrderSignal(IntEnum):
    SIGNAL_SENT_NEW = 0
    SIGNAL_SENT_EDIT = 1
    SIGNAL_SENT_CANCEL = 2
    SIGNAL_OPEN = 3
    SIGNAL_OPEN_BEFORE = 4
    SIGNAL_CLOSED = 5
    SIGNAL_REFUSED = 6
    SIGNAL_GONE = 7
    SIGNAL_UNSURE = 8
    SIGNAL_TIMEOUT = 9
    SIGNAL_LOST = 10
    SIGNAL_ABSENT = 11
    SIGNAL_PASSED_ON = 12
    SIGNALS = 13

class OrderOverdue(IntFlag):
    OVERDUE_PULL = 1
    OVERDUE_FILL = 2

class OrderOutcome(IntFlag):
    OUTCOME_CHANGED = 1
    OUTCOME_UNKNOWN = 2
    OUTCOME_REJECTED = 4
    OUTCOME_POST_ONLY = 8
    OUTCOME_STRAY = 16
    OUTCOME_INVALID = 32

@type_check_only
class OrderRow(TypedDict):
    slot: int
    side: int
    state: str
    generation: int
    price_ticks: int
    amount_contracts: int
    filled_contracts: int
    booked_contracts: int
    pending_price_ticks: int
    pending_amount_contracts: int
    worst_contracts: int
    order_id: str
    ahead_contracts: float | None
    level: int
    must_cancel: bool
    request: int
    sent_ns: int
    valid_until_ms: int

@final
class OrderTable:
    @property
    def open_count(self) -> int: ...
    @property
    def protected_rungs(self) -> int: ...
    @property
    def unknown_count(self) -> int: ...
    @property
    def invalid_transitions(self) -> int: ...
    @property
    def late_pulls(self) -> int: ...
    @property
    def missing_fills(self) -> int: ...
    def rows(self) -> list[OrderRow]: ...
    def worst(self, side: int) -> int: ...
