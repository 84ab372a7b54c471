"""An exchange of a perpetual, two dated contracts and a spread, with short calls for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connectors.sim.exchange import Exchange
from connectors.sim.wire.desk import Desk
from connectors.sim.wire.quote_desk import QuoteDesk
from mmcore.types import InstrumentSpec

BUY, SELL = 0, 1
LIMIT, MARKET = 0, 1
GTC, IOC, FOK, GTD = range(4)
PERP, NEAR, FAR, SPREAD = range(4)
STOP, TAKE = 1, 2
BY_MARK, BY_INDEX, BY_LAST = range(3)
OPEN, SETTLING, DELIVERED, ARCHIVIZED = 0, 1, 5, 6
MS = 1_000_000
SECOND = 1000 * MS
HOUR = 3600 * SECOND
PENDING = 1


def at(*when: int) -> int:
    """Nanoseconds of a date and time in UTC."""
    return int(datetime(*when, tzinfo=UTC).timestamp()) * SECOND   # type: ignore[misc, arg-type]


EXPIRY = at(2026, 11, 27, 8)
FAR_EXPIRY = at(2026, 12, 25, 8)


def contract(name: str, expiry_ns: int = 0) -> InstrumentSpec:
    return InstrumentSpec(name, tick_size=0.5, contract_size=10, min_amount=10,
                          maker_fee=0.00015, taker_fee=0.00035, expiry_ms=expiry_ns // MS)


class Floor:
    """Two rich accounts, a and b; the index is set from outside."""

    def __init__(self, start_ns: int = EXPIRY - HOUR, *, seed: int = 7, tier: int = 0,
                 balance_e8: int = 10**10) -> None:
        self.exchange = Exchange(seed, tier)
        self.exchange.add_market(contract("BTC-PERPETUAL"), "btc_usd", True)
        self.exchange.add_market(contract("BTC-27NOV26", EXPIRY), "btc_usd", False)
        self.exchange.add_market(contract("BTC-25DEC26", FAR_EXPIRY), "btc_usd", False)
        self.exchange.add_spread(contract("BTC-FS-25DEC26_PERP", FAR_EXPIRY), FAR, PERP)
        self.desk = Desk(self.exchange)
        self.quotes = QuoteDesk(self.exchange)
        self.t = start_ns
        self.connection = self.exchange.connect(self.t)
        self.a = self.exchange.open_account("a", self.t, balance_e8, 0, False)
        self.b = self.exchange.open_account("b", self.t, balance_e8, 0, False)

    def prices(self, perp: float, near: float | None = None, far: float | None = None) -> None:
        """Set the index to the perpetual's price, and the marks."""
        self.exchange.market_index(self.t, "btc_usd", perp)
        for market, price in enumerate((perp, near or perp, far or perp)):
            self.exchange.market_mark(self.t, market, price)

    def pass_ns(self, ns: int) -> None:
        self.t += ns
        self.exchange.advance(self.t)

    def until(self, t_ns: int) -> None:
        self.pass_ns(t_ns - self.t)

    def level(self, market: int, side: int, ticks: int, contracts: int) -> None:
        self.exchange.market_set_level(self.t, market, side, ticks, contracts)

    def send(self, account: int, market: int, side: int, ticks: int, contracts: int, *,
             kind: int = LIMIT, tif: int = GTC, **flags: Any) -> Any:
        return self.desk.place(self.t, self.connection, account, market, side, kind, tif, ticks,
                               contracts, **flags)

    def placed(self, *args: Any, **flags: Any) -> Any:
        error, _, result = self.send(*args, **flags)
        assert error == 0, error
        return result["order"]

    def trade(self, buyer: int, seller: int, market: int, ticks: int, contracts: int) -> None:
        """Let one account buy from another, without a speed bump."""
        self.exchange.set_speed_bump(market, 0)
        self.placed(seller, market, SELL, ticks, contracts)
        assert self.placed(buyer, market, BUY, ticks, contracts)["order_state"] == "filled"

    def order(self, account: int, order: dict[str, Any]) -> dict[str, Any]:
        found = self.desk.order(int(order["order_id"].rpartition("-")[2]), account)
        assert found is not None
        return found

    def size(self, account: int, market: int = PERP) -> int:
        return self.exchange.accounts[account].position(market)[0]

    def money(self, account: int) -> tuple[int, int, int, int]:
        return self.exchange.accounts[account].money()
