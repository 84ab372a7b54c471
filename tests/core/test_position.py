"""Inverse and linear profit with published and hand-made figures, and against exact fractions."""

from fractions import Fraction
from math import floor

import pytest
from desk import ASK, BID, linear, perpetual
from hypothesis import given
from hypothesis import strategies as st

from mmcore.position import Position
from mmcore.types import InstrumentSpec


def test_published_example() -> None:
    spec, held = perpetual(), Position()
    assert held.fill(spec, BID, 600.0, 1000.0) == 0.0
    assert held.unrealized_at(spec, 700.0) == pytest.approx(0.238095, abs=5e-7)
    # 1000/600 - 1000/700 = 0.238095 BTC, booked with eight decimals
    assert held.fill(spec, ASK, 700.0, 1000.0) == 0.23809524
    assert held.contracts == 0
    assert held.realized_e8 == 23_809_524
    assert held.unrealized_at(spec, 900.0) == 0.0


def test_short_earns_when_the_price_falls() -> None:
    spec, held = perpetual(), Position()
    held.fill(spec, ASK, 80_000.0, 8000.0)
    assert held.contracts == -800
    # 8000/75000 - 8000/80000 = 0.10666667 - 0.1
    assert held.unrealized_at(spec, 75_000.0) == pytest.approx(0.0066666667, abs=1e-10)
    assert held.fill(spec, BID, 75_000.0, 8000.0) == 0.00666667


def test_average_of_an_inverse_entry_is_harmonic() -> None:
    spec, held = perpetual(), Position()
    held.fill(spec, BID, 50_000.0, 1000.0)
    held.fill(spec, BID, 100_000.0, 1000.0)
    # 2000 / (1000/50000 + 1000/100000) = 2000 / 0.03
    assert held.average(spec) == pytest.approx(66_666.6667, abs=1e-4)


def test_partial_close_keeps_the_average() -> None:
    spec, held = perpetual(), Position()
    held.fill(spec, BID, 50_000.0, 3000.0)
    # a third closed: 1000/50000 - 1000/60000 = 0.02 - 0.01666667
    assert held.fill(spec, ASK, 60_000.0, 1000.0) == 0.00333333
    assert held.contracts == 200
    assert held.average(spec) == pytest.approx(50_000.0)


def test_flip_realises_the_old_side_and_opens_the_new_one() -> None:
    spec, held = perpetual(), Position()
    held.fill(spec, BID, 50_000.0, 1000.0)
    assert held.fill(spec, ASK, 40_000.0, 3000.0) == -0.005     # 1000/50000 - 1000/40000
    assert held.contracts == -200
    assert held.average(spec) == pytest.approx(40_000.0)


def test_linear_profit_is_usd() -> None:
    spec, held = linear(), Position()
    held.fill(spec, BID, 75_000.0, 0.02)
    assert held.fill(spec, ASK, 75_100.0, 0.01) == pytest.approx(1.0)
    assert held.unrealized_at(spec, 74_900.0) == pytest.approx(-1.0)
    assert held.average(spec) == pytest.approx(75_000.0)
    held.fill(spec, ASK, 75_000.0, 0.03)
    assert held.contracts == -200
    assert held.unrealized_at(spec, 74_900.0) == pytest.approx(2.0)


def test_fees_keep_their_sign_and_stay_out_of_profit() -> None:
    spec, held = perpetual(), Position()
    held.fill(spec, BID, 75_000.0, 1500.0, fee=0.000003)        # 1.5 bps of 0.02 BTC
    held.fill(spec, ASK, 75_000.0, 1500.0, fee=-0.000001)       # a rebate
    assert held.fees_e8 == 200
    assert held.realized_e8 == 0
    assert held.volume_usd == 3000.0


