"""`[[quote.window]]`: moments of the UTC day round which quotes are wider, smaller or gone."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_HOUR = -1


class TimeWindow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One window. Several that are open at once: the widest spread, the smallest size, any pull."""

    at_utc: Annotated[str, Meta(pattern=r"^(hourly|([01]\d|2[0-3]):[0-5]\d)$")]
    days: tuple[Day, ...] = DAYS
    before_s: Annotated[int, Meta(ge=0, le=43200)] = 0
    after_s: Annotated[int, Meta(ge=0, le=43200)] = 0
    spread_factor: Annotated[float, Meta(ge=1.0, le=10.0)] = 1.0
    size_factor: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0
    pull: bool = False

    def row(self) -> tuple[int, int, int, int, float, float, bool]:
        """Return the window as TimeWindows.replace() takes it."""
        mask = sum(1 << DAYS.index(day) for day in set(self.days))
        at_s = EVERY_HOUR
        if self.at_utc != "hourly":
            at_s = int(self.at_utc[:2]) * 3600 + int(self.at_utc[3:]) * 60
        return (mask, at_s, self.before_s, self.after_s, self.spread_factor, self.size_factor,
                self.pull)


# Funding marks and the session's end, full hours, and the weekly delivery with its averaging.
SHIPPED_WINDOWS = (
    *(TimeWindow(at_utc=at, before_s=30, after_s=60, spread_factor=1.5, size_factor=0.5)
      for at in ("00:00", "08:00", "16:00")),
    TimeWindow(at_utc="hourly", before_s=5, after_s=15, spread_factor=1.2),
    TimeWindow(at_utc="08:00", days=("fri",), before_s=1800, after_s=120, spread_factor=1.5,
               size_factor=0.5),
)


def windows_of(value: Any, where: str, faults: list[str]) -> tuple[TimeWindow, ...]:
    """Check the tables of a file; a fault names the place and what may be written."""
    try:
        return tuple(msgspec.convert(value, list[TimeWindow]))
    except msgspec.ValidationError as error:
        faults.append(f"{where}: quote.window: {error}; write [[quote.window]] with at_utc, "
                      "days, before_s, after_s, spread_factor, size_factor, pull")
        return ()
