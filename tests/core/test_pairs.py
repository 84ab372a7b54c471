"""Pairs: what is matched, what its basis earns, and a pair's two legs."""

import pytest
from pair_desk import ASK, BID, FAR, LEAD, NEAR, PairDesk, sides

from mmcore.types import MarketState

# 0.02 BTC is 1,520 USD of a contract at 76,000
CLIP = 152
BASIS = {"hedge.enabled": 0.0, "basis.enabled": 1.0, "basis.band_bps": 10.0}


def blown(changes: dict[str, float] | None = None, mids: tuple[float, float, float] = (
        75_000.0, 76_120.0, 77_000.0)) -> PairDesk:
    """The near contract is 16 bps rich, by default; its pair has begun."""
    desk = PairDesk({**BASIS, **(changes or {})})
    desk.step(1_000)
    desk.move(*mids)
    desk.step()
    desk.step()
    return desk


def legs(desk: PairDesk) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    return desk.quoted(NEAR, ASK), desk.quoted(LEAD, BID)


def quote_of(desk: PairDesk, market: int, side: int) -> dict[str, object]:
    """Return the live order of a side, as an action of it would look."""
    rows = [r for r in desk.of(market).orders.rows() if r["side"] == side]
    assert len(rows) == 1, rows
    return {**rows[0], "market": market, "kind": "ACTION_NEW", "request_id": 0}


# ------------------------------------------------------------------ what is matched
@pytest.mark.parametrize(("held", "matched"), [
    ((1000, -600, -700), (1000, -600, -400)),
    ((-1000, 600, 300), (-900, 600, 300)),
    ((0, 500, -300), (0, 300, -300)),
    ((400, 300, 200), (0, 0, 0)),
    ((0, 0, 0), (0, 0, 0)),
    ((500, -500, 0), (500, -500, 0)),
])
def test_longs_are_matched_with_shorts_the_perpetual_first(
        held: tuple[int, int, int], matched: tuple[int, int, int]) -> None:
    desk = PairDesk()
    desk.hold(*held)
    assert tuple(m.matched_contracts for m in desk.engine.markets) == matched
    assert sum(matched) == 0


def test_what_is_matched_earns_the_basis_alone() -> None:
    """10,000 USD each way; the perpetual goes up by 100 and the contract by 60: 40 USD of basis."""
    desk = PairDesk()
    desk.step()
    desk.hold(1_000, -1_000)
    desk.step()
    desk.move(75_100.0, 76_060.0, 77_000.0)
    desk.step()
    desk.step()
    parts = [m.statement.figures(m.spec_object, mid, 0.0)
             for m, mid in zip(desk.engine.markets, (75_100.0, 76_060.0, 77_000.0), strict=True)]
    basis = sum(p["basis"] for p in parts)
    assert basis == pytest.approx(
        10_000 * (1 / 75_000 - 1 / 75_100) - 10_000 * (1 / 76_000 - 1 / 76_060), abs=1e-15)
    assert [p["drift"] for p in parts] == [0.0, 0.0, 0.0]
    for p in parts:
        assert p["unexplained"] == pytest.approx(0.0, abs=1e-12)


def test_a_part_that_is_not_matched_drifts() -> None:
    """Long 1,500, short 1,000: a third of the perpetual's profit is drift."""
    desk = PairDesk()
    desk.step()
    desk.hold(1_500, -1_000)
    desk.step()
    desk.move(75_100.0, 76_000.0, 77_000.0)
    desk.step()
    desk.step()
    lead = desk.of(LEAD)
    parts = lead.statement.figures(lead.spec_object, 75_100.0, 0.0)
    assert parts["basis"] == pytest.approx(10_000 * (1 / 75_000 - 1 / 75_100), abs=1e-15)
    assert parts["drift"] == pytest.approx(5_000 * (1 / 75_000 - 1 / 75_100), abs=1e-15)


