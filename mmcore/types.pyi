"""Python face of the core's vocabulary."""

from collections.abc import Iterable
from decimal import Decimal
from enum import IntEnum, IntFlag

from typing_extensions import disjoint_base

class InstrumentKind(IntEnum):
    INSTRUMENT_INVERSE = 0
    INSTRUMENT_LINEAR = 1

class MarketState(IntEnum):
    MARKET_OPEN = 0
    MARKET_SETTLEMENT = 1
    MARKET_LOCKED = 2
    MARKET_HALTED = 3
    MARKET_INACTIVE = 4
    MARKET_DELIVERED = 5
    MARKET_ARCHIVIZED = 6
    MARKET_UNKNOWN = 7

class ActionKind(IntEnum):
    ACTION_NEW = 1
    ACTION_EDIT = 2
    ACTION_CANCEL = 3
    ACTION_CANCEL_INSTRUMENT = 4
    ACTION_CANCEL_ALL = 5
    ACTION_MASS_QUOTE = 8

class TimeInForce(IntEnum):
    TIF_GTC = 0
    TIF_IOC = 1
    TIF_FOK = 2

class VenueOrderState(IntEnum):
    VENUE_ORDER_OPEN = 0
    VENUE_ORDER_FILLED = 1
    VENUE_ORDER_CANCELLED = 2
    VENUE_ORDER_REJECTED = 3
    VENUE_ORDER_UNTRIGGERED = 4

class OrderEventKind(IntEnum):
    ORDER_EVENT_ACCEPTED = 0
    ORDER_EVENT_REFUSED = 1
    ORDER_EVENT_UPDATE = 2
    ORDER_EVENT_ABSENT = 3

class Refusal(IntEnum):
    REFUSAL_NO_EFFECT = 0
    REFUSAL_UNSURE = 1
    REFUSAL_GONE = 2
    REFUSAL_POST_ONLY = 3
    REFUSAL_CLOSED = 4
    REFUSAL_TOO_MANY = 5

class ControlKind(IntEnum):
    CONTROL_CONNECTED = 1
    CONTROL_DISCONNECTED = 2
    CONTROL_SUBSCRIBED = 3
    CONTROL_RECONCILED = 4
    CONTROL_POSITION = 5
    CONTROL_EQUITY = 6
    CONTROL_WALL_OFFSET = 7
    CONTROL_MARKET_STATE = 8
    CONTROL_PAUSE = 9
    CONTROL_RESUME = 10
    CONTROL_KILL = 11
    CONTROL_STOP = 12
    CONTROL_ROUND_TRIP = 13
    CONTROL_CREDITS = 14
    CONTROL_FUNDING = 15
    CONTROL_UNKNOWN_RESOLVED = 16
    CONTROL_REDUCE = 30
    CONTROL_MARGIN = 31
    CONTROL_MARGIN_RATE = 32
    CONTROL_DAY = 33
    CONTROL_DAY_HIGH = 34
    CONTROL_SETTLED = 35
    CONTROL_FEE = 42
    CONTROL_FLATTEN = 36
    CONTROL_CREDITS_LEFT = 39
    CONTROL_PROTECTION = 40
    CONTROL_HEDGE = 41

class TakeReason(IntEnum):
    TAKE_NONE = 0
    TAKE_COVER = 1
    TAKE_CUT = 2
    TAKE_HEDGE = 3
    TAKE_PAIR = 4
    TAKE_EXPIRY = 5
    TAKE_UNPAIR = 6
    TAKE_STOP = 8
    TAKE_FLATTEN = 9

class Overlay(IntEnum):
    OVERLAY_NONE = 0
    OVERLAY_HEDGE = 1
    OVERLAY_OPEN = 2
    OVERLAY_CLOSE = 3

class RemovedReason(IntFlag):
    REMOVED_NOT_READY = 1
    REMOVED_BOOK_INVALID = 2
    REMOVED_STALE = 4
    REMOVED_STATE = 8
    REMOVED_INVENTORY = 16
    REMOVED_REFERENCE = 32
    REMOVED_WIDTH = 64
    REMOVED_HOLD = 128
    REMOVED_MOMENTUM = 256
    REMOVED_COLLAR = 512
    REMOVED_SIZE = 1024
    REMOVED_LAG = 2048
    REMOVED_KILLED = 4096
    REMOVED_SIGNAL = 8192
    REMOVED_REGIME = 16384
    REMOVED_WINDOW = 32768
    REMOVED_TOP_RATE = 65536
    REMOVED_FILLS = 131072
    REMOVED_COVER = 262144
    REMOVED_VOL = 524288
    REMOVED_SWEEP = 1048576
    REMOVED_CALENDAR = 2097152
    REMOVED_FROZEN = 4194304
    REMOVED_STANDBY = 8388608
    REMOVED_FUNDING = 16777216
    REMOVED_PREFERENCE = 33554432
    REMOVED_THROTTLE = 67108864
    REMOVED_EDGE = 134217728
    REMOVED_WARMUP = 268435456

@disjoint_base
class InstrumentSpec:
    def __init__(
        self,
        name: str,
        *,
        tick_size: float | str | Decimal,
        contract_size: float | str | Decimal,
        min_amount: float | str | Decimal | None = None,
        inverse: bool = True,
        maker_fee: float = 0.0,
        taker_fee: float = 0.0,
        expiry_ms: int = 0,
        tick_steps: Iterable[tuple[float, float]] = (),
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def inverse(self) -> bool: ...
    @property
    def tick_usd(self) -> float: ...
    @property
    def contract_size(self) -> float: ...
    @property
    def lot_contracts(self) -> int: ...
    @property
    def maker_fee(self) -> float: ...
    @property
    def taker_fee(self) -> float: ...
    @property
    def expiry_ms(self) -> int: ...
    def price(self, ticks: int) -> float: ...
    def amount(self, contracts: int) -> float: ...
    def ticks(self, price: float) -> int: ...
    def contracts(self, amount: float) -> int: ...
    def round_down(self, price: float) -> int: ...
    def round_up(self, price: float) -> int: ...
    def btc(self, contracts: int, price: float) -> float: ...
