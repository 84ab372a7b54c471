"""The synthetic market: one seed is one market, and its facts lie near the recorded ones."""

import hashlib
import time
from datetime import date

import numpy as np
import pytest

from connectors.replay.books import DictBook
from connectors.replay.event import EventFlag, EventKind
from connectors.sim.exchange import Exchange
from connectors.sim.market import SyntheticMarket, open_market
from connectors.sim.market.contracts import expiries, future_name, list_contracts
from connectors.sim.market.facts import START_NS, market_facts, report, synthetic_events
from connectors.sim.market.latent import REGIMES
from connectors.sim.market.tape import EventTape

SECOND = 1_000_000_000

# Band of each fact, mean of three hours of `normal`: (lowest, highest), recorded figure behind it.
# Deribit means the perpetual's book of 2024-06-01, Binance the inverse perpetual of 2024-08-08.
BANDS = {
    "book messages": (55.0, 85.0),                  # Binance 69
    "spread of one tick": (0.98, 1.0),              # Deribit 0.9997
    "touch p10": (1_000.0, 6_000.0),                # Deribit 2,300
    "touch p50": (45_000.0, 90_000.0),              # Deribit 63,000
    "touch p90": (160_000.0, 320_000.0),            # Deribit 238,000
    "depth to level 5": (100_000.0, 200_000.0),     # Deribit 147,000
    "depth to level 10": (170_000.0, 310_000.0),    # Deribit 235,000
    "depth to level 25": (450_000.0, 800_000.0),    # Deribit 605,000
    "distance of level 1": (0.25, 0.25),            # Deribit 0.25
    "distance of level 5": (4.0, 8.0),              # Deribit 6.0
    "distance of level 10": (9.0, 15.0),            # Deribit 11.75
    "distance of level 25": (25.0, 37.0),           # Deribit 30.5
    "mid unmoved in a second": (0.85, 0.98),        # Deribit 0.946
    "mid change in a second": (0.2, 0.8),           # Deribit 0.38 bp
    "kurtosis of it": (30.0, 2_000.0),              # Deribit over 700
    "variance ratio 10 s": (0.6, 1.0),            # Deribit 0.75
    "variance ratio 60 s": (0.5, 1.15),             # Deribit 0.85
    "trades": (6.5, 10.0),                          # Binance 8.1
    "trade milliseconds": (2.3, 3.4),               # Binance 2.8
    "trade size p50": (250.0, 700.0),               # Binance 400 USD
    "trade size p90": (3_500.0, 12_000.0),          # Binance 8,100
    "trade size p99": (25_000.0, 90_000.0),         # Binance 44,700
    "gap of bursts p50": (40.0, 120.0),             # Binance 68 ms
    "gap of bursts p90": (700.0, 1_500.0),          # Binance 1,027
    "burst sign autocorrelation lag 1": (0.44, 0.57),   # Binance 0.51
    "burst sign autocorrelation lag 2": (0.31, 0.46),   # Binance 0.38
    "burst sign autocorrelation lag 5": (0.10, 0.25),   # Binance 0.18
}


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
    outside = {name: facts[name] for name, (low, high) in BANDS.items()
               if not low <= facts[name] <= high}
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
