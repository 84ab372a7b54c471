"""Python face of the calendar."""

from typing import Any

from typing_extensions import disjoint_base

from mmcore.params import Params

@disjoint_base
class CalendarDay:
    def at(
        self,
        params: Params,
        wall_ns: int,
        now_ns: int,
        state: int = 0,
        expiry_ms: int = 0,
        rolls_ms: int = 0,
    ) -> dict[str, Any]: ...
