"""Which contracts the synthetic market lists on a date, by rule."""

from datetime import UTC, date, datetime, timedelta

from connectors.sim.listing import (
    EXPIRY_HOUR,
    QUARTER_MONTHS,
    expiry_ms,
    future_name,
    month_end,
)
from connectors.sim.market.protocol import MAKER_FEE, TAKER_FEE, Listing
from mmcore.types import InstrumentSpec

TICK_SIZE = "0.5"
CONTRACT_SIZE = "10"
FRONT_MIN_DAYS = 3


def expiries(today: date) -> tuple[date, date]:
    """Return the next month-end expiry and the next quarterly one after it."""
    months = [(today.year + (today.month - 1 + n) // 12, (today.month - 1 + n) % 12 + 1)
              for n in range(6)]
    front = next(day for day in (month_end(*m) for m in months)
                 if day >= today + timedelta(days=FRONT_MIN_DAYS))
    quarter = next(month_end(*m) for m in months
                   if m[1] in QUARTER_MONTHS and month_end(*m) > front)
    return front, quarter


def list_contracts(now_ns: int, maker_fee: float = MAKER_FEE,
                   taker_fee: float = TAKER_FEE, expiring: bool = False) -> list[Listing]:
    """Return the perpetual and two dated futures as listed at a time; fees of notional.

    expiring: the front one expires at the next 08:00 UTC instead of the end of a month.
    """
    def spec_of(name: str, ends_ms: int) -> InstrumentSpec:
        return InstrumentSpec(name, tick_size=TICK_SIZE, contract_size=CONTRACT_SIZE,
                              min_amount=CONTRACT_SIZE, maker_fee=maker_fee,
                              taker_fee=taker_fee, expiry_ms=ends_ms)

    now = datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC)
    listings = [Listing(spec=spec_of("BTC-PERPETUAL", 0))]
    days = expiries(now.date())
    if expiring:
        days = (now.date() + timedelta(days=now.hour >= EXPIRY_HOUR), days[1])
    for number, day in enumerate(days):
        ends_ms = expiry_ms(day)
        listings.append(Listing(
            spec=spec_of(future_name(day), ends_ms),
            settlement_period="day" if expiring and number == 0 else "month",
            instrument_id=210_000 + day.toordinal() % 10_000,
            creation_ms=ends_ms - (90 + 180 * number) * 86_400_000))
    return listings
