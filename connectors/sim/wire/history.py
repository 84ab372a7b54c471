"""What the exchange remembers of index and funding: one sample a second, thinned for the past."""

from __future__ import annotations

from collections import deque

import msgspec

from connectors.sim.market import Listing
from connectors.sim.wire.desk import Desk

SECOND_NS = 1_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
EIGHT_HOURS_MS = 8 * HOUR_MS
AVERAGED_MS = 30 * MINUTE_MS    # before an expiry, of the delivery price
FOREVER_MS = 32503708800000


class Minute(msgspec.Struct):
    """One index over one minute."""

    start_ms: int
    first_usd: float
    low_usd: float
    high_usd: float
    last_usd: float


class FundingHour(msgspec.Struct):
    """Funding of one perpetual at the end of one hour; `paid` sums the rate since the start."""

    end_ms: int
    index_usd: float
    rate_8h: float
    paid: float


class Funding:
    """The funding one perpetual has paid, as a rate: what a position held throughout costs."""

    def __init__(self) -> None:
        self.since_ms = 0
        self.at_ms = 0
        self.rate = 0.0
        self.paid = 0.0
        self.points: deque[tuple[int, float]] = deque(maxlen=DAY_MS // MINUTE_MS * 31)
        self.hours: deque[FundingHour] = deque(maxlen=24 * 31)

    def sample(self, t_ms: int, rate: float, rate_8h: float, index_usd: float) -> None:
        if self.at_ms:
            self.paid += self.rate * (t_ms - self.at_ms) / EIGHT_HOURS_MS
        else:
            self.since_ms = t_ms
            self.hours.append(FundingHour(t_ms, index_usd, rate_8h, 0.0))
            self.points.append((t_ms, 0.0))
        if t_ms // MINUTE_MS != self.points[-1][0] // MINUTE_MS:
            self.points.append((t_ms, self.paid))
        if t_ms // HOUR_MS != self.hours[-1].end_ms // HOUR_MS:
            self.hours.append(FundingHour(t_ms // HOUR_MS * HOUR_MS, index_usd, rate_8h,
                                          self.paid))
        self.at_ms, self.rate = t_ms, rate

    def paid_at(self, t_ms: int) -> float:
        """Return the rate paid up to a time; the minutes between two samples are a line."""
        if not self.at_ms or t_ms <= self.points[0][0]:
            return self.points[0][1] if self.points else 0.0
        before = self.points[0]
        for point in [*self.points, (self.at_ms, self.paid)]:
            if point[0] > t_ms:
                share = (t_ms - before[0]) / (point[0] - before[0])
                return before[1] + share * (point[1] - before[1])
            before = point
        return self.paid


class History:
    """Samples of one exchange; `sample` is called once a second of its clock."""

    def __init__(self, desk: Desk, listings: list[Listing], indexes: dict[str, int]) -> None:
        self.desk = desk
        self.listings = listings
        self.indexes = indexes
        self.minutes: dict[str, deque[Minute]] = {
            name: deque(maxlen=DAY_MS // MINUTE_MS) for name in indexes}
        self.funding = {i: Funding() for i, listing in enumerate(listings)
                        if listing.settlement_period == "perpetual"}
        self.averaged: dict[str, tuple[int, float, int]] = {}   # expiry, sum of prices, count

    def sample(self, t_ns: int) -> None:
        t_ms = t_ns // 1_000_000
        for name, number in self.indexes.items():
            price = self.desk.index_price(number)
            if price > 0.0:
                self.sample_index(name, t_ms, price)
        for market, funding in self.funding.items():
            ticker = self.desk.ticker(market, t_ns)
            if ticker["index_price"] > 0.0:
                funding.sample(t_ms, ticker["current_funding"], ticker["funding_8h"],
                               ticker["index_price"])

    def sample_index(self, name: str, t_ms: int, price: float) -> None:
        minutes = self.minutes[name]
        if not minutes or t_ms - minutes[-1].start_ms >= MINUTE_MS:
            minutes.append(Minute(t_ms // MINUTE_MS * MINUTE_MS, price, price, price, price))
        last = minutes[-1]
        last.low_usd, last.high_usd = min(last.low_usd, price), max(last.high_usd, price)
        last.last_usd = price
        expiry_ms = self.next_expiry_ms(name, t_ms)
        if t_ms < expiry_ms < t_ms + AVERAGED_MS:       # its first second ends after the start
            before = self.averaged.get(name, (0, 0.0, 0))
            total, count = before[1:] if before[0] == expiry_ms else (0.0, 0)
            self.averaged[name] = (expiry_ms, total + price, count + 1)

    def next_expiry_ms(self, index_name: str, t_ms: int) -> int:
        """Return when the next contract on an index expires."""
        return min((listing.spec.expiry_ms for listing in self.listings
                    if listing.index_name == index_name and listing.spec.expiry_ms > t_ms),
                   default=FOREVER_MS)

    def statistics(self, name: str) -> dict[str, object]:
        """Return the data of deribit_price_statistics; nothing before the first sample."""
        minutes = self.minutes[name]
        if not minutes:
            return {}
        return {"index_name": name, "low24h": min(m.low_usd for m in minutes),
                "high24h": max(m.high_usd for m in minutes),
                "change24h": round(minutes[-1].last_usd - minutes[0].first_usd, 2),
                "high_volatility": False}

    def expiration(self, name: str, t_ms: int) -> dict[str, object]:
        """Return the data of estimated_expiration_price."""
        expiry_ms = self.next_expiry_ms(name, t_ms)
        price = self.desk.index_price(self.indexes[name])
        data: dict[str, object] = {
            "seconds": max(0, (expiry_ms - t_ms) // 1000), "price": price, "is_estimated": False}
        at_ms, total, count = self.averaged.get(name, (0, 0.0, 0))
        if at_ms == expiry_ms and count:
            left = max(0, (expiry_ms - t_ms) // 1000)
            whole = AVERAGED_MS // 1000
            # The seconds to come count at the price of now.
            data |= {"price": round((total + left * price) / (count + left), 2),
                     "is_estimated": True, "left_ticks": left, "total_ticks": whole}
        return data
