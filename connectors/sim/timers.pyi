"""Python face of the timers: nothing but the class."""

from connectors.sim.pending import Pending

class Timers(Pending): ...
