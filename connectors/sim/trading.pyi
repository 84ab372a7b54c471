"""Python face of the requests: nothing but the class."""

from connectors.sim.spreads import Spreads

class Trading(Spreads): ...
