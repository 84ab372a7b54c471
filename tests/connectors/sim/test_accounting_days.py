"""Days of trading against exact fractions: fills, funding, settlements, a delivery."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from exchange_floor import EXPIRY, HOUR, LIMIT, MS, NEAR, PERP, SECOND, Floor
from test_accounting import PICO, SATOSHI, Book, rounded

TENTH = 100 * MS
MAKER, TAKER = Fraction(15, 100_000), Fraction(35, 100_000)
DELIVERY_FEE = Fraction(25, 100_000)
ACCOUNTS = 6


class Ledger:
    """One participant in fractions, rounded only where the venue rounds."""

    def __init__(self) -> None:
        self.books = {PERP: Book(), NEAR: Book()}
        self.funding = Fraction(0)
        self.fees = Fraction(0)

    def settle(self, market: int, price: Fraction, deliver: bool) -> None:
        book = self.books[market]
        if book.size == 0:
            return
        worth = rounded(abs(book.size) / price, PICO)
        gain = book.entry - worth if book.size > 0 else worth - book.entry
        book.profit += rounded(gain, SATOSHI)
        book.entry = worth
        if deliver:
            self.fees += rounded(abs(book.size) / price * DELIVERY_FEE, SATOSHI)
            book.size, book.entry = Fraction(0), Fraction(0)

    def total(self) -> Fraction:
        return (sum((b.cash + b.profit for b in self.books.values()), Fraction(0))
                + self.funding - self.fees)


class Days:
    """Random fills in bursts, random pauses; the mark and the rate change between them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.floor = Floor(EXPIRY - 20 * HOUR)
        self.exchange = self.floor.exchange
        for market in (PERP, NEAR):
            self.exchange.set_speed_bump(market, 0)
        self.who = [self.exchange.open_account(f"p{i}", self.floor.t, 10**13, 0, False)
                    for i in range(ACCOUNTS)]
        self.ledgers = {number: Ledger() for number in self.who}
        self.mark = Fraction(60_000)
        self.fills = 0          # trades, each with two sides
        self.rate = Fraction(0)
        self.index = Fraction(60_000)
        self.set_prices()
        self.floor.pass_ns(TENTH)

    def set_prices(self) -> None:
        floor = self.floor
        self.mark = Fraction(self.rng.randint(110_000, 130_000), 2)
        self.rate = Fraction(self.rng.randint(-4000, 4000), 10**7)
        self.exchange.market_index(floor.t, "btc_usd", float(self.mark))
        for market in (PERP, NEAR):
            self.exchange.market_mark(floor.t, market, float(self.mark))
        self.exchange.market_funding(floor.t, PERP, float(self.rate))

    def fill(self) -> None:
        floor, rng = self.floor, self.rng
        market = PERP if floor.t > EXPIRY else rng.choice((PERP, NEAR))
        side, contracts = rng.randint(0, 1), rng.randint(1, 3000)
        maker, taker = rng.sample(self.who, 2)
        self.fills += 1
        ticks = int(self.mark * 2) + rng.randint(-200, 200)
        for account, at in ((maker, 1 - side), (taker, side)):
            error = floor.desk.place(floor.t, -1, account, market, at, LIMIT, 0, ticks,
                                     contracts)[0]
            assert error == 0, error
            self.ledgers[account].books[market].fill(
                at, Fraction(10 * contracts), Fraction(ticks, 2),
                MAKER if account == maker else TAKER)

    def wait(self, ns: int) -> None:
        """Let time pass, in whole steps of the mark; longs pay where the rate is above 0."""
        share = Fraction(ns, 8 * HOUR)
        for ledger in self.ledgers.values():
            ledger.funding -= ledger.books[PERP].size / self.mark * self.rate * share
        self.floor.pass_ns(ns)

    def settle(self, deliver: bool) -> None:
        """Cross 08:00 UTC; the mark and the index stay what they are."""
        for ledger in self.ledgers.values():
            ledger.settle(PERP, self.mark, False)
            ledger.settle(NEAR, self.mark, deliver)

    def play(self, fills: int, days: int) -> None:
        """Spread the fills over the days; each ends in a settlement."""
        for day in range(days):
            end = EXPIRY + day * 24 * HOUR
            for burst in range(20):
                for _ in range(fills // days // 20):
                    self.fill()
                left = end - 2 * HOUR // 3 - self.floor.t
                self.wait(max(TENTH, left // (20 - burst) // TENTH * TENTH))
                self.set_prices()
            self.wait((end - self.floor.t) // TENTH * TENTH)
            self.settle(deliver=day == 0)
            self.wait(10 * SECOND)
            self.set_prices()

    def check(self) -> Fraction:
        """Compare every account with its fractions; return the largest difference in BTC."""
        worst = Fraction(0)
        for number, ledger in self.ledgers.items():
            self.floor.desk.position(number, PERP)      # brings its funding up to now
            balance, session, _, _ = self.floor.money(number)
            off = (balance + session - 10**13) * SATOSHI - ledger.total()
            assert abs(off) <= SATOSHI, (number, float(off))
            worst = max(worst, abs(off))
            size, entry, _, _ = self.exchange.accounts[number].position(PERP)
            assert size * 10 == ledger.books[PERP].size
            assert entry * PICO == ledger.books[PERP].entry
            assert self.floor.size(number, NEAR) == 0
        return worst

    def leak(self) -> Fraction:
        """What the participants have together, with fees and roundings, less what came in."""
        total = Fraction(0)
        for account in self.exchange.accounts:
            balance, session, fees, rest = account.money()
            entry = account.position(PERP)
            total += (balance + session + fees) * SATOSHI + rest * PICO
            total += (entry[1] if entry[0] > 0 else -entry[1]) * PICO
        return total - (ACCOUNTS * 10**13 + 2 * 10**10) * SATOSHI


def played(fills: int, days: int) -> Days:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    found = Days(seed)
    found.play(fills, days)
    return found


def compare(days: Days) -> None:
    """Check everything, and print the figures: pytest -s shows them."""
    worst = days.check()
    moved = sum(abs(ledger.funding) for ledger in days.ledgers.values()) / 2
    print(f"\n{ACCOUNTS} participants, {days.fills:,} fills, "
          f"{len(days.exchange.settlements)} positions settled or delivered, funding of "
          f"{float(moved):.8f} BTC changed hands\n"
          f"largest difference of an account from its fractions: {float(worst):.2e} BTC\n"
          f"money made or lost by the exchange: {float(days.leak()):.2e} BTC")
    # Funding is rounded on each account, and a delivery's price on each position: no more is lost.
    assert abs(days.leak()) <= len(days.exchange.accounts) * (SATOSHI / 2 + PICO)
    assert sum(a.position(PERP)[0] for a in days.exchange.accounts) == 0


def test_two_days_equal_the_fractions_and_conserve_money() -> None:
    compare(played(4_000, 2))


@pytest.mark.slow
def test_a_hundred_thousand_fills_equal_the_fractions_and_conserve_money() -> None:
    compare(played(101_000, 3))


def test_the_comparison_notices_one_satoshi() -> None:
    days = played(400, 1)
    days.ledgers[days.who[0]].funding += 2 * SATOSHI
    with pytest.raises(AssertionError):
        days.check()
