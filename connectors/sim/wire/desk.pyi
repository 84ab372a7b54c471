"""Python face of the exchange's requests; a reply is (error, limit price, result)."""

from typing import Any, final

from connectors.sim.exchange import Exchange
from mmcore.types import InstrumentSpec

_Reply = tuple[int, float | None, Any]
_View = dict[str, Any]

@final
class Desk:
    exchange: Exchange
    def __init__(self, exchange: Exchange) -> None: ...
    def place(
        self,
        t_ns: int,
        connection: int,
        account: int,
        market: int,
        side: int,
        kind: int,
        time_in_force: int,
        price_ticks: int,
        amount_contracts: int,
        *,
        label: bytes = b"",
        post_only: bool = False,
        reject_post_only: bool = False,
        reduce_only: bool = False,
        mmp: bool = False,
        valid_until_ms: int = 0,
        trigger: int = 0,
        trigger_by: int = 0,
        trigger_ticks: int = 0,
    ) -> _Reply: ...
    def edit(
        self,
        t_ns: int,
        account: int,
        order_id: int,
        *,
        price_ticks: int | None = None,
        amount_contracts: int | None = None,
        post_only: bool | None = None,
        reject_post_only: bool | None = None,
        reduce_only: bool | None = None,
        trigger_ticks: int | None = None,
        valid_until_ms: int = 0,
    ) -> _Reply: ...
    def cancel(self, t_ns: int, account: int, order_id: int) -> _Reply: ...
    def cancel_many(
        self, t_ns: int, account: int, market: int = -1, currency: int = -1,
        label: bytes | None = None, scope: int = ...,
    ) -> _Reply: ...
    def order_market(self, order_id: int, account: int) -> int | None: ...
    def order(self, order_id: int, account: int) -> _View | None: ...
    def open_orders(
        self, account: int, market: int = -1, currency: int = -1, label: bytes | None = None
    ) -> list[_View]: ...
    def closed_orders(
        self,
        account: int,
        market: int = -1,
        currency: int = -1,
        label: bytes | None = None,
        unfilled: bool = True,
        count: int = 1000,
    ) -> list[_View]: ...
    def user_trades(
        self, account: int, market: int = -1, currency: int = -1, order_id: int = 0
    ) -> list[_View]: ...
    def last_trades(self, market: int) -> list[_View]: ...
    def instrument(self, market: int) -> InstrumentSpec: ...
    def tick_steps(self, market: int) -> list[dict[str, float]]: ...
    def settles_in(self, market: int) -> int: ...
    def order_book(self, market: int, t_ns: int, depth: int) -> _View: ...
    def ticker(self, market: int, t_ns: int) -> _View: ...
    def position(self, account: int, market: int) -> _View: ...
    def portfolio(self, account: int, currency: int) -> _View: ...
    def margins(self, market: int, amount_contracts: int, price: float) -> _View: ...
    def index_number(self, name: str) -> int | None: ...
    def index_price(self, index: int) -> float: ...
    def set_self_trade(self, account: int, mode: int) -> None: ...
    def self_trade(self, account: int) -> int: ...
    def lot(self) -> int: ...
