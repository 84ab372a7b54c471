"""Who is in a session: chosen by name and rule, who follows, who leaves, and when that changes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from test_instruments import dated, listing

from connectors.deribit.messages import InstrumentData
from connectors.deribit.roster import Choice, Roster, make_roster, new_places
from connectors.sim.listing import expiry_ms, future_name

HOUR_MS = 3_600_000
DAYS = [date(2026, 11, 27), date(2026, 12, 25), date(2027, 3, 26), date(2027, 6, 25)]
NOV, DEC, MAR, JUN = (future_name(day) for day in DAYS)
ENDS = {future_name(day): expiry_ms(day) for day in DAYS}
PERPETUAL = "BTC-PERPETUAL"


def at(month: int, day: int, hour: int = 12, minute: int = 0, year: int = 2026) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


def listed(*names: str) -> list[InstrumentData]:
    return [listing(PERPETUAL), *(dated(name, ENDS[name]) for name in names)]


def rows(roster: Roster) -> list[tuple[str, int, int, int]]:
    return [(p.name, p.entry, p.predecessor, p.rolls_ms) for p in roster.places]


ALL = listed(NOV, DEC, MAR, JUN)


def make(names: Sequence[str], now_ms: int, known: list[InstrumentData] | None = None, *,
         before: Sequence[str] = (), held: Sequence[str] = (), standby: bool = True,
         least_h: float = 168.0) -> Roster:
    return make_roster(Choice(tuple(names), least_h, standby), ALL if known is None else known,
                       now_ms, before=before, held=held)


def test_the_next_front_waits_behind_the_front() -> None:
    assert rows(make(["perpetual", "front"], at(11, 10))) == [
        (PERPETUAL, 0, -1, 0), (NOV, 1, -1, 0), (DEC, 1, 1, 0)]
    assert rows(make(["front", "perpetual"], at(11, 10), standby=False)) == [
        (NOV, 0, -1, 0), (PERPETUAL, 1, -1, 0)]
    # names have nobody behind them
    assert rows(make([PERPETUAL, NOV], at(11, 10))) == [(PERPETUAL, 0, -1, 0), (NOV, 1, -1, 0)]


def test_a_quarter_is_replaced_before_its_own_end() -> None:
    """When December is delivered, the second quarterly is June and no longer March."""
    assert rows(make(["next-quarter"], at(11, 10))) == [
        (MAR, 0, -1, ENDS[DEC]), (JUN, 0, 0, 0)]
    # what March is to be dropped by one rule and taken by another stays as it is; June replaces
    # December, which leaves at that time
    late = make(["front", "next-quarter"], at(12, 1), listed(DEC, MAR, JUN))
    assert rows(late) == [(DEC, 0, -1, 0), (MAR, 1, -1, 0), (JUN, 1, 0, 0)]


def test_the_last_week_of_a_quarter() -> None:
    """Front is March already, and so would be the second quarterly: it is June."""
    assert rows(make(["front", "next-quarter"], at(12, 20), listed(DEC, MAR, JUN)))[:2] == [
        (MAR, 0, -1, 0), (JUN, 1, -1, 0)]


def test_a_front_in_use_is_kept_to_its_delivery() -> None:
    session = make(["perpetual", "front"], at(11, 10))
    for now_ms in (at(11, 21), at(11, 26), at(11, 27, 7, 59)):
        chosen = session.chosen(now_ms)
        assert chosen == (PERPETUAL, NOV)
        assert rows(make(["perpetual", "front"], now_ms, before=chosen)) == rows(session)
    after = at(11, 27, 8)
    assert session.chosen(after) == (PERPETUAL, DEC)        # the standby stands for the entry
    assert rows(make(["perpetual", "front"], after, listed(DEC, MAR), before=session.chosen(
        after))) == [(PERPETUAL, 0, -1, 0), (DEC, 1, -1, 0), (MAR, 1, 1, 0)]


def test_what_is_over_is_left_out_by_whoever_goes_on() -> None:
    session = make([PERPETUAL, NOV], at(11, 20))
    after, rest = at(11, 27, 8), listed(DEC, MAR)
    assert session.over(rest, after) == {1}
    assert session.over(rest, at(11, 20)) == {1}            # taken off the list before its end
    assert rows(make([PERPETUAL, NOV], after, rest, before=session.chosen(after))) == [
        (PERPETUAL, 0, -1, 0)]
    with pytest.raises(ValueError, match="no instrument is left of"):
        make([NOV], after, rest, before=("x",))
    with pytest.raises(ValueError, match="not listed"):
        make([NOV], after, rest)                            # a fresh start says so


def test_a_position_in_what_nobody_chooses_is_worked_off() -> None:
    roster = make(["perpetual", "front"], at(11, 25), before=(), held=(NOV, PERPETUAL))
    assert rows(roster) == [(PERPETUAL, 0, -1, 0), (DEC, 1, -1, 0), (MAR, 1, 1, 0),
                            (NOV, -1, -1, 1)]


def test_a_halt_changes_nothing() -> None:
    halted = [listing(PERPETUAL), dated(NOV, ENDS[NOV], is_active=False), *listed(DEC, MAR)[1:]]
    now_ms = at(11, 10)
    session = make(["perpetual", "front"], now_ms)
    assert rows(make(["perpetual", "front"], now_ms, halted,
                     before=session.chosen(now_ms))) == rows(session)
    assert rows(make(["perpetual", "front"], now_ms, halted))[1][0] == DEC     # a fresh start


def names_of(session: Roster, known: list[InstrumentData], now_ms: int) -> list[str]:
    wanted = make_roster(session.choice, known, now_ms, before=session.chosen(now_ms))
    return [p.name for p in new_places(session, wanted, session.over(known, now_ms), now_ms)]


def test_when_a_change_is_taken_up() -> None:
    """A standby can wait for the settlement's pause; an empty place cannot."""
    session = make(["perpetual", "front"], at(12, 1), listed(MAR))
    assert rows(session) == [(PERPETUAL, 0, -1, 0), (MAR, 1, -1, 0)]
    for known, noon, settled in (
            (listed(MAR), [], []),                          # nothing new
            (listed(MAR, JUN), [], [JUN]),                  # to be followed
            (listed(DEC, MAR), [], [DEC]),                  # preferred now, and March behind it
            (listed(JUN), [JUN], [JUN])):                   # March was taken off the list
        assert names_of(session, known, at(12, 2)) == noon
        assert names_of(session, known, at(12, 2, 7, 59)) == noon
        assert names_of(session, known, at(12, 2, 8, 0)) == settled


@pytest.mark.parametrize("names", [("front",), ("next-quarter",), ("front", "next-quarter"),
                                   ("perpetual", "front"), (DEC, "next-quarter"), (JUN, "front")])
def test_no_start_asks_for_another(names: tuple[str, ...]) -> None:
    """Whatever the moment: a session just begun lacks nothing, and goes on to lack nothing."""
    ends = [expiry_ms(day) for day in DAYS]
    moments = sorted({max(end + off, at(11, 1)) for end in ends[:3] for off in (
        -20 * 24 * HOUR_MS, -168 * HOUR_MS, -47 * HOUR_MS, -1, 0, 60_000)})
    before: Sequence[str] = ()
    session: Roster | None = None
    starts = 0
    for now_ms in moments:
        known = [d for d in ALL if d.expiration_timestamp > now_ms]
        if session is None or names_of(session, known, now_ms):
            session = make(names, now_ms, known, before=before)
            starts += 1
            assert names_of(session, known, now_ms) == []
        before = session.chosen(now_ms)
    assert starts <= 4                                      # one, and one a delivery
