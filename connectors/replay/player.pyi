"""Python face of the player."""

from typing import final

import numpy as np
import numpy.typing as npt

def play_rows(
    events: npt.NDArray[np.void], by_exchange_time: bool
) -> npt.NDArray[np.int64]: ...
@final
class Player:
    @property
    def prints(self) -> int: ...
    @property
    def prints_before_book(self) -> int: ...
    def __init__(
        self,
        events: npt.NDArray[np.void],
        rows: npt.NDArray[np.int64],
        index_names: list[str],
    ) -> None: ...
