"""What the venue owes us: the word on a pull, the trade of a fill it counted, every print."""

from desk import BID
from test_planner import kinds, move, quoting

from mmcore.intake import EngineFlag
from mmcore.types import ControlKind


def test_a_pull_without_an_answer_asks_for_the_second_path_once() -> None:
    desk, _ = quoting()
    desk.engine.take_flags()
    desk.delta([], [], gap=1)
    pull = desk.turn()
    desk.wait(249)
    desk.timer()
    assert not desk.engine.take_flags() & EngineFlag.FLAG_SECOND_PATH
    desk.wait(1)
    desk.timer()
    assert desk.engine.take_flags() & EngineFlag.FLAG_SECOND_PATH
    assert (desk.engine.take_second_path(), desk.engine.take_second_path()) == (1, 0)
    desk.wait(10)
    desk.timer()
    assert not desk.engine.take_flags() & EngineFlag.FLAG_SECOND_PATH
    desk.accept(pull)
    assert desk.market.orders.late_pulls == 2       # both orders it covered


def test_an_answered_pull_needs_no_second_path() -> None:
    desk, _ = quoting()
    desk.delta([], [], gap=1)
    desk.accept(desk.turn())
    desk.wait(400)
    desk.timer()
    assert not desk.engine.take_flags() & EngineFlag.FLAG_SECOND_PATH


def test_a_cancel_by_id_without_an_answer_asks_for_the_second_path_too() -> None:
    desk, _ = quoting()
    desk.wait(500)
    move(desk, 60)
    desk.refuse(desk.turn()[:1], 10041)
    assert kinds(desk.turn()) == ["CANCEL"]
    desk.wait(250)
    desk.timer()
    assert desk.engine.take_flags() & EngineFlag.FLAG_SECOND_PATH


def test_a_fill_that_is_only_counted_is_asked_for() -> None:
    desk, actions = quoting()
    bid = next(a for a in actions if a["side"] == BID)
    desk.update(bid, filled=30)
    desk.timer()
    desk.wait(499)
    desk.timer()
    assert not desk.engine.take_flags() & EngineFlag.FLAG_TRADES
    desk.wait(1)
    desk.timer()
    assert desk.engine.take_flags() & EngineFlag.FLAG_TRADES
    assert desk.engine.take_trades() == 1
    desk.fill(bid, 30)
    desk.wait(1000)
    desk.timer()
    assert not desk.engine.take_flags() & EngineFlag.FLAG_TRADES
    assert desk.market.orders.missing_fills == 1


def test_a_gap_in_the_numbers_of_trades_may_hide_our_own() -> None:
    desk, _ = quoting()
    desk.engine.take_flags()
    for seq in (70, 71, 71, 72):
        desk.face.trade(0, BID, 150_038, 1, desk.now_ns, trade_seq=seq)
    assert not desk.engine.take_flags() & EngineFlag.FLAG_TRADES
    assert desk.face.counters()["trade_repeats"] == 1
    assert desk.face.counters()["trades"] == 3              # a print counts once
    desk.face.trade(0, BID, 150_038, 1, desk.now_ns, trade_seq=74)
    assert desk.engine.take_flags() & EngineFlag.FLAG_TRADES
    assert desk.engine.take_trades() == 1
    desk.control(ControlKind.CONTROL_DISCONNECTED)          # prints go on without us
    desk.engine.take_flags()
    desk.face.trade(0, BID, 150_038, 1, desk.now_ns, trade_seq=99)
    assert not desk.engine.take_flags() & EngineFlag.FLAG_TRADES
