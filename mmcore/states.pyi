"""Python face of the risk states."""

from enum import IntEnum

from typing_extensions import disjoint_base

class RiskState(IntEnum):
    RISK_ACTIVE = 0
    RISK_REDUCING = 1
    RISK_PAUSED = 2
    RISK_STOPPED = 3
    RISK_KILLED = 4
    RISK_STATES = 5

class RiskReason(IntEnum):
    REASON_NONE = 0
    REASON_OPERATOR = 1
    REASON_REJECTS = 2
    REASON_JOURNAL = 3
    REASON_THROTTLE = 4
    REASON_STOP_LOSS = 5
    REASON_DAY = 6
    REASON_MARGIN = 7
    REASON_EXPOSURE = 8
    REASON_STRESS = 9
    REASON_RECONCILE = 10
    REASON_FOREIGN = 11
    REASON_LIQUIDATION = 12
    REASON_EDGE = 13
    REASON_ERROR = 14
    REASON_STALL = 15
    RISK_REASONS = 16

@disjoint_base
class RiskStates:
    @property
    def state(self) -> int: ...
    @property
    def reason(self) -> int: ...
    @property
    def reducing(self) -> int: ...
    @property
    def resume_ns(self) -> int: ...
    @property
    def pulled(self) -> bool: ...
    @property
    def adrift(self) -> bool: ...
    @property
    def flattening(self) -> bool: ...
    @property
    def pauses(self) -> int: ...
    @property
    def reject_storms(self) -> int: ...
    @property
    def state_name(self) -> str: ...
    @property
    def reason_name(self) -> str: ...

def may_go(before: int, after: int) -> bool: ...
