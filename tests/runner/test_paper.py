"""Paper trading: a venue's market, fills here, nothing private sent there."""

import json
from typing import Any

import pytest

from connectors.deribit.messages import InstrumentData
from connectors.sim.exchange import Exchange
from connectors.sim.market.relayed import RelayedMarket
from runner.config import ConfigError, load
from runner.options import RunOptions
from runner.paper import market_options, paper_config, paper_words

SECOND = 1_000_000_000
T0 = 1_800_000_000 * SECOND


class Told:
    """What a feed knows once it is ready."""

    def __init__(self) -> None:
        self.definitions: list[dict[str, object]] = [{"instrument_name": "BTC-PERPETUAL",
                                                      "instrument_id": 7}]
        self.chosen = [InstrumentData(
            "BTC-PERPETUAL", "future", 0.5, 10.0, 10.0, 32503708800000, "perpetual", "BTC", "USD",
            True, 0.00015, 0.00035, instrument_type="reversed", price_index="btc_usd")]


def frame(channel: str, data: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": {
        "channel": channel, "data": data}}).encode()


def book(kind: str, bids: list[Any], asks: list[Any]) -> bytes:
    return frame("book.BTC-PERPETUAL.100ms", {
        "type": kind, "timestamp": 1, "instrument_name": "BTC-PERPETUAL", "change_id": 1,
        "bids": bids, "asks": asks})


def trade(sequence: int, price: float, amount: float, direction: str, **more: Any) -> bytes:
    return frame("trades.BTC-PERPETUAL.100ms", [{
        "instrument_name": "BTC-PERPETUAL", "timestamp": 1, "trade_id": str(sequence),
        "trade_seq": sequence, "price": price, "amount": amount, "direction": direction, **more}])


@pytest.fixture
def market() -> RelayedMarket:
    made = RelayedMarket()
    made.take_listings(Told())  # type: ignore[arg-type]
    return made


@pytest.fixture
def exchange(market: RelayedMarket) -> Exchange:
    made = Exchange(1, 0)
    for listing in market.instruments():
        made.add_market(listing.spec, listing.index_name, True)
    market.take(book("snapshot", [["new", 100.0, 50.0]], [["new", 101.0, 20.0]]), 0)
    market.start(made, T0)
    return made


def test_the_venues_book_is_the_books_of_the_exchange(
        market: RelayedMarket, exchange: Exchange) -> None:
    assert exchange.books[0].levels_of(0) == [(200, 5)]
    market.take(book("change", [["new", 101.0, 30.0], ["delete", 100.0, 0.0]],
                     [["delete", 101.0, 0.0], ["new", 101.5, 10.0]]), 0)
    assert exchange.books[0].levels_of(0) == [(200, 5)]     # not before the exchange looks
    market.advance(exchange, T0 + SECOND)
    assert exchange.books[0].levels_of(0) == [(202, 3)]
    assert exchange.books[0].levels_of(1) == [(203, 1)]
    assert exchange.books[0].counters()["crossed_cleared"] == 0


def test_a_snapshot_replaces_the_book(market: RelayedMarket, exchange: Exchange) -> None:
    market.take(book("snapshot", [["new", 99.0, 10.0]], [["new", 99.5, 10.0]]), 0)
    market.advance(exchange, T0 + SECOND)
    assert exchange.books[0].levels_of(0) == [(198, 1)]
    assert exchange.books[0].levels_of(1) == [(199, 1)]


def test_a_print_counts_once_and_a_bad_frame_ends_nothing(
        market: RelayedMarket, exchange: Exchange) -> None:
    for sequence in (5, 5, 6):
        market.take(trade(sequence, 100.0, 10.0, "sell"), 0)
    market.take(b'{"method":"subscription","params":{"channel":"book.X","data":{}}}', 0)
    market.advance(exchange, T0 + SECOND)
    assert market.traded[0] == 6
    assert market.unreadable == 1


def test_news_wakes_the_exchange_and_completeness_is_known(market: RelayedMarket) -> None:
    woken: list[int] = []
    market.wake = lambda: woken.append(1)
    market.take(trade(1, 100.0, 10.0, "buy"), 0)
    assert not market.complete.is_set()
    market.take(book("snapshot", [], []), 0)
    assert market.complete.is_set()
    assert len(woken) == 2


def test_a_paper_session_knows_no_venue_and_no_key() -> None:
    """With a live venue: its defaults, no key asked for, and only the exchange here to talk to."""
    options = RunOptions(venue="prod", paper=True)
    named = load(None, ("quote.levels=2",), "prod", connects=False)
    config = paper_config(named, options)
    assert named.profile == "live"
    assert config.embedded
    assert config.venue.url == "sim"
    assert config.venue.client_id == config.venue.client_secret == ""
    assert config.signals == named.signals
    assert market_options(named, options)[:2] == ["--relay", named.venue.url]
    words = paper_words(named, options)
    assert "PAPER" in words
    assert "nothing private" in words
    assert "live defaults" in words


def test_paper_needs_a_market_and_data_needs_paper() -> None:
    config = load(None, (), None)
    with pytest.raises(ConfigError, match="--paper needs a market"):
        paper_config(config, RunOptions(paper=True))
    with pytest.raises(ConfigError, match="--data belongs to --paper"):
        paper_config(config, RunOptions(data=("x",)))
    recorded = RunOptions(paper=True, data=("a.gz", "b.gz"))
    assert market_options(config, recorded) == ["--data", "a.gz", "--data", "b.gz"]
    assert paper_config(config, RunOptions()) is config
