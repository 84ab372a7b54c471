"""A recording played into the exchange: nothing lost, the same book, the right times."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.replay.books import DictBook
from connectors.replay.event import EventFlag, EventKind
from connectors.replay.reader import open_recording
from connectors.sim.exchange import Exchange
from connectors.sim.market import RecordedMarket, SyntheticMarket, open_market
from connectors.sim.market.recorded import play_order
from connectors.sim.market.tape import EventTape

COINM = ("binance_coinm_2024-08-08/btcusd_perp_20240808.gz",
         "binance_coinm_2024-08-08/btcusd_perp_20240809.gz")
USDM = ("binance_usdm_2023-04-04/usdm_btcusdt_20230404.dat.gz",
        "binance_usdm_2023-04-04/usdm_btcusdt_20230405.dat.gz")
TESTENV = ("deribit_testenv_2023-06-15/deribit_testenv_2023-06-15.frames.jsonl.gz",)
T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
NAMES = ("kind", "flags", "side", "price_ticks", "amount_contracts", "instrument")


def exchange_for(market: RecordedMarket | SyntheticMarket) -> Exchange:
    exchange = Exchange(1)
    for listing in market.instruments():
        exchange.add_market(listing.spec, listing.index_name, listing.spec.expiry_ms == 0)
    return exchange


def apply(books: dict[int, DictBook], events: Any) -> None:
    """Apply book events to dict books, one per instrument."""
    for kind, flags, side, ticks, contracts, number in zip(
            *(events[name].tolist() for name in NAMES), strict=True):
        book = books.setdefault(number, DictBook())
        if flags & EventFlag.FLAG_SNAPSHOT and flags & EventFlag.FLAG_FIRST:
            book.clear()
        if kind == EventKind.EVENT_LEVEL:
            book.set_level(side, ticks, contracts)


def play_to_end(market: RecordedMarket, exchange: Exchange) -> int:
    due = market.start(exchange, T0)
    last = T0
    while due is not None:
        last = due
        due = market.advance(exchange, due)
    return last


def test_every_diff_of_the_inverse_recording_is_applied(data_dir: Path) -> None:
    market = open_market([data_dir / name for name in COINM], once=True)
    assert isinstance(market, RecordedMarket)
    assert market.waits_for_book
    last = play_to_end(market, exchange_for(market))
    counters = market.counters()
    assert counters["diffs"] == 44_770
    assert counters["noop_diffs"] == 2_613
    assert counters["noop_levels"] == 104_645
    assert counters["snapshots"] == 1
    assert counters["prints"] + counters["prints_before_book"] == 5_235
    assert (counters["fills"], counters["gaps"]) == (0, 0)
    assert last - T0 == round(market.length_s * 1e9)
    assert 640.0 < market.length_s < 650.0


@pytest.mark.parametrize("names", [COINM, USDM, TESTENV])
def test_shown_book_equals_the_recorded_one(data_dir: Path, names: tuple[str, ...]) -> None:
    """Changes the exchange shows rebuild the recorded book at every checkpoint."""
    paths = [data_dir / name for name in names]
    recording = open_recording(paths)
    market = RecordedMarket(recording, once=True)
    exchange = exchange_for(market)
    played, times = play_order(recording.events, recording.format == "collector")
    origin = times[np.flatnonzero(played["flags"] & EventFlag.FLAG_SNAPSHOT)[0]]
    due = market.start(exchange, T0)
    tape = EventTape(exchange, T0)
    shown: dict[int, DictBook] = {}
    recorded: dict[int, DictBook] = {}
    seen = taken = checked = 0
    step = round(market.length_s * 1e9 / 1100)
    t_ns = T0
    while due is not None:
        t_ns += step
        due = market.advance(exchange, t_ns)
        exchange.advance(t_ns + 2_000_000)      # what is collected for 1 ms is shown
        events = tape.events()[taken:]
        taken += len(events)
        apply(shown, events)
        upto = int(np.searchsorted(times, origin + (t_ns - T0), side="right"))
        apply(recorded, played[seen:upto])
        seen = upto
        for number, book in recorded.items():
            mine = shown.get(number, DictBook())
            assert mine.sides == book.sides, f"instrument {number} at {t_ns - T0} ns"
            assert not mine.crossed
        checked += 1
    assert checked >= 1_000
    assert seen == len(played)


def test_speed_divides_gaps_only(data_dir: Path) -> None:
    paths = [data_dir / name for name in TESTENV]
    slow = open_market(paths, once=True)
    fast = open_market(paths, once=True, speed=10.0)
    assert isinstance(slow, RecordedMarket)
    assert isinstance(fast, RecordedMarket)
    slow_ns = play_to_end(slow, exchange_for(slow)) - T0
    fast_ns = play_to_end(fast, exchange_for(fast)) - T0
    assert abs(slow_ns / fast_ns - 10.0) < 1e-6
    assert slow.counters() == fast.counters()


def test_several_instruments_keep_their_definitions(data_dir: Path) -> None:
    market = open_market([data_dir / name for name in TESTENV], once=True)
    listings = {listing.spec.name: listing for listing in market.instruments()}
    assert set(listings) == {"BTC-PERPETUAL", "BTC-16JUN23", "BTC-23JUN23"}
    assert {listing.spec.tick_usd for listing in listings.values()} == {0.01}
    assert listings["BTC-16JUN23"].settlement_period == "week"
    assert listings["BTC-16JUN23"].instrument_id == 1
    assert listings["BTC-PERPETUAL"].index_name == "btc_usd"
    assert isinstance(market, RecordedMarket)
    play_to_end(market, exchange_for(market))
    counters = market.counters()
    assert (counters["diffs"], counters["levels"], counters["noop_levels"]) == (208, 217, 0)
    assert (counters["snapshots"], counters["prints"]) == (3, 83)


@pytest.mark.parametrize("names", [COINM, USDM, TESTENV, ()])
def test_fees_are_those_of_today_unless_told(data_dir: Path, names: tuple[str, ...]) -> None:
    paths = [data_dir / name for name in names]
    for listing in open_market(paths).instruments():
        assert (listing.spec.maker_fee, listing.spec.taker_fee) == (0.00015, 0.00035)
    for listing in open_market(paths, maker_fee=-0.00002, taker_fee=0.000185).instruments():
        assert (listing.spec.maker_fee, listing.spec.taker_fee) == (-0.00002, 0.000185)
    if names:
        assert {s.tick_usd for s in open_recording(paths).instruments} == {
            listing.spec.tick_usd for listing in open_market(paths).instruments()}


def test_senseless_fees_are_refused() -> None:
    with pytest.raises(ValueError, match="maker fee 150 bps"):
        open_market(maker_fee=0.015)


def frame(t_ms: int, channel: str, data: Any) -> str:
    return json.dumps({"recv_ns": t_ms * 1_000_000, "frame": {
        "jsonrpc": "2.0", "method": "subscription",
        "params": {"channel": channel, "data": data}}}, separators=(",", ":"))


def book(t_ms: int, change: int, prev: int | None, bids: list[Any], asks: list[Any]) -> str:
    data = {"type": "snapshot" if prev is None else "change", "timestamp": t_ms,
            "instrument_name": "BTC-PERPETUAL", "change_id": change, "bids": bids, "asks": asks}
    if prev is not None:
        data["prev_change_id"] = prev
    return frame(t_ms, "book.BTC-PERPETUAL.raw", data)


def print_at(t_ms: int, seq: int, direction: str, price: float, amount: float) -> str:
    return frame(t_ms, "trades.BTC-PERPETUAL.raw", [{
        "trade_seq": seq, "trade_id": str(seq), "timestamp": t_ms, "price": price,
        "instrument_name": "BTC-PERPETUAL", "direction": direction, "amount": amount}])


def hand_made(tmp_path: Path, lines: list[str]) -> Path:
    path = tmp_path / "hand.gz"
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


MS = 1_700_000_000_000


def test_end_is_quiet_or_the_end(tmp_path: Path) -> None:
    path = hand_made(tmp_path, [
        book(MS, 1, None, [["new", 100.5, 10.0]], [["new", 101.0, 10.0]]),
        book(MS + 5, 2, 1, [], [["delete", 101.0, 0.0], ["new", 101.5, 20.0]])])
    market = open_market([path], once=True)
    exchange = exchange_for(market)
    due = market.start(exchange, T0)
    assert due == T0 + 5_000_000
    assert market.advance(exchange, due) is None
    market = open_market([path])
    exchange = exchange_for(market)
    due = market.start(exchange, T0)
    assert due is not None
    later = market.advance(exchange, due)
    assert later is not None
    assert later > due + 60 * SECOND


def test_recording_fills_resting_orders_of_accounts(tmp_path: Path) -> None:
    """Synthetic makers stand in for clients: a print and a crossing level fill their orders."""
    makers = SyntheticMarket(seed=3, now_ns=T0)
    exchange = exchange_for(makers)
    makers.start(exchange, T0)
    path = hand_made(tmp_path, [
        book(MS, 1, None, [["new", 60000.0, 10.0]], [["new", 75000.0, 10.0]]),
        print_at(MS + 1, 1, "sell", 67490.0, 50000.0),
        book(MS + 2, 2, 1, [["new", 67520.0, 10.0]], [])])
    market = open_market([path], once=True)
    assert isinstance(market, RecordedMarket)
    due = market.start(exchange, T0)
    assert market.counters()["fills"] == 0
    assert due is not None
    market.advance(exchange, due)
    after_print = market.counters()
    assert after_print["fills"] > 0
    assert after_print["fill_contracts"] <= 5_000
    market.advance(exchange, T0 + SECOND)
    assert market.counters()["fills"] > after_print["fills"]


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_speed(tmp_path: Path, speed: float) -> None:
    path = hand_made(tmp_path, [book(MS, 1, None, [["new", 100.5, 10.0]], [])])
    with pytest.raises(ValueError, match="speed"):
        open_market([path], speed=speed)
    with pytest.raises(ValueError, match="speed"):
        open_market(speed=speed)