def test_the_limit_of_an_instrument_is_for_what_is_not_matched() -> None:
    """0.3 BTC may be held of each; 0.4 long and 0.4 short are still quoted, on both sides."""
    desk = PairDesk({"inventory.limit_btc": 0.3})
    desk.hold(3_000, -3_040)
    desk.step()
    desk.step(1_000)
    assert desk.quoted(LEAD, BID)
    assert desk.quoted(LEAD, ASK)
    plain = PairDesk({"inventory.limit_btc": 0.3, "hedge.enabled": 0.0})
    plain.hold(3_000, -3_040)
    plain.step()
    plain.step(1_000)
    assert plain.quoted(LEAD, BID) == []


# ------------------------------------------------------------------ a pair opens
def test_the_rich_ones_ask_and_the_cheap_ones_bid_stand_at_the_touch() -> None:
    """The near contract stands at 76,120 where 76,000 is fair: 16 bps rich."""
    desk = blown()
    assert desk.engine.pairs.figures()["phase"] == "PAIR_OPENING"
    assert legs(desk) == ([(76_120.5, CLIP)], [(74_999.5, CLIP)])
    assert desk.of(NEAR).why()["overlay"] == ("OVERLAY_NONE", "OVERLAY_OPEN")
    assert desk.of(LEAD).why()["overlay"] == ("OVERLAY_OPEN", "OVERLAY_NONE")


def test_a_cheap_contract_is_bought() -> None:
    desk = blown(mids=(75_000.0, 75_880.0, 77_000.0))
    assert desk.quoted(NEAR, BID) == [(75_879.5, CLIP)]
    assert desk.quoted(LEAD, ASK) == [(75_000.5, CLIP)]


def test_of_two_the_one_further_from_fair_is_traded() -> None:
    desk = blown(mids=(75_000.0, 76_120.0, 77_200.0))
    assert desk.engine.pairs.dated == FAR


@pytest.mark.parametrize(("changes", "why"), [
    ({"basis.enabled": 0.0}, "off"),
    ({"basis.band_bps": 17.0}, "inside the band"),
    ({"basis.close_bps": 11.0}, "fees of 6 bps and the profit wanted"),
    ({"basis.max_btc": 0.01}, "no room"),
])
def test_nothing_opens(changes: dict[str, float], why: str) -> None:
    assert blown(changes).engine.pairs.phase == 0, why


def test_fair_is_partly_the_stated_carry() -> None:
    """The contract's own mean is 1,000 USD; a carry of 0 a year counted half makes it 500."""
    desk = blown({"basis.carry_weight": 0.5}, (75_000.0, 76_000.0, 77_000.0))
    desk.control(7, value=1_790_000_000_000_000_000)        # the wall clock: November 2026
    desk.step(1_000)
    desk.step()
    basis = desk.engine.pairs.basis(NEAR)
    assert basis is not None
    assert basis[:2] == pytest.approx((1_000.0, 500.0), abs=1e-3)


# ------------------------------------------------------------------ one leg alone
def test_a_filled_leg_is_exposure_and_the_other_waits_for_as_much() -> None:
    desk = blown()
    desk.fill(quote_of(desk, NEAR, ASK), 100)
    desk.step()
    assert desk.of(NEAR).position.contracts == -100
    assert desk.face.market_state(NEAR)["position_btc"] < 0.0
    assert legs(desk) == ([], [(74_999.5, 100)])        # the filled leg does not run ahead
    assert desk.engine.pairs.figures()["uneven_contracts"] == -100


def test_the_missing_leg_is_taken_when_its_time_is_up() -> None:
    desk = blown()
    desk.fill(quote_of(desk, NEAR, ASK), 100)
    desk.step()
    assert desk.takes(900, 2) == []
    taken = desk.takes(100, 4)
    assert sides(taken) == [(LEAD, "buy", 100)]
    assert not taken[0]["reduce_only"]
    desk.done(taken[0], 60)                             # part of it
    again = desk.takes()
    assert sides(again) == [(LEAD, "buy", 40)]
    desk.done(again[0], 40)
    desk.step()
    figures = desk.engine.pairs.figures()
    assert (figures["uneven_contracts"], figures["opened"], figures["taken"]) == (0, 1, 2)
    assert [m.matched_contracts for m in desk.engine.markets] == [100, -100, 0]


