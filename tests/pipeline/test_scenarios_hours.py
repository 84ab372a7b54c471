"""Scenes on the exchange for the time of day, fills in a row and a feed that comes late."""

from datetime import UTC, datetime

import pytest
from scripted_market import ASK, BID, Look, Scene, ScriptedMarket

from connectors.sim.faults import Fault, FaultPlan
from mmcore.types import RemovedReason

NORMAL = ([74_985.0], [75_015.0])


def removed(look: Look) -> tuple[int, int]:
    bits: tuple[int, int] = look.why["removed"]
    return bits


# ------------------------------------------------------------------------------- time windows
@pytest.fixture(scope="module")
def minute() -> tuple[str, int]:
    """The next full minute of the scene's wall clock as HH:MM, and how far off it is in s."""
    started_s = Scene([], seconds=0.3).market.started_ns / 1e9
    full_s = (int(started_s) // 60 + 1) * 60
    return f"{datetime.fromtimestamp(full_s, UTC):%H:%M}", int(full_s - started_s)


def window(minute: tuple[str, int], effect: str) -> tuple[Scene, float, float]:
    """A window from 5 s before the minute to 3 s after it; when it opens and closes."""
    at_utc, away_s = minute
    found = Scene([], f'quote.window=[{{at_utc="{at_utc}", before_s=5, after_s=3, {effect}}}]',
                  seconds=away_s + 6.0)
    opens_s = away_s + 1 - 5            # the market began within the second counted down
    return found, opens_s, opens_s + 8


def test_a_window_that_pulls(minute: tuple[str, int]) -> None:
    scene, opens_s, closes_s = window(minute, "pull=true")
    assert scene.at(opens_s - 1.1).resting == NORMAL
    for look in scene.between(opens_s + 0.2, closes_s - 1.1):
        assert removed(look) == (RemovedReason.REMOVED_WINDOW,) * 2
        assert look.resting == ([], [])
    assert removed(scene.at(closes_s + 0.9)) == (0, 0)
    assert scene.at(closes_s + 0.9).resting == NORMAL


def test_a_window_that_widens_and_shrinks(minute: tuple[str, int]) -> None:
    """Twice 15 USD and half of 150 contracts."""
    scene, opens_s, closes_s = window(minute, "spread_factor=2.0, size_factor=0.5")
    assert [amount for _, amount in scene.at(opens_s - 1.1).bids] == [150]
    within = scene.between(opens_s + 0.3, closes_s - 1.1)
    assert len(within) > 100
    for look in within:
        assert removed(look) == (0, 0)
        assert look.why["spread_factor"] == 2.0
        assert look.why["half_usd"] == pytest.approx(30.0)
        assert look.resting == ([74_970.0], [75_030.0])
        assert [amount for _, amount in look.bids + look.asks] == [75, 75]
    after = scene.at(closes_s + 0.9)
    assert after.resting == NORMAL
    assert [amount for _, amount in after.bids + after.asks] == [150, 150]


# ------------------------------------------------------------------------------ fills in a row
def sold_to_us(market: ScriptedMarket) -> None:
    """A taker sells to our bid, which alone stands at 74,985."""
    market.trade(ASK, 150, market.spec.ticks(74_985.0))


def bought_from_us(market: ScriptedMarket) -> None:
    market.trade(BID, 150, market.spec.ticks(75_015.0))


def test_fills_in_a_row_shrink_then_pause_their_side_and_let_it_go() -> None:
    """Shrink at the second, pause at the third for 2 s; a fill of the other side ends the row.

    A limit of 30 BTC: 150 contracts with 0.02 BTC of it in use are 149.9, with 0.04 half of 149.8.
    """
    script = [(2.0, sold_to_us), (2.5, sold_to_us), (3.0, sold_to_us), (6.0, bought_from_us)]
    scene = Scene(script, "inventory.fills_in_row_shrink=2", "inventory.fills_in_row_pause=3",
                  "inventory.fills_in_row_pause_s=2", "inventory.limit_btc=30",
                  "risk.throttle_fills=0", "risk.edge_gate=false", seconds=7.0)
    sizes = [[amount for _, amount in scene.at(at_s).bids] for at_s in (1.9, 2.4, 2.9)]
    assert sizes == [[150], [149], [74]]
    assert [scene.at(at_s).contracts for at_s in (1.9, 2.4, 2.9, 3.4)] == [0, 150, 299, 373]
    for look in scene.between(3.2, 4.9):
        assert removed(look) == (RemovedReason.REMOVED_FILLS, 0)
        assert look.resting == ([], NORMAL[ASK])
    back = scene.at(5.9)
    assert removed(back) == (0, 0)
    assert [amount for _, amount in back.bids] == [74]      # the row goes on, small
    assert back.resting == NORMAL
    other = scene.at(6.9)
    assert other.contracts < back.contracts
    assert [amount for _, amount in other.bids] == [149]    # a row of one, of the other side


# ------------------------------------------------------------------------------------ feed lag
def test_a_feed_that_comes_late_pulls_both_sides() -> None:
    """Book messages 0.4 s late where 0.25 s are allowed, for three seconds; then all is well."""
    late = Fault(kind="delay", channel="book.*", from_s=2.0, until_s=5.0, delay_ms=400.0)
    scene = Scene([], "risk.max_feed_lag_ms=250", seconds=8.0, faults=FaultPlan(fault=(late,)))
    assert scene.at(1.9).resting == NORMAL
    for look in scene.between(4.0, 4.9):
        assert removed(look) == (RemovedReason.REMOVED_LAG,) * 2
        assert look.resting == ([], [])
    assert removed(scene.at(7.9)) == (0, 0)
    assert scene.at(7.9).resting == NORMAL
