"""Python face of the fan-out to subscribers."""

from collections.abc import Callable
from typing import Any, Protocol, final

from connectors.sim.exchange import Exchange
from connectors.sim.outputs import Outputs

STATES: tuple[str, ...]

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
    ) -> None: ...
    def markets(self, exchange: Exchange) -> list[int]: ...

@final
class Broadcast(Outputs):
    exchange: Exchange
    on_reply: Callable[[int, tuple[int, float | None, Any]], None] | None
    on_listing: Callable[[int], None] | None
    def __init__(self, exchange: Exchange) -> None: ...
    def open(self, channel: Channel) -> None: ...
    def close(self, channel: Channel) -> None: ...
    def book_snapshot(self, channel: Channel, t_ns: int) -> bytes: ...
    def put_portfolios(self) -> None: ...
    def ticker(self, market: int, t_ns: int) -> dict[str, Any]: ...
    def put_first(self, channel: Channel, t_ns: int, session: _Receiver) -> None: ...
