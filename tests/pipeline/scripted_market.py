"""A market that follows a script, on the embedded exchange, with the whole maker against it.

A Scene runs a maker in virtual time and keeps what it looked like every 50 ms. Times of a script
are seconds from the market's start, which is the maker's first look at the book.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from virtual_session import VirtualSession

from connectors.sim.exchange import Exchange
from connectors.sim.faults import FaultPlan
from connectors.sim.market import Listing
from mmcore.market import Market
from mmcore.publish import summary
from mmcore.types import InstrumentSpec

SECOND_NS = 1_000_000_000
BREATH_NS = 100_000_000         # a far level changes: a market is never silent
EVERY_S = 0.05
FAR = 300                       # ticks behind the best that the breathing level lies
BID, ASK = 0, 1
Levels = dict[int, int]         # ticks -> contracts
Action = Callable[["ScriptedMarket"], None]
Script = Sequence[tuple[float, Action]]

# What no scene means to show is off; each turns on what it is about.
QUIET = (
    "signals.warmup_s=0.5", "signals.regime=false", "signals.imbalance_threshold=0",
    "signals.sweep_bps=0", "signals.top_rate_max=0", "orders.momentum_bps=0",
    "orders.pull_trade_usd=0", "orders.post_fill_hold_ms=0", "quote.imbalance_shift_bps=0",
    "quote.funding_hold_s=0", "quote.vol_k=0", "quote.latency_z=0", "quote.drought_depth_share=0",
    "quote.market_spread_share=0", "quote.fee_floor=false", "quote.min_half_spread_bps=0.1",
    "quote.min_half_spread_usd=0.5", "quote.base_half_spread_bps=2", "quote.skew_usd_at_limit=0",
    "quote.markout_widen=0", "quote.size_btc=0.02", "cover.trigger_bps=0", "orders.requote_bps=0.1",
    "orders.retreat_bps=0.1", "inventory.cut_above_btc=0", "risk.max_index_deviation_bps=0",
    "risk.max_mark_deviation_bps=5000", "risk.price_collar_bps=500", "orders.max_updates_per_s=50",
    "quote.window=[]", "funding.target_max_btc=0",
)


class ScriptedMarket:
    """Fulfils connectors.sim.market.Market: a book of whole levels, changed by its script."""

    waits_for_book = True

    def __init__(self, script: Script, mid: float = 75_000.0, width: int = 1) -> None:
        """mid: USD. width: ticks from mid to each best price; 200 contracts on five levels."""
        self.spec = InstrumentSpec("BTC-PERPETUAL", tick_size="0.5", contract_size="10",
                                   min_amount="10", maker_fee=0.00015, taker_fee=0.00035)
        self.script = sorted(script, key=lambda step: step[0])
        self.mid = self.spec.ticks(mid)
        self.width = width
        self.levels: tuple[Levels, Levels] = ({}, {})
        self.step = 0
        self.started_ns = 0
        self.breath_ns = 0
        self.breath = 0
        self.far = [0, 0]
        self.index_usd = 0.0
        self.exchange: Exchange
        self.now_ns = 0

    def instruments(self) -> list[Listing]:
        return [Listing(spec=self.spec)]

    def start(self, exchange: Exchange, t_ns: int) -> int:
        self.exchange, self.now_ns, self.started_ns = exchange, t_ns, t_ns
        self.breath_ns = t_ns + BREATH_NS
        exchange.market_funding(t_ns, 0, 0.0)
        self.index(self.spec.price(self.mid))
        self.around(self.mid)
        return self.advance(exchange, t_ns)

    def advance(self, exchange: Exchange, t_ns: int) -> int:
        while True:
            due_ns = self.breath_ns
            if self.step < len(self.script):
                due_ns = min(due_ns, self.started_ns + round(self.script[self.step][0] * 1e9))
            if due_ns > t_ns:
                return due_ns
            self.now_ns = max(due_ns, self.now_ns)
            if due_ns == self.breath_ns:
                self.breathe()
            else:
                action = self.script[self.step][1]
                self.step += 1
                action(self)

    def breathe(self) -> None:
        self.breath_ns += BREATH_NS
        self.breath = 1 - self.breath
        # a ticker that never changes is seldom sent: the mark, too, breathes
        self.exchange.market_mark(self.now_ns, 0, self.index_usd + 0.01 * self.breath)
        for side in (BID, ASK):
            self.put_far(side)

    def put_far(self, side: int) -> None:
        """Change the amount of the level far behind a side, and take it along when it moves."""
        wanted = 0
        if self.levels[side]:
            wanted = (min(self.levels[BID]) - FAR if side == BID
                      else max(self.levels[ASK]) + FAR)
        if self.far[side] not in (0, wanted):
            self.exchange.market_set_level(self.now_ns, 0, side, self.far[side], 0)
        self.far[side] = wanted
        if wanted:
            self.exchange.market_set_level(self.now_ns, 0, side, wanted, 50 + self.breath)

    # ------------------------------------------------------------ what a script can do
    def book(self, bids: Levels, asks: Levels) -> None:
        """Make the book these levels, deletes first, so that nothing crosses on the way."""
        for side in (BID, ASK):
            if self.far[side]:
                self.exchange.market_set_level(self.now_ns, 0, side, self.far[side], 0)
                self.far[side] = 0
        for side, wanted in ((BID, bids), (ASK, asks)):
            for ticks in [t for t in self.levels[side] if t not in wanted]:
                self.exchange.market_set_level(self.now_ns, 0, side, ticks, 0)
                del self.levels[side][ticks]
        for side, wanted in ((BID, bids), (ASK, asks)):
            for ticks, contracts in wanted.items():
                if self.levels[side].get(ticks) != contracts:
                    self.exchange.market_set_level(self.now_ns, 0, side, ticks, contracts)
                    self.levels[side][ticks] = contracts
        for side in (BID, ASK):
            self.put_far(side)

    def clear(self, side: int) -> None:
        """Empty a side, the breathing level too."""
        self.exchange.market_clear(self.now_ns, 0)
        self.far = [0, 0]
        mine: tuple[Levels, Levels] = (dict(self.levels[BID]), dict(self.levels[ASK]))
        mine[side].clear()
        for levels in self.levels:
            levels.clear()
        self.book(*mine)

    def around(self, mid: int, bid: int = 200, ask: int = 200, width: int | None = None) -> None:
        """Five levels a side round a mid in ticks, of so many contracts each."""
        half = self.width if width is None else width
        self.mid = mid
        self.book({mid - half - i: bid for i in range(5)}, {mid + half + i: ask for i in range(5)})

    def trade(self, side: int, contracts: int, ticks: int | None = None, flags: int = 0) -> None:
        """A taker's print, by default at the best price it meets; the level stays as it is."""
        if ticks is None:
            ticks = min(self.levels[ASK]) if side == BID else max(self.levels[BID])
        self.exchange.market_trade(self.now_ns, 0, side, ticks, contracts, flags)

    def sweep(self, side: int, to: float) -> None:
        """A taker eats every level up to a price, in USD, inclusive: prints, then deletes."""
        last = self.spec.ticks(to)
        other = self.levels[1 - side]
        for ticks in sorted(other, reverse=side == ASK):
            if (ticks - last) * (1 if side == BID else -1) <= 0:
                self.trade(side, other[ticks], ticks)
                self.exchange.market_set_level(self.now_ns, 0, 1 - side, ticks, 0)
                del other[ticks]

    def funding(self, rate: float) -> None:
        self.exchange.market_funding(self.now_ns, 0, rate)

    def index(self, usd: float) -> None:
        self.index_usd = usd
        self.exchange.market_index(self.now_ns, "btc_usd", usd)

    def state(self, state: int) -> None:
        self.exchange.market_state(self.now_ns, 0, state)


