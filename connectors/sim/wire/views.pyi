"""Python face of the views: the venue's words."""

STATES: tuple[str, ...]
ORDER_STATES: tuple[str, ...]
TIMES_IN_FORCE: tuple[str, ...]
CANCEL_REASONS: tuple[str | None, ...]
CURRENCIES: tuple[str, ...]
IM_RATE: float
IM_SLOPE: float
MM_RATE: float
