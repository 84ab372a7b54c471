"""Python face of a channel."""

from typing import Any, Protocol, final

from connectors.sim.exchange import Exchange

class _Receiver(Protocol):
    def send_frame(self, frame: bytes) -> None: ...
    def send(self, message: Any) -> None: ...

@final
class Channel:
    name: str
    kind: str
    market: int
    interval: int
    currency: int
    account: int
    depth: int
    group: int
    product: int
    raw_name: bytes
    sessions: list[_Receiver]
    def __init__(
        self,
        name: str,
        kind: str,
        *,
        market: int = -1,
        interval: int = 0,
        currency: int = -1,
        account: int = -1,
        depth: int = 0,
        group: int = 0,
        product: int = 0,
    ) -> None: ...
    def covers(self, exchange: Exchange, market: int) -> bool: ...
    def markets(self, exchange: Exchange) -> list[int]: ...
