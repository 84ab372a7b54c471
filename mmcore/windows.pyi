"""Python face of the time windows."""

from collections.abc import Sequence

from typing_extensions import disjoint_base

@disjoint_base
class TimeWindows:
    def replace(
        self, windows: Sequence[tuple[int, int, int, int, float, float, bool]]
    ) -> None: ...
    def at(self, wall_ns: int) -> tuple[float, float, bool]: ...
