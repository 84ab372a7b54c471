"""Money against exact fractions: every participant, every fill, every rounding."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from connectors.sim.exchange import Exchange
from connectors.sim.wire.desk import Desk
from mmcore.types import InstrumentSpec

T0 = 1_700_000_000_000_000_000
MS = 1_000_000


def rounded(value: Fraction, unit: Fraction) -> Fraction:
    """To the nearest multiple of a unit, half away from zero."""
    steps = abs(value) / unit
    whole = (2 * steps.numerator + steps.denominator) // (2 * steps.denominator)
    return (whole if value >= 0 else -whole) * unit


SATOSHI = Fraction(1, 10**8)
PICO = Fraction(1, 10**12)


class Book:
    """One participant's inverse position by the venue's rules, in fractions."""

    def __init__(self) -> None:
        self.size = Fraction(0)
        self.entry = Fraction(0)    # BTC, to 12 places
        self.cash = Fraction(0)
        self.profit = Fraction(0)
        self.exact = Fraction(0)    # the same with nothing rounded
        self.exact_entry = Fraction(0)

    def fill(self, side: int, amount: Fraction, price: Fraction, fee: Fraction) -> None:
        signed = amount if side == 0 else -amount
        quantity = rounded(amount / price, PICO)
        self.cash -= rounded(amount / price * fee, SATOSHI)
        self.exact += (amount / price if side == 0 else -amount / price) - amount / price * fee
        if self.size == 0 or (self.size > 0) == (signed > 0):
            self.entry += quantity
        else:
            closed = min(amount, abs(self.size))
            before = rounded(self.entry * closed / abs(self.size), PICO)
            after = quantity if closed == amount else rounded(closed / price, PICO)
            gain = before - after if self.size > 0 else after - before
            self.profit += rounded(gain, SATOSHI)
            self.entry += quantity - before - after
        self.size += signed


def run(seed: int, fills: int) -> tuple[Exchange, dict[int, Book]]:
    rng = random.Random(seed)
    exchange = Exchange(seed, 0)
    spec = InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10, min_amount=10,
                          maker_fee=0.00015, taker_fee=0.00035)
    exchange.add_market(spec, "btc_usd", True)
    desk = Desk(exchange)
    who = [exchange.open_account(f"p{i}", T0, 10**13, 0, False) for i in range(4)]
    books = {number: Book() for number in [0, *who]}
    t, middle, done = T0, 120_000, 0
    maker, taker = Fraction(15, 100_000), Fraction(35, 100_000)
    while done < fills:
        t += MS
        middle = max(20_000, min(400_000, middle + rng.randint(-300, 300)))
        side, contracts = rng.randint(0, 1), rng.randint(1, 5000)
        price = Fraction(middle) / 2
        amount = Fraction(10 * contracts)
        first, second = rng.sample(who, 2)
        # Nothing else stands in the book: it is emptied after every trade.
        if rng.random() < 0.2:
            exchange.market_set_level(t, 0, 1 - side, middle, contracts)
            first, first_fee = 0, Fraction(0)
        else:
            assert desk.place(t, -1, first, 0, 1 - side, 0, 0, middle, contracts)[0] == 0
            first_fee = maker
        exchange.market_mark(t, 0, float(price))
        error, _, result = desk.place(t, -1, second, 0, side, 0, 0, middle, contracts)
        assert error == 0
        assert result is not None
        assert result["order"]["order_state"] == "filled"
        books[second].fill(side, amount, price, taker)
        books[first].fill(1 - side, amount, price, first_fee)
        done += 2
    return exchange, books


@pytest.fixture(scope="module")
def played() -> Any:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    return run(seed, 20_000)


def test_every_account_equals_the_fractions(played: Any) -> None:
    exchange, books = played
    for number, book in books.items():
        account = exchange.accounts[number]
        balance, session, fees, _ = account.money()
        size, entry, realized, _ = account.position(0)
        assert size * 10 == book.size
        assert entry * PICO == book.entry
        assert -fees * SATOSHI == book.cash
        assert balance * SATOSHI == book.cash + (100_000 if number else 0)
        assert realized * SATOSHI == book.profit
        # Funding is the only other thing in the session.
        assert (session - realized) * SATOSHI == account.position(0)[3] * SATOSHI


def test_money_is_conserved_over_all_participants(played: Any) -> None:
    exchange, books = played
    assert sum(book.size for book in books.values()) == 0
    long_entry = sum(b.entry if b.size > 0 else -b.entry for b in books.values())
    profit = sum(b.profit for b in books.values())
    rest = sum(exchange.accounts[n].money()[3] for n in books)
    # What was realised, what rounding kept and what is still open add up to nothing.
    assert profit + rest * PICO + long_entry == 0
    funding = sum(exchange.accounts[n].position(0)[3] for n in books)
    assert abs(funding) <= len(books)      # each at most half a satoshi off


def test_rounding_stays_within_half_a_satoshi_a_booking(played: Any) -> None:
    _, books = played
    last = Fraction(1, 60_000)
    for book in books.values():
        value = book.cash + book.profit + (
            book.entry if book.size > 0 else -book.entry) - book.size * last
        exact = book.exact - book.size * last
        assert abs(value - exact) < 20_000 * SATOSHI


def test_linear_contract() -> None:
    exchange = Exchange(1, 0)
    spec = InstrumentSpec("BTC_USDC-PERPETUAL", tick_size=0.5, contract_size=0.0001,
                          min_amount=0.0001, inverse=False, taker_fee=0.0005)
    exchange.add_market(spec, "btc_usdc", True)
    desk = Desk(exchange)
    a = exchange.open_account("a", T0, 0, 10**12, False)
    exchange.market_set_level(T0, 0, 1, 120_000, 1000)
    assert desk.place(T0, -1, a, 0, 0, 0, 1, 120_000, 1000)[0] == 0
    exchange.market_set_level(T0, 0, 0, 120_200, 1000)
    assert desk.place(T0, -1, a, 0, 1, 0, 1, 120_200, 400)[0] == 0
    balance, session, fees, rest = exchange.accounts[a].money(1)
    assert exchange.accounts[a].position(0)[0] == 600
    assert session == 4 * 10**8             # 0.04 BTC up 100 USD
    assert fees == 3 * 10**8 + 120_200_000  # 5 bps of 6,000 and of 2,404 USDC
    assert balance == 10**12 - fees
    assert rest == 0


def test_a_published_example() -> None:
    """1000 USD... long from 600 to 700: 1000/600 - 1000/700 = 0.238095 BTC."""
    exchange = Exchange(1, 0)
    exchange.add_market(InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10,
                                       min_amount=10), "btc_usd", True)
    desk = Desk(exchange)
    a = exchange.open_account("a", T0, 10**9, 0, False)
    exchange.market_set_level(T0, 0, 1, 1200, 100)
    assert desk.place(T0, -1, a, 0, 0, 0, 1, 1200, 100)[0] == 0
    exchange.market_set_level(T0, 0, 0, 1400, 100)
    assert desk.place(T0, -1, a, 0, 1, 0, 1, 1400, 100)[0] == 0
    assert exchange.accounts[a].position(0) == (0, 0, 23809524, 0)


def test_funding_is_paid_by_longs_to_shorts() -> None:
    exchange = Exchange(1, 0)
    exchange.add_market(InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10,
                                       min_amount=10), "btc_usd", True)
    desk = Desk(exchange)
    a = exchange.open_account("a", T0, 10**10, 0, False)
    exchange.market_index(T0, "btc_usd", 60_000.0)
    exchange.market_mark(T0, 0, 60_000.0)
    exchange.market_funding(T0, 0, 0.001)
    exchange.advance(T0 + 200 * MS)
    t = exchange.now_ns // (100 * MS) * 100 * MS    # the last accrual
    exchange.market_set_level(t, 0, 1, 120_000, 6000)
    assert desk.place(t, -1, a, 0, 0, 0, 1, 120_000, 6000)[0] == 0
    exchange.advance(t + 8 * 3_600_000 * MS)
    desk.position(a, 0)
    assert desk.position(0, 0)["size"] == -60_000.0
    # One BTC for eight hours at 0.1 %.
    assert exchange.accounts[a].position(0)[3] == pytest.approx(-100_000, abs=1)
    assert exchange.accounts[0].position(0)[3] == -exchange.accounts[a].position(0)[3]
