"""A venue's live market as the market of the exchange: paper trading.

What the venue sends is recorded liquidity here, applied as it arrives; own orders rest and fill in
this exchange only, by its queue model. Nothing ever goes back to the venue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from connectors.deribit.instruments import spec_of
from connectors.deribit.public import PublicFeed
from connectors.replay.deribit import (
    DECODE_BOOK,
    DECODE_INDEX,
    DECODE_NOTIFICATION,
    DECODE_TICKER,
    DECODE_TRADES,
    STATE_UNKNOWN,
    STATES,
    Book,
    Ticker,
    Trade,
)
from connectors.sim.market.protocol import Listing
from connectors.sim.orders import TradeFlag

if TYPE_CHECKING:
    from connectors.sim.exchange import Exchange
    from mmcore.types import InstrumentSpec

__all__ = ["RelayedMarket"]

LOOK_NS = 3600 * 1_000_000_000  # without news there is nothing to do
BID, ASK = 0, 1


class RelayedMarket:
    """Plays the frames of a feed. Frames wait until the exchange begins; then `wake` is called."""

    waits_for_book = False

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.wake: Callable[[], None] | None = None
        self.listings: list[Listing] = []
        self.numbers: dict[str, int] = {}
        self.synced: set[int] = set()
        self.traded: dict[int, int] = {}
        self.unreadable = 0
        self.books: set[str] = set()
        self.complete = asyncio.Event()     # a snapshot of every book has come

    def take(self, frame: bytes, recv_ns: int) -> None:
        """Keep a frame for the exchange, and have it taken now."""
        self.waiting.append(frame)
        if not self.complete.is_set():
            self.note_book(frame)
        if self.wake is not None:
            self.wake()

    def take_listings(self, feed: PublicFeed) -> None:
        """Take the instruments from a feed that is ready."""
        told: dict[str, dict[str, Any]] = {
            str(d["instrument_name"]): dict(d) for d in feed.definitions}
        for data in feed.chosen:
            definition = told[data.instrument_name]
            self.numbers[data.instrument_name] = len(self.listings)
            self.listings.append(Listing(
                spec=spec_of(data), index_name=data.price_index or "btc_usd",
                settlement_period=data.settlement_period,
                instrument_id=int(definition.get("instrument_id", 124972)),
                creation_ms=int(definition.get("creation_timestamp", 1534167754000))))

    def note_book(self, frame: bytes) -> None:
        """Say when every book has come."""
        params = DECODE_NOTIFICATION(frame).params
        if params is not None and params.channel.startswith("book."):
            self.books.add(params.channel.split(".")[1])
        if self.numbers and set(self.numbers) <= self.books:
            self.complete.set()

    def instruments(self) -> list[Listing]:
        """Return what is traded, as the venue lists it."""
        return self.listings

    def start(self, exchange: Exchange, t_ns: int) -> int | None:
        """Apply what has come so far."""
        return self.advance(exchange, t_ns)

    def advance(self, exchange: Exchange, t_ns: int) -> int | None:
        """Apply every frame that has come."""
        while self.waiting:
            try:
                self.apply(exchange, t_ns, self.waiting.popleft())
            except ValueError:          # msgspec's too: one bad frame must not end the session
                self.unreadable += 1
        return t_ns + LOOK_NS

    def apply(self, exchange: Exchange, t_ns: int, frame: bytes) -> None:
        """Apply one frame."""
        params = DECODE_NOTIFICATION(frame).params
        if params is None:
            return
        channel, data = params.channel, params.data
        if channel.startswith("book."):
            self.on_book(exchange, t_ns, DECODE_BOOK(data))
        elif channel.startswith("trades."):
            for trade in DECODE_TRADES(data):
                self.on_trade(exchange, t_ns, trade)
        elif channel.startswith("ticker."):
            self.on_ticker(exchange, t_ns, DECODE_TICKER(data))
        elif channel.startswith("deribit_price_index."):
            index = DECODE_INDEX(data)
            exchange.market_index(t_ns, index.index_name, index.price)

    def on_book(self, exchange: Exchange, t_ns: int, book: Book) -> None:
        """Set levels, deletes first: a move of the touch never crosses its own old levels."""
        market = self.numbers[book.instrument_name]
        spec = self.listings[market].spec
        if book.type == "snapshot":
            exchange.market_clear(t_ns, market)
        elif market not in self.synced:
            return
        changes = [(side, ticks_of(spec, price), 0 if action == "delete"
                    else contracts_of(spec, amount))
                   for side, rows in ((BID, book.bids), (ASK, book.asks))
                   for action, price, amount in rows]
        for side, ticks, contracts in sorted(changes, key=lambda change: change[2] > 0):
            exchange.market_set_level(t_ns, market, side, ticks, contracts)
        if market not in self.synced:
            self.synced.add(market)
            exchange.refresh_marks(t_ns)

    def on_trade(self, exchange: Exchange, t_ns: int, trade: Trade) -> None:
        """Let a print fill what waits for it; each counts once."""
        market = self.numbers[trade.instrument_name]
        if market not in self.synced or trade.trade_seq <= self.traded.get(market, 0):
            return
        self.traded[market] = trade.trade_seq
        spec = self.listings[market].spec
        apart = (trade.block_trade_id is not None or trade.combo_id is not None
                 or trade.combo_trade_id is not None)
        exchange.market_trade(
            t_ns, market, BID if trade.direction == "buy" else ASK, ticks_of(spec, trade.price),
            contracts_of(spec, trade.amount),
            TradeFlag.TRADE_BLOCK if apart else TradeFlag.TRADE_PLAIN)

    def on_ticker(self, exchange: Exchange, t_ns: int, ticker: Ticker) -> None:
        """Take the venue's mark, index, funding and state."""
        market = self.numbers[ticker.instrument_name]
        if isinstance(ticker.index_price, float):
            exchange.market_index(t_ns, self.listings[market].index_name, ticker.index_price)
        exchange.market_mark(t_ns, market, ticker.mark_price)
        if ticker.current_funding is not None:
            exchange.market_funding(t_ns, market, ticker.current_funding)
        exchange.market_state(t_ns, market, STATES.get(ticker.state, STATE_UNKNOWN))


def ticks_of(spec: InstrumentSpec, price: float) -> int:
    """Return a price in ticks."""
    return round(price / spec.tick_usd)


def contracts_of(spec: InstrumentSpec, amount: float) -> int:
    """Return a venue's amount in contracts."""
    return round(amount / spec.contract_size)
