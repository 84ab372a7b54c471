"""Python face of the observer."""

from typing import final

import numpy as np
import numpy.typing as npt

from mmcore.engine import Engine

@final
class Observer:
    @property
    def engine(self) -> Engine: ...
    @property
    def events(self) -> int: ...
    @property
    def messages(self) -> int: ...
    @property
    def level_changes(self) -> int: ...
    def __init__(
        self,
        engine: Engine,
        events: npt.NDArray[np.void],
        markets: list[int],
        *,
        shift_ns: int,
        origin_ns: int,
    ) -> None: ...
