"""What a server sets up beside its market: queue models, a spread, contracts listed later."""

from __future__ import annotations

from connectors.sim.exchange import Exchange
from connectors.sim.listing import expiry_ms, future_name, listed, spread_name
from connectors.sim.market import Listing
from connectors.sim.wire.venue import Venue
from mmcore.types import InstrumentSpec

FIRST_ID = 220_000
PERPETUAL = "BTC-PERPETUAL"
QUEUE_MODELS = ("pessimistic", "proportional", "power")     # QueueKind, by number


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
    """Lists the dated contracts the rule asks for after each settlement."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.due_ms = 0
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
                for day, _ in listed(now_ns, weekly=0)]

    def on_listing(self, market: int) -> None:
        """Let clients see a contract the exchange has just listed."""
        spec = self.venue.exchange.specs[market]
        self.venue.listings.append(Listing(
            spec=spec, settlement_period="month", instrument_id=FIRST_ID + market,
            creation_ms=self.due_ms))
        self.venue.markets[spec.name] = market
        self.venue.subscriptions.markets[spec.name] = market
