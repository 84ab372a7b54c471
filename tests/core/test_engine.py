"""The engine in one piece: every event has its consequence in the same turn."""

import pytest
from desk import ASK, BID, Desk, Sent, perpetual

from mmcore.faults import FaultCode
from mmcore.intake import EngineFlag
from mmcore.journal import Journal
from mmcore.types import ControlKind, OrderEventKind, RemovedReason, VenueOrderState

NEWS = ["ACTION_NEW", "ACTION_NEW"]
PULL = ["ACTION_CANCEL_INSTRUMENT"]


def kinds(actions: list[Sent]) -> list[str]:
    return [a["kind"] for a in actions]


def quoting(changes: dict[str, float] | None = None) -> tuple[Desk, list[Sent]]:
    desk = Desk(changes)
    actions = desk.turn()
    assert kinds(actions) == NEWS
    desk.accept(actions)
    desk.engine.take_flags()
    return desk, actions


def test_no_quote_before_everything_is_in_place() -> None:
    desk = Desk(ready=False)
    desk.ticker()
    desk.snapshot()
    assert desk.turn() == []
    desk.control(ControlKind.CONTROL_CONNECTED)
    assert desk.turn() == []
    desk.control(ControlKind.CONTROL_RECONCILED)
    assert kinds(desk.turn()) == NEWS


def test_warm_up() -> None:
    desk = Desk({"signals.warmup_s": 5})
    assert desk.turn() == []
    desk.wait(4_900)
    assert desk.timer() == []
    desk.ticker()
    desk.wait(100)
    assert kinds(desk.timer()) == NEWS


def test_gap_pulls_in_the_same_turn_and_asks_for_a_snapshot() -> None:
    desk, _ = quoting()
    assert desk.delta([], [], gap=1) == "BOOK_GAP"
    assert kinds(desk.turn()) == PULL
    assert desk.engine.take_flags() & EngineFlag.FLAG_RESYNC
    assert desk.engine.resync_mask == 1
    assert desk.face.counters()["book_gaps"] == 1
    desk.wait(100)
    assert desk.delta([(149_998, 5)], []) == "BOOK_IGNORED"
    assert "ACTION_NEW" not in kinds(desk.timer())          # nothing until a fresh snapshot


def test_quotes_come_back_with_the_snapshot() -> None:
    desk, _ = quoting()
    desk.delta([], [], gap=1)
    desk.accept(desk.turn())
    desk.snapshot()
    assert desk.engine.resync_mask == 0
    assert kinds(desk.turn()) == NEWS


def test_crossed_book_pulls() -> None:
    desk, _ = quoting()
    assert desk.delta([(150_005, 10)], []) == "BOOK_CROSSED"
    assert kinds(desk.turn()) == PULL
    assert desk.engine.take_flags() & EngineFlag.FLAG_RESYNC
    assert desk.face.counters()["book_crossed"] == 1


@pytest.mark.parametrize("state", range(1, 8))
def test_instrument_that_is_not_open_pulls(state: int) -> None:
    desk, _ = quoting()
    desk.ticker(state=state)
    assert kinds(desk.turn()) == PULL


def test_market_state_by_control() -> None:
    desk, _ = quoting()
    desk.control(ControlKind.CONTROL_MARKET_STATE, value=1)
    assert kinds(desk.turn()) == PULL


def test_silent_connection_pulls_at_its_limit() -> None:
    desk, _ = quoting({"risk.stale_ms": 1000})
    desk.turn()
    desk.now_ns += 1_000_000_000            # no frame: exactly the limit is still alive
    assert "ACTION_CANCEL_INSTRUMENT" not in kinds(desk.timer())
    desk.now_ns += 1
    assert kinds(desk.timer()) == PULL
    assert desk.market.why()["removed"][0] == RemovedReason.REMOVED_STALE


def test_a_quiet_book_on_a_live_connection_is_normal_until_its_own_limit() -> None:
    desk, _ = quoting()
    for _ in range(10):
        desk.wait(1000)
        desk.ticker()
        assert PULL[0] not in kinds(desk.timer())
    desk.wait(1)
    assert kinds(desk.timer()) == PULL


