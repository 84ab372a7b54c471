"""Names of the alpha terms, in the order of the why record."""

TERM_NAMES: list[str]

def own_terms() -> list[str]: ...
