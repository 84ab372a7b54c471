"""Real frames through the same feed: nothing malformed, no chain broken, books as the venue's."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from deribit_wire import LABELS

from connectors.deribit.feed import DeribitFeed
from connectors.deribit.trace import EventTrace
from mmcore.types import InstrumentSpec

pytestmark = pytest.mark.quick


class Books:
    """Independent books: dicts of ticks, with the change-id chain."""

    def __init__(self) -> None:
        self.sides: dict[int, list[dict[int, int]]] = {}
        self.last: dict[int, int] = {}
        self.breaks = 0
        self.links = 0

    def apply(self, event: tuple[Any, ...]) -> None:
        _, market, snapshot, change_id, previous, _, *sides = event
        if snapshot:
            self.sides[market] = [{}, {}]
        else:
            self.links += 1
            self.breaks += self.last[market] != previous
        self.last[market] = change_id
        for book, levels in zip(self.sides[market], sides, strict=True):
            for ticks, amount in levels:
                if amount:
                    book[ticks] = amount
                else:
                    del book[ticks]  # a delete of a level never seen is an error here

    def top(self, market: int) -> tuple[tuple[int, int], tuple[int, int]]:
        bids, asks = self.sides[market]
        bid, ask = max(bids, default=0), min(asks, default=0)
        return (bid, bids.get(bid, 0)), (ask, asks.get(ask, 0))


def test_test_environment_session(data_dir: Path) -> None:
    folder = data_dir / "deribit_testenv_2023-06-15"
    reply = json.loads((folder / "deribit_testenv_instruments.json").read_text())
    specs = [InstrumentSpec(i["instrument_name"], tick_size=i["tick_size"],
                            contract_size=i["contract_size"]) for i in reply["result"]]
    trace = EventTrace()
    feed = DeribitFeed(trace, specs, LABELS)
    books = Books()
    seen = {"book": 0, "trade": 0, "ticker": 0}
    tickers: dict[int, dict[str, Any]] = {}     # of the packet at hand
    compared, packet = 0, 0
    with gzip.open(folder / "deribit_testenv_2023-06-15.frames.jsonl.gz", "rb") as lines:
        for line in lines:
            payload = line.rstrip()[line.index(b'"frame":') + 8:-1]
            received = int(line[11:30])
            if received != packet:
                # A packet brings the ticker before the book, so it is compared at its end.
                compared += check_touches(tickers, books, specs)
                packet = received
            feed.payload(payload, received)
            for event in trace.take():
                assert event[0] in seen, (payload, event)
                seen[event[0]] += 1
                if event[0] == "book":
                    books.apply(event)
                elif event[0] == "ticker" and event[1] in books.sides:
                    tickers[event[1]] = json.loads(payload)["params"]["data"]
    assert feed.counts["payloads"] == 857
    assert (feed.counts["malformed"], feed.counts["fallbacks"], feed.counts["ignored"]) == (0, 0, 0)
    assert seen == {"book": 211, "trade": 83, "ticker": 492}
    assert (books.links, books.breaks) == (208, 0)
    assert compared > 400


def check_touches(tickers: dict[int, dict[str, Any]], books: Books,
                  specs: list[InstrumentSpec]) -> int:
    """Compare and forget: a ticker's best prices are the venue's own word on the book."""
    for market, data in tickers.items():
        spec = specs[market]
        (bid, bid_amount), (ask, ask_amount) = books.top(market)
        assert (data["best_bid_price"], data["best_ask_price"]) == (
            spec.price(bid), spec.price(ask))
        assert (data["best_bid_amount"], data["best_ask_amount"]) == (
            spec.amount(bid_amount), spec.amount(ask_amount))
    count = len(tickers)
    tickers.clear()
    return count


@pytest.mark.parametrize("name", ["DERIBIT_2021-04-05.ws.gz", "DERIBIT_2021-04-17.ws.gz"])
def test_options_session(data_dir: Path, name: str) -> None:
    received = re.compile(rb"^(?:wss\S* -> )?[0-9.]+: (\{.*\})$")
    payloads = []
    with gzip.open(data_dir / "deribit_ws_options_2021" / name, "rb") as lines:
        payloads = [m.group(1) for line in lines if (m := received.match(line.rstrip()))]
    names = sorted({m.group(1).decode() for p in payloads
                    for m in re.finditer(rb'"channel":"(?:book|trades|ticker)\.([^".]+)\.', p)})
    assert payloads
    assert names
    specs = [InstrumentSpec(n, tick_size=0.0005, contract_size=0.1) for n in names]
    trace = EventTrace()
    feed = DeribitFeed(trace, specs, LABELS)
    books = Books()
    for payload in payloads:
        feed.payload(payload, 1)
        for event in trace.take():
            assert event[0] in {"book", "trade", "ticker"}, (event, payload)
            if event[0] == "book":
                books.apply(event)
    assert feed.counts["payloads"] == len(payloads)
    assert (feed.counts["malformed"], feed.counts["fallbacks"], feed.counts["ignored"]) == (0, 0, 0)
    assert books.breaks == 0
    assert books.links > 0
