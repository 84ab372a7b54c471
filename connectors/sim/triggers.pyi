"""Python face of trigger orders: nothing but the class."""

from connectors.sim.quotes import Quotes

class Triggers(Quotes): ...
