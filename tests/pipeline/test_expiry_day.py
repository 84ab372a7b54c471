"""The last day of a contract on the exchange, from 24 hours before its delivery to after it.

December ends on Friday the 25th at 08:00 UTC; the perpetual and March go on.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rolling_session import COARSE_SETS, RollingSession, coarse
from scripted_market import ASK, QUIET, look_at
from three_contracts import FAR_ENDS, INSTRUMENTS, NEAR_ENDS, ThreeContracts
from virtual_session import VirtualSession

from mmcore.market import Market

__all__ = ["coarse"]        # a fixture, used by its name

HOUR_S = 3_600.0
BEGIN = datetime(2026, 12, 24, 8, 1, tzinfo=UTC)
END_S = 24 * HOUR_S - 60.0          # of December, from BEGIN
OUT_S = END_S - 8 * HOUR_S          # 00:00 UTC
SETS = (*QUIET, *INSTRUMENTS, *COARSE_SETS, "quote.size_btc=0.1", "risk.flatten_clip_btc=0.02",
        "risk.throttle_fills=0")
NEAR = 1


class Day:
    """One day played; what the near contract looked like every minute."""

    def __init__(self, *sets: str, hours: float = 24.1) -> None:
        self.market = ThreeContracts(
            [(120.0, lambda m: m.near.hit(ASK, 75_484.5, 300))], breath_s=10.0)
        self.session = RollingSession(sets=(*SETS, *sets), market=self.market,
                                      start_ns=int(BEGIN.timestamp()) * 10**9)
        self.seen: list[tuple[float, int, list[int], float]] = []
        self.began_e8 = 0
        self.session.run(hours * HOUR_S, meanwhile=self.look, every_s=30.0)
        assert self.session.verified

    def look(self, session: VirtualSession) -> None:
        assert session.maker is not None
        if not self.seen:
            self.began_e8 = self.account().money()[0]
        market = session.maker.engine.markets[NEAR]
        looks = [look_at(m, 0.0) for m in session.maker.engine.markets]
        self.seen.append((session.loop.time() - 1_000.0, market.position.contracts,
                          [len(look.resting[0]) + len(look.resting[1]) for look in looks],
                          sum(a for _, a in market.quotes()[0])))

    @property
    def near(self) -> Market:
        assert self.session.maker is not None
        found: Market = self.session.maker.engine.markets[NEAR]
        return found

    def between(self, start_s: float, end_s: float) -> list[tuple[float, int, list[int], float]]:
        return [row for row in self.seen if start_s <= row[0] <= end_s]

    def account(self) -> Any:
        assert self.session.server is not None
        return next(a for a in self.session.server.exchange.accounts if a.client_id == "maker")


@pytest.mark.usefixtures("coarse")
def test_wound_down_and_out_before_the_last_day(figure: Callable[[str], None]) -> None:
    """Bought at the bid with 24 hours left; out at 00:00 UTC, in slices; nothing is delivered."""
    day = Day()
    assert day.session.reasons == []
    sizes = [row[3] for row in day.between(300.0, OUT_S - 60.0)]
    assert sizes == sorted(sizes, reverse=True)             # the adding side shrinks
    held = [row[1] for row in day.between(300.0, OUT_S - 60.0)]
    assert held[0] > 0
    assert min(held) == held[0]                             # nobody came to buy it
    assert [row for row in day.between(OUT_S + 60.0, 1e9) if row[1] or row[2][NEAR]] == []
    last = [row for row in day.seen if row[1]][-1][0] - OUT_S
    figure(f"expiry day: bid from {sizes[0]} to {sizes[-1]} contracts, {held[0]} held until "
           f"00:00 UTC, out {last:.0f} s after it in {day.near.ledger.fills - 1} slices; "
           f"the others quoted {len([r for r in day.seen if r[2][0] and r[2][2]])} of "
           f"{len(day.seen)} times")
    assert last <= 60.0
    same_books(day)
    for other in (0, 2):                                    # they go on after the delivery
        assert day.seen[-1][2][other] == 2


def same_books(day: Day) -> tuple[float, float]:
    """Compare profit and fees with the exchange's account, to 1e-8 BTC; return both profits."""
    account = day.account()
    assert account.position(NEAR)[0] == day.near.position.contracts
    balance_e8, session_e8, fees_e8, _ = account.money()
    statement = day.near.statement
    ours = statement.realized - statement.fees_e8 * 1e-8
    theirs = (balance_e8 + session_e8 - day.began_e8) * 1e-8
    assert ours == pytest.approx(theirs, abs=1e-8)
    assert statement.fees_e8 == fees_e8
    return ours, theirs


@pytest.mark.usefixtures("coarse")
def test_what_is_left_is_delivered(figure: Callable[[str], None]) -> None:
    """With expiry.flatten off, and nobody who buys what the ask offers all day."""
    day = Day("expiry.flatten=false")
    held = [row[1] for row in day.seen]
    before = [row[1] for row in day.between(OUT_S + 60.0, END_S - 60.0)]
    assert min(before) == max(before) > 0
    # the ask stays, and the bid goes
    assert {row[2][NEAR] for row in day.between(OUT_S + 60.0, END_S - 60.0)} == {1}
    assert held[-1] == 0
    ours, theirs = same_books(day)
    assert day.near.statement.fees_e8 > 0
    figure(f"{before[0]} contracts delivered: profit {ours:+.8f} BTC, the exchange's "
           f"{theirs:+.8f}, fees {day.near.statement.fees_e8 * 1e-8:.8f}")
    assert day.session.reasons == []                        # a name: nothing follows it
    assert FAR_ENDS > NEAR_ENDS
