"""What the venue says of an account: its limits, its money, its margins, its deliveries."""

from msgspec import UNSET, Struct, UnsetType

from connectors.deribit.messages import Millis, Positive


class RateData(Struct, gc=False):
    rate: Positive
    burst: Positive


class TradingLimits(Struct, gc=False):
    """Rate and burst directly, or per group with a total."""

    total: RateData | UnsetType = UNSET
    rate: Positive | UnsetType = UNSET
    burst: Positive | UnsetType = UNSET


class MatchingLimits(Struct, gc=False):
    """The matching engine's credits; older accounts have rate and burst here."""

    trading: TradingLimits | UnsetType = UNSET
    rate: Positive | UnsetType = UNSET
    burst: Positive | UnsetType = UNSET
    cancel_all: RateData | UnsetType = UNSET
    maximum_mass_quotes: RateData | UnsetType = UNSET
    maximum_quotes: RateData | UnsetType = UNSET


class Limits(Struct, gc=False):
    matching_engine: MatchingLimits | UnsetType = UNSET
    non_matching_engine: RateData | UnsetType = UNSET


class AccountSummary(Struct, gc=False):
    """private/get_account_summary, extended."""

    currency: str
    equity: float
    balance: float = 0.0
    margin_balance: float = 0.0
    available_funds: float = 0.0
    initial_margin: float = 0.0
    maintenance_margin: float = 0.0
    margin_model: str = ""
    limits: Limits | UnsetType = UNSET


class MarginsResult(Struct, gc=False):
    """private/get_margins: initial margin of an order, in the settlement currency."""

    buy: float
    sell: float


class SettlementRow(Struct, gc=False):
    """One entry of private/get_settlement_history_by_instrument."""

    type: str
    timestamp: Millis
    instrument_name: str
    mark_price: float
    position: float = 0.0


class SettlementPage(Struct, gc=False):
    settlements: list[SettlementRow]


class TransactionRow(Struct, gc=False):
    """One entry of private/get_transaction_log."""

    type: str
    timestamp: Millis
    instrument_name: str | None = None
    commission: float = 0.0


class TransactionPage(Struct, gc=False):
    logs: list[TransactionRow]
