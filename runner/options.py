"""What the command line of `mm run` hands to the process that trades."""

import re

from msgspec import Struct

EXIT_CLEAN = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2          # usage, configuration or data
EXIT_KILLED = 3         # killed or latched
EXIT_NOT_FLAT = 4       # not verified that no order is left

DURATION_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class RunOptions(Struct, frozen=True, kw_only=True):
    """Options of `mm run`."""

    config: str | None = None
    venue: str | None = None
    duration_s: float | None = None
    sets: tuple[str, ...] = ()
    headless: bool = False
    summary: str | None = None
    paper: bool = False
    data: tuple[str, ...] = ()      # recordings a paper session plays
    before: tuple[str, ...] = ()    # going on from a session: who stood for each [[instrument]]
    positions: tuple[str, ...] = ()     # and in which contracts it left one


def parse_duration(text: str) -> float:
    """Return seconds of `90`, `60s`, `10m`, `1.5h` or `500ms`; ValueError otherwise."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(ms|s|m|h|d|)\s*", text)
    if found is None or float(found.group(1)) <= 0:
        raise ValueError(f"{text!r} is no duration; write 90, 60s, 10m or 1.5h")
    return float(found.group(1)) * DURATION_UNITS_S[found.group(2)]
