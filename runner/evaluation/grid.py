"""The baseline: one order a side at a fixed distance of the mid, blind to everything else."""

import math

import numpy as np
import numpy.typing as npt

from connectors.deribit.labels import Labels
from connectors.replay.cut import played
from connectors.replay.player import Player
from connectors.replay.recording import Recording
from connectors.replay.script import ScriptedOrders
from connectors.sim.direct import FILL_FIELDS, DirectVenue
from connectors.sim.exchange import Exchange
from connectors.sim.latency import Latency
from connectors.sim.market.recorded import charging
from mmcore.types import InstrumentSpec
from runner.backtest_session import QUEUE_MODELS
from runner.config import Config
from runner.tearsheet.run_data import MarketRun

REFRESH_NS = 50_000_000
SIZE_USD, LIMIT_USD = 1_000.0, 10_000.0     # ten contracts of 100 USD a side, a hundred at most
FUNDS = (10**14, 10**18)                    # never a constraint
MS = 1_000_000


class Grid:
    """Keeps a bid and an ask at half_usd of the mid, looked at every 50 ms."""

    def __init__(self, recording: Recording, half_usd: float, config: Config) -> None:
        self.spec = spec = recording.instruments[0]
        self.half_usd = half_usd
        settings = config.backtest
        rows, _ = played(recording)
        index = "btc_usd" if spec.inverse else "btc_usdc"
        self.exchange = Exchange(settings.seed, 0)
        self.exchange.add_market(charging(spec, 0.0, 0.0), index, True)
        self.exchange.books[0].set_queue_model(QUEUE_MODELS.index(settings.queue),
                                               settings.queue_power)
        first_ns = int(recording.events["exch_ns"][rows[0]])
        account = self.exchange.open_account("grid", first_ns, *FUNDS, False)
        self.answer_ns = round(settings.response_ms * MS)
        self.venue = DirectVenue(
            self.exchange, Labels("mm", run=1), [0], account=account, t_ns=first_ns,
            entry=Latency.constant(round(settings.entry_ms * MS)),
            response=Latency.constant(self.answer_ns))
        self.orders = ScriptedOrders(self.venue, Player(recording.events, rows, [index]))
        self.live: list[dict[int, int]] = [{}, {}]      # number -> ticks, by side
        self.number = self.seen = 0
        self.position = 0                               # contracts
        self.sizes: dict[int, int] = {}

    def run(self) -> list[tuple[float, ...]]:
        """Play to the end; return (ns, bid USD, ask USD, own bid, own ask) at every look."""
        rows: list[tuple[float, ...]] = []
        at_ns = self.orders.due_ns // REFRESH_NS * REFRESH_NS
        never = np.iinfo(np.int64).max
        while self.orders.due_ns != never:
            at_ns = max(at_ns + REFRESH_NS, self.orders.due_ns // REFRESH_NS * REFRESH_NS)
            self.orders.run(at_ns)
            self.learn(at_ns)
            touch = self.orders.touch
            if touch is None:
                continue
            bid, ask = (ticks * self.spec.tick_usd for ticks in touch)
            self.quote(at_ns, 0.5 * (bid + ask))
            own = [max(s.values(), default=0) * self.spec.tick_usd for s in self.live]
            rows.append((float(at_ns), bid, ask, *own))
        return rows

    def learn(self, at_ns: int) -> None:
        """Take in what was filled and refused, as far as word of it has come."""
        fills = self.venue.fills
        while self.seen < len(fills):
            fill = dict(zip(FILL_FIELDS, fills[self.seen], strict=True))
            if fill["t_ns"] + self.answer_ns > at_ns:
                break
            self.seen += 1
            number, amount = fill["generation"] - 1, fill["amount_contracts"]
            self.position += -amount if fill["side"] else amount
            self.sizes[number] -= amount
            if self.sizes[number] <= 0:
                self.live[fill["side"]].pop(number, None)
        for side in self.live:
            for number in [n for n in side if n in self.orders.refusals]:
                del side[number]

    def quote(self, at_ns: int, mid_usd: float) -> None:
        """Replace what has moved by a tick; the full side is not quoted."""
        spec = self.spec
        unit_usd = spec.contract_size if spec.inverse else spec.contract_size * mid_usd
        size = max(1, round(SIZE_USD / unit_usd))
        limit = round(LIMIT_USD / unit_usd)
        wanted = (math.floor((mid_usd - self.half_usd) / spec.tick_usd + 1e-9),
                  math.ceil((mid_usd + self.half_usd) / spec.tick_usd - 1e-9))
        for side, ticks in enumerate(wanted):
            full = self.position + size > limit if side == 0 else self.position - size < -limit
            for number, price in list(self.live[side].items()):
                if price != ticks or full:
                    self.orders.cancel(at_ns + 1, number)
                    del self.live[side][number]
            if not self.live[side] and not full:
                self.orders.place(at_ns + 1, self.number, side, ticks, size)
                self.live[side][self.number] = ticks
                self.sizes[self.number] = size
                self.number += 1


def run_grid(recording: Recording, half_usd: float, config: Config) -> MarketRun:
    """Run the baseline on the first instrument; its fills carry no fee."""
    grid = Grid(recording, half_usd, config)
    rows = np.array(grid.run()).reshape(-1, 5)
    return market_of(grid.spec, rows, grid.venue.fills)


def market_of(spec: InstrumentSpec, rows: npt.NDArray[np.float64],
              fills: list[tuple[float, ...]]) -> MarketRun:
    """Return the run as a report reads it."""
    table = {name: np.array([fill[i] for fill in fills], dtype=float)
             for i, name in enumerate(FILL_FIELDS)}
    start_ns = rows[0, 0]
    quotes = np.where(rows[:, 3:] > 0.0, rows[:, 3:], np.nan)
    nothing = np.zeros(len(rows))
    return MarketRun(
        name=spec.name, inverse=spec.inverse, contract_size=spec.contract_size,
        t_s=(rows[:, 0] - start_ns) * 1e-9, bid_usd=rows[:, 1], ask_usd=rows[:, 2],
        quote_bid_usd=quotes[:, 0], quote_ask_usd=quotes[:, 1], mark_usd=nothing,
        position=nothing, equity=nothing, regime=nothing.astype(np.int64),
        risk_state=nothing.astype(np.int64), why={},
        fill_s=(table["t_ns"] - start_ns) * 1e-9,
        fill_side=np.where(table["side"] == 0, 1.0, -1.0),
        fill_usd=table["price_ticks"] * spec.tick_usd,
        fill_amount=table["amount_contracts"] * spec.contract_size,
        fill_fee=np.zeros(len(fills)), fill_maker=table["maker"] > 0.0,
        fill_mid_usd=table["mid_usd"])
