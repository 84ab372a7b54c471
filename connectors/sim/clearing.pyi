"""Python face of the bookings: nothing but the class."""

from connectors.sim.checks import Checks

class Clearing(Checks): ...
