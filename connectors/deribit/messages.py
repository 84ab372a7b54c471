"""Every message read from or written to the venue, as far as its fields are used.

Undeclared fields are skipped by the decoder. Structs are leaf data, hence gc=False. Bounds are
part of the types: what is out of them never becomes an event.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

Id53 = Annotated[int, Meta(ge=0, le=2**53)]
Millis = Annotated[int, Meta(ge=0, le=2**53)]
Counter = Annotated[int, Meta(ge=0, le=2**62)]
NotNegative = Annotated[float, Meta(ge=0.0)]
Positive = Annotated[float, Meta(gt=0.0)]
Price = Annotated[float, Meta(gt=0.0, lt=1e9)]
Direction = Literal["buy", "sell"]
Level = tuple[Literal["new", "change", "delete"], float, float]
OrderState = Literal["open", "filled", "rejected", "cancelled", "untriggered", "triggered"]


# ---------------------------------------------------------------- market data
class BookData(Struct, gc=False):
    """book.{instrument}.{interval}: a snapshot or a change of the whole depth."""

    type: Literal["snapshot", "change"]
    timestamp: Millis
    instrument_name: str
    change_id: Counter
    bids: list[Level]
    asks: list[Level]
    prev_change_id: Counter | UnsetType = UNSET


class TradeData(Struct, gc=False):
    """trades.{instrument}.{interval}: one public trade."""

    timestamp: Millis
    price: float
    amount: Positive
    direction: Direction
    instrument_name: str
    trade_seq: Counter
    block_trade_id: str | None = None
    combo_id: str | None = None
    combo_trade_id: str | int | None = None


class TickerData(Struct, gc=False):
    """ticker.{instrument}.{interval}."""

    timestamp: Millis
    instrument_name: str
    state: str
    mark_price: NotNegative
    index_price: NotNegative
    last_price: NotNegative | None = None
    min_price: float | None = None
    max_price: float | None = None
    current_funding: float | None = None
    funding_8h: float | None = None


class IndexData(Struct, gc=False):
    """deribit_price_index.{index}."""

    timestamp: Millis
    price: Price
    index_name: str


class ProtectionData(Struct, gc=False):
    """user.mmp_trigger.{index}: quote protection has tripped."""

    frozen_until: Millis
    index_name: str
    mmp_group: str = ""


class PlatformStateData(Struct, gc=False):
    """platform_state: one index locked or not, or maintenance ahead."""

    price_index: str | UnsetType = UNSET
    locked: bool | UnsetType = UNSET
    maintenance: bool | UnsetType = UNSET


class InstrumentStateData(Struct, gc=False):
    """instrument.state.{kind}.{currency}."""

    timestamp: Millis
    state: str
    instrument_name: str


# ---------------------------------------------------------------- own orders
class OrderData(Struct, gc=False):
    """The order object of user.orders, user.changes and every trading answer."""

    order_id: str
    order_state: OrderState
    direction: Direction
    instrument_name: str
    amount: NotNegative
    price: float | Literal["market_price"] | None
    last_update_timestamp: Millis
    label: str = ""
    filled_amount: NotNegative = 0.0
    order_type: str = "limit"
    is_liquidation: bool = False
    cancel_reason: str = ""
    quote_id: str = ""
    quote_set_id: str = ""


class UserTradeData(Struct, gc=False):
    """The trade object of user.trades, user.changes and trading answers."""

    trade_id: str
    trade_seq: Counter
    timestamp: Millis
    instrument_name: str
    direction: Direction
    price: float
    amount: Positive
    fee: float
    order_id: str
    liquidity: Literal["M", "T"]
    label: str = ""
    liquidation: str = ""  # M, T or MT: which side of the trade was being liquidated
    quote_id: str = ""
    quote_set_id: str = ""
    block_trade_id: str | None = None
    combo_id: str | None = None
    combo_trade_id: str | int | None = None


class PositionData(Struct, gc=False):
    """private/get_positions and user.changes: what the venue says we hold."""

    instrument_name: str
    size: float
    direction: Literal["buy", "sell", "zero"]
    average_price: Annotated[float, Meta(ge=0.0, lt=1e9)]
    realized_profit_loss: float
    total_profit_loss: float
    floating_profit_loss: float = 0.0
    realized_funding: float = 0.0
    settlement_price: float | None = None
    kind: str = "future"


class UserChangesData(Struct, gc=False):
    """user.changes.{instrument}.{interval}: orders, trades and position of one event."""

    instrument_name: str
    trades: list[UserTradeData]
    orders: list[OrderData]
    positions: list[PositionData] = []


# ---------------------------------------------------------------- envelopes of notifications
class BookParams(Struct, gc=False):
    data: BookData


class BookNotification(Struct, gc=False):
    params: BookParams


class TradesParams(Struct, gc=False):
    data: list[TradeData]


class TradesNotification(Struct, gc=False):
    params: TradesParams


class TickerParams(Struct, gc=False):
    data: TickerData


class TickerNotification(Struct, gc=False):
    params: TickerParams


class IndexParams(Struct, gc=False):
    data: IndexData


class IndexNotification(Struct, gc=False):
    params: IndexParams


class PlatformStateParams(Struct, gc=False):
    data: PlatformStateData


class PlatformStateNotification(Struct, gc=False):
    params: PlatformStateParams


class ProtectionParams(Struct, gc=False):
    data: ProtectionData


class ProtectionNotification(Struct, gc=False):
    params: ProtectionParams


class InstrumentStateParams(Struct, gc=False):
    data: InstrumentStateData


class InstrumentStateNotification(Struct, gc=False):
    params: InstrumentStateParams


class UserChangesParams(Struct, gc=False):
    data: UserChangesData


class UserChangesNotification(Struct, gc=False):
    params: UserChangesParams


class UserOrdersParams(Struct, gc=False):
    data: OrderData | list[OrderData]


class UserOrdersNotification(Struct, gc=False):
    params: UserOrdersParams


class UserTradesParams(Struct, gc=False):
    data: list[UserTradeData]


class UserTradesNotification(Struct, gc=False):
    params: UserTradesParams


class RouteParams(Struct, gc=False):
    channel: str = ""
    type: str = ""


class Route(Struct, gc=False):
    """Any message, as far as needed to find its decoder when its first bytes are unfamiliar."""

    id: int | str | UnsetType | None = UNSET
    method: str = ""
    params: RouteParams | UnsetType = UNSET
    result: Any = UNSET
    error: Any = UNSET


# ---------------------------------------------------------------- answers
class ErrorData(Struct, gc=False):
    """The error object of JSON-RPC."""

    code: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
    message: str = ""
    data: Any = None


class OrderResult(Struct, gc=False):
    """private/buy, private/sell, private/edit."""

    order: OrderData
    trades: list[UserTradeData] = []


class OrderAnswer(Struct, gc=False):
    id: Id53
    result: OrderResult | UnsetType = UNSET
    error: ErrorData | UnsetType = UNSET


class QuoteErrorData(Struct, gc=False):
    """One side of a mass quote that was refused."""

    instrument_name: str
    side: Literal["bid", "ask"]
    error: ErrorData


class MassQuoteResult(Struct, gc=False):
    """private/mass_quote, detailed."""

    orders: list[OrderData] = []
    trades: list[UserTradeData] = []
    errors: list[QuoteErrorData] = []


class MassQuoteAnswer(Struct, gc=False):
    id: Id53
    result: MassQuoteResult | UnsetType = UNSET
    error: ErrorData | UnsetType = UNSET


class CancelAnswer(Struct, gc=False):
    """private/cancel."""

    id: Id53
    result: OrderData | UnsetType = UNSET
    error: ErrorData | UnsetType = UNSET


class CancelAllAnswer(Struct, gc=False):
    """private/cancel_all and private/cancel_all_by_instrument: how many were cancelled."""

    id: Id53
    result: Counter | UnsetType = UNSET
    error: ErrorData | UnsetType = UNSET


class OrderListAnswer(Struct, gc=False):
    """private/get_order_state_by_label."""

    id: Id53
    result: list[OrderData] | UnsetType = UNSET
    error: ErrorData | UnsetType = UNSET


class TradePage(Struct, gc=False):
    """The result of private/get_user_trades_by_instrument."""

    trades: list[UserTradeData]
    has_more: bool = False


class TradePageAnswer(Struct, gc=False):
    """private/get_user_trades_by_instrument."""

    id: Id53
    result: TradePage | UnsetType = UNSET
    error: ErrorData | UnsetType = UNSET


class AnswerHead(Struct, gc=False):
    """Any cold answer before its result is typed. `id` is missing during maintenance."""

    id: int | str | None = None
    error: ErrorData | UnsetType = UNSET


class AuthResult(Struct, gc=False):
    """public/auth."""

    access_token: str
    refresh_token: str
    expires_in: Annotated[int, Meta(gt=0)]
    scope: str = ""


class StatusResult(Struct, gc=False):
    """public/status. Older servers say a boolean."""

    locked: Literal["true", "false", "partial"] | bool
    locked_indices: list[str] = []


class InstrumentData(Struct, gc=False):
    """public/get_instruments."""

    instrument_name: str
    kind: str
    tick_size: Positive
    contract_size: Positive
    min_trade_amount: Positive
    expiration_timestamp: Millis
    settlement_period: str
    base_currency: str
    quote_currency: str
    is_active: bool
    maker_commission: float
    taker_commission: float
    tick_size_steps: list["TickStepData"] = []
    instrument_type: str = ""
    price_index: str = ""
    settlement_currency: str = ""


class TickStepData(Struct, gc=False):
    above_price: NotNegative
    tick_size: Positive


# ---------------------------------------------------------------- what we write
class Request(Struct, gc=False, tag_field="jsonrpc", tag="2.0"):
    """Any request of ours; trading requests are written by `encode` and only tested against it."""

    id: int
    method: str
    params: dict[str, Any] = field(default_factory=dict)
