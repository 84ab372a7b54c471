"""Python hands on the engine: plain values in, plain values out."""

from collections.abc import Collection
from typing import TypedDict, type_check_only

from typing_extensions import disjoint_base

from mmcore.engine import Engine
from mmcore.sink import OrderSink

@type_check_only
class Sent(TypedDict):
    kind: str
    market: int
    slot: int
    side: int
    generation: int
    price_ticks: int
    amount_contracts: int
    request_id: int
    post_only: bool
    reduce_only: bool
    time_in_force: int
    valid_until_ms: int
    order_id: str

@type_check_only
class Situation(TypedDict):
    connected: bool
    reconciled: bool
    state: int
    synced_ns: int
    lag_ns: int
    blocked: int
    worst_bid_btc: float
    worst_ask_btc: float
    position_btc: float

@disjoint_base
class ListSink(OrderSink):
    @property
    def batches(self) -> list[list[Sent]]: ...
    def take(self) -> list[Sent]: ...

@disjoint_base
class EngineFace:
    def __init__(self, engine: Engine) -> None: ...
    @property
    def engine(self) -> Engine: ...
    def frame(self, now_ns: int) -> None: ...
    def book(
        self,
        market: int,
        bids: Collection[tuple[int, int]],
        asks: Collection[tuple[int, int]],
        now_ns: int,
        *,
        change_id: int,
        prev_change_id: int = -1,
        timestamp_ms: int = 0,
    ) -> str: ...
    def trade(
        self,
        market: int,
        side: int,
        price_ticks: int,
        amount_contracts: int,
        now_ns: int,
        *,
        trade_seq: int = 0,
        excluded: bool = False,
    ) -> None: ...
    def ticker(
        self,
        market: int,
        now_ns: int,
        *,
        mark: float = 0.0,
        index: float = 0.0,
        last: float = 0.0,
        current_funding: float = 0.0,
        funding_8h: float = 0.0,
        min_price: float = 0.0,
        max_price: float = 0.0,
        state: int = 0,
    ) -> None: ...
    def order(
        self,
        now_ns: int,
        *,
        kind: int,
        market: int,
        slot: int,
        generation: int = 0,
        request: int = 0,
        request_id: int = 0,
        error_code: int = 0,
        order_state: int = 0,
        price_ticks: int = 0,
        amount_contracts: int = 0,
        filled_contracts: int = 0,
        last_update_ms: int = 0,
        order_id: str = "",
    ) -> int: ...
    def fill(
        self,
        now_ns: int,
        *,
        market: int,
        slot: int,
        generation: int,
        side: int,
        price_ticks: int,
        amount_contracts: int,
        fee_e8: int = 0,
        trade_id: int = 0,
        trade_seq: int = 0,
        maker: bool = True,
    ) -> bool: ...
    def market_state(self, market: int) -> Situation: ...
    def counters(self) -> dict[str, int]: ...
