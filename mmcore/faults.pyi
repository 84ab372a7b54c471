"""Python face of the fault latch."""

from enum import IntEnum

from typing_extensions import disjoint_base

class FaultCode(IntEnum):
    FAULT_NONE = 0
    FAULT_EXCEPTION = 1
    FAULT_INVARIANT = 2
    FAULT_JOURNAL_FULL = 3
    FAULT_OPERATOR = 4
    FAULT_REJECT_STORM = 5
    FAULT_ENCODE = 6
    FAULT_FOREIGN_TRADE = 7
    FAULT_DRAWDOWN = 8
    FAULT_THROTTLE = 9
    FAULT_LATCHED = 10

@disjoint_base
class Faults:
    @property
    def code(self) -> int: ...
    @property
    def count(self) -> int: ...
    def trip(self, code: int) -> bool: ...
