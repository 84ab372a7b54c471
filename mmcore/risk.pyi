"""Python face of the risk gate."""

from enum import IntEnum

from typing_extensions import disjoint_base

class RiskState(IntEnum):
    RISK_ACTIVE = 0
    RISK_REDUCING = 1
    RISK_PAUSED = 2
    RISK_STOPPED = 3
    RISK_KILLED = 4

class GateReason(IntEnum):
    GATE_OK = 0
    GATE_STATE = 1
    GATE_COLLAR = 2
    GATE_BAND = 3
    GATE_ORDER_SIZE = 4
    GATE_POSITION = 5
    GATE_NET = 6
    GATE_OPEN_ORDERS = 7
    GATE_DUPLICATE = 8
    GATE_SELF_CROSS = 9
    GATE_LOT = 10
    GATE_REASONS = 11

@disjoint_base
class RiskGate:
    @property
    def state(self) -> int: ...
    @property
    def reject_storms(self) -> int: ...
    @property
    def state_name(self) -> str: ...
    def refusals(self) -> dict[str, int]: ...
