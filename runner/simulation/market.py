"""The market of a simulated session: cheap, lively, with takers who reach through our quotes."""

import random

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing, Market, open_market
from mmcore.types import InstrumentSpec

STEP_NS = 50_000_000
MID_TICKS = 140_000
SPACING_TICKS = 4
LEVELS = 5


class WalkingMarket:
    """A walk of the mid, and prints that fill what stands nearest: partly, then wholly.

    Fulfils connectors.sim.market.Market with one instrument, BTC-PERPETUAL.
    """

    waits_for_book = False

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.mid = MID_TICKS
        self.step = 0
        self.start_ns = 0

    def instruments(self) -> list[Listing]:
        """Return the perpetual alone."""
        return [Listing(spec=InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10,
                                            maker_fee=0.00015, taker_fee=0.00035))]

    def start(self, exchange: Exchange, t_ns: int) -> int:
        """Put the first book into the exchange."""
        self.start_ns = t_ns
        exchange.market_index(t_ns, "btc_usd", self.mid / 2)
        exchange.market_mark(t_ns, 0, self.mid / 2)
        self.levels(exchange, t_ns, 5000)
        return t_ns + STEP_NS

    def levels(self, exchange: Exchange, t_ns: int, amount: int) -> None:
        for i in range(1, LEVELS + 1):
            exchange.market_set_level(t_ns, 0, 0, self.mid - SPACING_TICKS * i, amount)
            exchange.market_set_level(t_ns, 0, 1, self.mid + SPACING_TICKS * i, amount)

    def advance(self, exchange: Exchange, t_ns: int) -> int:
        """Take every step that is due."""
        while self.start_ns + (self.step + 1) * STEP_NS <= t_ns:
            self.step += 1
            self.act(exchange, self.start_ns + self.step * STEP_NS)
        return self.start_ns + (self.step + 1) * STEP_NS

    def act(self, exchange: Exchange, t_ns: int) -> None:
        if self.step % 5 == 0:
            self.levels(exchange, t_ns, 0)
            self.mid += self.random.choice((-6, -4, 4, 6))
            exchange.market_mark(t_ns, 0, self.mid / 2)
            self.levels(exchange, t_ns, 5000)
        elif self.step % 5 == 1:
            self.levels(exchange, t_ns, 5000 + 10 * (self.step % 7))
        if self.step % 12 == 3:     # a taker who reaches through our best price
            side = self.step // 12 % 2
            price = self.mid + SPACING_TICKS if side == 0 else self.mid - SPACING_TICKS
            exchange.market_trade(t_ns, 0, side, price, 10 if self.step // 24 % 2 else 60, 0)


def market_named(name: str, seed: int, now_ns: int) -> Market:
    """Return the walk, or the synthetic market in a regime."""
    if name == "walk":
        return WalkingMarket(seed)
    return open_market((), seed=seed, regime=name, now_ns=now_ns)