@dataclass
class Look:
    """The maker at one moment; prices in USD, amounts in contracts."""

    at_s: float
    mid: float
    bids: list[tuple[float, int]]
    asks: list[tuple[float, int]]
    resting: tuple[list[float], list[float]]
    why: Any
    reading: Any
    contracts: float


def look_at(market: Market, at_s: float) -> Look:
    """Return what a market of the maker looks like now."""
    spec = market.spec_object
    sides = [[(spec.price(ticks), amount) for ticks, amount in side] for side in market.quotes()]
    resting = [sorted(spec.price(row["price_ticks"]) for row in market.orders.rows()
                      if row["side"] == side) for side in (BID, ASK)]
    reading = market.signals.read()
    return Look(at_s, reading["mid_usd"], sides[0], sides[1], (resting[0], resting[1]),
                market.why(), reading, market.position.contracts)


class Scene:
    """One script played to its end, and what the maker looked like meanwhile."""

    def __init__(self, script: Script, *sets: str, seconds: float, mid: float = 75_000.0,
                 width: int = 1, market: ScriptedMarket | None = None,
                 faults: FaultPlan | None = None) -> None:
        """market: instead of the plain one of mid and width. faults: of the exchange's wire."""
        self.market = market or ScriptedMarket(script, mid, width)
        self.looks: list[Look] = []
        self.dated: list[Look] = []         # of the second instrument, where there is one
        self.session = VirtualSession(seed=1, sets=(*QUIET, *sets), ring_mib=16,
                                      market=lambda _: self.market, faults=faults)
        self.session.run(seconds + 0.2, meanwhile=self.look, every_s=EVERY_S)
        assert self.session.verified
        assert self.session.maker is not None
        self.engine = self.session.maker.engine
        self.summary = summary(self.engine)

    def look(self, session: VirtualSession) -> None:
        if session.maker is None or self.market.started_ns == 0:
            return
        at_s = (session.wall_ns() - self.market.started_ns) / SECOND_NS
        for market, looks in zip(session.maker.engine.markets, (self.looks, self.dated),
                                 strict=False):
            looks.append(look_at(market, at_s))

    def at(self, at_s: float) -> Look:
        """Return the last look at or before a moment of the script."""
        return [look for look in self.looks if look.at_s <= at_s][-1]

    def dated_at(self, at_s: float) -> Look:
        """Return the second instrument's last look at or before a moment of the script."""
        return [look for look in self.dated if look.at_s <= at_s][-1]

    def between(self, start_s: float, end_s: float) -> list[Look]:
        return [look for look in self.looks if start_s <= look.at_s <= end_s]
