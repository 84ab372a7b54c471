"""Python hands on the engine: plain values in, plain values out."""

from collections.abc import Collection, Iterable
from typing import Required, TypedDict, Unpack, type_check_only

from typing_extensions import disjoint_base

from mmcore.budget import Budget
from mmcore.engine import Engine
from mmcore.market import Explanation, Market
from mmcore.orders import OrderTable
from mmcore.params import Params
from mmcore.risk import RiskGate
from mmcore.sink import OrderSink
from mmcore.types import InstrumentSpec

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
class OrderFields(TypedDict, total=False):
    kind: Required[int]
    slot: Required[int]
    market: int
    generation: int
    request: int
    request_id: int
    error_code: int
    refusal: int
    order_state: int
    price_ticks: int
    amount_contracts: int
    filled_contracts: int
    last_update_ms: int
    order_id: str

@type_check_only
class Targets(Explanation):
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    reducing: tuple[bool, bool]
    first: tuple[int, int]
    take_ticks: int | None

@type_check_only
class QuoteSituation(TypedDict, total=False):
    reference: Required[float]
    bid_ticks: int | None
    ask_ticks: int | None
    vol_usd: float
    imbalance: float
    net_btc: float
    contracts: int
    now_ns: int
    spread_usd: float
    depth_contracts: float
    mean_depth_contracts: float
    flow: float
    ofi: float
    run: int
    current_funding: float
    index_usd: float
    fair_basis_usd: float
    round_trip_ns: int
    taker_share: float
    markout_bps: tuple[float, float]
    markout_fills: tuple[int, int]
    spread_factor: float
    size_factor: float
    tiny: bool
    regime: int
    first: tuple[int, int]
    removed_adding: tuple[int, int]
    removed_held: tuple[int, int]
    cover_bps: tuple[float, float]
    take: tuple[int, int, int]      # (TakeReason, side, contracts)

EVENT_FIELDS: frozenset[str]

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
    limit_btc: float

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
    def malformed(self, market: int, now_ns: int) -> None: ...
    def trade(
        self,
        market: int,
        side: int,
        price_ticks: int,
        amount_contracts: int,
        now_ns: int,
        *,
        trade_seq: int = 0,
        timestamp_ms: int = 0,
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
    def order(self, now_ns: int, **fields: Unpack[OrderFields]) -> int: ...
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
    def send_unseen(self, now_ns: int) -> int: ...
    def market_state(self, market: int) -> Situation: ...
    def counters(self) -> dict[str, int]: ...

def next_state(
    state: int, signal: int, must_cancel: bool = ...
) -> tuple[int, int, bool]: ...
SITUATION_FIELDS: frozenset[str]

@disjoint_base
class Quoter:
    def quotes(
        self, spec: InstrumentSpec, params: Params, **situation: Unpack[QuoteSituation]
    ) -> Targets: ...

def compute_quotes(
    spec: InstrumentSpec, params: Params, **situation: Unpack[QuoteSituation]
) -> Targets: ...

@disjoint_base
class TableFace:
    def __init__(self, table: OrderTable) -> None: ...
    @property
    def table(self) -> OrderTable: ...
    def sent(
        self,
        kind: int,
        slot: int,
        now_ns: int,
        *,
        side: int = 0,
        generation: int = 0,
        price_ticks: int = 0,
        amount_contracts: int = 0,
        request_id: int = 0,
    ) -> None: ...
    def event(self, now_ns: int, **fields: Unpack[OrderFields]) -> int: ...
    def fill(self, slot: int, generation: int, amount_contracts: int) -> bool: ...
    def time_out(self, now_ns: int, after_ns: int) -> int: ...
    def lose_all(self) -> int: ...
    def absent(self, slot: int) -> None: ...
    def all_booked(self) -> None: ...

@disjoint_base
class GateFace:
    def __init__(self, spec: InstrumentSpec, params: Params) -> None: ...
    @property
    def gate(self) -> RiskGate: ...
    @property
    def market(self) -> Market: ...
    @property
    def orders(self) -> TableFace: ...
    now_ns: int
    def situation(
        self,
        *,
        reference: float,
        mark: float = 0.0,
        min_price: float = 0.0,
        max_price: float = 0.0,
        contracts: int = 0,
        average: float = 1.0,
        equity: float = 0.0,
        margin: float = 0.0,
        margin_balance: float = 0.0,
        margin_rate: float = 0.0,
        best: tuple[int, int] = (0, 0),
    ) -> None: ...
    def to_state(self, state: int) -> bool: ...
    def admit(
        self,
        kind: int,
        slot: int,
        side: int,
        price_ticks: int,
        amount_contracts: int,
        *,
        other_net_btc: float = 0.0,
        post_only: bool = False,
        reduce_only: bool = False,
        lowers_net: bool = False,
        again: bool = False,
    ) -> str: ...
    def approve(
        self,
        bids: Collection[tuple[int, int]],
        asks: Collection[tuple[int, int]],
        *,
        reducing: tuple[bool, bool] = (False, False),
        blocked: int = 0,
        other_net_btc: float = 0.0,
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]], tuple[int, int]]: ...

def budget_of(level: float, burst: float, rate: float, now_ns: int) -> Budget: ...
def count_allowed(per_s: float, times_ns: Iterable[int]) -> int: ...
