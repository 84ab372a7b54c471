"""Python face of quote protection."""

from typing import final

@final
class MmpGroup:
    name: str
    index: int
    configured: bool
    interval_s: float
    frozen_s: float
    quantity_limit: float
    delta_limit: float
    vega_limit: float
    max_quote_quantity: float
    def __init__(self, name: str, index: int) -> None: ...
    def configure(
        self,
        interval_s: float,
        frozen_s: float,
        quantity_limit: float,
        delta_limit: float,
        vega_limit: float,
        max_quote_quantity: float,
    ) -> None: ...
    def frozen_until_ms(self) -> int | None: ...
