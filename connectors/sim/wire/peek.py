"""What a fault plan must know of a request before anybody has judged it."""

from __future__ import annotations

from typing import Any

import msgspec


class Named(msgspec.Struct):
    """What a fault needs of a request before anybody has judged it."""

    method: Any = None
    id: Any = None


def named(payload: bytes) -> Named:
    try:
        return msgspec.json.decode(payload, type=Named)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Named()


def method_of(payload: bytes) -> str:
    return str(named(payload).method)


def id_of(payload: bytes) -> Any:
    found = named(payload).id
    return found if isinstance(found, int | str | float) else None
