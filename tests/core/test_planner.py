"""The planner: the fewest messages, in the order and to the limits the venue asks for."""

import pytest
from desk import ASK, BID, Desk, Sent
from hypothesis import given
from hypothesis import strategies as st

from mmcore.types import ControlKind

# 74,981.0 and 75,019.0 around a mid of 75,000; one bp is 15 ticks
BID_TICKS, ASK_TICKS = 149_962, 150_038


def quoting(changes: dict[str, float] | None = None) -> tuple[Desk, list[Sent]]:
    desk = Desk({"quote.vol_k": 0, **(changes or {})})     # the distance stays 2.5 bps
    actions = desk.turn()
    desk.accept(actions)
    assert desk.turn() == []
    return desk, actions


def kinds(actions: list[Sent]) -> list[str]:
    return [a["kind"].removeprefix("ACTION_") for a in actions]


def move(desk: Desk, ticks: int) -> None:
    """Shift the whole touch by some ticks, by one message."""
    bid, ask = desk.market.book.best_bid_ticks, desk.market.book.best_ask_ticks
    assert bid is not None
    assert ask is not None
    desk.delta([(bid, 0), (bid + ticks, 1000)], [(ask, 0), (ask + ticks, 1000)])


def test_first_quotes() -> None:
    desk, actions = quoting()
    assert kinds(actions) == ["NEW", "NEW"]
    found = {a["side"]: (a["price_ticks"], a["amount_contracts"], a["slot"]) for a in actions}
    assert found == {BID: (BID_TICKS, 150, 0), ASK: (ASK_TICKS, 150, 10)}
    for a in actions:
        assert a["post_only"]
        assert not a["reduce_only"]
        assert a["time_in_force"] == 0
        assert a["generation"] == 1
        assert a["valid_until_ms"] == desk.now_ns // 1_000_000 + 1000
    assert len({a["request_id"] for a in actions}) == 2


def test_edit_not_cancel_and_new() -> None:
    desk, _ = quoting()
    desk.wait(500)
    move(desk, 60)
    actions = desk.turn()
    assert kinds(actions) == ["EDIT", "EDIT"]
    assert [a["side"] for a in actions] == [ASK, BID]       # upwards: asks first
    assert {a["order_id"] for a in actions} == {"ETH-0-1", "ETH-10-1"}
    desk.accept(actions)
    desk.wait(500)
    move(desk, -60)
    assert [a["side"] for a in desk.turn()] == [BID, ASK]


@pytest.mark.parametrize(("ticks", "sides"), [
    (15, []),               # 1 bp: neither door opens
    (16, [ASK]),            # over 1 bp towards the ask: it retreats
    (30, [ASK]),            # 2 bps away from the bid: not yet
    (31, [ASK, BID])])      # over 2 bps: the bid is chased
def test_chase_late_and_retreat_early(ticks: int, sides: list[int]) -> None:
    desk, _ = quoting({"quote.fee_floor": 0})
    desk.wait(500)
    move(desk, ticks)
    assert [a["side"] for a in desk.turn()] == sides


def test_a_quote_under_the_fee_floor_retreats_at_once() -> None:
    desk, _ = quoting({"orders.retreat_bps": 5})
    desk.wait(500)
    move(desk, 7)           # the ask stands 15.5 USD away, the floor is 15.0
    assert desk.turn() == []
    move(desk, 2)           # 14.5 USD
    assert [a["side"] for a in desk.turn()] == [ASK]


def test_both_sides_pass_each_other_in_one_batch() -> None:
    desk, _ = quoting()
    desk.wait(500)
    move(desk, 100)         # the new bid, 150,062, is above the ask's old price
    actions = desk.turn()
    assert [a["side"] for a in actions] == [ASK, BID]
    assert actions[1]["price_ticks"] == 150_062


def test_keep_ticks() -> None:
    desk, _ = quoting({"orders.keep_ticks": 40})
    desk.wait(500)
    move(desk, 40)
    assert desk.turn() == []
    move(desk, 1)
    assert len(desk.turn()) == 2


def test_amount_down_keeps_the_price_and_its_priority() -> None:
    desk, _ = quoting({"quote.fee_floor": 0})
    desk.wait(500)
    move(desk, 10)          # two thirds of a bp: no reason to move
    desk.engine.configure("quote.size_btc", 0.01)
    found = desk.turn()
    assert kinds(found) == ["EDIT", "EDIT"]
    assert {a["side"]: a["price_ticks"] for a in found} == {BID: BID_TICKS, ASK: ASK_TICKS}
    assert {a["amount_contracts"] for a in found} == {75}


