"""The one place where the shell asks for the time."""

import time

NS_PER_S = 1_000_000_000

# The engine's clock: never steps back, starts anywhere. The session reads the same one in C.
monotonic_ns = time.monotonic_ns


def wall_offset_ns() -> int:
    """Return wall clock minus monotonic clock, in ns; the engine adds it where it needs dates."""
    before = time.monotonic_ns()
    wall = time.time_ns()
    return wall - (before + time.monotonic_ns()) // 2
