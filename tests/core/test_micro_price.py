"""The micro-price table: fitted to a market whose answer is known, looked up, and of effect."""

from typing import Any

import pytest
from desk import SECOND, Desk, perpetual

from mmcore.face import EngineFace
from runner.assemble import make_engine
from runner.config import ConfigError, load
from runner.config_keys import Instrument
from runner.micro_price import Touch, as_toml, fit

TABLE = [[-1.5, 1.5], [-3.0, 3.0]]


def half_and_half(rounds: int) -> list[Touch]:
    """A market that, with more bids than asks, waits once in two, else rises by one tick.

    After a move bids and asks are more numerous equally often. With more asks it is the mirror.
    So the first move is worth 1 tick, and nothing is known of the second: the answer is +-1.
    """
    heavy, light = (3, 1), (1, 3)
    steps = [(0, heavy), (1, heavy), (0, heavy), (1, light),
             (0, light), (-1, light), (0, light), (-1, heavy)]
    bid, rows = 1000, [(1000, 1001, *heavy)]
    for _ in range(rounds):
        for move, amounts in steps:
            bid += move
            rows.append((bid, bid + 1, *amounts))
    return rows


def test_fit_finds_the_answer_of_a_known_market() -> None:
    assert fit(half_and_half(50), shares=2, spreads=1) == ((-1.0, 1.0),)


def test_a_table_says_the_same_of_buyers_and_sellers() -> None:
    """Only rises were seen; the counts are made symmetric."""
    rising = [(1000 + i // 2, 1001 + i // 2, 3 if i % 2 else 1, 2) for i in range(400)]
    low, high = fit(rising, shares=2, spreads=1)[0]
    assert low == -high
    assert high > 0.0


def test_too_few_moves_are_no_table() -> None:
    with pytest.raises(ValueError, match="moved 4 times"):
        fit(half_and_half(1), shares=2, spreads=1)


def test_lookup_by_spread_and_share() -> None:
    desk = Desk()
    signals = desk.market.signals
    signals.set_micro_table(TABLE)
    found = []
    for bid, ask, contracts in ((149_999, 150_000, 1), (149_999, 150_000, 3),
                                (149_998, 150_000, 3), (149_990, 150_000, 3)):
        desk.snapshot(bid / 2, ask / 2, contracts=2)
        desk.delta([(bid, contracts)], [])
        desk.turn()
        read = signals.read()
        found.append((read["micro_usd"] - read["mid_usd"]) / 0.5)
    assert found == [-1.5, 1.5, 3.0, 3.0]           # a wider spread counts as the last row
    signals.set_micro_table([])
    desk.snapshot()
    desk.turn()
    assert signals.read()["micro_usd"] == 75_000.0


@pytest.mark.parametrize("rows", [[[1.0]], [[1.0, 2.0], [1.0]], [[0.0] * 21], [[0.0, 1.0]] * 9,
                                  [[0.0, float("nan")]]])
def test_a_table_that_does_not_fit_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="micro-price table"):
        Desk().market.signals.set_micro_table(rows)


def test_the_key_reaches_the_quotes_and_the_journal() -> None:
    sets = ["signals.micro_table=[[-1.5, 1.5], [-3.0, 3.0]]", "quote.micro_price=true"]
    config = load(None, sets)
    assert config.micro_table == ((-1.5, 1.5), (-3.0, 3.0))
    assert config.fingerprint() != load(None, sets[1:]).fingerprint()
    engine = make_engine(config.engine_values(), [Instrument()], [perpetual()], None,
                         config.windows, config.micro_table)
    face = EngineFace(engine)
    face.frame(SECOND)
    face.book(0, [(149_999, 30)], [(150_000, 10)], SECOND, change_id=1)
    engine.run_turn(SECOND)
    assert engine.markets[0].why()["reference_usd"] == 74_999.75 + 1.5 * 0.5
    assert b'"micro_table":[[-1.5,1.5],[-3.0,3.0]]' in config.redacted_json()


@pytest.mark.parametrize("value", ["[[1.0]]", "3", "[[1.0, 2.0], [1.0]]", "[['a', 'b']]"])
def test_a_bad_key_names_place_and_remedy(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, [f"signals.micro_table={value}"])
    assert "signals.micro_table" in str(caught.value)
    assert "benchmarks/micro_price.py" in str(caught.value)


def test_toml_of_a_table_loads_again() -> None:
    rows: Any = as_toml(((-1.5, 1.5), (-3.0, 3.0))).partition("micro_table = ")[2]
    config = load(None, ["signals.micro_table=" + " ".join(rows.split())])
    assert config.micro_table == ((-1.5, 1.5), (-3.0, 3.0))
