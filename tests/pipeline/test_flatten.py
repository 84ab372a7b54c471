"""Closing by slices, on the exchange: by order, on leaving, for a loss; flat by its accounts."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from scenario import PRICE, Scenario

from mmcore.types import ControlKind
from runner.shutdown import flatten, left_open

pytestmark = pytest.mark.quick

FULL_USD = 22_500.0


def still(_: float) -> tuple[float, int]:
    return PRICE, 400


def thin(s: float) -> tuple[float, int]:
    """300 contracts a level of 0.5 USD: ten levels hold a third of the position."""
    return PRICE, 80 if s > 4.0 else 4000


class Ordered(Scenario):
    """A scenario in which an operator says one thing at 5 s."""

    def __init__(self, script: Callable[[float], tuple[float, int]], seconds: float,
                 work: Callable[["Ordered"], None], **named: Any) -> None:
        self.work = work
        self.done = False
        super().__init__(script, seconds, **named)

    def look(self, session: Any) -> None:
        super().look(session)
        if not self.done and self.loop.time() > 1005.0:
            self.done = True
            self.work(self)

    def say(self, kind: ControlKind, value: int = 0) -> None:
        assert self.maker is not None
        self.maker.session.control(kind, 0, value, 0.0)


def ordered_to_flatten(played: Ordered) -> None:
    played.say(ControlKind.CONTROL_REDUCE, 1)
    played.say(ControlKind.CONTROL_FLATTEN, 1)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("script", [still, thin])
def test_an_operators_flatten_ends_flat_on_the_exchange(
        sign: int, script: Callable[[float], tuple[float, int]]) -> None:
    played = Ordered(script, 20.0, ordered_to_flatten, position_usd=sign * FULL_USD)
    played.play()
    assert played.held == 0
    assert played.contracts == 0
    print(f"flattened {sign * FULL_USD:+.0f} USD at {1e4 * played.profit_btc / 0.3:+.2f} bps")
    # two taker fees of 3.5 bps, one of them at the start, and less than 2 bps of the book
    assert played.profit_btc > -0.3 * 6e-4
    assert played.verified


def test_beyond_the_cap_it_rests_is_said_and_closes_when_the_market_returns() -> None:
    """For ten seconds nobody bids within 50 bps of the mark."""
    caps: list[tuple[float, bool]] = []

    def gone(s: float) -> tuple[float, int]:
        return PRICE, 0 if 4.0 < s < 15.0 else 400

    played = Ordered(gone, 30.0, ordered_to_flatten, position_usd=FULL_USD)
    look = played.look

    def watching(session: Any) -> None:
        look(session)
        if played.maker is not None:
            caps.append((played.loop.time() - 1000.0, played.maker.engine.limits.at_cap))

    played.run(30.0, meanwhile=watching, every_s=0.2)
    assert all(at_cap for at_s, at_cap in caps if 6.5 < at_s < 14.0)
    assert played.held == 0
    assert caps[-1][1] is False


@pytest.mark.parametrize("back_s", [15.0, 1e9])
def test_a_kill_leaves_its_own_closing_order_at_the_cap(
        back_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """2 % against it with nobody in the book: killed, the rest stands at the cap.

    What was open before the kill goes and is verified gone; the closing order is not swept away
    but by who leaves.
    """
    orders: list[tuple[float, int]] = []

    def gone(s: float) -> tuple[float, int]:
        return PRICE * (0.98 if s > 4.0 else 1.0), 0 if 4.0 < s < back_s else 400

    played = Ordered(gone, 20.0, lambda _: None, position_usd=FULL_USD,
                     sets=("risk.day_kill_btc=0.005", "risk.day_soft_btc=0",
                           "risk.stop_loss_btc=0", "inventory.cut_above_btc=0"))
    look = played.look

    def watching(session: Any) -> None:
        look(session)
        orders.append((played.loop.time() - 1000.0, played.resting))

    played.run(20.0, meanwhile=watching, every_s=0.2)
    assert played.states[-1] == "killed"
    assert {count for at_s, count in orders if 7.0 < at_s < 14.0} == {1}
    assert "still open after cancel_all" not in caplog.text
    assert played.verified
    played.at_venue()
    assert played.resting == 0
    assert (played.held == 0) == (back_s < 20.0)


@pytest.mark.parametrize("limit_s", [20.0, 0.5])
def test_leaving_flattens_first_and_says_what_it_could_not(limit_s: float) -> None:
    results: list[Any] = []

    def leave(played: Ordered) -> None:
        async def flat() -> None:
            assert played.maker is not None
            results.append(await flatten(played.maker.engine, played.maker.session.control,
                                         limit_s, asyncio.Event()))
            results.append(left_open(played.maker.engine))

        played.loop.create_task(flat())

    played = Ordered(still, 30.0, leave, position_usd=FULL_USD,
                     sets=("risk.flatten_clip_btc=0.02",))
    played.play()
    if limit_s > 1.0:
        assert results == [True, ""]
        assert played.held == 0
    else:
        assert results[0] is False
        assert results[1].startswith("BTC-PERPETUAL ")
        assert results[1].endswith(" long")


@pytest.mark.parametrize(("sets", "reason"), [
    (("risk.stop_loss_btc=0.005", "risk.day_kill_btc=0", "risk.day_soft_btc=0"), "reducing"),
    (("risk.day_kill_btc=0.005", "risk.day_soft_btc=0", "risk.stop_loss_btc=0"), "killed"),
    (("risk.day_soft_btc=0.004", "risk.stop_loss_btc=0.005", "risk.day_kill_btc=0.05"),
     "reducing")])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_loss_closes_the_position_for_good(sets: tuple[str, ...], reason: str,
                                             sign: int) -> None:
    """2 % against 0.3 BTC: 0.006 BTC lost, and closed by the rule that sees it."""
    def script(s: float) -> tuple[float, int]:
        return PRICE * (1.0 - sign * min(0.02, max(0.0, 0.002 * (s - 4.0)))), 400

    played = Ordered(script, 40.0, lambda _: None, position_usd=sign * FULL_USD,
                     sets=("inventory.cut_above_btc=0", *sets))
    played.play()
    assert reason in played.states
    assert played.held == 0
    print(f"{reason}: {played.profit_btc:+.5f} BTC, states {played.states} {played.reasons}")
    assert -0.0066 < played.profit_btc < -0.0045


# ------------------------------------------------------------------ starting with one
def test_a_start_with_a_position_is_refused_where_that_is_the_policy() -> None:
    """Nothing is sent, the position is as it was, and the sentence says what to do."""
    played = Scenario(still, 6.0, position_usd=FULL_USD, sets=("start.position=refuse",))
    orders: list[int] = []

    def look(_: Any) -> None:
        played.at_venue()
        orders.append(played.resting)

    played.run(6.0, meanwhile=look, every_s=0.2)
    assert played.maker is not None
    said = str(played.maker.client.error)
    assert "the account holds 2250 contracts" in said
    assert 'start.position = "adopt"' in said
    assert set(orders) == {0}
    assert played.held == 2250


def test_a_start_adopts_a_position_at_the_venues_entry_and_works_it_off() -> None:
    played = Scenario(still, 6.0, position_usd=FULL_USD,
                      sets=("start.position=adopt", "inventory.limit_btc=0.3"))
    quotes: list[Any] = []

    def look(session: Any) -> None:
        played.look(session)
        assert played.maker is not None
        quotes.append(played.maker.engine.markets[0].quotes())

    played.run(6.0, meanwhile=look, every_s=0.2)
    assert played.maker is not None
    market = played.maker.engine.markets[0]
    assert market.position.average(market.spec_object) == pytest.approx(75_000.5, abs=2.0)
    assert played.contracts == played.held == 2250
    bids, asks = quotes[-1]
    assert bids == []                           # at its limit: the reducing side alone
    assert asks
    assert played.states[0] in ("active", "reducing")
