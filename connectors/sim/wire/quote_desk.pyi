"""Python face of mass quotes; a reply is (error, limit price, result)."""

from typing import Any, final

from connectors.sim.exchange import Exchange

@final
class QuoteDesk:
    exchange: Exchange
    def __init__(self, exchange: Exchange) -> None: ...
    def side(
        self,
        t_ns: int,
        connection: int,
        account: int,
        market: int,
        side: int,
        group: int,
        price_ticks: int,
        amount_contracts: int,
        *,
        quote_id: bytes = b"",
        set_id: bytes = b"",
        post_only: bool = False,
        reject_post_only: bool = False,
        valid_until_ms: int = 0,
        part: bool = False,
    ) -> tuple[int, float | None, Any]: ...
    def resting_ticks(self, account: int, market: int, side: int, group: int) -> int | None: ...
    def frozen_until_ms(self, t_ns: int, account: int, index: int, group: int) -> int | None: ...
    def reset(self, account: int, index: int, group: int) -> bool: ...
    def index_of(self, market: int) -> int: ...
    def spread_legs(self, market: int) -> tuple[int, int] | None: ...
