"""Contracts that come and go while the maker runs: the roll, a new one, one taken off the list."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from rolling_session import COARSE_SETS, RollingSession, coarse
from scripted_market import ASK, QUIET, look_at
from three_contracts import FAR_ENDS, NEAR_ENDS, Script, ThreeContracts
from virtual_session import VirtualSession

from connectors.deribit import reconcile
from mmcore.types import MarketState

__all__ = ["coarse"]        # a fixture, used by its name

HOUR_S = 3_600.0
FRONT = (*QUIET, "instrument.0.name=perpetual", "instrument.1.name=front")
PERPETUAL, NOV, DEC, JAN, MAR, JUN = ("BTC-PERPETUAL", "BTC-27NOV26", "BTC-25DEC26", "BTC-29JAN27",
                                      "BTC-26MAR27", "BTC-25JUN27")
NOV_ENDS = datetime(2026, 11, 27, 8, tzinfo=UTC)
JUN_ENDS = datetime(2027, 6, 25, 8, tzinfo=UTC)


class Watch:
    """What the maker quotes of each contract, over time."""

    def __init__(self, session: RollingSession) -> None:
        self.session = session
        self.first: dict[str, float] = {}       # when an order first rested there
        self.warm: dict[str, float] = {}        # when nothing of the market forbade it any more
        self.rows: list[tuple[float, dict[str, tuple[list[float], list[float]]]]] = []
        self.contracts: dict[str, int] = {}

    def __call__(self, session: VirtualSession) -> None:
        assert session.maker is not None
        at_s = session.loop.time() - self.session.began_s
        found = {}
        for market in session.maker.engine.markets:
            look = look_at(market, at_s)
            found[market.name] = look.resting
            self.contracts[market.name] = market.position.contracts
            if market.blocked == 0:
                self.warm.setdefault(market.name, at_s)
            if look.resting[0] or look.resting[1]:
                self.first.setdefault(market.name, at_s)
        self.rows.append((at_s, found))

    def quoted(self, name: str, start_s: float, end_s: float) -> float:
        """The share of looks in which an order of ours rested in a contract."""
        rows = [found for at_s, found in self.rows if start_s <= at_s <= end_s]
        return sum(any(found.get(name, ([], []))) for found in rows) / len(rows)


def play(market: ThreeContracts, start: datetime, seconds: float, *sets: str,
         folder: Path | None = None, every_s: float = 1.0) -> tuple[RollingSession, Watch]:
    session = RollingSession(sets=(*FRONT, *sets), market=market, folder=folder,
                             start_ns=int(start.timestamp()) * 10**9)
    watch = Watch(session)
    session.run(seconds, meanwhile=watch, every_s=every_s)
    assert session.verified
    return session, watch


@pytest.mark.usefixtures("coarse")
def test_quotes_move_over_to_a_warm_book(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """From 20 to 8 hours before November's end; then January is followed behind December.

    What was bought of December is held across the start that takes January up.
    """
    market = ThreeContracts([(18 * HOUR_S, lambda m: m.far.hit(ASK, 76_484.5, 20))],
                            ends=(NOV_ENDS, NEAR_ENDS), breath_s=10.0)
    start = datetime(2026, 11, 26, 7, 58, tzinfo=UTC)
    end_s = 24 * HOUR_S + 120.0         # of November
    session, watch = play(market, start, 25 * HOUR_S, *COARSE_SETS, "quote.size_btc=0.1",
                          "expiry.min_days=0", "expiry.wind_down_h=20", "expiry.out_before_h=8",
                          "signals.warmup_s=60", folder=tmp_path, every_s=30.0)
    assert [names for _, names in session.starts] == [
        [PERPETUAL, NOV, DEC], [PERPETUAL, DEC, JAN]]
    assert len(session.reasons) == 1
    assert "BTC-29JAN27 to be traded or followed now, by rule front" in session.reasons[0]
    turn_s = end_s - 20 * HOUR_S
    assert watch.quoted(DEC, 0.0, turn_s) == 0.0        # it only waits
    assert watch.quoted(NOV, 300.0, turn_s) == 1.0
    waited_s = watch.first[DEC] - turn_s
    assert watch.warm[DEC] < 120.0                      # only its turn is waited for
    assert 0.0 < waited_s <= 150.0                      # until a contract is left over for it
    out_s = end_s - 8 * HOUR_S
    assert watch.quoted(NOV, turn_s, out_s - 300.0) > 0.99
    assert watch.quoted(NOV, out_s + 60.0, end_s) == 0.0
    assert watch.quoted(DEC, turn_s + 120.0, end_s - 60.0) > 0.99
    began_s = session.starts[1][0]
    again_s = next(at_s for at_s, found in watch.rows if at_s > began_s and any(found[DEC]))
    figure(f"roll: December warm {watch.warm[DEC]:.0f} s after the start, first quoted "
           f"{waited_s:.0f} s after its turn began; a start {began_s - end_s:.0f} s after the "
           f"delivery, quotes again {again_s - end_s:.0f} s after it; January waits behind")
    assert began_s - end_s < 60.0
    assert again_s - end_s < 180.0
    assert watch.quoted(JAN, 0.0, 1e9) == 0.0
    assert watch.contracts[DEC] == 20
    kept = sum(day.net["profit"] for day in session.days)
    earned = session.equity_btc[-1] - session.equity_btc[0]
    assert kept == pytest.approx(earned, abs=2e-8)      # two starts, three days
    assert [day.date for day in session.days] == ["2026-11-25", "2026-11-26", "2026-11-27"]
    figure(f"the accounts of {len(session.days)} days make {kept:+.8f} BTC, the exchange's equity "
           f"{earned:+.8f}")


def test_a_new_contract_is_taken_up_after_the_settlement(figure: Callable[[str], None]) -> None:
    """March is front of what is listed, until the venue lists December; 20 contracts are held."""
    market = ThreeContracts([(30.0, lambda m: m.near.hit(ASK, 75_484.5, 20))],
                            ends=(FAR_ENDS, JUN_ENDS))
    session, watch = play(market, datetime(2026, 11, 24, 7, 58, 30, tzinfo=UTC), 240.0)
    assert [names for _, names in session.starts] == [
        [PERPETUAL, MAR, JUN], [PERPETUAL, DEC, MAR]]
    assert "BTC-25DEC26 to be traded" in session.reasons[0]
    assert watch.contracts[MAR] == 20
    figure(f"a listing: taken up {session.starts[1][0] - 90.0:.1f} s after 08:00 UTC, quoted from "
           f"{watch.first[DEC] - 90.0:.1f} s on")
    assert watch.first[DEC] < 90.0 + 60.0
    # March waits for December from now on: only its 20 contracts are offered
    assert all(found[MAR][0] == [] for at_s, found in watch.rows if at_s > session.starts[1][0] + 5)
    assert watch.rows[-1][1][MAR][1] != []


def take_off(market: ThreeContracts, name: str) -> None:
    """The venue ends a contract before its time."""
    contract = market.contract(name)
    contract.state(MarketState.MARKET_ARCHIVIZED)
    contract.ended = True


@pytest.mark.parametrize("standby", [True, False])
def test_one_taken_off_the_list_is_replaced_at_once(
        standby: bool, figure: Callable[[str], None]) -> None:
    """By the standby without a start, or by a start with the next contract."""
    market = ThreeContracts([(60.0, lambda m: take_off(m, DEC))])
    session, watch = play(market, datetime(2026, 11, 24, 12, 0, tzinfo=UTC), 150.0,
                          f"expiry.standby={str(standby).lower()}")
    assert watch.quoted(MAR, 5.0, 59.0) == 0.0
    assert watch.quoted(DEC, 65.0, 150.0) == 0.0
    figure(f"taken off the list, {'a standby' if standby else 'nobody'} behind: the next is quoted "
           f"{watch.first[MAR] - 60.0:.1f} s later, in {len(session.starts)} starts")
    assert watch.first[MAR] < 75.0
    assert [names for _, names in session.starts] == (
        [[PERPETUAL, DEC, MAR]] if standby else [[PERPETUAL, DEC], [PERPETUAL, MAR]])


def test_a_named_contract_that_ends_leaves_the_others_alone(
        caplog: pytest.LogCaptureFixture) -> None:
    market = ThreeContracts([(20.0, lambda m: take_off(m, DEC))])
    session, watch = play(market, datetime(2026, 11, 24, 12, 0, tzinfo=UTC), 90.0,
                          f"instrument.1.name={DEC}")
    assert len(session.starts) == 1
    assert watch.quoted(PERPETUAL, 5.0, 90.0) == 1.0
    assert watch.quoted(DEC, 25.0, 90.0) == 0.0
    assert f"{DEC} is over: delivered, or taken off the venue's list" in caplog.messages


def test_when_none_is_left_the_session_ends(caplog: pytest.LogCaptureFixture) -> None:
    market = ThreeContracts([(20.0, lambda m: take_off(m, DEC))])
    session = RollingSession(sets=(*QUIET, f"instrument.0.name={DEC}"), market=market,
                             start_ns=int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
                             * 10**9)
    session.run(90.0)
    assert session.verified
    assert session.loop.time() - session.began_s < 40.0
    assert session.reasons == [
        "NothingLeftError: every contract is over, and nothing follows"]


def test_a_list_that_keeps_changing_makes_few_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """December comes and goes every 40 s; without a standby each is a reason to start anew."""
    monkeypatch.setattr(reconcile, "ROSTER_LEAST_NS", 120 * 10**9)

    def flap(name: str, state: int) -> Callable[[ThreeContracts], None]:
        return lambda m: m.contract(name).state(state)

    ends = MarketState.MARKET_ARCHIVIZED, MarketState.MARKET_OPEN
    script: Script = [(20.0 + 40.0 * i, flap((DEC, MAR)[i // 2 % 2], ends[i % 2]))
                      for i in range(20)]
    session, _ = play(ThreeContracts(script, breath_s=0.5),
                      datetime(2026, 11, 24, 12, 0, tzinfo=UTC), 600.0, "expiry.standby=false",
                      every_s=5.0)
    starts = [at_s for at_s, _ in session.starts]
    assert 2 <= len(starts) <= 6
    assert all(later - sooner > 119.0 for sooner, later in pairwise(starts[1:]))
