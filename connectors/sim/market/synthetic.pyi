"""Python face of the synthetic market."""
from typing import final

from connectors.sim.exchange import Exchange
from connectors.sim.market.protocol import Listing

MAKER_FEE: float
TAKER_FEE: float

@final
class SyntheticMarket:
    waits_for_book: bool
    @property
    def seed(self) -> int: ...
    @property
    def speed(self) -> float: ...
    @property
    def regime(self) -> str: ...
    def __init__(
        self, seed: int = 1, *, regime: str = "normal", speed: float = 1.0, now_ns: int = 0,
        price_usd: float = 67500.0, waits_for_book: bool = False,
        maker_fee: float = ..., taker_fee: float = ...,
    ) -> None: ...
    def instruments(self) -> list[Listing]: ...
    def counters(self) -> dict[str, int]: ...
    def start(self, exchange: Exchange, t_ns: int) -> int | None: ...
    def advance(self, exchange: Exchange, t_ns: int) -> int | None: ...
