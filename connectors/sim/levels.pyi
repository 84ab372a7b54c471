"""Python face of the price levels."""

from typing import Self, final

@final
class LevelMap:
    def __new__(cls, base_ticks: int = 0) -> Self: ...
