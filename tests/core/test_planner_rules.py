"""The planner's rules one by one: queue, age, back-off, scarcity, takes, modes, message budget."""

import pytest
from desk import ASK, BID, SECOND, Desk, Sent, perpetual
from test_planner import BID_TICKS, kinds, move, quoting

from mmcore.budget import Budget
from mmcore.types import ControlKind


def ahead(desk: Desk, slot: int = 0) -> float | None:
    desk.turn()
    return next(r["ahead_contracts"] for r in desk.market.orders.rows() if r["slot"] == slot)


def in_queue(changes: dict[str, float] | None = None, level: int = 1000) -> Desk:
    """A maker whose bid stands behind `level` contracts of others."""
    desk = Desk({"quote.vol_k": 0, "quote.fee_floor": 0, "quote.imbalance_shift_bps": 0,
                 **(changes or {})})
    desk.delta([(BID_TICKS, level)], [])
    desk.accept(desk.turn())
    desk.turn()
    desk.delta([(BID_TICKS, level + 150)], [])      # the venue's level holds ours too
    assert ahead(desk) == level
    return desk


# ------------------------------------------------------------------ queue position
def test_prints_take_from_the_front_and_the_book_follows() -> None:
    desk = in_queue()
    desk.face.trade(0, ASK, BID_TICKS, 400, desk.now_ns)
    assert ahead(desk) == 600
    desk.delta([(BID_TICKS, 750)], [])              # the same 400, told by the book
    assert ahead(desk) == 600


def test_a_print_after_its_book_change_is_taken_from_the_front_too() -> None:
    desk = in_queue()
    desk.delta([(BID_TICKS, 750)], [])
    assert ahead(desk) == 600                       # all of it stood before us
    desk.face.trade(0, ASK, BID_TICKS, 400, desk.now_ns)
    assert ahead(desk) == 600


def test_cancels_leave_evenly_and_newcomers_join_behind() -> None:
    desk = in_queue()
    desk.delta([(BID_TICKS, 2150)], [])             # 1000 more, behind
    assert ahead(desk) == 1000
    desk.delta([(BID_TICKS, 1150)], [])             # 1000 of 2000 go: half of them from before us
    assert ahead(desk) == pytest.approx(500)


def test_a_move_goes_to_the_back() -> None:
    desk = in_queue()
    desk.face.trade(0, ASK, BID_TICKS, 900, desk.now_ns)
    assert ahead(desk) == 100
    desk.wait(500)
    move(desk, 70)                                  # too far even for a place in front
    desk.delta([(BID_TICKS + 70, 300)], [])
    desk.accept(desk.turn())
    desk.turn()
    desk.delta([(BID_TICKS + 70, 450)], [])         # ours shows in the book
    assert ahead(desk) == 300


def test_an_order_far_up_its_queue_is_kept_twice_as_long() -> None:
    moved = 40                                      # 2.7 bps: over orders.requote_bps
    back = in_queue()
    back.wait(500)
    move(back, moved)
    assert BID in [a["side"] for a in back.turn()]
    front = in_queue()
    front.face.trade(0, ASK, BID_TICKS, 850, front.now_ns)
    front.delta([(BID_TICKS, 1000)], [])            # 150 before us, 700 behind
    assert ahead(front) == 150
    front.wait(500)
    move(front, moved)
    assert BID not in [a["side"] for a in front.turn()]
    front.wait(500)
    move(front, 25)                                 # 4.3 bps in all: over twice the threshold
    assert BID in [a["side"] for a in front.turn()]


# ------------------------------------------------------------------ stale orders
def test_a_stale_order_is_looked_at_again_and_moved_only_if_its_price_changed() -> None:
    desk, _ = quoting({"orders.stale_s": 45, "quote.fee_floor": 0, "risk.book_silence_ms": 1e6,
                       "risk.ticker_stale_ms": 1e6})
    move(desk, 10)                                  # two thirds of a bp: no reason to move
    desk.wait(44_000)
    assert desk.turn() == []
    desk.wait(1_000)
    desk.ticker()
    found = desk.turn()
    assert kinds(found) == ["EDIT", "EDIT"]
    desk.accept(found)
    desk.wait(45_000)
    desk.ticker()
    assert desk.turn() == []                        # the price is right: nothing to send


def test_a_stale_order_that_only_shrinks_keeps_its_price() -> None:
    desk, quotes = quoting({"orders.stale_s": 45, "quote.fee_floor": 0,
                            "risk.book_silence_ms": 1e6, "risk.ticker_stale_ms": 1e6})
    move(desk, 10)                                  # two thirds of a bp: no reason to move
    desk.wait(45_000)
    desk.ticker()
    desk.engine.configure("quote.size_btc", 0.01)
    found = desk.turn()
    assert kinds(found) == ["EDIT", "EDIT"]
    assert sorted(a["price_ticks"] for a in found) == sorted(a["price_ticks"] for a in quotes)
    assert {a["amount_contracts"] for a in found} == {75}