def test_stale_ticker_pulls() -> None:
    desk, _ = quoting()
    for _ in range(6):
        desk.wait(1000)
        desk.delta([(149_000, 7)], [])
        assert PULL[0] not in kinds(desk.timer())
    desk.wait(1)
    assert kinds(desk.timer()) == PULL


def test_feed_lag_pulls() -> None:
    desk, _ = quoting()
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=0)
    desk.engine.control(ControlKind.CONTROL_WALL_OFFSET, desk.now_ns, 0, 1_000_000)
    found: list[str] = []
    for i in range(40):
        desk.change_id[0] += 1
        venue_ms = (desk.now_ns + 1_000_000) // 1_000_000 - 400
        desk.face.book(0, [(149_000, i + 1)], [], desk.now_ns, change_id=desk.change_id[0],
                       prev_change_id=desk.change_id[0] - 1, timestamp_ms=venue_ms)
        found += kinds(desk.turn())
    assert found == PULL                    # 400 ms, averaged, passes 250
    assert desk.market.why()["removed"][0] == RemovedReason.REMOVED_LAG


def test_malformed_book_message_costs_the_book() -> None:
    desk, _ = quoting()
    desk.face.malformed(-1, desk.now_ns)        # some other message: counted, no harm
    assert desk.turn() == []
    desk.face.malformed(0, desk.now_ns)
    assert kinds(desk.turn()) == PULL
    assert desk.engine.take_flags() & EngineFlag.FLAG_RESYNC
    assert desk.face.counters()["malformed"] == 2


def test_pause_and_resume() -> None:
    desk, _ = quoting()
    desk.control(ControlKind.CONTROL_PAUSE)
    pull = desk.turn()
    assert kinds(pull) == PULL
    desk.accept(pull)
    desk.wait(60_000)
    desk.ticker()
    desk.snapshot()
    assert desk.timer() == []
    desk.control(ControlKind.CONTROL_RESUME)
    assert kinds(desk.turn()) == NEWS


def test_kill_is_latched_and_said() -> None:
    desk, _ = quoting()
    desk.control(ControlKind.CONTROL_KILL)
    assert kinds(desk.turn()) == ["ACTION_CANCEL_ALL", *PULL]
    assert desk.engine.take_flags() & EngineFlag.FLAG_KILLED
    assert desk.engine.faults.code == FaultCode.FAULT_OPERATOR
    desk.control(ControlKind.CONTROL_RESUME)
    assert desk.engine.risk.state_name == "RISK_KILLED"
    assert desk.turn() == []


def test_the_first_fault_is_kept() -> None:
    desk, _ = quoting()
    desk.control(ControlKind.CONTROL_KILL, value=FaultCode.FAULT_DRAWDOWN)
    desk.control(ControlKind.CONTROL_KILL, value=FaultCode.FAULT_OPERATOR)
    assert desk.engine.faults.code == FaultCode.FAULT_DRAWDOWN


def test_a_fault_kills_in_the_next_turn_not_at_the_next_timer() -> None:
    desk, _ = quoting()
    desk.engine.faults.trip(FaultCode.FAULT_INVARIANT)
    desk.ticker()
    assert kinds(desk.turn()) == ["ACTION_CANCEL_ALL", *PULL]
    assert desk.engine.risk.state_name == "RISK_KILLED"
    assert desk.engine.take_flags() & EngineFlag.FLAG_KILLED


def test_stop_cancels_and_stays() -> None:
    desk, _ = quoting()
    desk.control(ControlKind.CONTROL_STOP)
    desk.accept(desk.turn())
    desk.control(ControlKind.CONTROL_RESUME)
    assert desk.turn() == []
    assert desk.market.orders.open_count == 0


