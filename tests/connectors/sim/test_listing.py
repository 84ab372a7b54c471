"""Dated contracts by rule."""

from __future__ import annotations

from datetime import date

from exchange_floor import at

from connectors.sim.listing import expiry_ms, future_name, listed, month_end, spread_name


def names(now_ns: int, **counts: int) -> list[str]:
    return [future_name(day) for day, _ in listed(now_ns, **counts)]


def test_month_ends_are_last_fridays() -> None:
    assert month_end(2026, 11) == date(2026, 11, 27)
    assert month_end(2026, 12) == date(2026, 12, 25)
    assert month_end(2028, 2) == date(2028, 2, 25)


def test_what_is_listed_on_a_date() -> None:
    found = listed(at(2026, 11, 22, 12))
    assert [(future_name(day), period) for day, period in found] == [
        ("BTC-27NOV26", "month"), ("BTC-25DEC26", "month"), ("BTC-26MAR27", "month")]


def test_a_contract_goes_at_eight_on_its_day() -> None:
    assert names(at(2026, 11, 27, 7, 59))[0] == "BTC-27NOV26"
    after = names(at(2026, 11, 27, 8))
    assert after == ["BTC-25DEC26", "BTC-29JAN27", "BTC-26MAR27"]


def test_at_least_two_of_every_length_on_every_day_of_years() -> None:
    day_ns = 86_400 * 10**9
    for n in range(1000):
        found = listed(at(2026, 1, 1) + n * day_ns)
        assert len(found) >= 2
        assert all(day.weekday() == 4 for day, _ in found)
        assert all(expiry_ms(day) * 10**6 > at(2026, 1, 1) + n * day_ns for day, _ in found)
        assert sum(1 for day, _ in found if day.month in (3, 6, 9, 12) and day == month_end(
            day.year, day.month)) >= 2


def test_names_of_spreads() -> None:
    assert spread_name("BTC-25DEC26", "BTC-PERPETUAL") == "BTC-FS-25DEC26_PERP"
    assert spread_name("BTC-26MAR27", "BTC-25DEC26") == "BTC-FS-26MAR27_25DEC26"
