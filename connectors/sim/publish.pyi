"""Python face of a market's changed levels."""

from typing import Self, final

from connectors.sim.levels import LevelMap

@final
class BookFeed:
    def __new__(cls, levels: LevelMap) -> Self: ...
