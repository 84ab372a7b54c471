"""The perpetual and two dated contracts on the embedded exchange, each moved by a script.

A script is a list of (seconds from the market's start, action); an action gets the whole market
and moves one of its contracts: `lambda m: m.near.around(152_040)`. The market starts with the
maker's first look at a book. Prices are USD at the start and ticks of 0.5 USD in a script, amounts
are contracts of 10 USD.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scripted_market import ASK, BID, EVERY_S, FAR, QUIET, SECOND_NS, Levels, Look, look_at
from virtual_session import WALL_OFFSET_NS, VirtualSession

from connectors.sim.account import Account
from connectors.sim.exchange import Exchange
from connectors.sim.faults import FaultPlan
from connectors.sim.listing import future_name
from connectors.sim.market import Listing
from mmcore.market import Market
from mmcore.publish import summary
from mmcore.types import InstrumentSpec

INDEX = "btc_usd"
NEAR_ENDS = datetime(2026, 12, 25, 8, tzinfo=UTC)
FAR_ENDS = datetime(2027, 3, 26, 8, tzinfo=UTC)
INSTRUMENTS = ("instrument.0.name=perpetual", f"instrument.1.name={future_name(NEAR_ENDS.date())}",
               f"instrument.2.name={future_name(FAR_ENDS.date())}")
LEVELS = 5
Action = Callable[["ThreeContracts"], None]
Script = Sequence[tuple[float, Action]]


@dataclass
class Contract:
    """One contract's book, mark and state at the exchange; `market` numbers it there."""

    market: int
    spec: InstrumentSpec
    mid: int                            # ticks
    width: int = 1                      # ticks from mid to each best price
    levels: tuple[Levels, Levels] = field(default_factory=lambda: ({}, {}))
    mark_usd: float = 0.0               # 0: the mid
    ended: bool = False                 # delivered: nothing of it moves any more
    far: list[int] = field(default_factory=lambda: [0, 0])
    venue: "ThreeContracts" = field(init=False, repr=False)

    # ------------------------------------------------------------ what a script can do
    def around(self, mid: int, bid: int = 200, ask: int = 200, width: int | None = None) -> None:
        """Five levels a side round a mid in ticks, of so many contracts each."""
        half = self.width if width is None else width
        self.mid = mid
        self.book({mid - half - i: bid for i in range(LEVELS)},
                  {mid + half + i: ask for i in range(LEVELS)})

    def move(self, usd: float) -> None:
        """Move the whole book by so many USD."""
        self.around(self.mid + round(usd / self.spec.tick_usd))

    def book(self, bids: Levels, asks: Levels) -> None:
        """Make the book these levels, deletes first, so that nothing crosses on the way."""
        if self.ended:
            return
        self.hide_far()
        for side, wanted in ((BID, bids), (ASK, asks)):
            for ticks in [t for t in self.levels[side] if t not in wanted]:
                self.set_level(side, ticks, 0)
                del self.levels[side][ticks]
        for side, wanted in ((BID, bids), (ASK, asks)):
            for ticks, contracts in wanted.items():
                if self.levels[side].get(ticks) != contracts:
                    self.set_level(side, ticks, contracts)
                    self.levels[side][ticks] = contracts
        self.breathe()

    def trade(self, side: int, contracts: int, ticks: int | None = None, flags: int = 0) -> None:
        """A taker's print, by default at the best price it meets; the level stays as it is."""
        if ticks is None:
            ticks = min(self.levels[ASK]) if side == BID else max(self.levels[BID])
        self.venue.exchange.market_trade(self.venue.now_ns, self.market, side, ticks, contracts,
                                         flags)

    def sweep(self, side: int, to: float) -> None:
        """A taker eats every level up to a price, in USD, inclusive: prints, then deletes."""
        last = self.spec.ticks(to)
        other = self.levels[1 - side]
        for ticks in sorted(other, reverse=side == ASK):
            if (ticks - last) * (1 if side == BID else -1) <= 0:
                self.trade(side, other[ticks], ticks)
                self.set_level(1 - side, ticks, 0)
                del other[ticks]

    def hit(self, side: int, usd: float, contracts: int) -> None:
        """A taker who comes down (ASK) or up (BID) to a price: what rests there is filled.

        The levels on the way are eaten, and stand again afterwards.
        """
        self.sweep(side, usd)
        self.trade(side, contracts, self.spec.ticks(usd))
        self.around(self.mid)

    def funding(self, rate_8h: float) -> None:
        """The rate of eight hours as a fraction; positive: longs pay. Of the perpetual alone."""
        self.venue.exchange.market_funding(self.venue.now_ns, self.market, rate_8h)

    def state(self, state: int) -> None:
        """Make the venue's state a MarketState: MARKET_HALTED, MARKET_OPEN, ..."""
        self.venue.exchange.market_state(self.venue.now_ns, self.market, state)

    # ------------------------------------------------------------ what happens by itself
    def breathe(self) -> None:
        """Change mark and the level far behind each side: a market is never silent."""
        if self.ended:
            return
        breath = self.venue.breath
        self.venue.exchange.market_mark(
            self.venue.now_ns, self.market,
            (self.mark_usd or self.spec.price(self.mid)) + 0.01 * breath)
        for side in (BID, ASK):
            wanted = 0
            if self.levels[side]:
                wanted = (min(self.levels[BID]) - FAR if side == BID
                          else max(self.levels[ASK]) + FAR)
            if self.far[side] not in (0, wanted):
                self.set_level(side, self.far[side], 0)
            self.far[side] = wanted
            if wanted:
                self.set_level(side, wanted, 50 + breath)

    def hide_far(self) -> None:
        for side in (BID, ASK):
            if self.far[side]:
                self.set_level(side, self.far[side], 0)
                self.far[side] = 0

    def set_level(self, side: int, ticks: int, contracts: int) -> None:
        self.venue.exchange.market_set_level(self.venue.now_ns, self.market, side, ticks,
                                             contracts)


