"""Books a maker must not be caught by: one-sided, empty, locked, very wide."""

import pytest
from desk import Desk
from scripted_market import ASK, BID, Look, Scene, ScriptedMarket

from mmcore.types import MarketState, RemovedReason


def removed(look: Look) -> tuple[int, int]:
    bits: tuple[int, int] = look.why["removed"]
    return bits


def test_without_bids_the_last_trade_is_the_reference() -> None:
    """Our own bid is then the only one: it stands at the model price, not near the asks."""
    def no_bids(market: ScriptedMarket) -> None:
        market.trade(BID, 10)                       # at 75,000.5
        market.clear(BID)

    scene = Scene([(2.0, no_bids)], seconds=3.5)
    look = scene.at(3.0)
    assert look.reading["others_bid_ticks"] is None
    assert look.reading["reference_source"] == "REFERENCE_LAST"
    assert look.why["reference_usd"] == 75_000.5
    assert look.bids[0][0] == 74_985.0              # 15.0001 USD under the last trade, down
    assert look.asks[0][0] == 75_016.0
    assert removed(look) == (0, 0)


def test_without_a_trade_the_mark_is_the_reference() -> None:
    scene = Scene([(2.0, lambda m: m.clear(ASK))], seconds=3.5)
    look = scene.at(2.2)
    assert look.reading["others_ask_ticks"] is None
    assert look.reading["reference_source"] == "REFERENCE_MARK"
    assert look.why["reference_usd"] == pytest.approx(75_000.0, abs=1.0)
    assert look.asks[0][0] - look.why["reference_usd"] == pytest.approx(15.0, abs=0.5)


def test_an_empty_book_is_quoted_round_the_mark_and_crosses_nothing() -> None:
    def empty(market: ScriptedMarket) -> None:
        market.clear(BID)
        market.clear(ASK)

    scene = Scene([(2.0, empty), (4.0, lambda m: m.around(150_000))], seconds=5.5)
    look = scene.at(2.5)
    assert look.mid == 0.0
    assert look.reading["reference_source"] == "REFERENCE_MARK"
    assert look.bids[0][0] < look.why["reference_usd"] < look.asks[0][0]
    assert scene.at(5.4).reading["reference_source"] == "REFERENCE_MID"
    assert scene.at(5.4).resting == ([74_985.0], [75_015.0])
    assert scene.summary["fills"] == 0


def test_a_locked_instrument_is_not_quoted() -> None:
    scene = Scene([(2.0, lambda m: m.state(MarketState.MARKET_LOCKED)),
                   (3.0, lambda m: m.state(MarketState.MARKET_OPEN))],
                  "settlement.resume_after_s=0", seconds=5)
    assert scene.at(1.9).resting == ([74_985.0], [75_015.0])
    for look in scene.between(2.3, 2.9):
        assert removed(look)[BID] & removed(look)[ASK] & RemovedReason.REMOVED_STATE
        assert look.bids == look.asks == []
    assert removed(scene.at(4.9)) == (0, 0)


def test_a_book_whose_bid_meets_its_ask_is_no_book() -> None:
    """The exchange never shows one; a feed may: pulled in the same event, a snapshot asked for."""
    desk = Desk()
    desk.accept(desk.turn())
    desk.wait(10)
    assert desk.delta([(150_001, 10)], []) == "BOOK_CROSSED"
    pulled = desk.turn()
    assert {a["kind"] for a in pulled} == {"ACTION_CANCEL_INSTRUMENT"}
    bits = desk.market.why()["removed"]
    assert bits[0] & bits[1] & RemovedReason.REMOVED_BOOK_INVALID


def test_a_very_wide_book_is_not_trusted() -> None:
    """400 USD, 53 bps: the mid of it says nothing, the last trade does."""
    def wide(market: ScriptedMarket) -> None:
        market.trade(ASK, 10)                       # at 74,999.5
        market.around(150_200, width=400)           # 74,900 / 75,300

    scene = Scene([(2.0, wide)], "quote.max_reference_spread_bps=20", seconds=3.5)
    look = scene.at(3.0)
    assert look.reading["spread_usd"] == 400.0
    assert look.reading["reference_source"] == "REFERENCE_LAST"
    assert look.why["reference_usd"] == 74_999.5
    assert look.bids[0][0] == 74_900.5              # a tick ahead of a far best is best enough
    assert look.asks[0][0] == 75_299.5


def test_a_wide_book_widens_the_quotes_with_it() -> None:
    """120 USD wide: half of its half is 30 USD, and beyond the cap nothing is quoted."""
    script = [(2.0, lambda m: m.around(150_000, width=120))]
    scene = Scene(script, "quote.market_spread_share=0.5", "quote.max_half_spread_bps=5", seconds=3)
    look = scene.at(2.9)
    assert look.why["half_market_usd"] == pytest.approx(30.0)
    assert look.why["half_usd"] == pytest.approx(30.0)
    assert removed(look) == (0, 0)
    pulled = Scene(script, "quote.market_spread_share=0.5", "quote.max_half_spread_bps=3",
                   seconds=3).at(2.9)
    assert removed(pulled) == (RemovedReason.REMOVED_WIDTH,) * 2
    assert pulled.resting == ([], [])
