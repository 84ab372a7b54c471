"""Python face of one instrument's book."""

from enum import IntEnum
from typing import Self, final

from connectors.sim.orders import OrderPool
from mmcore.types import InstrumentSpec

class TakeEnd(IntEnum):
    TAKE_DONE = 0
    TAKE_SELF = 1

@final
class MatchBook:
    def __new__(cls, spec: InstrumentSpec, pool: OrderPool, base_ticks: int = 0) -> Self: ...
    def set_queue_model(self, kind: int, power: float = 1.0) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def levels_of(self, side: int) -> list[tuple[int, int]]: ...
