"""Python face of spreads: nothing but the class."""

from connectors.sim.clearing import Clearing

class Spreads(Clearing): ...