class ThreeContracts:
    """Fulfils connectors.sim.market.Market: `perpetual`, `near` and `far`, and the index.

    A contract listed by the exchange while it runs gets a book too, `later_usd` above the index.
    """

    waits_for_book = True

    def __init__(self, script: Script = (), *, mids: Sequence[float] = (75_000.0, 75_500.0,
                                                                       76_500.0),
                 ends: Sequence[datetime] = (NEAR_ENDS, FAR_ENDS), breath_s: float = 0.1,
                 fees: tuple[float, float] = (0.00015, 0.00035), width: int = 1) -> None:
        """mids: USD, the perpetual's first. ends: of the dated. fees: maker's and taker's share.

        breath_s: how often every book and mark changes when the script does nothing.
        """
        self.script = sorted(script, key=lambda step: step[0])
        self.contracts: list[Contract] = []
        for market, (mid, end) in enumerate(zip(mids, (None, *ends), strict=True)):
            name = "BTC-PERPETUAL" if end is None else future_name(end.date())
            spec = InstrumentSpec(
                name, tick_size="0.5", contract_size="10", min_amount="10", maker_fee=fees[0],
                taker_fee=fees[1], expiry_ms=0 if end is None else int(end.timestamp() * 1000))
            self.add(Contract(market, spec, spec.ticks(mid), width))
        self.breath_s = breath_s
        self.breath = 0
        self.breath_ns = self.started_ns = self.now_ns = 0
        self.step = 0
        self.index_usd = mids[0]
        self.later_usd = 2_000.0
        self.exchange: Exchange

    def add(self, contract: Contract) -> None:
        contract.venue = self
        self.contracts.append(contract)

    @property
    def perpetual(self) -> Contract:
        return self.contracts[0]

    @property
    def near(self) -> Contract:
        return self.contracts[1]

    @property
    def far(self) -> Contract:
        return self.contracts[2]

    def contract(self, name: str) -> Contract:
        """Return the contract of a name, one listed later too."""
        return next(c for c in self.contracts if c.spec.name == name)

    def index(self, usd: float) -> None:
        """Set the index all are derived from."""
        self.index_usd = usd
        self.exchange.market_index(self.now_ns, INDEX, usd)

    def move(self, usd: float) -> None:
        """Move every book and the index by so many USD."""
        self.index(self.index_usd + usd)
        for contract in self.contracts:
            contract.move(usd)

    # ------------------------------------------------------------ what the exchange calls
    def instruments(self) -> list[Listing]:
        return [Listing(spec=c.spec, settlement_period="month" if c.market else "perpetual",
                        instrument_id=124_972 + c.market) for c in self.contracts]

    def start(self, exchange: Exchange, t_ns: int) -> int:
        self.exchange, self.now_ns, self.started_ns = exchange, t_ns, t_ns
        self.breath_ns = t_ns + round(self.breath_s * 1e9)
        exchange.market_funding(t_ns, 0, 0.0)
        self.index(self.index_usd)
        for contract in self.contracts:
            contract.around(contract.mid)
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
        self.breath_ns += round(self.breath_s * 1e9)
        self.breath = 1 - self.breath
        for contract in self.contracts:
            contract.ended = contract.ended or (
                0 < contract.spec.expiry_ms * 1_000_000 <= self.now_ns)
            contract.breathe()

    def follow(self, exchange: Exchange, market: int, t_ns: int) -> int:
        """Fill the book of a contract that was listed just now."""
        self.now_ns = max(t_ns, self.now_ns)
        spec = exchange.specs[market]
        contract = Contract(market, spec, spec.ticks(self.index_usd + self.later_usd))
        self.add(contract)
        contract.around(contract.mid)
        return self.advance(exchange, t_ns)


