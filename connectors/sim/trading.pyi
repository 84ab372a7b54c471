"""Python face of the requests: nothing but the class."""

from typing_extensions import disjoint_base

from connectors.sim.spreads import Spreads

@disjoint_base
class Trading(Spreads): ...
