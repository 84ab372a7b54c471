"""What the methods share: the exchange, its listings, and parameters many of them have."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from connectors.sim.orders import OrderScope
from connectors.sim.wire.auth import Auth
from connectors.sim.wire.channels import Subscriptions
from connectors.sim.wire.desk import Desk
from connectors.sim.wire.errors import invalid
from connectors.sim.wire.history import History
from connectors.sim.wire.params import Params
from connectors.sim.wire.quote_desk import QuoteDesk

CURRENCIES = {"BTC": 0, "USDC": 1}
ELSEWHERE = ("ETH", "USDT", "EURR", "SOL", "XRP", "STETH", "USYC", "PAXG", "BNB", "USDE")
NOT_HERE = 99   # a currency the venue knows, with nothing to trade in it here
TIERS = {0: (100000, 100000), 1: (30, 100), 2: (20, 50), 3: (10, 30), 4: (5, 20)}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a method needs of the server's settings."""

    balance_e8: tuple[int, int]
    tier: int
    testnet: bool
    heartbeat_min_s: float


def kind_of(name: str) -> str:
    """Return the venue's kind of an instrument of that name."""
    return "future_combo" if "-FS-" in name else "future"


def scope_of(kind: str) -> int | None:
    """Return the OrderScope of a `kind`; None for one of which there is nothing here."""
    return {"any": OrderScope.SCOPE_ANY, "future": OrderScope.SCOPE_FUTURE,
            "future_combo": OrderScope.SCOPE_COMBO, "combo": OrderScope.SCOPE_COMBO}.get(kind)


class Venue:
    """One exchange as its methods see it."""

    def __init__(self, exchange: Exchange, desk: Desk, auth: Auth, subscriptions: Subscriptions,
                 listings: list[Listing], history: History, settings: Settings) -> None:
        self.exchange = exchange
        self.desk = desk
        self.quote_desk = QuoteDesk(exchange)
        self.auth = auth
        self.subscriptions = subscriptions
        self.listings = listings
        self.history = history
        self.settings = settings
        self.markets = {listing.spec.name: i for i, listing in enumerate(listings)}
        rate, burst = TIERS[settings.tier]
        self.limits = {
            "matching_engine": {
                "block_rfq_maker": {"rate": 10, "burst": 20},
                "cancel_all": {"rate": 5, "burst": 20},
                "guaranteed_mass_quotes": {"rate": 2, "burst": 2},
                "maximum_mass_quotes": {"rate": 10, "burst": 10},
                "maximum_quotes": {"rate": 500, "burst": 500},
                "spot": {"rate": rate, "burst": burst},
                "trading": {"total": {"rate": rate, "burst": burst}}},
            "limits_per_currency": False,
            "non_matching_engine": {"rate": 20, "burst": 100}}

    def market(self, params: Params) -> int:
        market = self.markets.get(params.text("instrument_name"))
        if market is None:
            raise invalid("instrument_name", "instrument not found")
        return market

    def currency(self, params: Params, default: str | None = None) -> int:
        name = params.text("currency", default).upper()
        if name == "ANY":
            return -1
        if name in ELSEWHERE:
            return NOT_HERE
        if name not in CURRENCIES:
            raise invalid("currency", "must be one of BTC, USDC, any")
        return CURRENCIES[name]

    def covered(self, params: Params) -> list[int]:
        """Return the markets of the `currency` and `kind` asked for."""
        currency = self.currency(params, "any")
        kind = params.text("kind", "any")
        if scope_of(kind) is None:
            return []
        kind = "future_combo" if kind == "combo" else kind
        return [m for m, listing in enumerate(self.listings)
                if currency in (-1, self.desk.settles_in(m))
                and kind in ("any", kind_of(listing.spec.name))]

    def legs(self, market: int) -> tuple[int, int] | None:
        """Return the markets a spread buys and sells, None of what is no spread."""
        return self.quote_desk.spread_legs(market)

    def currency_of(self, name: str) -> str:
        """Return the currency an instrument settles in."""
        number = self.desk.settles_in(self.markets[name])
        return next(c for c, n in CURRENCIES.items() if n == number)

    def delivery_prices(self, index_name: str) -> list[tuple[int, float]]:
        """Return (time in ms, price) of the past deliveries on an index, newest first."""
        number = self.exchange.index_names.index(index_name)
        return [(t_ms, price) for t_ms, index, price in reversed(self.exchange.deliveries)
                if index == number]

    def page(self, params: Params, trades: list[dict[str, Any]]) -> dict[str, Any]:
        """Cut a list of trades (oldest first) to what was asked for."""
        count = params.integer("count", 10, 1, 1000)
        low, high = params.number("start_seq"), params.number("end_seq")
        since, until = params.number("start_timestamp"), params.number("end_timestamp")
        ordered = params.choice("sorting", ("asc", "desc", "default"), "default")
        found = [t for t in trades if (low is None or t["trade_seq"] >= low)
                 and (high is None or t["trade_seq"] <= high)
                 and (since is None or t["timestamp"] >= since)
                 and (until is None or t["timestamp"] <= until)]
        if ordered == "desc" or (ordered == "default" and low is None and since is None):
            found.reverse()
        return {"trades": found[:count], "has_more": len(found) > count}

    def traded(self, account: int) -> list[int]:
        """Return the markets an account has a position in."""
        owner = self.exchange.accounts[account]
        return [m for m in range(len(self.listings)) if owner.position(m)[0] != 0]

    def fees(self) -> dict[str, Any]:
        fees: dict[str, Any] = {}
        for listing in self.listings:
            kind = "perpetual" if listing.settlement_period == "perpetual" else "future"
            fees.setdefault(listing.index_name, {})[kind] = {"default": {
                "type": "fixed", "taker": listing.spec.taker_fee, "maker": listing.spec.maker_fee}}
        return fees
