"""Credits of every pool of requests, out of what the venue says of the account."""

from msgspec import UnsetType

from connectors.deribit.account_messages import Limits, MatchingLimits, RateData, TradingLimits
from mmcore.budget import CreditPool


def trading_rate(limits: Limits | UnsetType) -> RateData | None:
    """Return rate and burst of matching-engine requests out of an account's limits."""
    if isinstance(limits, UnsetType) or isinstance(limits.matching_engine, UnsetType):
        return None
    engine = limits.matching_engine
    for place in (engine.trading, engine):
        if isinstance(place, TradingLimits) and isinstance(place.total, RateData):
            return place.total
        if (isinstance(place, TradingLimits | MatchingLimits)
                and not isinstance(place.rate, UnsetType)
                and not isinstance(place.burst, UnsetType)):
            return RateData(rate=place.rate, burst=place.burst)
    return None


def other_pools(limits: Limits | UnsetType) -> list[tuple[CreditPool, RateData | None]]:
    """Return what an account's limits say of cancel_all and of mass quotes.

    A mass quote of ours holds two sides at most, and sides have a limit of their own.
    """
    if isinstance(limits, UnsetType) or isinstance(limits.matching_engine, UnsetType):
        return []
    engine = limits.matching_engine
    mass, sides = engine.maximum_mass_quotes, engine.maximum_quotes
    if isinstance(mass, RateData) and isinstance(sides, RateData):
        mass = RateData(rate=min(mass.rate, sides.rate / 2), burst=min(mass.burst, sides.burst / 2))
    return [(CreditPool.POOL_CANCEL_ALL,
             engine.cancel_all if isinstance(engine.cancel_all, RateData) else None),
            (CreditPool.POOL_MASS_QUOTE, mass if isinstance(mass, RateData) else None)]