def test_a_refused_leg_is_asked_for_again_and_never_twice_at_once() -> None:
    desk = blown()
    desk.fill(quote_of(desk, NEAR, ASK), 100)
    taken = desk.takes(500, 8)
    assert desk.takes(100) == []                        # no answer yet
    desk.refuse(taken, 10009)
    again = desk.takes()
    assert sides(again) == [(LEAD, "buy", 100)]
    desk.done(again[0], 100)
    assert desk.takes(100) == []
    assert desk.of(LEAD).position.contracts == 100


def test_the_leg_is_cut_where_that_is_wanted() -> None:
    desk = blown({"basis.leg_action": 1.0})
    desk.fill(quote_of(desk, NEAR, ASK), 100)
    taken = desk.takes(500, 8)
    assert sides(taken) == [(NEAR, "buy", 100)]
    assert taken[0]["reduce_only"]
    desk.done(taken[0], 100)
    desk.step()
    assert desk.of(NEAR).position.contracts == 0
    assert desk.engine.pairs.figures()["cut"] == 1


@pytest.mark.parametrize("state", [MarketState.MARKET_HALTED, MarketState.MARKET_LOCKED])
def test_a_leg_whose_market_halts_gives_the_other_back(state: MarketState) -> None:
    desk = blown()
    desk.fill(quote_of(desk, NEAR, ASK), 100)
    desk.halt(LEAD, state)
    desk.step()
    taken = desk.takes(500, 8)
    # the dated contract is priced from the perpetual: nothing opens without it, closing goes on
    assert sides(taken) in ([(NEAR, "buy", 100)], [])
    if not taken:
        assert desk.of(NEAR).blocked != 0


def test_legs_that_cannot_be_had_are_left_to_the_others() -> None:
    """Twenty seconds after the fill nothing has come: it is inventory like any other."""
    desk = blown()
    desk.fill(quote_of(desk, NEAR, ASK), 100)
    for market in (LEAD, NEAR):
        desk.halt(market)
    for _ in range(25):
        desk.step(900)
    assert desk.engine.pairs.phase == 0
    assert desk.of(NEAR).position.contracts == -100


# ------------------------------------------------------------------ a pair closes
def closing(changes: dict[str, float] | None = None) -> PairDesk:
    """Short the near contract at 76,120, long the perpetual at 75,000; the basis came back."""
    desk = blown(changes)
    desk.fill(quote_of(desk, NEAR, ASK), CLIP)
    desk.fill(quote_of(desk, LEAD, BID), CLIP)
    desk.step()
    desk.move(75_000.0, 76_000.0, 77_000.0)
    for _ in range(4):
        desk.step(500)
    return desk


def test_a_pair_is_closed_once_it_pays() -> None:
    """15.8 bps earned, 8 of fees: more than basis.close_bps."""
    desk = closing()
    assert desk.engine.pairs.figures()["phase"] == "PAIR_CLOSING"
    assert desk.quoted(NEAR, BID) == [(75_999.5, CLIP)]
    assert desk.quoted(LEAD, ASK) == [(75_000.5, CLIP)]
    assert desk.of(NEAR).why()["overlay"][BID] == "OVERLAY_CLOSE"
    desk.fill(quote_of(desk, NEAR, BID), CLIP)
    desk.step()
    taken = desk.takes(500, 8)
    assert sides(taken) == [(LEAD, "sell", CLIP)]
    assert taken[0]["reduce_only"]
    desk.done(taken[0], CLIP)
    desk.step()
    assert [m.position.contracts for m in desk.engine.markets] == [0, 0, 0]
    assert desk.engine.pairs.figures()["closed"] == 1
    earned = sum(m.statement.figures(m.spec_object, mid, 0.0)["profit"] for m, mid in zip(
        desk.engine.markets, (75_000.0, 76_000.0, 77_000.0), strict=True))
    assert earned > 0.0


def test_a_pair_that_does_not_pay_is_held() -> None:
    assert closing({"basis.close_bps": 9.0, "basis.band_bps": 15.0}).engine.pairs.phase == 0
