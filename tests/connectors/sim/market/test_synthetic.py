"""The synthetic market: one seed is one market, and its facts lie near the recorded ones."""

import hashlib
import time
from datetime import UTC, date, datetime

import numpy as np
import pytest

from connectors.replay.books import DictBook
from connectors.replay.event import EventFlag, EventKind
from connectors.sim.exchange import Exchange
from connectors.sim.market import SyntheticMarket, open_market
from connectors.sim.market.bands import BANDS
from connectors.sim.market.contracts import expiries, future_name, list_contracts
from connectors.sim.market.facts import START_NS, market_facts, report, synthetic_events
from connectors.sim.market.latent import REGIMES
from connectors.sim.market.tape import EventTape
from connectors.sim.wire.desk import Desk

SECOND = 1_000_000_000

def run(seed: int, seconds: int, regime: str = "normal", step_ns: int = 0,
        speed: float = 1.0) -> tuple[SyntheticMarket, EventTape]:
    market = SyntheticMarket(seed=seed, regime=regime, now_ns=START_NS, speed=speed)
    exchange = Exchange(7)
    for listing in market.instruments():
        exchange.add_market(listing.spec, listing.index_name, listing.spec.expiry_ms == 0)
    market.start(exchange, START_NS)
    tape = EventTape(exchange, START_NS)
    end_ns = START_NS + seconds * SECOND
    t_ns = START_NS
    while step_ns and t_ns < end_ns:
        t_ns = min(end_ns, t_ns + step_ns)
        market.advance(exchange, t_ns)
    market.advance(exchange, end_ns)
    exchange.advance(end_ns + SECOND)
    return market, tape


def digest(tape: EventTape) -> str:
    return hashlib.sha256(tape.events().tobytes()).hexdigest()


def test_same_seed_is_the_same_market(seed: int) -> None:
    first, second, other = (run(s, 120)[1] for s in (seed, seed, seed + 1))
    assert len(first) > 10_000
    assert digest(first) == digest(second)
    assert digest(first) != digest(other)


def test_market_does_not_depend_on_how_often_it_is_called(seed: int) -> None:
    assert digest(run(seed, 60)[1]) == digest(run(seed, 60, step_ns=7_777_777)[1])


def test_advance_returns_the_next_due_time() -> None:
    market = SyntheticMarket(seed=5, now_ns=START_NS)
    exchange = Exchange(7)
    for listing in market.instruments():
        exchange.add_market(listing.spec, listing.index_name, listing.spec.expiry_ms == 0)
    due = market.start(exchange, START_NS)
    for _ in range(1_000):
        assert due is not None
        later = market.advance(exchange, due)
        assert later is not None
        assert later > due
        due = later


def test_speed_divides_gaps() -> None:
    assert run(5, 10, speed=6.0)[0].counters()["bursts"] == pytest.approx(
        run(5, 60)[0].counters()["bursts"], abs=2)


def test_makers_orders_are_taken_and_books_never_cross(seed: int) -> None:
    market, tape = run(seed, 300, "volatile")
    counters = market.counters()
    assert counters["jumps"] > 0
    assert counters["recentred"] > 0
    orders = counters["new_orders"] + counters["edits"]
    assert counters["refused"] < 0.001 * orders
    events = tape.events()
    books: dict[int, DictBook] = {}
    for number, kind, flags, side, ticks, contracts in zip(*(events[n].tolist() for n in (
            "instrument", "kind", "flags", "side", "price_ticks", "amount_contracts")),
            strict=True):
        if kind != EventKind.EVENT_LEVEL:
            continue
        book = books.setdefault(number, DictBook())
        book.set_level(side, ticks, contracts)
        if flags & EventFlag.FLAG_LAST:
            assert not book.crossed
    assert sorted(books) == [0, 1, 2]
    assert all(len(side) > 5 for book in books.values() for side in book.sides)


def test_facts_of_three_hours_lie_in_their_bands() -> None:
    hours = [market_facts(*synthetic_events(seed, "normal", 3_600)) for seed in (1, 2, 3)]
    facts = {key[0]: float(np.mean([hour[key] for hour in hours])) for key in hours[0]}
    outside = {name: facts[name] for name, band in BANDS.items() if not band.holds(facts[name])}
    assert not outside


def test_regimes_differ_as_their_names_say() -> None:
    facts = {regime: {name: value for (name, _), value in market_facts(
        *synthetic_events(4, regime, 1_800)).items()} for regime in REGIMES}
    moves = {regime: f["mid change in a second"] for regime, f in facts.items()}
    assert moves["calm"] < moves["normal"] < moves["volatile"]
    assert facts["calm"]["touch p50"] > facts["volatile"]["touch p50"]
    assert facts["trending"]["variance ratio 60 s"] > facts["normal"]["variance ratio 60 s"]
    assert facts["volatile"]["trades"] > 1.5 * facts["normal"]["trades"]


