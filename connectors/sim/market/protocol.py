"""What a recorded or a synthetic market fulfils to play on the embedded exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from connectors.sim.exchange import Exchange
    from mmcore.types import InstrumentSpec

__all__ = ["MAKER_FEE", "TAKER_FEE", "Follower", "Listing", "Market"]

MAKER_FEE = 0.00015     # of notional, on all futures since August 2026
TAKER_FEE = 0.00035


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument as the exchange lists it; `spec` holds what the core needs of it."""

    spec: InstrumentSpec
    index_name: str = "btc_usd"
    settlement_period: str = "perpetual"  # or day, week, month
    instrument_id: int = 124972
    creation_ms: int = 1534167754000


class Market(Protocol):
    """A market the server plays into one exchange.

    The server lists `instruments()` in their order, so market number i of the exchange is
    instruments()[i]. It calls `start` once and then `advance` again whenever the time returned last
    has come; None means the market has ended and is never called again. Times are nanoseconds of
    the exchange's clock; a market maps its own time to it and applies `speed` itself.
    """

    waits_for_book: bool
    """Start at the first book subscription (before its snapshot is made), not with the server."""

    def instruments(self) -> list[Listing]:
        """Return what is traded, at least one instrument."""
        ...

    def start(self, exchange: Exchange, t_ns: int) -> int | None:
        """Put the initial state into the exchange; return when `advance` is due."""
        ...

    def advance(self, exchange: Exchange, t_ns: int) -> int | None:
        """Apply everything due at or before t_ns, in order; return when the next is due."""
        ...


@runtime_checkable
class Follower(Protocol):
    """A market whose participants also come to contracts listed while it runs."""

    def follow(self, exchange: Exchange, market: int, t_ns: int) -> int:
        """Trade on a market too; return when `advance` is due."""
        ...
