"""Which program this is: the version, and the hash of the sources it was built from."""

import re
from pathlib import Path

from mmcore import __version__

BUILD_HASH = "build_hash"       # written by setup.py beside this file
HASH = re.compile(r"[0-9a-f]{12}")


def build_hash() -> str:
    """Return the hash of the sources of this build; empty where it was not built by setup.py."""
    try:
        text = Path(__file__).with_name(BUILD_HASH).read_text().strip()
    except OSError:
        return ""
    return text if HASH.fullmatch(text) else ""


def product_version() -> str:
    """Return the version as one word, like 0.1.0+3f2a91c04d1e.

    What follows the + is the same for a tree, its sdist and its wheel, and another one as soon as
    one of the sources in Python or Cython differs.
    """
    found = build_hash()
    return f"{__version__}+{found}" if found else __version__
