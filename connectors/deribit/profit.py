"""Our realised profit against the venue's, within a session: a check, never a correction."""

import logging
from collections.abc import Sequence

from connectors.deribit.messages import PositionData
from connectors.deribit.session import DeribitSession
from mmcore.types import InstrumentSpec

log = logging.getLogger("mm.deribit")

TOLERANCE = 1e-6    # BTC; the venue books eight decimals a trade, and so do we


class ProfitAudit:
    """Compares by instrument what was realised since the last settlement both sides know of."""

    def __init__(self, session: DeribitSession, specs: Sequence[InstrumentSpec]) -> None:
        self.session = session
        self.specs = list(specs)
        self.base: dict[int, float] = {}            # ours less the venue's, as the check began
        self.settled_at: dict[int, float] = {}      # the venue's last settlement price
        self.between: set[int] = set()              # settled with a position, not flat since
        self.largest = 0.0                          # difference seen since

    def realized(self, market: int) -> float:
        return self.session.engine.markets[market].position.realized_e8 * 1e-8

    def rebase(self) -> None:
        """Forget where the check began: a connection, a person, or a settlement changed it."""
        self.base.clear()

    def compare(self, market: int, held: PositionData) -> float:
        """Return how far realised profits have come apart; 0 while nothing can be said."""
        engine_market = self.session.engine.markets[market]
        price = held.settlement_price or 0.0
        before = self.settled_at.get(market)
        self.settled_at[market] = price
        if before is not None and price and price != before:
            self.between.add(market)
        if engine_market.position.contracts == 0:
            self.between.discard(market)
        if engine_market.settling or market in self.between:
            # the venue counts an open position from its settlement price on, we from its entry
            self.base.pop(market, None)
            return 0.0
        off = self.realized(market) - (held.realized_profit_loss - held.realized_funding)
        start = self.base.setdefault(market, off)
        self.largest = max(self.largest, abs(off - start))
        return off - start

    def differing(self, found: dict[str, PositionData],
                  before: Sequence[float]) -> list[tuple[str, float]]:
        """Return (instrument, difference) beyond the tolerance.

        before: realised() of every market as the question was asked; what moved since is left out.
        """
        wrong = []
        for market, spec in enumerate(self.specs):
            held = found.get(spec.name)
            if held is None or self.realized(market) != before[market]:
                continue
            off = self.compare(market, held)
            if abs(off) > TOLERANCE * (1.0 if spec.inverse else 1e5):
                wrong.append((spec.name, off))
        return wrong
