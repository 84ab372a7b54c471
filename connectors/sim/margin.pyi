"""Python face of the margin rules."""

from mmcore.types import InstrumentSpec

def rates() -> dict[str, float]: ...
def margins_of(
    spec: InstrumentSpec, price_usd: float, contracts: int
) -> tuple[float, float]: ...