def test_disconnect_makes_orders_unknown_and_nothing_adds_until_reconciled() -> None:
    desk, actions = quoting()
    desk.control(ControlKind.CONTROL_DISCONNECTED)
    assert desk.engine.take_flags() & EngineFlag.FLAG_RECONCILE
    assert "ACTION_NEW" not in kinds(desk.turn())
    assert desk.market.orders.unknown_count == 2
    assert desk.face.market_state(0)["worst_bid_btc"] == pytest.approx(1500 / 74_981.0)
    desk.control(ControlKind.CONTROL_CONNECTED)
    desk.ticker()
    desk.snapshot()
    assert "ACTION_NEW" not in kinds(desk.turn())
    for a in actions:                       # cancel-on-disconnect took them, the venue says so
        desk.cancelled(a["slot"], a["generation"])
    assert desk.market.orders.unknown_count == 0
    assert desk.turn() == []
    desk.control(ControlKind.CONTROL_RECONCILED)
    assert kinds(desk.turn()) == NEWS


def test_nothing_adds_while_an_order_is_unknown_after_reconciliation_too() -> None:
    desk, actions = quoting()
    desk.control(ControlKind.CONTROL_DISCONNECTED)
    desk.control(ControlKind.CONTROL_CONNECTED)
    desk.ticker()
    desk.snapshot()
    ask = next(a for a in actions if a["side"] == ASK)
    desk.cancelled(ask["slot"], ask["generation"])
    desk.control(ControlKind.CONTROL_RECONCILED)
    assert not {"ACTION_NEW", "ACTION_EDIT"} & set(kinds(desk.turn()))
    desk.control(ControlKind.CONTROL_UNKNOWN_RESOLVED, value=0)
    assert {a["side"] for a in desk.turn()} == {BID, ASK}


def test_a_fill_is_booked_once() -> None:
    desk, actions = quoting()
    bid = next(a for a in actions if a["side"] == BID)
    assert desk.fill(bid, 40, trade_id=9)
    assert not desk.fill(bid, 40, trade_id=9)
    assert desk.market.position.contracts == 40
    assert desk.market.ledger.fills == 1
    assert desk.face.counters()["duplicate_fills"] == 1


def test_a_late_fill_of_a_closed_order_is_booked() -> None:
    desk, actions = quoting()
    bid = next(a for a in actions if a["side"] == BID)
    desk.update(bid, filled=150, state=VenueOrderState.VENUE_ORDER_FILLED)
    assert all(a["side"] != BID for a in desk.turn())       # its fill is missing: slot held
    assert desk.face.market_state(0)["worst_bid_btc"] == pytest.approx(1500 / 74_981.0)
    assert desk.fill(bid, 150)
    assert desk.market.position.contracts == 150
    assert BID in [a["side"] for a in desk.turn()]


def test_a_fill_of_an_order_that_gave_up_its_slot_still_counts() -> None:
    desk, actions = quoting()
    bid = next(a for a in actions if a["side"] == BID)
    desk.cancelled(bid["slot"], bid["generation"])
    renewed = desk.turn()
    assert renewed[0]["generation"] == 2
    assert desk.fill(bid, 30)
    assert desk.market.position.contracts == 30
    assert desk.face.counters()["foreign_fills"] == 1


@pytest.mark.parametrize("slot", [-1, 24, 255])
def test_words_about_slots_that_do_not_exist_touch_nothing(slot: int) -> None:
    desk, _ = quoting()
    desk.face.order(desk.now_ns, kind=OrderEventKind.ORDER_EVENT_UPDATE, market=0, slot=slot,
                    generation=0, amount_contracts=7, price_ticks=7)
    assert desk.face.counters()["unknown_ids"] == 1
    desk.face.fill(desk.now_ns, market=0, slot=slot, generation=0, side=BID,
                   price_ticks=150_000, amount_contracts=10, trade_id=5)
    assert desk.market.position.contracts == 10     # ours to bear, whoever sent it
    assert desk.face.counters()["foreign_fills"] == 1
    desk.face.order(desk.now_ns, kind=OrderEventKind.ORDER_EVENT_UPDATE, market=3, slot=0)
    assert desk.face.counters()["unknown_ids"] == 2


def test_reject_storm_pauses_and_ends_by_itself() -> None:
    desk = Desk({"risk.reject_storm_count": 3, "risk.reject_storm_s": 10})
    for _ in range(2):
        desk.wait(50)                               # past the back-off of the first refusal
        sent = desk.turn()
        assert desk.refuse(sent, 11054) & 8         # OUTCOME_POST_ONLY
        desk.wait(10)
    assert desk.engine.risk.state_name == "RISK_PAUSED"     # the fourth within ten seconds
    assert desk.engine.risk.reject_storms == 1
    assert desk.face.counters()["post_only_rejects"] == 4
    assert desk.turn() == []
    desk.wait(9_000)
    desk.ticker()
    desk.snapshot()
    assert desk.timer() == []
    desk.wait(1_000)
    assert kinds(desk.timer()) == NEWS


