"""Python face of the risk gate."""

from enum import IntEnum

from typing_extensions import disjoint_base

from mmcore.states import RiskState as RiskState
from mmcore.states import RiskStates

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
    GATE_GROSS = 11
    GATE_LEVERAGE = 12
    GATE_MARGIN = 13
    GATE_RATE = 14
    GATE_REDUCE = 15
    GATE_FAT_FINGER = 16
    GATE_BATCH = 17
    GATE_REASONS = 18

@disjoint_base
class RiskGate(RiskStates):
    def refusals(self) -> dict[str, int]: ...
    @property
    def limits_btc(self) -> tuple[float, float]: ...
