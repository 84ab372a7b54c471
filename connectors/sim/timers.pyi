"""Python face of the timers: nothing but the class."""

from connectors.sim.clearing import Clearing

class Timers(Clearing): ...
