"""The journal's record of changed parameters: a word, then JSON.

The session and its replay apply it here. It is a JOURNAL_SESSION record, written before the change
takes effect.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from mmcore.engine import Engine

WORD = b"set "


class ChangeRecord(msgspec.Struct, frozen=True):
    """A change. changes: for people, values as configured. rows: market (-1: all), key, number."""

    who: str
    reason: str
    changes: Sequence[dict[str, Any]]
    rows: Sequence[tuple[int, str, float]]

    def encode(self) -> bytes:
        """Return the payload for the journal."""
        return WORD + msgspec.json.encode(self)


def is_change(payload: bytes) -> bool:
    """Return whether the payload of a JOURNAL_SESSION record is a change."""
    return payload.startswith(WORD)


def read_change(payload: bytes) -> ChangeRecord:
    """Return the change of a payload that is one. Raises msgspec.DecodeError."""
    return msgspec.json.decode(payload[len(WORD):], type=ChangeRecord)


def apply_change(engine: Engine, change: ChangeRecord) -> None:
    """Change an engine's parameters between two decisions; KeyError where a key is not known."""
    for market, key, value in change.rows:
        if market < 0:
            engine.configure(key, value)
    # An instrument's own value wins over what all have.
    for market, key, value in change.rows:
        if market >= 0:
            engine.markets[market].params.set(key, value)
