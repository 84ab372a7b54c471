"""One key of a fragment of config, with what it rests on."""

import msgspec


class Suggestion(msgspec.Struct, frozen=True):
    """One key of the fragment."""

    key: str
    value: float
    why: str
    refused: str = ""
