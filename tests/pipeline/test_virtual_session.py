"""A session in virtual time: connects, quotes, fills, leaves nothing, replays byte for byte."""

import math

import pytest
from virtual_session import LIVELY, VirtualSession

from connectors.sim.market import Market, open_market
from mmcore.publish import summary

SETS = (*LIVELY, "quote.levels=3", "quote.size_btc=0.005")


def volatile(wall_ns: int) -> Market:
    """Return a market that moves enough for fills and edits within two minutes."""
    return open_market((), seed=3, regime="volatile", now_ns=wall_ns)


def trade() -> VirtualSession:
    session = VirtualSession(seed=3, sets=SETS, market=volatile)
    session.run(120.0)
    return session


@pytest.fixture(scope="module")
def traded() -> VirtualSession:
    """Return a finished session of two virtual minutes."""
    return trade()


def test_connects_quotes_and_leaves_nothing(traded: VirtualSession) -> None:
    assert traded.maker is not None
    assert traded.server is not None
    figures = summary(traded.maker.engine)
    assert traded.verified
    assert figures["book_updates"] > 2000
    assert figures["book_gaps"] == 0
    assert figures["book_crossed"] == 0
    assert figures["orders_new"] >= 2
    assert figures["orders_edit"] > 20
    assert figures["fills"] > 0
    assert figures["fills"] == figures["maker_fills"]
    assert traded.maker.engine.markets[0].orders.rows() == []


def test_same_seed_same_session(traded: VirtualSession) -> None:
    assert list(trade().records()) == list(traded.records())


def test_replay_sends_the_same_bytes(traded: VirtualSession) -> None:
    replay = traded.replay()
    assert replay.first_difference is None
    assert replay.identical
    assert replay.expected > 20
    assert traded.maker is not None
    mine, theirs = summary(replay.engine), summary(traded.maker.engine)
    for key in ("fills", "position_usd", "realized_btc", "fees_btc", "orders_edit", "decisions"):
        assert mine[key] == theirs[key], key


def test_a_changed_parameter_is_noticed(traded: VirtualSession) -> None:
    """The comparison can fail: another parameter sends other bytes."""
    replay = traded.replay((b'"size_btc":0.005', b'"size_btc":0.004'))
    assert not replay.identical
    assert replay.first_difference is not None


@pytest.mark.parametrize(("hours", "limit_s"), [(2, 7_200.0), (0, math.inf)])
def test_the_limit_of_a_time_without_fills_is_published(hours: int, limit_s: float) -> None:
    session = VirtualSession(seed=1, sets=(f"telemetry.fill_silence_h={hours}",))
    session.run(0.5)
    assert session.maker is not None
    assert session.maker.watch.facts()["fill_silence_limit_seconds"] == limit_s