def test_many_prints_near_an_order_without_a_fill_make_it_stale() -> None:
    desk, _ = quoting({"orders.stale_trades": 5, "quote.fee_floor": 0})
    move(desk, 10)
    for n in range(4):
        desk.face.trade(0, ASK, BID_TICKS + n, 1, desk.now_ns)
    desk.face.trade(0, ASK, BID_TICKS + 100, 1, desk.now_ns)     # 6.7 bps off: not near
    assert desk.turn() == []
    desk.face.trade(0, ASK, BID_TICKS, 1, desk.now_ns)
    assert [a["side"] for a in desk.turn()] == [BID]


# ------------------------------------------------------------------ refused to cross
def test_a_post_only_reject_waits_longer_each_time_and_steps_back() -> None:
    desk = Desk({"quote.vol_k": 0, "risk.reject_storm_count": 100,
                 "orders.max_updates_per_s": 1000})
    first = desk.turn()
    desk.accept([a for a in first if a["side"] == ASK])
    sent: list[Sent] = [a for a in first if a["side"] == BID]
    for turned_down, wait_ms in enumerate((20, 40, 80), 1):
        desk.refuse(sent, 11054)
        desk.wait(wait_ms - 1)
        assert desk.turn() == []
        desk.wait(1)
        sent = desk.timer()
        assert kinds(sent) == ["NEW"]
        assert sent[0]["price_ticks"] == BID_TICKS - turned_down
    desk.accept(sent)
    desk.cancelled(0, sent[0]["generation"])
    assert desk.turn()[0]["price_ticks"] == BID_TICKS       # accepted once: all is forgotten


# ------------------------------------------------------------------ short of credits
def test_short_of_credits_the_most_valuable_levels_go_first() -> None:
    desk = Desk({"quote.levels": 5, "orders.max_updates_per_s": 100,
                 "orders.max_unanswered": 100})
    desk.control(ControlKind.CONTROL_CREDITS, value=10, real=0.001)
    assert sorted(a["slot"] for a in desk.turn()) == [0, 1, 10, 11]     # ten less a reserve of six


def test_an_order_too_near_the_market_is_moved_before_one_too_far() -> None:
    desk, _ = quoting({"quote.fee_floor": 0})
    desk.control(ControlKind.CONTROL_CREDITS, value=100, real=0.001)
    spent = int(desk.engine.budget.available_at(desk.now_ns)) - 7
    desk.engine.budget.spend_at(spent, desk.now_ns)
    for i in range(spent):
        desk.engine.budget.answer(-1 - i)
    move(desk, 60)
    assert [a["side"] for a in desk.turn()] == [ASK]


def test_the_reserve_is_a_cancel_for_each_instrument_and_two() -> None:
    specs = [perpetual(), perpetual("BTC-25DEC26"), perpetual("BTC-26MAR27")]
    desk = Desk({"orders.reserve_requests": 1, "orders.max_updates_per_s": 100}, specs=specs)
    assert desk.engine.budget.reserve_least == 5
    desk.control(ControlKind.CONTROL_CREDITS, value=7, real=0.001)
    assert len(desk.turn()) == 2


# ------------------------------------------------------------------ order to volume
def test_order_to_volume_counts_a_day() -> None:
    hour = 3600 * SECOND
    pool = Budget()
    pool.spend_at(600, 10 * hour)
    assert pool.otv(10 * hour) == 600               # nothing traded counts as one BTC
    pool.trade(1.5, 11 * hour)
    pool.spend_at(300, 11 * hour)
    assert pool.otv(11 * hour) == 600               # 900 messages over 1.5 BTC
    pool.trade(0.5, 33 * hour)
    assert pool.otv(33 * hour) == 450
    assert pool.otv(34 * hour) == 150               # the first hour is over: 300 over 2 BTC
    assert pool.otv(500 * hour) == 0


def messages(desk: Desk, count: int) -> None:
    """So many messages have left lately; all are answered and paid for."""
    desk.engine.budget.spend_at(count, desk.now_ns)
    for i in range(count):
        desk.engine.budget.answer(-1 - i)
    desk.wait(60_000)
    desk.ticker()
    desk.snapshot()
    desk.turn()


OTV = {"orders.otv_brake": 1, "orders.otv_soft": 50, "orders.otv_hard": 100, "quote.fee_floor": 0,
       "orders.max_updates_per_s": 1000}


@pytest.mark.parametrize(("count", "chased"), [(40, True), (80, False)])
def test_the_soft_limit_widens_the_requote_threshold(count: int, chased: bool) -> None:
    desk, _ = quoting(OTV)
    messages(desk, count)
    move(desk, -40)                                 # the ask is 2.7 bps too far
    assert (ASK in [a["side"] for a in desk.turn()]) == chased


