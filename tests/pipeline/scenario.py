"""A market that follows a script, and a maker that begins with a position in it."""

import asyncio
from collections.abc import Callable

import numpy as np
from exchange_client import connect
from virtual_session import VirtualSession

from connectors.replay.event import EVENT_DTYPE, EventFlag, EventKind
from connectors.replay.recording import Integrity, Recording
from connectors.sim.market import RecordedMarket
from mmcore.types import InstrumentSpec

PRICE = 75_000.0
STEP_NS = 200_000_000
LEVELS = 10
NAME = "BTC-PERPETUAL"
# a maker without warm-up, holds and width of its own: what is looked at are limits and losses
PLAIN = ("signals.warmup_s=0", "orders.post_fill_hold_ms=0", "signals.regime=false",
         "risk.max_mark_deviation_bps=5000", "risk.max_index_deviation_bps=0",
         "risk.max_feed_lag_ms=60000")

Script = Callable[[float], tuple[float, int]]
"""Seconds since the start to (mid in USD, contracts on each level)."""


def scripted_market(script: Script, seconds: float, begin_ns: int, *, print_every_s: float = 0.0,
                    taker_side: int = 1, step_ns: int = STEP_NS) -> RecordedMarket:
    """Make a market whose book stands round the script's mid, with mark and index at it."""
    rows: list[tuple[float, ...]] = []
    steps = int(seconds * 1e9 / step_ns)
    for k in range(steps):
        t_ns = begin_ns + k * step_ns
        mid, contracts = script(k * step_ns / 1e9)
        centre = round(2 * mid)
        rows += [(t_ns, t_ns, 0, 0, k, 0, centre / 2, 0,
                  EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST, kind, 0)
                 for kind in (EventKind.EVENT_INDEX, EventKind.EVENT_MARK)]
        levels = [(side, centre + (1 + i) * (-1 if side == 0 else 1))
                  for side in (0, 1) for i in range(LEVELS)] if contracts else []
        for i, (side, ticks) in enumerate(levels):
            flags = EventFlag.FLAG_SNAPSHOT
            flags |= EventFlag.FLAG_FIRST if i == 0 else 0
            flags |= EventFlag.FLAG_LAST if i == len(levels) - 1 else 0
            rows.append((t_ns, t_ns, ticks, contracts, k + 1, 0, 0.0, 0, flags,
                         EventKind.EVENT_LEVEL, side))
        if not levels:
            rows.append((t_ns, t_ns, 0, 0, k + 1, 0, 0.0, 0,
                         EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST | EventFlag.FLAG_SNAPSHOT,
                         EventKind.EVENT_EMPTY, 0))
        if print_every_s and k and k % round(print_every_s * 1e9 / step_ns) == 0:
            # takers that reach a little beyond the touch: resting orders there are filled
            ticks = centre + (8 if taker_side == 0 else -8)
            rows.append((t_ns + 1, t_ns + 1, ticks, 400, k + 1, k + 1, 0.0, 0,
                         EventFlag.FLAG_FIRST | EventFlag.FLAG_LAST, EventKind.EVENT_TRADE,
                         taker_side))
    spec = InstrumentSpec(NAME, tick_size=0.5, contract_size=10, maker_fee=0.00015,
                          taker_fee=0.00035)
    events = np.array(rows, dtype=EVENT_DTYPE)
    return RecordedMarket(Recording(events, [spec], Integrity(), "frames", ()))


class Scenario(VirtualSession):
    """A session in a scripted market, begun with a position somebody traded for its account."""

    def __init__(self, script: Script, seconds: float, *, position_usd: float = 0.0,
                 sets: tuple[str, ...] = (), print_every_s: float = 0.0,
                 taker_side: int = 1, step_ns: int = STEP_NS) -> None:
        self.position_usd = position_usd
        self.seconds = seconds
        self.worst_btc = self.profit_btc = 0.0
        self.most_btc = 0.0
        self.states: list[str] = []
        self.reasons: list[str] = []        # of each of them
        self.held = self.resting = 0        # contracts and orders, as the exchange has them
        self.account = -1
        super().__init__(seed=7, sets=(*PLAIN, *sets), market=lambda now_ns: scripted_market(
            script, seconds + 60.0, now_ns, print_every_s=print_every_s, taker_side=taker_side,
            step_ns=step_ns))

    async def before(self) -> None:
        """Trade the position for the maker's own account, before it connects."""
        if not self.position_usd or self.server is None:
            return
        client = await connect(self.server, self.config.venue.client_id or "maker")
        await client.call("public/subscribe", channels=[f"book.{NAME}.100ms"])
        method = "private/buy" if self.position_usd > 0 else "private/sell"
        answer = await client.call(method, instrument_name=NAME, amount=abs(self.position_usd),
                                   type="market")
        assert "result" in answer, answer
        await asyncio.sleep(0.5)
        client.transport.disconnect()

    def look(self, _: VirtualSession) -> None:
        """Keep the worst profit, the largest position and the states passed through."""
        assert self.maker is not None
        engine = self.maker.engine
        figures = engine.limits.figures()
        self.profit_btc = figures["total_btc"]
        self.worst_btc = min(self.worst_btc, self.profit_btc)
        self.most_btc = max(self.most_btc, engine.max_abs_delta_btc)
        self.at_venue()
        name = engine.risk.state_name.removeprefix("RISK_").lower()
        if not self.states or self.states[-1] != name:
            self.states.append(name)
            self.reasons.append(engine.risk.reason_name.removeprefix("REASON_").lower())

    def at_venue(self) -> None:
        """Keep what the exchange itself has of the maker: position, orders, liquidations."""
        assert self.server is not None
        client_id = self.config.venue.client_id or "maker"
        for number, account in enumerate(self.server.exchange.accounts):
            if account.client_id == client_id:
                self.held = int(account.position(0)[0])
                self.resting = int(account.open_orders)
                self.account = number

    def play(self) -> "Scenario":
        """Run it all; return itself."""
        self.run(self.seconds, meanwhile=self.look, every_s=0.2)
        return self

    @property
    def contracts(self) -> int:
        assert self.maker is not None
        return int(self.maker.engine.markets[0].position.contracts)
