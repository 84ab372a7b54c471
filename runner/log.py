"""Logging of the cold path: warnings and connection events, never market data."""

import logging
import sys
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def start_log(path: Path, *, on_screen: bool) -> None:
    """Write to a file, and warnings to standard error where no picture is in the way."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter(FORMAT))
    root.addHandler(file)
    # One line per connection, of no use to an operator.
    logging.getLogger("picows").setLevel(logging.WARNING)
    if on_screen:
        screen = logging.StreamHandler(sys.stderr)
        screen.setLevel(logging.WARNING)
        screen.setFormatter(logging.Formatter("mm: %(message)s"))
        root.addHandler(screen)