def test_the_hard_limit_lets_only_cancels_out() -> None:
    desk, _ = quoting(OTV)
    messages(desk, 100)
    move(desk, 60)                                  # the ask is too near, the bid too far
    sent = desk.turn()
    assert [(a["kind"], a["side"]) for a in sent] == [("ACTION_CANCEL", ASK)]
    desk.accept(sent)
    assert desk.turn() == []
    desk.engine.configure("orders.otv_brake", 0)
    assert kinds(desk.turn()) == ["NEW", "EDIT"]


# ------------------------------------------------------------------ the gate and a live order
def test_an_edit_the_gate_forbids_leaves_no_order_too_near() -> None:
    desk, _ = quoting()
    desk.wait(500)
    move(desk, 60)
    desk.engine.configure("risk.max_order_usd", 10)         # the largest order is 1 contract now
    desk.engine.configure("risk.price_collar_bps", 1.0)     # and no price is allowed
    sent = desk.turn()
    assert set(kinds(sent)) <= {"CANCEL", "CANCEL_INSTRUMENT"}
    assert sent


# ------------------------------------------------------------------ orders.mode
def test_cancel_replace_waits_for_the_word_on_the_cancel() -> None:
    desk, _ = quoting({"orders.mode": 1})
    desk.wait(500)
    move(desk, 60)
    pulled = desk.turn()
    assert kinds(pulled) == ["CANCEL_INSTRUMENT"]           # both sides move: one message
    assert desk.turn() == []
    desk.accept(pulled)
    renewed = desk.turn()
    assert kinds(renewed) == ["NEW", "NEW"]
    assert {a["generation"] for a in renewed} == {2}
    desk.accept(renewed)
    desk.wait(500)
    move(desk, 20)                                          # only the ask has to move
    one = desk.turn()
    assert [(a["kind"], a["side"]) for a in one] == [("ACTION_CANCEL", ASK)]
    assert desk.turn() == []
    desk.accept(one)
    assert [(a["kind"], a["side"]) for a in desk.turn()] == [("ACTION_NEW", ASK)]


# ------------------------------------------------------------------ takes
CUT = {"inventory.cut_above_btc": 0.05, "inventory.cut_clip_btc": 0.02,
       "inventory.cut_adverse_moves": 2}


def falling(changes: dict[str, float] | None = None) -> Desk:
    """Long, and the price falls until a cut is asked for."""
    desk = Desk({"quote.vol_k": 0, "orders.max_updates_per_s": 1000, **CUT, **(changes or {})})
    desk.control(ControlKind.CONTROL_POSITION, value=750, real=75_000.0)
    desk.accept(desk.turn())
    return desk


def fall(desk: Desk) -> list[Sent]:
    desk.wait(150)
    move(desk, -20)
    return desk.turn()


def test_a_take_is_one_reduce_only_order_that_never_rests() -> None:
    desk = falling()
    taken: list[Sent] = []
    for _ in range(6):
        sent = fall(desk)
        taken = [a for a in sent if a["slot"] >= 20]
        if taken:
            break
        desk.accept(sent)
    assert [(a["kind"], a["side"]) for a in taken] == [("ACTION_NEW", ASK)]
    assert taken[0]["time_in_force"] == 1
    assert taken[0]["reduce_only"]
    assert not taken[0]["post_only"]
    assert sent.index(taken[0]) <= min(
        (sent.index(a) for a in sent if a["kind"] in ("ACTION_NEW", "ACTION_EDIT")), default=0)
    assert desk.market.orders.worst(ASK) >= taken[0]["amount_contracts"]
    desk.accept([a for a in sent if a["slot"] < 20])
    for _ in range(3):                                  # in flight, then unknown: never doubled
        assert not [a for a in fall(desk) if a["slot"] >= 20]
    desk.wait(1000)
    desk.timer()
    assert desk.market.orders.unknown_count >= 1
    assert not [a for a in fall(desk) if a["slot"] >= 20]


def test_own_quotes_in_the_way_of_a_take_go_first() -> None:
    desk = falling({"orders.take_limit_bps": 30})          # deep enough to reach our bid
    waited = taken = False
    for _ in range(12):
        sent = fall(desk)
        take = desk.market.take()
        taken = taken or any(a["slot"] >= 20 for a in sent)
        if take is not None:
            meets = [r for r in desk.market.orders.rows()
                     if r["side"] == BID and r["price_ticks"] >= take[1]]
            assert all(r["state"] == "ORDER_CANCEL_PENDING" for r in meets)
            assert not (meets and any(a["slot"] >= 20 for a in sent))
            waited = waited or bool(meets)
        desk.accept([a for a in sent if a["slot"] < 20])
    assert waited
    assert taken
