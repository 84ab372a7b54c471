"""Random fills, funding and settlements, on the core and on exact fractions side by side."""

import random
from fractions import Fraction
from typing import NamedTuple

from mmcore.statement import Statement
from mmcore.types import InstrumentSpec

BID = 0


class Event(NamedTuple):
    """fill: side, ticks, contracts, fee_e8, mid; fund: seconds, rate; settle: price."""

    kind: str
    side: int = 0
    ticks: int = 0
    contracts: int = 0
    fee_e8: int = 0
    price: float = 0.0
    rate: float = 0.0
    seconds: float = 0.0
    flag: bool = False


class ExactStatement:
    """The same bookkeeping in rational numbers: no rounding anywhere."""

    def __init__(self, inverse: bool) -> None:
        self.inverse = inverse
        self.contracts = 0
        self.entry = Fraction(0)
        self.realized = Fraction(0)
        self.funding = Fraction(0)
        self.fees_e8 = 0

    def worth(self, amount: Fraction, price: Fraction) -> Fraction:
        return amount / price if self.inverse else amount * price

    def gain(self, entry: Fraction, now: Fraction) -> Fraction:
        """Profit of a position of our sign whose cost was `entry` and is `now`."""
        return entry - now if self.inverse == (self.contracts > 0) else now - entry

    def fill(self, side: int, price: Fraction, contracts: int, size: Fraction,
             fee_e8: int) -> None:
        signed, held = (contracts if side == BID else -contracts), abs(self.contracts)
        opened = contracts
        if self.contracts * signed < 0:
            closed = min(held, contracts)
            share = self.entry * closed / held
            self.realized += self.gain(share, self.worth(closed * size, price))
            self.entry -= share
            opened -= closed
        self.entry += self.worth(opened * size, price)
        self.contracts += signed
        self.fees_e8 += fee_e8

    def settle(self, price: Fraction, size: Fraction, deliver: bool) -> None:
        now = self.worth(abs(self.contracts) * size, price)
        if self.contracts:
            self.realized += self.gain(self.entry, now)
        self.entry = Fraction(0) if deliver else now
        if deliver:
            self.contracts = 0

    def unrealized(self, mark: Fraction, size: Fraction) -> Fraction:
        if not self.contracts:
            return Fraction(0)
        return self.gain(self.entry, self.worth(abs(self.contracts) * size, mark))


def random_events(rng: random.Random, count: int) -> list[Event]:
    """Draw a life of one position: prices walk, sides and sizes vary, days end."""
    ticks = rng.randrange(40_000, 400_000)
    events = []
    for _ in range(count):
        ticks = max(2_000, ticks + rng.randrange(-400, 401))
        draw = rng.random()
        if draw < 0.70:
            events.append(Event(
                "fill", side=rng.getrandbits(1), ticks=ticks,
                contracts=rng.choice((1, 7, 150, 2250, rng.randrange(1, 100_000))),
                fee_e8=rng.randrange(-500, 5_000), price=ticks / 2 + rng.uniform(-20.0, 20.0),
                flag=rng.random() < 0.2))
        elif draw < 0.85:
            events.append(Event("fund", rate=rng.uniform(-0.005, 0.005), price=ticks / 2,
                                seconds=rng.uniform(0.001, 60.0)))
        elif draw < 0.95:
            events.append(Event("settle", price=ticks / 2 + rng.randrange(100) / 100))
        else:
            events.append(Event("settle", price=ticks / 2, flag=True))
    return events


def run(spec: InstrumentSpec, size: Fraction, events: list[Event], mark: float) -> tuple[
        float, float]:
    """Return the largest error of any figure and what the decomposition leaves unexplained."""
    held, exact = Statement(), ExactStatement(spec.inverse)
    worst = 0.0
    for event in events:
        if event.kind == "fill":
            held.fill(spec, event.side, event.ticks, event.contracts, fee_e8=event.fee_e8,
                      mid=event.price, maker=not event.flag, aggressive=event.flag)
            exact.fill(event.side, Fraction(event.ticks, 2), event.contracts, size, event.fee_e8)
        elif event.kind == "fund":
            # what the position pays for so long at that rate a share of eight hours
            amount = spec.amount(held.contracts) * event.rate * event.seconds / 28_800
            paid = amount / event.price if spec.inverse else amount * event.price
            held.fund(-paid)
            exact.funding -= Fraction(paid)
        else:
            held.settle_at(spec, event.price, event.flag)
            exact.settle(Fraction(round(event.price * 100), 100), size, event.flag)
        worst = max(worst, abs(float(Fraction(held.realized) - exact.realized)))
    figures = held.figures(spec, mark)
    pairs = [(figures["realized"], exact.realized), (figures["funding"], exact.funding),
             (figures["unrealized"], exact.unrealized(Fraction(mark), size)),
             (figures["fees"], Fraction(exact.fees_e8, 10**8)), (held.entry_cost, exact.entry)]
    assert held.contracts == exact.contracts
    worst = max([worst, *(abs(float(Fraction(ours) - theirs)) for ours, theirs in pairs)])
    return worst, abs(figures["unexplained"])
