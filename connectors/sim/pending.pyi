"""Python face of the matching engine's queue."""

from typing_extensions import disjoint_base

from connectors.sim.settlement import Settlement

@disjoint_base
class Pending(Settlement):
    def set_processing(self, min_ns: int, max_ns: int) -> None: ...
