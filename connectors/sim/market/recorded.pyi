"""Python face of the recorded market."""
from typing import Any, final

import numpy as np
import numpy.typing as npt

from connectors.replay.recording import Events, Recording
from connectors.sim.exchange import Exchange
from connectors.sim.market.protocol import Listing
from mmcore.types import InstrumentSpec

MAKER_FEE: float
MS_PER_DAY: int
TAKER_FEE: float

def play_order(
    events: Events, by_exchange_time: bool
) -> tuple[Events, npt.NDArray[np.int64]]: ...
def charging(
    spec: InstrumentSpec, maker_fee: float, taker_fee: float
) -> InstrumentSpec: ...
def listing_of(
    spec: InstrumentSpec, definition: dict[str, Any] | None, begin_ms: int
) -> Listing: ...

@final
class RecordedMarket:
    waits_for_book: bool
    @property
    def speed(self) -> float: ...
    @property
    def once(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def length_s(self) -> float: ...
    def __init__(
        self,
        recording: Recording,
        *,
        speed: float = 1.0,
        once: bool = False,
        maker_fee: float = ...,
        taker_fee: float = ...,
    ) -> None: ...
    def instruments(self) -> list[Listing]: ...
    def counters(self) -> dict[str, int]: ...
    def start(self, exchange: Exchange, t_ns: int) -> int | None: ...
    def advance(self, exchange: Exchange, t_ns: int) -> int | None: ...
