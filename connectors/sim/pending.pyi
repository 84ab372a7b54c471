"""Python face of the matching engine's queue."""

from connectors.sim.settlement import Settlement

class Pending(Settlement):
    def set_processing(self, min_ns: int, max_ns: int) -> None: ...