def test_growth_waits_until_half_is_gone() -> None:
    desk, actions = quoting({"orders.max_updates_per_s": 100})
    bid = next(a for a in actions if a["side"] == BID)
    desk.update(bid, filled=70)
    desk.fill(bid, 70)
    shrink = desk.turn()
    assert all(a["side"] == ASK or a["amount_contracts"] <= 150 for a in shrink)
    desk.accept(shrink, filled=0)
    desk.engine.configure("quote.size_btc", 0.1)
    edit = next(a for a in desk.turn() if a["side"] == BID)
    # 0.1 BTC are 750 contracts; long 70 of 2250 shrinks by 0.75 * 70 / 2250; plus the 70 filled
    assert edit["amount_contracts"] == int(750 * (1 - 0.75 * 70 / 2250)) + 70


def test_edit_of_a_partly_filled_order_names_the_total() -> None:
    desk, actions = quoting()
    bid = next(a for a in actions if a["side"] == BID)
    desk.update(bid, filled=20)
    desk.fill(bid, 20)
    desk.accept(desk.turn())
    desk.wait(500)
    move(desk, -60)
    edit = next(a for a in desk.turn() if a["side"] == BID)
    wanted = desk.market.quotes()[0][0][1]
    assert edit["amount_contracts"] == wanted + 20
    assert desk.market.orders.worst(BID) == max(150 - 20, wanted)


def test_often_refilled_orders_can_still_be_moved() -> None:
    """The order's total passes the largest order long before what rests does."""
    desk, actions = quoting({"orders.max_updates_per_s": 100, "inventory.limit_btc": 10.0})
    last = next(a for a in actions if a["side"] == BID)
    filled = 0
    for _ in range(12):
        row = next(r for r in desk.market.orders.rows() if r["slot"] == 0)
        part = row["amount_contracts"] - filled - 10
        filled += part
        desk.update({**last, "price_ticks": row["price_ticks"],
                     "amount_contracts": row["amount_contracts"]}, filled=filled)
        desk.fill({**last, "price_ticks": row["price_ticks"]}, part)
        desk.wait(500)
        sent = desk.turn()
        desk.accept([a for a in sent if a["side"] == ASK])
        desk.accept([a for a in sent if a["side"] == BID], filled=filled)
    assert filled > 1000                    # 10,000 USD: risk.max_order_usd
    assert "GATE_ORDER_SIZE" not in desk.engine.risk.refusals()


def test_the_pull_is_one_message() -> None:
    desk, _ = quoting({"quote.levels": 3})
    desk.delta([], [], gap=1)
    actions = desk.turn()
    assert kinds(actions) == ["CANCEL_INSTRUMENT"]
    assert desk.turn() == []                # each order waits for its own word
    desk.accept(actions)
    assert desk.market.orders.open_count == 0


def test_the_pull_reaches_orders_in_flight() -> None:
    desk = Desk()
    created = desk.turn()                   # not answered yet
    desk.delta([], [], gap=1)
    pull = desk.turn()
    assert kinds(pull) == ["CANCEL_INSTRUMENT"]
    assert desk.turn() == []
    desk.wait(10)
    desk.accept(created)                    # the venue takes the creates, then the pull
    assert desk.turn() == []
    desk.accept(pull)
    assert desk.turn() == []
    assert desk.market.orders.open_count == 0


def test_an_edit_in_flight_is_pulled_too() -> None:
    desk, _ = quoting()
    desk.wait(500)
    move(desk, 60)
    assert kinds(desk.turn()) == ["EDIT", "EDIT"]
    desk.delta([], [], gap=1)
    assert kinds(desk.turn()) == ["CANCEL_INSTRUMENT"]


def test_a_refused_pull_is_followed_by_cancels_at_once() -> None:
    desk, _ = quoting()
    desk.delta([], [], gap=1)
    pull = desk.turn()
    desk.refuse(pull, 10041)
    assert kinds(desk.turn()) == ["CANCEL", "CANCEL"]


def test_a_pull_that_is_not_answered_is_followed_by_cancels() -> None:
    desk, _ = quoting()
    desk.delta([], [], gap=1)
    assert kinds(desk.turn()) == ["CANCEL_INSTRUMENT"]
    desk.wait(1001)
    assert kinds(desk.timer()) == ["CANCEL", "CANCEL"]


def test_a_cancel_in_vain_is_repeated_after_ever_longer_pauses() -> None:
    desk, _ = quoting({"quote.levels": 1})
    desk.wait(500)
    move(desk, 60)
    desk.refuse(desk.turn()[:1], 10041)
    waits: list[int] = []
    waited = 0
    cancels = desk.turn()
    slot = cancels[0]["slot"]
    while len(waits) < 9:
        if cancels:
            assert kinds(cancels) == ["CANCEL"]
            desk.refuse(cancels, 10041)     # the venue is settling
            waits.append(waited)
            waited = 0
            assert slot not in [a["slot"] for a in desk.turn()]
        desk.wait(10)
        waited += 10
        cancels = [a for a in desk.timer() if a["slot"] == slot]
    assert waits == [0, 20, 40, 80, 160, 320, 640, 1280, 1280]


