"""The daily settlement and the end of a dated contract, with times read off a clock."""

from typing import Any

import pytest
from desk import SECOND, Desk, params, perpetual

from mmcore.calendar import CalendarDay
from mmcore.types import ControlKind, MarketState, RemovedReason

pytestmark = pytest.mark.quick

DAY = 86_400 * SECOND                       # 2 January 1970
KEYS = {"settlement.pull_before_s": 15, "settlement.resume_after_s": 10,
        "expiry.wind_down_h": 48, "expiry.out_before_h": 8, "expiry.flatten": 0}
HOUR_MS = 3_600_000


def clock(text: str) -> int:
    h, m, s = text.split(":")
    return DAY + int((int(h) * 3600 + int(m) * 60 + float(s)) * SECOND)


def at(day: CalendarDay, text: str, **facts: Any) -> dict[str, Any]:
    wall_ns = clock(text)
    return day.at(params(KEYS), wall_ns, wall_ns, **facts)


@pytest.mark.parametrize(("text", "settling"), [
    ("07:59:44.9", False), ("07:59:45", True), ("08:00:00", True), ("08:00:09.9", True),
    ("08:00:10", False), ("20:00:00", False)])
def test_nothing_rests_round_the_settlement(text: str, settling: bool) -> None:
    assert at(CalendarDay(), text)["settling"] is settling


def test_a_late_reopening_counts_from_the_opening() -> None:
    day = CalendarDay()
    assert at(day, "08:00:00", state=MarketState.MARKET_SETTLEMENT)["settling"]
    assert at(day, "08:00:30", state=MarketState.MARKET_SETTLEMENT)["settling"]
    assert at(day, "08:00:31", state=MarketState.MARKET_OPEN)["settling"]
    assert at(day, "08:00:40.9", state=MarketState.MARKET_OPEN)["settling"]
    assert not at(day, "08:00:41", state=MarketState.MARKET_OPEN)["settling"]


def test_the_clock_says_when_to_look_again() -> None:
    assert at(CalendarDay(), "07:59:40")["next_ns"] == 5 * SECOND
    assert at(CalendarDay(), "07:59:44.25")["next_ns"] == 750_000_000
    assert at(CalendarDay(), "07:59:50")["next_ns"] == 20 * SECOND
    assert at(CalendarDay(), "08:00:04")["next_ns"] == 6 * SECOND
    assert at(CalendarDay(), "12:00:00")["next_ns"] == 60 * SECOND      # a minute at most


@pytest.mark.parametrize(("hours", "size", "leaving", "delta"), [
    (60, 1.0, False, 1.0),
    (28, 0.5, False, 1.0),          # half way from 48 h to 8 h
    (8, 0.0, True, 1.0),
    (0.25, 0.0, True, 0.5),         # 15 of the 30 minutes that make the delivery price
    (-1, 0.0, True, 0.0)])
def test_a_dated_contract_winds_down(hours: float, size: float, leaving: bool,
                                     delta: float) -> None:
    expiry_ms = clock("12:00:00") // 1_000_000 + int(hours * HOUR_MS)
    figures = at(CalendarDay(), "12:00:00", expiry_ms=expiry_ms)
    assert (figures["size_factor"], figures["leaving"], figures["delta_share"]) == pytest.approx(
        (size, leaving, delta))


def test_whose_place_is_taken_sooner_winds_down_towards_that() -> None:
    """28 hours to the roll, 60 to the end; then 7 and 39: nothing adds, and nothing is closed."""
    noon_ms = clock("12:00:00") // 1_000_000
    for hours, size, leaving in ((28, 0.5, False), (7, 0.0, True)):
        figures = at(CalendarDay(), "12:00:00", expiry_ms=noon_ms + (hours + 32) * HOUR_MS,
                     rolls_ms=noon_ms + hours * HOUR_MS)
        assert (figures["size_factor"], figures["leaving"], figures["ending"]) == (
            pytest.approx(size), leaving, False)
    figures = at(CalendarDay(), "12:00:00", expiry_ms=noon_ms + 7 * HOUR_MS)
    assert (figures["leaving"], figures["ending"]) == (True, True)
    assert not at(CalendarDay(), "12:00:00", expiry_ms=noon_ms)["ending"]   # it is delivered


def test_without_a_wall_clock_nothing_is_known_of_the_hour() -> None:
    assert not CalendarDay().at(params(KEYS), 0, 5 * SECOND, expiry_ms=1)["settling"]


def removed(desk: Desk) -> int:
    desk.turn()
    bid, ask = desk.market.why()["removed"]
    assert bid == ask
    return int(bid)


def test_the_settlement_empties_the_book_and_quotes_return() -> None:
    desk = Desk(KEYS)
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=clock("07:59:40") - desk.now_ns)
    assert removed(desk) == 0
    desk.wait(5_000)
    desk.ticker()
    assert removed(desk) == RemovedReason.REMOVED_CALENDAR
    assert desk.market.settling
    desk.wait(5_000)
    desk.ticker()
    desk.wait(5_000)
    desk.ticker()
    desk.snapshot()
    desk.wait(14_900)                       # 08:00:09.9
    assert removed(desk) & RemovedReason.REMOVED_CALENDAR
    desk.wait(100)
    desk.ticker()
    desk.snapshot()
    assert removed(desk) == 0
    assert not desk.market.settling


