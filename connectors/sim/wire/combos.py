"""Spreads of two futures: listed, made on demand, and the prices of their legs."""

from __future__ import annotations

import math
from typing import Any

from connectors.sim.wire.caller import Caller
from connectors.sim.wire.errors import RpcError, invalid
from connectors.sim.wire.params import Params
from connectors.sim.wire.roll import Roll
from connectors.sim.wire.venue import Venue

DIRECTIONS = ("buy", "sell")
DELIVERED = 5
FOREVER_MS = 1 << 62
PUBLIC = ("get_combos", "get_combo_ids", "get_combo_details")
PRIVATE = ("create_combo", "get_leg_prices")


class Combos:
    """Handlers; each takes (caller, params, t_ns) and returns the result."""

    def __init__(self, venue: Venue, roll: Roll) -> None:
        self.venue = venue
        self.exchange = venue.exchange
        self.roll = roll

    def view(self, market: int) -> dict[str, Any]:
        listing = self.venue.listings[market]
        bought, sold = self.venue.legs(market) or (market, market)
        active = self.exchange.market_state_of(market) < DELIVERED
        return {
            "id": listing.spec.name, "state": "active" if active else "inactive",
            "legs": [{"amount": amount, "instrument_name": self.exchange.specs[leg].name}
                     for leg, amount in ((bought, 1), (sold, -1))],
            "creation_timestamp": listing.creation_ms, "instrument_id": listing.instrument_id,
            "state_timestamp": listing.creation_ms}

    def listed(self, params: Params) -> list[int]:
        currency = self.venue.currency(params)
        return [m for m in range(len(self.venue.listings)) if self.venue.legs(m) is not None
                and currency in (-1, self.venue.desk.settles_in(m))]

    def get_combos(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return [self.view(m) for m in self.listed(params)
                if self.exchange.market_state_of(m) < DELIVERED]

    def get_combo_ids(self, caller: Caller, params: Params, t_ns: int) -> Any:
        state = params.choice("state", ("active", "inactive", "any"), "any")
        views = [self.view(m) for m in self.listed(params)]
        return [view["id"] for view in views if state in ("any", view["state"])]

    def get_combo_details(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.venue.markets.get(params.text("combo_id"))
        if market is None or self.venue.legs(market) is None:
            raise invalid("combo_id", "combo not found")
        return self.view(market)

    def legs(self, params: Params, name: str) -> list[tuple[int, str, float]]:
        """Return (market, direction, amount) of the two legs given; a far and a near future."""
        given = params.values.get(name)
        if not isinstance(given, list) or len(given) != 2 or not all(
                isinstance(leg, dict) for leg in given):
            raise invalid(name, "must be two trades of futures")
        found = []
        for leg in (Params(leg, lenient=True) for leg in given):
            market = self.venue.market(leg)
            amount = leg.number("amount")
            if self.venue.legs(market) is not None or (amount is not None and amount <= 0):
                raise invalid(name, "legs are futures, of a positive amount")
            found.append((market, leg.choice("direction", DIRECTIONS),
                          1.0 if amount is None else amount))
        (one, first, size), (other, second, more) = found
        if one == other or first == second or size != more or (
                self.exchange.specs[one].inverse != self.exchange.specs[other].inverse):
            raise invalid(name, "one is bought and another sold, the same amount of each")
        return found

    def far_and_near(self, legs: list[tuple[int, str, float]]) -> tuple[int, int]:
        """Return the leg a spread of these buys, and the one it sells."""
        def end(market: int) -> tuple[bool, int]:
            spec = self.exchange.specs[market]
            return spec.expiry_ms > 0, spec.expiry_ms

        far, near = sorted((market for market, _, _ in legs), key=end, reverse=True)
        return far, near

    def create_combo(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Return the spread of the legs given, listed now if it was not."""
        far, near = self.far_and_near(self.legs(params, "trades"))
        try:
            market = self.roll.list_spread(far, near, t_ns)
        except ValueError:
            raise RpcError(13035) from None
        return self.view(market)

    def get_leg_prices(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Split a spread's price on its legs: half of what it is off the marks on each."""
        legs, price = self.legs(params, "legs"), params.number("price")
        if price is None:
            raise invalid("price", "value required")
        far, near = self.far_and_near(legs)
        tick = self.exchange.specs[near].tick_usd
        marks = self.exchange.mark_price(far), self.exchange.mark_price(near)
        off = price - (marks[0] - marks[1])
        sold = math.floor((marks[1] - 0.5 * off) / tick + 0.5) * tick
        prices = {near: sold, far: sold + round(price / tick) * tick}
        return {"price": price, "amount": legs[0][2], "legs": [
            {"ratio": 1, "instrument_name": self.exchange.specs[market].name,
             "direction": direction, "price": prices[market]} for market, direction, _ in legs]}
