"""Python face of liquidation: nothing but the class."""

from connectors.sim.triggers import Triggers

class Liquidation(Triggers): ...