def test_a_full_journal_pulls_the_quotes_until_it_is_drained() -> None:
    ring = bytearray(4096 + 65536)
    journal = Journal(ring)
    desk = Desk(journal=journal)
    desk.accept(desk.turn())
    while journal.lost == 0:                        # nobody drains it
        journal.write(2, 0, desk.now_ns, b"x" * 1000)
    assert kinds(desk.timer()) == ["ACTION_CANCEL_INSTRUMENT"]
    assert desk.engine.risk.state_name == "RISK_PAUSED"
    ring[32:40] = ring[24:32]                       # the recorder is back: all is drained
    desk.timer()                                    # what was lost meanwhile prolongs the pause
    desk.wait(4_900)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_PAUSED"
    desk.wait(200)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_ACTIVE"


def test_a_storm_does_not_end_a_pause_of_the_operator() -> None:
    desk = Desk({"risk.reject_storm_count": 1, "risk.reject_storm_s": 1})
    desk.refuse(desk.turn(), 11054)
    desk.control(ControlKind.CONTROL_PAUSE)
    desk.wait(5_000)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_PAUSED"


def test_a_timeout_is_unknown_counts_and_blocks() -> None:
    desk = Desk()
    desk.turn()
    desk.wait(1000)
    assert desk.timer() == []
    desk.wait(1)
    desk.timer()
    assert desk.market.orders.unknown_count == 2
    assert desk.face.counters()["timeouts"] == 2
    assert desk.engine.take_flags() & EngineFlag.FLAG_RECONCILE
    assert desk.face.market_state(0)["worst_bid_btc"] == pytest.approx(1500 / 74_981.0)
    desk.ticker()
    assert "ACTION_NEW" not in kinds(desk.turn())


def test_timeouts_give_back_what_was_unanswered() -> None:
    desk = Desk()
    desk.turn()
    assert desk.engine.budget.in_flight == 2
    desk.wait(1001)
    desk.timer()
    assert desk.engine.budget.in_flight == 1        # the pull of what is unknown now


def test_net_delta_counts_every_instrument() -> None:
    desk = Desk(specs=[perpetual(), perpetual("BTC-25DEC26")])
    assert len(desk.turn()) == 4
    desk.control(ControlKind.CONTROL_POSITION, market=1, value=2250, real=75_000.0)
    desk.turn()
    assert desk.engine.max_abs_delta_btc == pytest.approx(0.3)
    assert desk.market.quotes()[0] == []            # the net limit is used up elsewhere
    assert desk.market.quotes()[1]
    assert desk.market.why()["position_btc"] == pytest.approx(0.3)


def test_refused_constructions_and_controls() -> None:
    with pytest.raises(ValueError, match="1 to 16 instruments"):
        Desk(specs=[perpetual(f"X{i}") for i in range(17)])
    desk = Desk()
    with pytest.raises(ValueError, match="control 99"):
        desk.engine.control(99, desk.now_ns)
    with pytest.raises(ValueError, match="market 7"):
        desk.engine.control(ControlKind.CONTROL_POSITION, desk.now_ns, 7)


def test_configure_takes_effect_at_the_next_turn() -> None:
    desk, _ = quoting()
    desk.wait(500)
    desk.engine.configure("quote.base_half_spread_bps", 10.0)
    assert kinds(desk.turn()) == ["ACTION_EDIT", "ACTION_EDIT"]
    assert desk.market.why()["half_usd"] == pytest.approx(75.0)
    with pytest.raises(KeyError):
        desk.engine.configure("quote.nothing", 1.0)


def test_flags_are_taken_once() -> None:
    desk, _ = quoting()
    desk.delta([], [], gap=1)
    assert desk.engine.take_flags()
    assert desk.engine.take_flags() == 0
