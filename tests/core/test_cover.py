"""What takes liquidity on its own account: cover after an adverse fill, the cut of a position."""

import pytest
from desk import ASK, BID, Desk, params, perpetual, quoting, removed

from mmcore.face import compute_quotes
from mmcore.types import ControlKind, RemovedReason

COVER = {"orders.post_fill_hold_ms": 1000, "orders.run_bps": 2.0, "orders.small_fill_share": 0.2,
         "orders.reentry_stagger_ms": 250, "cover.trigger_bps": 5.0, "cover.step_bps": 1.0,
         "cover.step_s": 2.0, "cover.max_s": 10.0, "cover.max_loss_bps": 0.0,
         "quote.max_half_spread_bps": 5000}


def sold_into_a_rise(changes: dict[str, float]) -> Desk:
    """150 contracts sold at 75,019; then 75,099.5 to 75,119.5, and two holds go by."""
    desk, actions = quoting({**COVER, **changes})
    ask = next(a for a in actions if a["side"] == ASK)
    desk.fill(ask, 150)
    desk.update(ask, filled=150, state=1)
    desk.turn()
    desk.delta([(149_999, 0), (150_199, 1000)], [(150_001, 0), (150_239, 1000)])
    for _ in range(2):
        desk.wait(1001)
        desk.ticker()
        desk.timer()
    return desk


def look(desk: Desk, ms: float, contracts: int) -> None:
    """Let time pass, the far book move a little, and decide."""
    desk.wait(ms)
    desk.ticker()
    desk.delta([(150_190, contracts)], [])
    desk.turn()


def test_cover_mode_quotes_only_what_brings_the_fill_back() -> None:
    desk = sold_into_a_rise({})
    # the adding side also waits out its stagger
    assert removed(desk) == (0, RemovedReason.REMOVED_COVER | RemovedReason.REMOVED_HOLD)
    # 1 bp of 75,109.5 ahead of the best, in whole ticks of 0.5: 15
    assert desk.market.quotes()[BID][0][0] == 150_199 + 15
    look(desk, 2100, 1)
    assert desk.market.quotes()[BID][0][0] == 150_199 + 30          # 2 bps
    assert desk.market.take() is None
    look(desk, 2000, 2)
    assert desk.market.quotes()[BID][0][0] == 150_238               # never crossing


@pytest.mark.parametrize(("keys", "wait_ms"), [({}, 10_100), ({"cover.max_loss_bps": 12.0}, 0)])
def test_cover_takes_what_did_not_come_back(keys: dict[str, float], wait_ms: float) -> None:
    """After its time, or 12.05 bps past the fill: bought at most 5 bps through the ask."""
    desk = sold_into_a_rise(keys)
    if wait_ms:
        look(desk, wait_ms, 1)
    assert removed(desk)[BID] == RemovedReason.REMOVED_COVER
    assert removed(desk)[ASK] & RemovedReason.REMOVED_COVER
    assert desk.market.why()["take"] == "TAKE_COVER"
    assert desk.market.why()["take_contracts"] == 150
    assert desk.market.take() == (BID, 150_314, 150)        # 75,119.5 * 1.0005 = 75,157.06


def test_cover_ends_when_half_has_come_back() -> None:
    desk = sold_into_a_rise({})
    desk.wait(500)
    desk.ticker()
    desk.delta([(150_199, 0), (150_047, 10)], [(150_051, 1000), (150_239, 0)])  # 0.7 bps off
    desk.turn()
    assert not removed(desk)[ASK] & RemovedReason.REMOVED_COVER


def test_what_a_cover_takes_is_what_was_filled_not_the_whole_position() -> None:
    desk = sold_into_a_rise({"orders.post_fill_hold_ms": 1000})
    desk.control(ControlKind.CONTROL_POSITION, value=-900, real=75_000.0)
    look(desk, 10_100, 1)
    assert desk.market.take() == (BID, 150_314, 150)


CUT = {"inventory.cut_above_btc": 0.1, "inventory.cut_adverse_moves": 3,
       "inventory.cut_clip_btc": 0.05, "quote.max_half_spread_bps": 5000}


def falling(desk: Desk, moves: int) -> None:
    """The book steps down, a sampled move each time."""
    for i in range(moves):
        desk.wait(110)
        top = 149_999 - 2 * i
        desk.delta([(top, 0), (top - 2, 1000)], [(top + 2, 0), (top, 1000)] if i else [
            (150_001, 0), (149_999, 1000)])
        desk.turn()


def test_a_large_position_is_cut_while_the_price_runs_against_it() -> None:
    desk = Desk(CUT)
    desk.control(ControlKind.CONTROL_POSITION, value=900, real=75_000.0)    # 0.12 BTC long
    desk.turn()
    falling(desk, 2)
    assert desk.market.take() is None                       # two moves are no run of three
    desk.wait(110)
    desk.delta([(149_995, 0), (149_993, 1000)], [(149_997, 0), (149_995, 1000)])
    desk.turn()
    # 0.05 BTC at 74,997 is 374.985 contracts of 10 USD: 374, down to 5 bps under the bid
    assert desk.market.take() == (ASK, 149_919, 374)
    assert desk.market.why()["take"] == "TAKE_CUT"
    assert desk.market.why()["take_contracts"] == -374


@pytest.mark.parametrize(("contracts", "keys"), [
    (700, {}),                                      # 0.093 BTC: not beyond the bound
    (-900, {}),                                     # short: a fall is no loss
    (900, {"inventory.cut_adverse_moves": 0.0}), (900, {"inventory.cut_above_btc": 0.0})])
def test_no_cut_where_it_does_not_apply(contracts: int, keys: dict[str, float]) -> None:
    desk = Desk({**CUT, **keys})
    desk.control(ControlKind.CONTROL_POSITION, value=contracts, real=75_000.0)
    desk.turn()
    falling(desk, 4)
    assert desk.market.take() is None


def test_a_take_names_no_price_where_there_is_nothing_to_take() -> None:
    found = compute_quotes(perpetual(), params(), reference=75_000.0, bid_ticks=149_999,
                           take=(1, BID, 100))
    assert found["take"] == "TAKE_NONE"
    assert found["take_ticks"] is None
    both = compute_quotes(perpetual(), params({"orders.take_limit_bps": 2.0}), reference=75_000.0,
                          bid_ticks=149_999, ask_ticks=150_001, take=(1, BID, 100))
    assert both["take_ticks"] == 150_031                    # 75,000.5 * 1.0002 = 75,015.5
