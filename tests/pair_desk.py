"""A desk with the perpetual and two dated contracts, on books of one level a side."""

from collections.abc import Iterable

from desk import ASK, BID, SECOND, Desk, Sent, perpetual

from mmcore.market import Market
from mmcore.types import ControlKind, MarketState, OrderEventKind, VenueOrderState

LEAD, NEAR, FAR = 0, 1, 2
MIDS = (75_000.0, 76_000.0, 77_000.0)
EXPIRY_MS = 1_800_000_000_000       # far away: nothing winds down
ON = {"hedge.enabled": 1.0, "hedge.passive_s": 0.0, "hedge.choice": 1.0,
      "signals.basis_half_life_s": 1e9, "orders.requote_bps": 0.1, "orders.retreat_bps": 0.1,
      "risk.max_order_usd": 100_000.0}


class PairDesk(Desk):
    """Desk of three instruments; hedging on, at once and never by a cut, unless told."""

    def __init__(self, changes: dict[str, float] | None = None) -> None:
        specs = [perpetual(), perpetual("BTC-26MAR27", expiry_ms=EXPIRY_MS),
                 perpetual("BTC-25JUN27", expiry_ms=EXPIRY_MS + 90 * 86_400_000)]
        self.mids: dict[int, int] = {}
        super().__init__({**ON, **(changes or {})}, ready=False, specs=specs)
        self.control(ControlKind.CONTROL_CONNECTED)
        self.control(ControlKind.CONTROL_CREDITS, value=1000, real=200.0)
        self.move(*MIDS)
        self.control(ControlKind.CONTROL_RECONCILED)
        self.step()

    def move(self, *mids: float) -> None:
        """Put each book's touch 0.5 USD from its mid, and its mark there."""
        for i, mid in enumerate(mids):
            self.ticker(market=i, mark=mid)
            self.touch(i, mid)

    def touch(self, market: int, mid: float) -> None:
        """Put one book's touch there: a snapshot at first, a change afterwards."""
        ticks = self.specs[market].ticks(mid)
        old = self.mids.get(market)
        self.mids[market] = ticks
        if old is None:
            self.snapshot(mid - 0.5, mid + 0.5, market=market)
        elif old != ticks:
            self.delta([(old - 1, 0), (ticks - 1, 1_000)], [(old + 1, 0), (ticks + 1, 1_000)],
                       market=market)
        else:
            self.delta([(ticks - 1, 1_001 if self.change_id[market] % 2 else 1_000)], [],
                       market=market)

    def hold(self, *contracts: int) -> None:
        """Have the venue say what is held, at the mids."""
        for i, amount in enumerate(contracts):
            self.control(ControlKind.CONTROL_POSITION, market=i, value=amount, real=MIDS[i])

    def halt(self, market: int, state: MarketState = MarketState.MARKET_HALTED) -> None:
        self.control(ControlKind.CONTROL_MARKET_STATE, market=market, value=state)

    def step(self, ms: float = 10.0) -> list[Sent]:
        """Let time pass, tick, and have the venue do what leaves but takes; return all."""
        self.wait(ms)
        for i in range(3):
            self.face.ticker(i, self.now_ns, mark=MIDS[i], index=MIDS[i],
                             state=self.face.market_state(i)["state"])
        sent = self.timer()
        self.accept([a for a in sent if not is_take(a)])
        return sent

    def takes(self, ms: float = 10.0, tries: int = 5) -> list[Sent]:
        """Step until something is taken; return that."""
        for _ in range(tries):
            found = [a for a in self.step(ms) if is_take(a)]
            if found:
                return found
        return []

    def done(self, a: Sent, contracts: int) -> None:
        """The venue fills an IOC so far, and what is left of it is gone."""
        if contracts:
            self.fill(a, contracts)
        self.cancelled(a["slot"], a["generation"], market=a["market"], filled=contracts)
        self.accept_take(a, contracts)

    def accept_take(self, a: Sent, contracts: int) -> None:
        self._word(OrderEventKind.ORDER_EVENT_ACCEPTED, a, filled=contracts,
                   state=(VenueOrderState.VENUE_ORDER_FILLED
                          if contracts == a["amount_contracts"]
                          else VenueOrderState.VENUE_ORDER_CANCELLED))

    def of(self, index: int) -> Market:
        return self.engine.markets[index]

    def quoted(self, index: int, side: int) -> list[tuple[float, int]]:
        """Return (price, contracts) of the approved rungs of a side."""
        spec = self.specs[index]
        return [(spec.price(ticks), amount) for ticks, amount in self.of(index).quotes()[side]]


def is_take(a: Sent) -> bool:
    return a["kind"] == "ACTION_NEW" and a["slot"] >= 20


def sides(actions: Iterable[Sent]) -> list[tuple[int, str, int]]:
    """Return (market, side, contracts) of each action."""
    return [(a["market"], "buy" if a["side"] == BID else "sell", a["amount_contracts"])
            for a in actions]


__all__ = ["ASK", "BID", "FAR", "LEAD", "MIDS", "NEAR", "SECOND", "PairDesk", "is_take", "sides"]
