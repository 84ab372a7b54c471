"""Markouts by hand: what a fill was worth 0.1 to 300 s later."""

import pytest
from desk import ASK, BID, MS, SECOND

from mmcore.ledger import Ledger


def test_markouts_of_both_sides() -> None:
    book = Ledger()
    assert book.book(BID, 75_000.0, 0, trade_id=1)
    assert book.book(ASK, 75_015.0, 0, trade_id=2, maker=False)
    assert book.markouts() == dict.fromkeys(("0.1", "1", "5", "30", "300"))
    book.settle(75_030.0, 100 * MS)
    # bought: 30/75000 = +4 bps; sold: -15/75015 = -1.9996 bps; mean 1.0002
    assert book.markouts()["0.1"] == pytest.approx((4.0 - 15 / 75_015 * 1e4) / 2)
    assert book.markouts()["1"] is None
    book.settle(74_970.0, SECOND)
    assert book.markouts()["1"] == pytest.approx((-4.0 + 45 / 75_015 * 1e4) / 2)
    assert (book.fills, book.maker_fills) == (2, 1)


def test_a_horizon_is_settled_once_and_at_its_time() -> None:
    book = Ledger()
    book.book(BID, 100.0, 0, trade_id=1)
    book.settle(101.0, 100 * MS - 1)
    assert book.markouts()["0.1"] is None
    book.settle(101.0, 100 * MS)
    book.settle(110.0, 200 * MS)
    assert book.markouts()["0.1"] == pytest.approx(100.0)


def test_a_trade_id_is_booked_once() -> None:
    book = Ledger()
    assert book.book(BID, 100.0, 0, trade_id=7)
    assert not book.book(BID, 100.0, 0, trade_id=7)
    assert book.fills == 1
    for trade_id in range(1000, 1000 + 2048):       # 2048 later ones push it out of memory
        book.book(BID, 100.0, 0, trade_id=trade_id)
    assert not book.book(BID, 100.0, 0, trade_id=1000 + 2047)


def test_more_open_fills_than_room_are_counted_as_missed() -> None:
    book = Ledger()
    for trade_id in range(4096 + 3):
        book.book(BID, 100.0, 0, trade_id=trade_id)
    assert book.missed_markouts == 3 * 5
    book.settle(101.0, 300 * SECOND)
    assert book.markouts()["300"] == pytest.approx(100.0)
