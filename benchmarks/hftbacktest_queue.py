"""The queue of one order retold with the rules of both simulators, to explain where they part.

Both move an order up by prints at its price and by cancels, a cancel having stood before it with
probability a^n / (a^n + b^n). They differ in b, what stands behind. Here prints are taken out of
the level before that is asked. hftbacktest subtracts them from what is ahead only, so what was
printed counts as standing behind until the level's next change: it takes more of the cancels to
have been behind, and its orders move up later. A level of the other side that reaches an order
fills it in both: who is late in the queue there is filled then, at the latest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hftbacktest import BUY_EVENT, TRADE_EVENT

BUY, KIND_MASK = int(BUY_EVENT), 0xFF


@dataclass(frozen=True)
class Standing:
    """An order at rest: when it arrives, until when it may fill, and where."""

    arrives_ns: int
    ends_ns: int
    side: int
    price: float
    tick: float
    lot: float
    power: float


def fill_ns(rows: npt.NDArray[np.void], order: Standing, *, theirs: bool) -> int | None:
    """Return when an order of one lot fills by the rules of one simulator; None: never."""
    near = np.abs(rows["px"] - order.price) < 0.5 * order.tick
    prints = rows["ev"] & KIND_MASK == TRADE_EVENT
    bought = rows["ev"] & BUY != 0
    mine = bought if order.side == 0 else ~bought       # of a level: our side; of a print: opposite
    past = rows["px"] < order.price if order.side == 0 else rows["px"] > order.price
    reaches = ~prints & ~mine & (near | past) & (rows["qty"] > 0.0)
    chosen = np.flatnonzero((rows["exch_ts"] <= order.ends_ns)
                            & ((near & (prints ^ mine)) | (prints & past & ~mine) | reaches))
    queue: Any = TheirQueue(order.power) if theirs else OurQueue(order.power)
    level = 0.0
    resting = False
    for row in chosen.tolist():
        at_ns, amount = int(rows["exch_ts"][row]), float(round(rows["qty"][row] / order.lot))
        if not resting and at_ns >= order.arrives_ns:
            resting, queue.ahead = True, level
        if reaches[row]:
            if resting:
                return at_ns
        elif not prints[row]:
            if resting:
                queue.change(level, amount)
            queue.printed = 0.0
            level = amount
        elif resting and (not near[row] or queue.trade(amount)):
            return at_ns
        elif not resting and not theirs:
            queue.printed += amount
    return None


class OurQueue:
    """As sim.queue does it."""

    def __init__(self, power: float) -> None:
        self.power = power
        self.ahead = self.printed = 0.0

    def trade(self, amount: float) -> bool:
        """Take a print at the price; True if something is left for the order."""
        left = amount - min(amount, self.ahead)
        self.ahead = max(0.0, self.ahead - amount)
        self.printed += amount
        return left >= 0.5

    def change(self, before: float, now: float) -> None:
        """Take a change of the level."""
        gone = before - now - self.printed
        if gone > 0.0 and self.ahead > 0.0:
            behind = before - self.printed - self.ahead
            share = 1.0 if behind <= 0.0 else 1.0 / (1.0 + (behind / self.ahead) ** self.power)
            self.ahead -= max(share * gone, gone - max(behind, 0.0))
        self.ahead = max(0.0, min(self.ahead, now))


class TheirQueue:
    """As hftbacktest's ProbQueueModel does it."""

    def __init__(self, power: float) -> None:
        self.power = power
        self.ahead = self.printed = 0.0

    def trade(self, amount: float) -> bool:
        """Take a print at the price; True if it went past the order."""
        self.ahead -= amount
        self.printed += amount
        return round(self.ahead) < 0

    def change(self, before: float, now: float) -> None:
        """Take a change of the level; what stands behind is not less for the prints."""
        gone = before - now - self.printed
        if gone >= 0.0:
            behind = before - self.ahead
            front = max(self.ahead, 0.0) ** self.power
            back = max(behind, 0.0) ** self.power
            share = back / (back + front) if back + front > 0.0 else 1.0    # of being behind
            self.ahead += -(1.0 - share) * gone + min(behind - share * gone, 0.0)
        self.ahead = min(self.ahead, now)
