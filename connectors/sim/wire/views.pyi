"""Python face of the views: the venue's words."""

STATES: tuple[str, ...]
ORDER_STATES: tuple[str, ...]
TIMES_IN_FORCE: tuple[str, ...]
CANCEL_REASONS: tuple[str | None, ...]
CURRENCIES: tuple[str, ...]
TRIGGERS_BY: tuple[str, ...]
