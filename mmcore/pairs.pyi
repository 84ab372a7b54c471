"""Python face of matched positions and the trading of their basis."""

from enum import IntEnum
from typing import TypedDict, type_check_only

from typing_extensions import disjoint_base

class PairPhase(IntEnum):
    PAIR_IDLE = 0
    PAIR_OPENING = 1
    PAIR_CLOSING = 2

@type_check_only
class PairFigures(TypedDict):
    phase: str
    dated: int
    side: int
    uneven_contracts: int
    opened: int
    closed: int
    taken: int
    cut: int

@disjoint_base
class Pairs:
    @property
    def phase(self) -> int: ...
    @property
    def dated(self) -> int: ...
    @property
    def side(self) -> int: ...
    @property
    def opened(self) -> int: ...
    @property
    def closed(self) -> int: ...
    @property
    def taken(self) -> int: ...
    @property
    def cut(self) -> int: ...
    def figures(self) -> PairFigures: ...
    def basis(self, market: int) -> tuple[float, float, float] | None: ...
