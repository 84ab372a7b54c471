"""When the second path must cancel: a pull the venue has not acknowledged in time."""

from collections.abc import Callable

from connectors.deribit.session import DeribitSession
from mmcore.types import ActionKind

OVERDUE_NS = 250_000_000
AGAIN_NS = 1_000_000_000
CANCELS = (ActionKind.ACTION_CANCEL, ActionKind.ACTION_CANCEL_INSTRUMENT)
EVERYTHING = ""     # instead of an instrument's name

SecondPath = Callable[[str], None]


class OverduePulls:
    """Looks for cancels without an answer; asks the second path for the whole instrument."""

    def __init__(self, session: DeribitSession, names: list[str]) -> None:
        self.session = session
        self.names = names
        self.asked = 0
        self._asked_ns = [-AGAIN_NS] * len(names)

    def look(self, now_ns: int, ask: SecondPath) -> None:
        """Ask for every instrument with a cancel older than OVERDUE_NS, once a second at most."""
        for market, state in enumerate(self.session.engine.markets):
            if state.orders.open_count == 0 or now_ns - self._asked_ns[market] < AGAIN_NS:
                continue
            if any(row["request"] in CANCELS and now_ns - row["sent_ns"] > OVERDUE_NS
                   for row in state.orders.rows() if row["state"] != "ORDER_CLOSED"):
                self._asked_ns[market] = now_ns
                self.asked += 1
                ask(self.names[market])
