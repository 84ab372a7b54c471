"""Python face of one instrument's state."""

from typing import TypedDict, final, type_check_only

from mmcore.alpha import TERM_NAMES as TERM_NAMES
from mmcore.book import OrderBook
from mmcore.ledger import Ledger
from mmcore.orders import OrderTable
from mmcore.params import Params
from mmcore.position import Position
from mmcore.signals import Signals
from mmcore.statement import Statement
from mmcore.types import InstrumentSpec

@type_check_only
class Explanation(TypedDict):
    reference_usd: float
    carry_usd: float
    alpha_usd: float
    alpha_terms_usd: dict[str, float]
    signal_usd: tuple[float, float]
    skew_usd: float
    half_floor_usd: float
    half_base_usd: float
    half_vol_usd: float
    half_market_usd: float
    drought_usd: float
    pad_usd: float
    markout_usd: tuple[float, float]
    half_usd: float
    spread_factor: float
    size_factor: float
    position_btc: float
    sigma_usd: float
    vol_year: float
    reference_source: int
    model: int
    regime: str
    removed: tuple[int, int]
    overlay: tuple[str, str]
    take: str
    take_contracts: int

def explain_record(record: bytes) -> Explanation: ...

@final
class Market:
    def __init__(self, spec: InstrumentSpec, params: Params, index: int) -> None: ...
    @property
    def spec_object(self) -> InstrumentSpec: ...
    @property
    def params(self) -> Params: ...
    @property
    def book(self) -> OrderBook: ...
    @property
    def signals(self) -> Signals: ...
    @property
    def orders(self) -> OrderTable: ...
    @property
    def position(self) -> Position: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def statement(self) -> Statement: ...
    @property
    def stopping(self) -> bool: ...
    @property
    def blocked(self) -> int: ...
    @property
    def dirty(self) -> bool: ...
    @property
    def own_trade_seq(self) -> int: ...
    @property
    def book_updates(self) -> int: ...
    @property
    def book_gaps(self) -> int: ...
    @property
    def book_crossed(self) -> int: ...
    @property
    def orders_new(self) -> int: ...
    @property
    def orders_edit(self) -> int: ...
    @property
    def orders_cancel(self) -> int: ...
    @property
    def rejects(self) -> int: ...
    @property
    def matched_contracts(self) -> int: ...
    @property
    def taking(self) -> int: ...
    @property
    def preference(self) -> float: ...
    @property
    def funding_model(self) -> float: ...
    @property
    def name(self) -> str: ...
    @property
    def settling(self) -> bool: ...
    def why(self) -> Explanation: ...
    def take(self) -> tuple[int, int, int] | None: ...
    def quotes(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]: ...