def test_an_expiring_contract_only_reduces() -> None:
    expiry_ms = (clock("12:00:00") + DAY // 4) // 1_000_000     # six hours left
    desk = Desk(KEYS, specs=[perpetual("BTC-3JAN70", expiry_ms=expiry_ms)])
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=clock("12:00:00") - desk.now_ns)
    desk.control(ControlKind.CONTROL_POSITION, value=300, real=75_000.0)
    desk.turn()
    assert desk.market.why()["removed"] == (RemovedReason.REMOVED_CALENDAR, 0)
    assert desk.market.quotes()[0] == []
    assert desk.market.quotes()[1] != []


def expiring(hours: float, flatten: bool) -> Desk:
    """750 contracts long in a contract with so long to go, at noon."""
    expiry_ms = clock("12:00:00") // 1_000_000 + int(hours * HOUR_MS)
    desk = Desk({**KEYS, "expiry.flatten": float(flatten), "risk.flatten_clip_btc": 0.02,
                 "risk.kill_flatten_cap_bps": 50, "quote.size_btc": 0.02},
                specs=[perpetual("BTC-3JAN70", expiry_ms=expiry_ms)])
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=clock("12:00:00") - desk.now_ns)
    desk.control(ControlKind.CONTROL_POSITION, value=750, real=75_000.0)
    desk.turn()
    return desk


@pytest.mark.parametrize(("hours", "flatten", "closes"), [
    (7.9, True, True), (7.9, False, False), (9, True, False), (1, True, True)])
def test_what_is_left_is_closed_before_the_last_day(
        hours: float, flatten: bool, closes: bool) -> None:
    """0.02 BTC at a time and 50 bps under the mark at most; else it is quoted out."""
    desk = expiring(hours, flatten)
    bids, asks = desk.market.quotes()
    assert desk.market.why()["take"] == ("TAKE_EXPIRY" if closes else "TAKE_NONE")
    assert desk.market.take() == ((1, 149_250, 150) if closes else None)
    assert (asks == []) == closes
    assert (bids == []) == (hours < 8)


def test_nothing_is_closed_in_the_settlement() -> None:
    desk = expiring(7.9, True)
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=clock("07:59:50") - desk.now_ns)
    desk.market.roll(-1, 0)
    desk.turn()
    assert desk.market.take() is None
    assert desk.market.quotes() == ([], [])


def test_a_standby_grows_as_its_predecessor_shrinks() -> None:
    """December waits until November has 48 hours left, and has it all 8 hours before its end."""
    noon_ms = clock("12:00:00") // 1_000_000
    for hours, share in ((49, 0.0), (38, 0.25), (28, 0.5), (8, 1.0), (-1, 1.0)):
        near = perpetual("BTC-3JAN70", expiry_ms=noon_ms + hours * HOUR_MS)
        later = perpetual("BTC-9JAN70", expiry_ms=noon_ms + 1_000 * HOUR_MS)
        desk = Desk({**KEYS, "quote.size_btc": 0.02}, specs=[near, later])
        before, standby = desk.engine.markets
        standby.roll(predecessor=0)
        assert standby.standby
        desk.control(ControlKind.CONTROL_WALL_OFFSET, value=clock("12:00:00") - desk.now_ns)
        desk.turn()
        assert standby.standby == (share == 0.0)
        bits = RemovedReason.REMOVED_STANDBY if share == 0.0 else 0
        assert standby.why()["removed"] == (bits, bits)
        assert standby.why()["size_factor"] == pytest.approx(share)
        bids, asks = standby.quotes()
        assert [a for _, a in bids + asks] == ([] if share == 0.0 else [int(150 * share)] * 2)
        assert before.why()["size_factor"] == pytest.approx(1.0 - share)


def test_a_standby_takes_over_when_its_predecessor_is_gone() -> None:
    noon_ms = clock("12:00:00") // 1_000_000
    desk = Desk(KEYS, specs=[perpetual("BTC-9JAN70", expiry_ms=noon_ms + 900 * HOUR_MS),
                             perpetual("BTC-19JAN70", expiry_ms=noon_ms + 999 * HOUR_MS)])
    standby = desk.engine.markets[1]
    standby.roll(predecessor=0)
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=clock("12:00:00") - desk.now_ns)
    desk.turn()
    assert standby.standby
    desk.control(ControlKind.CONTROL_MARKET_STATE, value=MarketState.MARKET_ARCHIVIZED)
    desk.turn()
    assert not standby.standby
    assert len(standby.quotes()[0]) == 1


def test_a_position_in_a_standby_is_reduced() -> None:
    desk = Desk(KEYS, specs=[perpetual("BTC-9JAN70", expiry_ms=10**15),
                             perpetual("BTC-19JAN70", expiry_ms=2 * 10**15)])
    standby = desk.engine.markets[1]
    standby.roll(predecessor=0)
    desk.control(ControlKind.CONTROL_POSITION, market=1, value=-40, real=75_000.0)
    desk.turn()
    bids, asks = standby.quotes()
    assert (len(bids), asks) == (1, [])
    with pytest.raises(ValueError, match="cannot be its predecessor"):
        standby.roll(predecessor=1)
