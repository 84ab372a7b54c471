"""What a server sets up beside its market: queue models, a spread, contracts listed later."""

from __future__ import annotations

from collections.abc import Callable

from connectors.sim.exchange import Exchange
from connectors.sim.listing import expiry_ms, future_name, listed, spread_name
from connectors.sim.market import Listing
from connectors.sim.wire.venue import Venue
from mmcore.types import InstrumentSpec

FIRST_ID = 220_000
SPREADS_UNTIL = 48      # books: of the 64 an exchange can ever have, some are for later contracts
PERPETUAL = "BTC-PERPETUAL"
QUEUE_MODELS = ("pessimistic", "proportional", "power", "log")     # QueueKind, by number


def dated(name: str, ends_ms: int, like: InstrumentSpec) -> InstrumentSpec:
    """Return the contract of a name and an end, otherwise like another."""
    return InstrumentSpec(
        name, tick_size=like.tick_usd, contract_size=like.contract_size,
        min_amount=like.lot_contracts * like.contract_size, maker_fee=like.maker_fee,
        taker_fee=like.taker_fee, expiry_ms=ends_ms)


def set_queues(exchange: Exchange, model: str, power: float) -> None:
    """Choose how orders move up behind recorded liquidity, in every book."""
    if model not in QUEUE_MODELS:
        raise ValueError(f"queue_model {model!r}: one of {', '.join(QUEUE_MODELS)}")
    for book in exchange.books:
        book.set_queue_model(QUEUE_MODELS.index(model), power)


def add_spread(exchange: Exchange, listings: list[Listing]) -> Listing | None:
    """List the spread of the nearest dated contract and the perpetual; None without both."""
    names = {listing.spec.name: i for i, listing in enumerate(listings)}
    ends = [(listing.spec.expiry_ms, i) for i, listing in enumerate(listings)
            if listing.spec.expiry_ms > 0 and listing.spec.inverse]
    if PERPETUAL not in names or not ends:
        return None
    far = listings[min(ends)[1]]
    spec = dated(spread_name(far.spec.name, PERPETUAL), far.spec.expiry_ms, far.spec)
    exchange.add_spread(spec, names[far.spec.name], names[PERPETUAL])
    return Listing(spec=spec, index_name=far.index_name, settlement_period=far.settlement_period,
                   instrument_id=FIRST_ID - 1, creation_ms=far.creation_ms)


class Roll:
    """Lists the dated contracts the rule asks for after each settlement, and spreads on demand.

    queue: model and power of the books' queues; later ones have it too.
    """

    def __init__(self, venue: Venue, queue: tuple[str, float] = (QUEUE_MODELS[0], 2.0)) -> None:
        self.venue = venue
        self.queue = queue
        self.due_ms = 0
        self.on_new: Callable[[int, int], None] = lambda market, t_ns: None
        like = [x.spec for x in venue.listings if x.spec.inverse and x.spec.expiry_ms > 0]
        self.like = like[0] if like else None
        venue.exchange.set_lister(self.due)
        venue.subscriptions.broadcast.on_listing = self.on_listing

    def due(self, now_ns: int) -> list[tuple[InstrumentSpec, str, bool]]:
        """Return what has to be listed at a time; nothing on a venue without dated contracts."""
        if self.like is None:
            return []
        self.due_ms = now_ns // 1_000_000
        return [(dated(future_name(day), expiry_ms(day), self.like), "btc_usd", False)
                for day, _ in listed(now_ns)]

    def on_listing(self, market: int, period: str = "month") -> None:
        """Let clients see a contract the exchange has just listed."""
        spec = self.venue.exchange.specs[market]
        self.venue.listings.append(Listing(
            spec=spec, settlement_period=period, instrument_id=FIRST_ID + market,
            creation_ms=self.due_ms))
        self.venue.markets[spec.name] = market
        self.venue.subscriptions.markets[spec.name] = market
        model, power = self.queue
        self.venue.exchange.books[market].set_queue_model(QUEUE_MODELS.index(model), power)
        self.on_new(market, self.due_ms * 1_000_000)

    def list_spread(self, far: int, near: int, t_ns: int) -> int:
        """Return the spread that buys one market and sells the other, listed now if need be.

        Raises ValueError where there is no room for another.
        """
        specs = self.venue.exchange.specs
        name = spread_name(specs[far].name, specs[near].name)
        if name in self.venue.markets:
            return self.venue.markets[name]
        if self.venue.exchange.market_count >= SPREADS_UNTIL:
            raise ValueError("too many books; the rest is for contracts to come")
        ends = [s.expiry_ms for s in (specs[far], specs[near]) if s.expiry_ms > 0]
        market = self.venue.exchange.add_spread(dated(name, min(ends), specs[far]), far, near)
        self.due_ms = t_ns // 1_000_000
        self.venue.subscriptions.broadcast.follow(market)
        self.on_listing(market, self.venue.listings[far].settlement_period)
        return market