def test_an_hour_costs_seconds() -> None:
    """The bound is five seconds; a shared machine gets twice that before this fails."""
    market = SyntheticMarket(seed=1, now_ns=START_NS)
    exchange = Exchange(1)
    for number, listing in enumerate(market.instruments()):
        exchange.add_market(listing.spec, listing.index_name, number == 0)
        exchange.subscribe_book(START_NS, number, 0)
    market.start(exchange, START_NS)
    begin = time.process_time()
    market.advance(exchange, START_NS + 3_600 * SECOND)
    assert time.process_time() - begin < 10.0
    assert market.counters()["edits"] > 200_000


def test_index_comes_once_a_second_near_the_price() -> None:
    events, spec = synthetic_events(2, "normal", 120)
    index = events[events["kind"] == EventKind.EVENT_INDEX]
    assert 118 <= len(index) <= 122
    prints = events[(events["kind"] == EventKind.EVENT_TRADE) & (events["instrument"] == 0)]
    last_usd = float(prints["price_ticks"][-1]) * spec.tick_usd
    assert abs(float(index["value"][-1]) - last_usd) < 20.0


def test_dated_contracts_trade_above_the_perpetual() -> None:
    events, spec = synthetic_events(2, "normal", 600)
    means = []
    for number in range(3):
        prints = events[(events["kind"] == EventKind.EVENT_TRADE)
                        & (events["instrument"] == number)]
        assert len(prints) > 20
        means.append(float(np.mean(prints["price_ticks"])) * spec.tick_usd)
    assert means[0] < means[1] < means[2]


def test_contracts_follow_the_date() -> None:
    assert expiries(date(2026, 11, 22)) == (date(2026, 11, 27), date(2026, 12, 25))
    assert expiries(date(2026, 11, 25)) == (date(2026, 12, 25), date(2027, 3, 26))
    assert expiries(date(2026, 12, 30)) == (date(2027, 1, 29), date(2027, 3, 26))
    assert future_name(date(2026, 6, 5)) == "BTC-5JUN26"
    specs = [listing.spec for listing in list_contracts(1_795_305_600 * SECOND)]
    assert [spec.name for spec in specs] == ["BTC-PERPETUAL", "BTC-27NOV26", "BTC-25DEC26"]
    assert specs[1].expiry_ms == 1_795_766_400_000
    assert {spec.tick_usd for spec in specs} == {0.5}


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"'wild' is not known.*calm, normal, volatile"):
        open_market(regime="wild")
    with pytest.raises(ValueError, match="price"):
        SyntheticMarket(price_usd=1.0)


def test_report_has_a_row_per_fact() -> None:
    rows = report(1, "normal", 60)
    assert {row.name for row in rows} >= set(BANDS)
    assert all(len(row.values) == 1 for row in rows)


def mids(regime: str, seconds: int, seed: int = 4) -> np.ndarray:
    events, spec = synthetic_events(seed, regime, seconds)
    trades = events[(events["kind"] == EventKind.EVENT_TRADE) & (events["instrument"] == 0)]
    return trades["price_ticks"] * spec.tick_usd


def test_flash_crash_falls_and_comes_half_back() -> None:
    prices = mids("flash_crash", 300)
    low = prices.argmin()
    fall = 1.0 - prices[low] / prices[0]
    back = (prices[-1] - prices[low]) / (prices[0] - prices[low])
    assert 0.02 < fall < 0.08
    assert 0.2 < back < 1.0
    assert 1.0 - mids("volatile", 300).min() / prices[0] < 0.02


def test_funding_spike_is_a_rate_longs_pay() -> None:
    market = SyntheticMarket(seed=4, regime="funding_spike", now_ns=START_NS)
    exchange = Exchange(7)
    for listing in market.instruments():
        exchange.add_market(listing.spec, listing.index_name, listing.spec.expiry_ms == 0)
    desk = Desk(exchange)
    market.start(exchange, START_NS)
    market.advance(exchange, START_NS + 900 * SECOND)
    exchange.advance(START_NS + 900 * SECOND)
    ticker = desk.ticker(0, START_NS + 900 * SECOND)
    assert 0.0015 < ticker["current_funding"] < 0.003
    assert 0.0020 < ticker["mark_price"] / ticker["index_price"] - 1.0 < 0.0030


@pytest.mark.parametrize(("hour", "days"), [(7, 0), (8, 1), (23, 1)])
def test_expiry_day_lists_a_contract_that_ends_at_eight(hour: int, days: int) -> None:
    now_ns = int(datetime(2026, 9, 2, hour, 30, tzinfo=UTC).timestamp()) * SECOND
    front = SyntheticMarket(regime="expiry_day", now_ns=now_ns).instruments()[1]
    assert front.spec.name == f"BTC-{2 + days}SEP26"
    assert front.spec.expiry_ms == int(datetime(
        2026, 9, 2 + days, 8, tzinfo=UTC).timestamp()) * 1000
    assert front.settlement_period == "day"
