"""Python face of the settlement: nothing but the class."""

from connectors.sim.liquidation import Liquidation

class Settlement(Liquidation): ...