def test_adopting_an_equal_position_keeps_the_exact_entry() -> None:
    spec, held = perpetual(), Position()
    held.fill(spec, BID, 50_000.0, 1000.0)
    held.adopt(spec, 100, 50_001.0)
    assert held.average(spec) == pytest.approx(50_000.0)
    held.adopt(spec, -30, 60_000.0)
    assert (held.contracts, held.average(spec)) == (-30, pytest.approx(60_000.0))
    with pytest.raises(ValueError, match="average price"):
        held.adopt(spec, 30, 0.0)


def nearest(value: Fraction) -> int:
    """Round half away from zero, as the venue books."""
    whole = floor(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


class ExactPosition:
    """The same booking in rationals: once as the venue rounds it, once without any rounding.

    The venue keeps a fill's cost to 12 decimals in BTC and to 8 in USD, a partial close takes its
    share of it to the same precision, and each trade's profit has 8 decimals.
    """

    def __init__(self, inverse: bool) -> None:
        self.inverse, self.contracts = inverse, 0
        self.unit = 10**12 if inverse else 10**8
        self.cost = 0                       # of |position|, in units
        self.entry = Fraction(0)            # the same, never rounded
        self.realized_e8 = 0
        self.realized = Fraction(0)

    def worth(self, size: Fraction, price: Fraction) -> Fraction:
        return size / price if self.inverse else size * price

    def fill(self, side: int, price: Fraction, contracts: int, size: Fraction) -> None:
        signed = contracts if side == BID else -contracts
        held = abs(self.contracts)
        whole = self.worth(contracts * size, price)
        cost, worth = nearest(whole * self.unit), whole
        if self.contracts * signed < 0:
            closed = min(held, contracts)
            closing = self.worth(closed * size, price)
            closing_cost = cost if closed == contracts else nearest(closing * self.unit)
            part, share = nearest(Fraction(self.cost * closed, held)), self.entry * closed / held
            sign = 1 if self.inverse == (self.contracts > 0) else -1
            self.realized_e8 += sign * nearest(Fraction((part - closing_cost) * 10**8, self.unit))
            self.realized += sign * (share - closing)
            self.cost, self.entry = self.cost - part, self.entry - share
            cost, worth = cost - closing_cost, worth - closing
        self.cost, self.entry = self.cost + cost, self.entry + worth
        self.contracts += signed

    def unrealized(self, mark: Fraction, size: Fraction) -> Fraction:
        gain = self.entry - self.worth(abs(self.contracts) * size, mark)
        return gain if self.inverse == (self.contracts > 0) else -gain


FILLS = st.lists(st.tuples(st.sampled_from([BID, ASK]), st.integers(20_000, 200_000),
                           st.integers(1, 2_000)), min_size=1, max_size=60)


@given(fills=FILLS, inverse=st.booleans(), mark=st.integers(20_000, 200_000))
def test_bookings_equal_the_exact_ones(fills: list[tuple[int, int, int]], inverse: bool,
                                       mark: int) -> None:
    spec = perpetual() if inverse else InstrumentSpec(
        "L", tick_size=0.5, contract_size=0.0001, inverse=False)
    size = Fraction(10) if inverse else Fraction(1, 10_000)
    exact, held = ExactPosition(inverse), Position()
    for side, ticks, contracts in fills:
        exact.fill(side, Fraction(ticks, 2), contracts, size)
        held.fill(spec, side, ticks / 2, spec.amount(contracts))
    assert held.contracts == exact.contracts
    assert held.entry_cost == exact.cost
    assert held.realized_e8 == exact.realized_e8
    drift = abs(exact.realized - Fraction(held.realized_e8, 10**8))
    assert drift <= Fraction(6 * len(fills), 10**9)     # half of 1e-8 a trade, and the costs
    if exact.contracts:
        error = abs(Fraction(held.unrealized_at(spec, mark / 2))
                    - exact.unrealized(Fraction(mark, 2), size))
        assert error <= (Fraction(1, 10**10) if inverse else Fraction(1, 10**6))
