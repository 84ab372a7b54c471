"""Python face of quotes: finding and making protection groups."""

from connectors.sim.mmp import MmpGroup
from connectors.sim.trading import Trading

class Quotes(Trading):
    def mmp(
        self, account: int, index: int, name: str, make: bool = False
    ) -> tuple[int, MmpGroup | None]: ...
