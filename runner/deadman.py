"""The dead-man stop: a stop order at the venue for whatever the account holds.

Cancel-on-disconnect takes the quotes away and leaves the position. This order closes it when the
price runs on and nobody of ours is there any more: a reduce-only stop-market on the mark, as
large as the position, placed over HTTP, which no lost connection cancels.
"""

import math
from typing import Any, NamedTuple

from runner.rest import Venue

GET_POSITIONS = "private/get_positions"
GET_OPEN_ORDERS = "private/get_open_orders"
GET_INSTRUMENT = "public/get_instrument"
ROUNDS = 3              # of placing and looking, at one time
KEPT_SHARE = 0.1        # of the distance that a stop may be off before it is moved
BEYOND_SHARE = 0.001    # of the price, where the stop should have been hit already


def stand_in_label(prefix: str, number: int) -> str:
    """Return a label of our scheme, of a run no maker has: its orders are ours and no quotes."""
    return f"{prefix}00000000-000-{number:06x}-00000000"


def stop_label(prefix: str) -> str:
    """Return the label of dead-man stops."""
    return stand_in_label(prefix, 1)


class Holding(NamedTuple):
    """One position as the venue says; size in the venue's amounts, signed."""

    name: str
    size: float
    average_usd: float
    mark_usd: float


class Tick(NamedTuple):
    """Tick size above a price; instruments have one or more."""

    above_usd: float
    size_usd: float


def holdings(reply: Any) -> list[Holding]:
    """Read the answer of get_positions; what is flat is left out."""
    return [Holding(row["instrument_name"],
                    -abs(row["size"]) if row["direction"] == "sell" else abs(row["size"]),
                    row["average_price"], row["mark_price"])
            for row in reply if row["size"]]


def trigger_usd(held: Holding, distance: float) -> float:
    """Return the stop's price: a share from the entry, and not where it is passed already."""
    if held.size > 0:
        return min(held.average_usd * (1.0 - distance), held.mark_usd * (1.0 - BEYOND_SHARE))
    return max(held.average_usd * (1.0 + distance), held.mark_usd * (1.0 + BEYOND_SHARE))


def still_right(order: Any, held: Holding, distance: float) -> bool:
    """Say whether an order is this position's stop, near enough to where it belongs."""
    if order["direction"] != ("sell" if held.size > 0 else "buy"):
        return False
    at = float(order["trigger_price"])
    off = (at / held.average_usd - 1.0) * (-1.0 if held.size > 0 else 1.0)   # from the entry
    if abs(off - distance) <= KEPT_SHARE * distance:
        return True
    # the mark is past it already: a stop that the mark has yet to hit stays where it is
    passed = trigger_usd(held, distance)
    return off > distance and (at >= passed if held.size > 0 else at <= passed)


class DeadMan:
    """Keeps one stop for each position of the account; keep() makes it so and looks again."""

    def __init__(self, venue: Venue, prefix: str, distance_pct: float) -> None:
        """distance_pct: from the average entry."""
        self.venue = venue
        self.label = stop_label(prefix)
        self.distance = distance_pct * 0.01
        self.ticks: dict[str, list[Tick]] = {}
        self.placed = 0
        self.moved = 0
        self.removed = 0

    async def keep(self) -> bool:
        """Make every position have its stop, and nothing else; False where it does not.

        Raises one of UNHEARD.
        """
        for _ in range(ROUNDS):
            held = {h.name: h for h in holdings(await self.venue.ask(
                GET_POSITIONS, currency="any", kind="future"))}
            changed = False
            missing = dict(held)
            for order in await self.orders():
                name = order["instrument_name"]
                holding = missing.pop(name, None)       # a second one of a position goes
                changed |= await self.settle(order, holding)
            for holding in missing.values():
                await self.place(holding)
                changed = True
            if not changed:
                return True
        return False

    async def orders(self) -> list[Any]:
        """Return our stops that wait at the venue."""
        return [order for order in await self.venue.ask(GET_OPEN_ORDERS)
                if order.get("label") == self.label]

    async def settle(self, order: Any, held: Holding | None) -> bool:
        """Bring one waiting stop to what it should be; True where it was something else."""
        if held is None or order["direction"] != ("sell" if held.size > 0 else "buy"):
            await self.venue.ask("private/cancel", order_id=order["order_id"])
            self.removed += 1
            return True
        right = still_right(order, held, self.distance)
        if right and order["amount"] == abs(held.size):
            return False
        price = (order["trigger_price"] if right
                 else await self.on_tick(held, trigger_usd(held, self.distance)))
        await self.venue.ask("private/edit", order_id=order["order_id"], amount=abs(held.size),
                             trigger_price=price)
        self.moved += 1
        return True

    async def place(self, held: Holding) -> None:
        """Place the stop of a position that has none."""
        price = await self.on_tick(held, trigger_usd(held, self.distance))
        await self.venue.ask(
            "private/sell" if held.size > 0 else "private/buy", instrument_name=held.name,
            amount=abs(held.size), type="stop_market", trigger="mark_price",
            trigger_price=price, reduce_only=True, label=self.label)
        self.placed += 1

    async def on_tick(self, held: Holding, usd: float) -> float:
        """Round a price to the instrument's tick, away from the mark."""
        if held.name not in self.ticks:
            told = await self.venue.ask(GET_INSTRUMENT, instrument_name=held.name)
            self.ticks[held.name] = [Tick(0.0, told["tick_size"]), *(
                Tick(step["above_price"], step["tick_size"])
                for step in told.get("tick_size_steps", []))]
        size = [t.size_usd for t in self.ticks[held.name] if usd > t.above_usd][-1]
        steps = usd / size
        whole = math.floor(steps + 1e-9) if held.size > 0 else math.ceil(steps - 1e-9)
        return round(whole * size, 8)
