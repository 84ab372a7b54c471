"""Which dated contracts are listed on a date: monthly and quarterly ones, by rule."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

FRIDAY = 4
EXPIRY_HOUR = 8
QUARTER_MONTHS = (3, 6, 9, 12)
SECOND_NS = 1_000_000_000


def month_end(year: int, month: int) -> date:
    """Return the last Friday of a month, the day its contract expires."""
    after = date(year + month // 12, month % 12 + 1, 1)
    day = after - timedelta(days=1)
    return day - timedelta(days=(day.weekday() - FRIDAY) % 7)


def month_ends(first: date, count: int, months: tuple[int, ...]) -> list[date]:
    """Return the next `count` month ends from a day on, of the months given."""
    found: list[date] = []
    year, month = first.year, first.month
    while len(found) < count:
        day = month_end(year, month)
        if month in months and day >= first:
            found.append(day)
        year, month = year + month // 12, month % 12 + 1
    return found


def listed(now_ns: int, *, monthly: int = 2, quarterly: int = 2) -> list[tuple[date, str]]:
    """Return (expiry day, settlement period) of what is listed, nearest first.

    At 08:00 UTC of its day a contract has expired.
    """
    now = datetime.fromtimestamp(now_ns // SECOND_NS, tz=UTC)
    first = now.date() + timedelta(days=int(now.hour >= EXPIRY_HOUR))
    days = {*month_ends(first, monthly, tuple(range(1, 13))),
            *month_ends(first, quarterly, QUARTER_MONTHS)}
    return [(day, "month") for day in sorted(days)]


def future_name(day: date, currency: str = "BTC") -> str:
    """Return the venue's name of a dated contract; the day is not zero padded."""
    return f"{currency}-{day.day}{day.strftime('%b%y').upper()}"


def spread_name(bought: str, sold: str) -> str:
    """Return the venue's name of the spread between two contracts of one currency."""
    currency, _, far = bought.partition("-")
    near = sold.partition("-")[2]
    return f"{currency}-FS-{far}_{'PERP' if near == 'PERPETUAL' else near}"


def expiry_ms(day: date) -> int:
    """Return 08:00 UTC of a day in milliseconds."""
    return int(datetime(day.year, day.month, day.day, EXPIRY_HOUR, tzinfo=UTC).timestamp()) * 1000
