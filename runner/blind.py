"""Blind with a position: no market data reaches the maker, and it holds more than it may so.

The guard asks the venue over HTTP what is held and where the market is, and reduces by IOC orders.
"""

from typing import Any

from runner.deadman import GET_INSTRUMENT, GET_POSITIONS, Holding, holdings, stand_in_label
from runner.rest import Venue

TICKER = "public/ticker"


class BlindReduction:
    """Reduces positions beyond what may be held without seeing; step() takes one clip of each."""

    def __init__(self, venue: Venue, prefix: str, *, keep_btc: float, clip_btc: float,
                 cap_bps: float) -> None:
        """keep_btc: held on through it. cap_bps: worst price of a clip, from the mark."""
        self.venue = venue
        self.label = stand_in_label(prefix, 2)
        self.keep_btc = keep_btc
        self.clip_btc = clip_btc
        self.cap_bps = cap_bps
        self.facts: dict[str, Any] = {}     # of instruments
        self.sent = 0

    async def step(self) -> list[str]:
        """Send one clip for each position that is too large; say what each did.

        Raises one of UNHEARD.
        """
        said = []
        for held in holdings(await self.venue.ask(GET_POSITIONS, currency="any", kind="future")):
            told = await self.reduce(held)
            if told:
                said.append(told)
        return said

    async def reduce(self, held: Holding) -> str:
        """Take one clip of a position; empty where it is small enough."""
        if held.name not in self.facts:
            self.facts[held.name] = await self.venue.ask(GET_INSTRUMENT,
                                                         instrument_name=held.name)
        fact = self.facts[held.name]
        ticker = await self.venue.ask(TICKER, instrument_name=held.name)
        mark, size = float(ticker["mark_price"]), abs(held.size)
        inverse = fact.get("instrument_type", "reversed") != "linear"
        delta_btc = size / mark if inverse else size
        over = delta_btc - self.keep_btc
        lot = float(fact["min_trade_amount"])
        clip_btc = min(over, self.clip_btc)
        amount = lots(clip_btc * mark if inverse else clip_btc, lot)
        if over <= 0.0 or amount <= 0.0:
            return ""
        side, sign = ("sell", -1.0) if held.size > 0 else ("buy", 1.0)
        tick = [float(fact["tick_size"]), *(
            float(step["tick_size"]) for step in fact.get("tick_size_steps", [])
            if mark > step["above_price"])][-1]
        price = round(round(mark * (1.0 + sign * self.cap_bps * 1e-4) / tick) * tick, 8)
        answer = await self.venue.ask(
            f"private/{side}", instrument_name=held.name, amount=min(amount, size),
            type="limit", price=price, time_in_force="immediate_or_cancel", reduce_only=True,
            label=self.label)
        self.sent += 1
        return (f"{held.name}: held {held.size:g}, {side} {amount:g} at {price:g}, filled "
                f"{answer['order']['filled_amount']:g}")


def lots(amount: float, lot: float) -> float:
    """Return an amount in whole lots, down."""
    return round(int(amount / lot + 1e-9) * lot, 8)
