from typing import TypedDict, type_check_only

from typing_extensions import disjoint_base

from mmcore.market import Market
from mmcore.risk import RiskGate

VERDICTS: tuple[str, ...]

@type_check_only
class TrialFigures(TypedDict):
    proposed: int
    passed: int
    refused: dict[str, int]
    violations: dict[str, int]
    cost_ns: dict[str, int]

@disjoint_base
class GateTrial:
    def __init__(self, seed: int) -> None: ...
    @property
    def gate(self) -> RiskGate: ...
    @property
    def markets(self) -> list[Market]: ...
    def run(self, count: int) -> TrialFigures: ...