def test_after_too_many_requests_a_cancel_waits_for_a_credit() -> None:
    desk, _ = quoting({"quote.levels": 1})
    desk.control(ControlKind.CONTROL_CREDITS, value=20, real=5.0)   # four a second for us
    desk.wait(500)
    move(desk, 60)
    desk.refuse(desk.turn()[:1], 10028)
    assert desk.turn() == []                # the venue would refuse it as well
    sent: list[int] = []
    for waited in range(10, 1010, 10):
        desk.wait(10)
        for action in desk.timer():
            sent.append(waited)
            desk.refuse([action], 10028)
    assert sent == [250, 500, 750, 1000]


def test_one_side_goes_alone() -> None:
    desk, _ = quoting()
    desk.control(ControlKind.CONTROL_POSITION, value=2250, real=75_000.0)
    actions = desk.turn()
    assert kinds([a for a in actions if a["side"] == BID]) == ["CANCEL"]
    assert kinds([a for a in actions if a["side"] == ASK]) in ([], ["EDIT"])


def test_a_failed_edit_is_cancelled_by_id_and_then_made_anew() -> None:
    desk, _ = quoting()
    desk.wait(500)
    move(desk, 60)
    edits = desk.turn()
    desk.refuse(edits[:1], 10041)
    desk.accept(edits[1:])
    cancels = desk.turn()
    assert kinds(cancels) == ["CANCEL"]
    assert cancels[0]["slot"] == edits[0]["slot"]
    desk.accept(cancels)
    renewed = desk.turn()
    assert kinds(renewed) == ["NEW"]
    assert renewed[0]["generation"] == 2


def test_a_cancel_that_finds_the_order_gone_is_not_repeated() -> None:
    desk, _ = quoting()
    desk.wait(500)
    move(desk, 60)
    desk.refuse(desk.turn()[:1], 10041)
    cancels = desk.turn()
    desk.refuse(cancels, 11044)
    for _ in range(5):
        desk.wait(20)
        assert "CANCEL" not in kinds(desk.timer())


def test_no_more_than_the_allowed_requests_unanswered() -> None:
    desk = Desk({"quote.levels": 10, "orders.max_updates_per_s": 100,
                 "orders.max_unanswered": 8})
    first = desk.turn()
    assert len(first) == 8
    assert desk.engine.budget.in_flight == 8
    desk.accept(first[:3])
    assert len(desk.turn()) == 3


def test_credits_stop_at_the_reserve_and_the_reserve_pays_for_the_pull() -> None:
    desk = Desk({"quote.levels": 10, "orders.max_updates_per_s": 100,
                 "orders.max_unanswered": 100})
    desk.control(ControlKind.CONTROL_CREDITS, value=15, real=0.001)
    sent = desk.turn()
    assert len(sent) == 15 - 6
    assert desk.engine.take_flags() & 8                     # FLAG_DEFERRED
    desk.accept(sent)
    assert desk.turn() == []
    desk.delta([], [], gap=1)
    assert kinds(desk.turn()) == ["CANCEL_INSTRUMENT"]


def test_what_was_put_off_is_done_when_there_is_room_again() -> None:
    desk, _ = quoting({"orders.max_updates_per_s": 2})
    desk.wait(1000)
    move(desk, 60)
    desk.accept(desk.turn())
    move(desk, 60)
    assert desk.turn() == []                                # two a second are spent
    desk.wait(600)
    assert desk.timer() == []                               # the second is not over
    desk.wait(600)
    found = desk.timer()                                    # nothing new came: the trailing edge
    assert kinds(found) == ["EDIT", "EDIT"]
    desk.accept(found)
    assert desk.timer() == []


@given(moves=st.lists(st.integers(-300, 300), min_size=1, max_size=8),
       levels=st.integers(1, 5), contracts=st.integers(-2500, 2500),
       spacing=st.floats(0.0, 8.0))
def test_planning_twice_sends_nothing_the_second_time(moves: list[int], levels: int,
                                                      contracts: int, spacing: float) -> None:
    desk = Desk({"quote.levels": levels, "orders.max_updates_per_s": 1000,
                 "orders.max_unanswered": 64, "quote.level_spacing_bps": spacing})
    desk.control(ControlKind.CONTROL_CREDITS, value=10_000, real=1000.0)
    desk.control(ControlKind.CONTROL_POSITION, value=contracts, real=75_000.0)
    for ticks in moves:
        if ticks:
            move(desk, ticks)
        for _ in range(4):          # a self-cross may have to wait for the other side's answer
            sent = desk.turn()
            desk.accept(sent)
            desk.ticker(mark=desk.market.signals.read()["mid_usd"])
            if not sent:
                break
        desk.ticker(mark=desk.market.signals.read()["mid_usd"])
        assert desk.turn() == []
        live = {row["slot"] for row in desk.market.orders.rows()}
        wanted = desk.market.quotes()
        assert live == {side * 10 + i for side in (BID, ASK) for i in range(len(wanted[side]))}
        assert desk.engine.faults.code == 0