class TripleScene:
    """A script on three contracts played to its end, with the whole maker against it.

    Keeps a Look of every instrument every 50 ms: `looks["BTC-PERPETUAL"]`.
    """

    def __init__(self, script: Script = (), *sets: str, seconds: float,
                 market: ThreeContracts | None = None, instruments: Sequence[str] = INSTRUMENTS,
                 faults: FaultPlan | None = None, start: datetime | None = None,
                 every_s: float = EVERY_S, begin: bool = True) -> None:
        """market: instead of the plain one. start: of the exchange's clock, else November 2026.

        begin: play at once; else play() does.
        """
        self.market = market or ThreeContracts(script)
        self.seconds, self.every_s = seconds, every_s
        self.looks: dict[str, list[Look]] = {}
        self.session = VirtualSession(seed=1, sets=(*QUIET, *instruments, *sets), ring_mib=16,
                                      market=lambda _: self.market, faults=faults)
        if start is not None:
            self.session.wall_offset_ns = (int(start.timestamp() * SECOND_NS)
                                           - self.session.now_ns())
        else:
            self.session.wall_offset_ns = WALL_OFFSET_NS
        self.summary: Any = None
        if begin:
            self.play()

    def play(self) -> "TripleScene":
        """Run it all; return itself."""
        self.session.run(self.seconds + 0.2, meanwhile=self.look, every_s=self.every_s)
        assert self.session.verified
        assert self.session.maker is not None
        self.summary = summary(self.session.maker.engine)
        return self

    def look(self, session: VirtualSession) -> None:
        if session.maker is None or self.market.started_ns == 0:
            return
        at_s = (session.wall_ns() - self.market.started_ns) / SECOND_NS
        for market in session.maker.engine.markets:
            self.looks.setdefault(market.name, []).append(look_at(market, at_s))

    @property
    def engine(self) -> Any:
        assert self.session.maker is not None
        return self.session.maker.engine

    def mine(self, number: int) -> Market:
        """Return the maker's market of an instrument by its number."""
        found: Market = self.engine.markets[number]
        return found

    def at(self, number: int, at_s: float) -> Look:
        """Return an instrument's last look at or before a moment of the script."""
        name = self.market.contracts[number].spec.name
        return [look for look in self.looks[name] if look.at_s <= at_s][-1]

    def account(self) -> Account:
        """Return the maker's account as the exchange has it."""
        assert self.session.server is not None
        client_id = self.session.config.venue.client_id or "maker"
        return next(account for account in self.session.server.exchange.accounts
                    if account.client_id == client_id)
