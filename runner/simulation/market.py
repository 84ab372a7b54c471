"""The market of a simulated session: cheap, lively, with takers who reach through our quotes."""

import random
from datetime import UTC, datetime

from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing, Market, open_market
from mmcore.types import InstrumentSpec
from runner.simulation.plan import DATED, PERPETUAL

STEP_NS = 50_000_000
MID_TICKS = 140_000
BASIS_TICKS = 1_200
SPACING_TICKS = 4
LEVELS = 5
PRESSED_TRADES = 20         # 12 s of takers of one side
PRESSED_PACE = 20           # steps between two moves: the credits are enough for both sides
PRESSED_TICKS = 30          # so far they reach
EXPIRY_MS = int(datetime(2027, 3, 26, 8, tzinfo=UTC).timestamp() * 1000)


class Walk:
    """The mid of one instrument, its levels, and takers who reach through the best price."""

    def __init__(self, market: int, mid_ticks: int, seed: int, *, press: bool) -> None:
        self.market = market
        self.mid = mid_ticks
        self.random = random.Random(seed)
        self.press = press

    def start(self, exchange: Exchange, t_ns: int) -> None:
        """Put the first book into the exchange."""
        exchange.market_mark(t_ns, self.market, self.mid / 2)
        self.levels(exchange, t_ns, 5000)

    def levels(self, exchange: Exchange, t_ns: int, amount: int) -> None:
        for i in range(1, LEVELS + 1):
            exchange.market_set_level(t_ns, self.market, 0, self.mid - SPACING_TICKS * i, amount)
            exchange.market_set_level(t_ns, self.market, 1, self.mid + SPACING_TICKS * i, amount)

    def act(self, exchange: Exchange, t_ns: int, step: int) -> None:
        """Move, or let one take, where it is its turn."""
        if step % (PRESSED_PACE if self.press else 5) == 0:
            self.levels(exchange, t_ns, 0)
            self.mid += self.random.choice((-6, -4, 4, 6))
            exchange.market_mark(t_ns, self.market, self.mid / 2)
            self.levels(exchange, t_ns, 5000)
        elif step % 5 == 1:
            self.levels(exchange, t_ns, 5000 + 10 * (step % 7))
        if step % 12 == 3:
            trade = step // 12
            side = (trade // PRESSED_TRADES if self.press else trade) % 2
            reach = PRESSED_TICKS if self.press else SPACING_TICKS
            price = self.mid + reach if side == 0 else self.mid - reach
            exchange.market_trade(t_ns, self.market, side, price, 10 if trade // 2 % 2 else 60, 0)


class WalkingMarket:
    """Walks of the mid, and prints that fill what stands nearest: partly, then wholly.

    Fulfils connectors.sim.market.Market with the perpetual and, where dated, a contract beside it
    that goes its own way. press: takers stay on one side for 12 s, then on the other.
    """

    waits_for_book = False

    def __init__(self, seed: int, *, dated: bool = False, press: bool = False) -> None:
        self.walks = [Walk(0, MID_TICKS, seed, press=press)]
        if dated:
            self.walks.append(Walk(1, MID_TICKS + BASIS_TICKS, ~seed, press=press))
        self.step = 0
        self.start_ns = 0

    def instruments(self) -> list[Listing]:
        """Return the perpetual, and the dated contract where there is one."""
        listed = [Listing(spec=InstrumentSpec(
            PERPETUAL, tick_size=0.5, contract_size=10, maker_fee=0.00015, taker_fee=0.00035))]
        if len(self.walks) > 1:
            listed.append(Listing(
                spec=InstrumentSpec(DATED, tick_size=0.5, contract_size=10, min_amount=10,
                                    maker_fee=0.00015, taker_fee=0.00035, expiry_ms=EXPIRY_MS),
                settlement_period="month", instrument_id=124_973))
        return listed

    def start(self, exchange: Exchange, t_ns: int) -> int:
        """Put the first books into the exchange."""
        self.start_ns = t_ns
        exchange.market_index(t_ns, "btc_usd", MID_TICKS / 2)
        for walk in self.walks:
            walk.start(exchange, t_ns)
        return t_ns + STEP_NS

    def advance(self, exchange: Exchange, t_ns: int) -> int:
        """Take every step that is due."""
        while self.start_ns + (self.step + 1) * STEP_NS <= t_ns:
            self.step += 1
            self.act(exchange, self.start_ns + self.step * STEP_NS)
        return self.start_ns + (self.step + 1) * STEP_NS

    def act(self, exchange: Exchange, t_ns: int) -> None:
        """Take one step of each walk."""
        for walk in self.walks:
            walk.act(exchange, t_ns, self.step)


def market_named(name: str, seed: int, now_ns: int, *, dated: bool = False) -> Market:
    """Return a walk, or the synthetic market in a regime; dated: with a dated contract."""
    if name in ("walk", "press"):
        return WalkingMarket(seed, dated=dated, press=name == "press")
    return open_market((), seed=seed, regime=name, now_ns=now_ns)
