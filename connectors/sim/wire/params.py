"""Typed access to the parameters of one request; a wrong one is the venue's -32602."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from connectors.sim.wire.errors import invalid

AMOUNT_MAX = 1e12
STAMP_MAX = 10**14
TRIGGER_ID = re.compile("(SL|TP)[MIT][BS]")


class Params(msgspec.Struct):
    """Parameters of a request; `lenient` takes numbers and flags as text, as in a URL."""

    values: dict[str, Any]
    lenient: bool = False

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name, default)
        if value is None:
            raise invalid(name, "value required")
        if not isinstance(value, str):
            raise invalid(name, "must be a string")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise invalid(name, f"must be one of {', '.join(choices)}")
        return value

    def number(self, name: str) -> float | None:
        """Return a finite number, None where it is missing."""
        value = self.values.get(name)
        if isinstance(value, str) and self.lenient:
            try:
                value = float(value)
            except ValueError:
                raise invalid(name, "must be a number") from None
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid(name, "must be a number")
        if not -AMOUNT_MAX <= value <= AMOUNT_MAX * 1000:
            raise invalid(name, "out of range")
        return float(value)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name)
        if value is None:
            return default
        if value != int(value) or not low <= value <= high:
            raise invalid(name, f"must be an integer from {low} to {high}")
        return int(value)

    def span(self, half: bool = False) -> tuple[int, int]:
        """Return start_timestamp and end_timestamp in ms; both are required, one if `half`."""
        first = self.integer("start_timestamp", -1, 0, STAMP_MAX)
        end = self.integer("end_timestamp", -1, 0, STAMP_MAX)
        if half and first >= 0 and end < 0:
            end = STAMP_MAX
        elif half and end >= 0 and first < 0:
            first = 0
        for name, value in (("start_timestamp", first), ("end_timestamp", end)):
            if value < 0:
                raise invalid(name, "value required")
        return first, end

    def flag(self, name: str) -> bool | None:
        value = self.values.get(name)
        if isinstance(value, str) and self.lenient and value in ("true", "false"):
            return value == "true"
        if value is None or isinstance(value, bool):
            return value
        raise invalid(name, "must be a boolean")

    def channels(self) -> list[str]:
        value = self.values.get("channels")
        if value is None:
            raise invalid("channels", "value required")
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise invalid("channels", "must be a list of strings")
        if len(value) > 500:
            raise invalid("channels", "at most 500 channels")
        return list(dict.fromkeys(value))

    def order_id(self) -> int:
        value = self.text("order_id")
        # A trigger order's id says what it is before the number: SLIS-12.
        kind, _, number = value.rpartition("-")
        if not number.isascii() or not number.isdigit() or len(number) > 18 or (
                kind and TRIGGER_ID.fullmatch(kind) is None):
            raise invalid("order_id", "invalid_order_id")
        return int(number)
