"""What losses, margin, equity and repeated fills lead to, with figures by hand."""

import pytest
from desk import ASK, BID, SECOND, Desk

from mmcore.faults import FaultCode
from mmcore.types import ControlKind

ONE_FULL_LIMIT = 2250               # contracts: 0.3 BTC at 75,000
DAY_NS = 86_400 * SECOND
MORNING_NS = (20_000 * 86_400 + 8 * 3_600 + 60) * SECOND        # 08:01 UTC of some day


def desk_with(changes: dict[str, float], contracts: int = 0, average: float = 75_000.0) -> Desk:
    desk = Desk({"inventory.limit_btc": 1.0, "risk.max_order_usd": 1e9, **changes})
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=MORNING_NS - desk.now_ns)
    if contracts:
        desk.control(ControlKind.CONTROL_POSITION, value=contracts, real=average)
    desk.turn()
    desk.timer()
    return desk


def price(desk: Desk, usd: float) -> None:
    """The market is at a price now: book and mark."""
    desk.ticker(mark=usd)
    middle = round(2 * usd) / 2
    desk.snapshot(bid=middle - 0.5, ask=middle + 0.5, contracts=100_000)
    desk.timer()


# ------------------------------------------------------------------ repeated execution
def fills(desk: Desk, count: int, contracts: int = 10, side: int = BID) -> None:
    for _ in range(count):
        desk.trade_id += 1
        desk.face.fill(desk.now_ns, market=0, slot=0 if side == BID else 10, generation=77,
                       side=side, price_ticks=149_900, amount_contracts=contracts,
                       trade_id=desk.trade_id)


THROTTLE = {"orders.unknown_ms": 1e9, "risk.throttle_fills": 5, "risk.throttle_s": 10,
            "risk.throttle_pause_s": 60, "risk.throttle_pauses_kill": 3}


def test_too_many_fills_of_a_side_pause_it() -> None:
    desk = desk_with(THROTTLE)
    fills(desk, 5)
    desk.turn()
    assert all(desk.market.quotes())
    fills(desk, 1)
    desk.turn()
    bids, asks = desk.market.quotes()
    assert not bids
    assert asks
    desk.wait(60_001)
    price(desk, 75_000.0)
    desk.turn()
    assert all(desk.market.quotes())


def test_too_much_filled_on_a_side_pauses_it() -> None:
    desk = desk_with({"risk.throttle_btc": 0.1, "risk.throttle_s": 10,
                      "risk.throttle_pause_s": 60})
    fills(desk, 1, contracts=749)           # just under 0.1 BTC
    assert desk.engine.limits.throttles == 0
    fills(desk, 1, contracts=2)
    assert desk.engine.limits.throttles == 1


def test_slow_fills_pause_nothing() -> None:
    desk = desk_with(THROTTLE)
    for _ in range(20):
        fills(desk, 1)
        desk.wait(2_001)
    assert desk.engine.limits.throttles == 0


def test_pauses_in_an_hour_kill() -> None:
    desk = desk_with(THROTTLE)
    for k in range(3):
        fills(desk, 6)
        assert desk.engine.limits.throttles == k + 1
        desk.wait(61_000)
    desk.timer()
    assert desk.engine.faults.code == FaultCode.FAULT_THROTTLE
    assert desk.engine.risk.state_name == "RISK_KILLED"


# ------------------------------------------------------------------ stop
def test_stop_loss_at_the_mark() -> None:
    # 22,500 USD long from 75,000 lose 0.015 BTC at 22,500 / (0.3 + 0.015) = 71,428.57
    desk = desk_with({"risk.stop_loss_btc": 0.015, "risk.stop_pause_s": 300,
                      "risk.flatten_clip_btc": 0.05, "risk.kill_flatten_cap_bps": 50,
                      "risk.price_collar_bps": 1000}, ONE_FULL_LIMIT)
    price(desk, 71_450.0)
    assert not desk.market.stopping
    price(desk, 71_420.0)
    assert desk.market.stopping
    assert desk.engine.risk.state_name == "RISK_REDUCING"
    # 0.05 BTC at 71,420 in contracts of 10 USD; 50 bps under the mark, 71,062.9, up to a tick
    assert desk.market.take() == (ASK, 142_126, 357)
    desk.control(ControlKind.CONTROL_POSITION, value=0)
    desk.timer()
    assert not desk.market.stopping
    assert desk.engine.risk.state_name == "RISK_REDUCING"       # nothing adds for 300 s
    desk.wait(300_001)
    price(desk, 71_420.0)
    assert desk.engine.risk.state_name == "RISK_ACTIVE"


def test_stop_counts_the_executable_exit_where_it_is_worse() -> None:
    desk = desk_with({"risk.stop_loss_btc": 0.015, "risk.price_collar_bps": 1000,
                      "risk.max_mark_deviation_bps": 5000}, ONE_FULL_LIMIT)
    desk.ticker(mark=75_000.0)
    desk.snapshot(bid=71_400.0, ask=75_000.5, contracts=100_000)
    desk.timer()
    assert desk.market.stopping


def test_stop_by_the_move_alone() -> None:
    desk = desk_with({"risk.stop_move_pct": 10}, -10)
    price(desk, 82_499.0)
    assert not desk.market.stopping
    price(desk, 82_501.0)
    assert desk.market.stopping


def test_beyond_the_cap_the_order_rests_there() -> None:
    desk = desk_with({"risk.stop_loss_btc": 0.001, "risk.kill_flatten_cap_bps": 50,
                      "risk.price_collar_bps": 1000, "risk.flatten_clip_btc": 0.05,
                      "risk.max_mark_deviation_bps": 5000}, ONE_FULL_LIMIT)
    desk.ticker(mark=74_000.0)
    desk.snapshot(bid=73_000.0, ask=74_000.5, contracts=100_000)    # 135 bps under the mark
    desk.timer()
    assert desk.market.stopping
    assert desk.market.take() is None
    bids, asks = desk.market.quotes()
    assert bids == []
    assert asks == [(147_260, 370)]         # 73,630 = 74,000 less 50 bps; 0.05 BTC


# ------------------------------------------------------------------ the day
DAY = {"risk.day_soft_btc": 0.02, "risk.day_kill_btc": 0.05, "risk.cooloff_s": 3600,
       "risk.day_spread_factor": 1.5, "risk.day_size_factor": 0.5}


def usd_at_loss(btc: float) -> float:
    """Price at which 22,500 USD bought at 75,000 have lost so much."""
    return 22_500 / (0.3 + btc)


def test_first_loss_of_the_day_widens_and_shrinks() -> None:
    desk = desk_with(DAY, ONE_FULL_LIMIT)
    price(desk, usd_at_loss(0.0199))
    assert desk.engine.limits.figures()["day_trips"] == 0
    price(desk, usd_at_loss(0.0201))
    figures = desk.engine.limits.figures()
    assert figures["day_trips"] == 1
    assert figures["day_profit_btc"] == pytest.approx(-0.0201, abs=1e-9)
    desk.ticker(mark=usd_at_loss(0.0201))
    desk.turn()
    assert desk.market.why()["spread_factor"] == pytest.approx(1.5)
    assert desk.engine.risk.state_name == "RISK_ACTIVE"


def test_second_loss_of_the_day_pauses() -> None:
    desk = desk_with(DAY, ONE_FULL_LIMIT)
    price(desk, usd_at_loss(0.0201))
    price(desk, usd_at_loss(0.009))         # recovered half: armed again
    price(desk, usd_at_loss(0.0202))
    assert desk.engine.limits.figures()["day_trips"] == 2
    assert (desk.engine.risk.state_name, desk.engine.risk.reason_name) == (
        "RISK_PAUSED", "REASON_DAY")
    for _ in range(3):
        desk.wait(1_200_001)
        desk.timer()
    assert desk.engine.risk.state_name == "RISK_ACTIVE"


def test_twice_the_soft_loss_is_the_second_one() -> None:
    desk = desk_with(DAY, ONE_FULL_LIMIT)
    price(desk, usd_at_loss(0.03))
    assert desk.engine.limits.figures()["day_trips"] == 1
    price(desk, usd_at_loss(0.0401))
    assert desk.engine.risk.state_name == "RISK_PAUSED"


def test_kill_of_the_day_flattens() -> None:
    desk = desk_with({**DAY, "risk.kill_flatten": 0, "risk.flatten_clip_btc": 0.05,
                      "risk.kill_flatten_cap_bps": 50, "risk.price_collar_bps": 2000},
                     ONE_FULL_LIMIT)
    price(desk, usd_at_loss(0.0499))
    assert desk.engine.risk.state_name != "RISK_KILLED"
    price(desk, usd_at_loss(0.0501))
    assert desk.engine.faults.code == FaultCode.FAULT_DRAWDOWN
    assert desk.engine.risk.state_name == "RISK_KILLED"
    assert desk.engine.risk.flattening
    assert desk.market.take() is not None
    desk.control(ControlKind.CONTROL_POSITION, value=0)
    desk.timer()
    assert not desk.engine.risk.flattening
    assert desk.market.take() is None


def test_an_operators_kill_leaves_the_position() -> None:
    desk = desk_with({**DAY, "risk.kill_flatten": 0, "risk.flatten_clip_btc": 0.05,
                      "risk.kill_flatten_cap_bps": 50}, ONE_FULL_LIMIT)
    desk.control(ControlKind.CONTROL_KILL)
    desk.turn()
    assert desk.market.take() is None
    desk.control(ControlKind.CONTROL_FLATTEN, value=1)
    desk.turn()
    assert desk.market.take() is not None


def test_loss_counts_from_the_best_of_the_day_too() -> None:
    desk = desk_with(DAY, ONE_FULL_LIMIT)
    price(desk, 22_500 / (0.3 - 0.03))      # 0.03 up
    price(desk, 22_500 / (0.3 - 0.009))     # 0.021 down from there, still 0.009 up on the day
    assert desk.engine.limits.figures()["day_trips"] == 1


def test_the_day_begins_at_eight() -> None:
    desk = desk_with(DAY, ONE_FULL_LIMIT)
    price(desk, usd_at_loss(0.0201))
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=MORNING_NS + DAY_NS - desk.now_ns)
    desk.timer()
    figures = desk.engine.limits.figures()
    assert (figures["day_trips"], figures["day_profit_btc"]) == (0, 0.0)


def test_the_day_survives_a_restart() -> None:
    desk = desk_with(DAY, ONE_FULL_LIMIT)
    price(desk, usd_at_loss(0.0301))
    kept = desk.engine.limits.figures()
    again = Desk({"inventory.limit_btc": 1.0, **DAY})
    again.control(ControlKind.CONTROL_DAY, value=kept["day"], real=kept["day_settled_btc"])
    again.control(ControlKind.CONTROL_DAY_HIGH, value=kept["day_trips"],
                  real=kept["day_high_btc"])
    again.control(ControlKind.CONTROL_WALL_OFFSET, value=MORNING_NS - again.now_ns)
    again.control(ControlKind.CONTROL_POSITION, value=ONE_FULL_LIMIT, real=75_000.0)
    price(again, usd_at_loss(0.0301))
    figures = again.engine.limits.figures()
    assert figures["day_profit_btc"] == pytest.approx(-0.0301, abs=1e-9)
    assert figures["day_trips"] == 1
    price(again, usd_at_loss(0.0501))
    assert again.engine.faults.code == FaultCode.FAULT_DRAWDOWN


# ------------------------------------------------------------------ account
def test_margin_use_above_its_cap_reduces_only() -> None:
    desk = desk_with({"risk.margin_use_max": 0.5}, 750)
    desk.control(ControlKind.CONTROL_MARGIN, value=49_000_000, real=1.0)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_ACTIVE"
    desk.control(ControlKind.CONTROL_MARGIN, value=51_000_000, real=1.0)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_REDUCING"
    bids, asks = desk.market.quotes()
    assert not bids
    assert asks
    desk.control(ControlKind.CONTROL_MARGIN, value=20_000_000, real=1.0)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_ACTIVE"


def test_limits_follow_equity_in_tenths_and_never_up_within_a_day() -> None:
    desk = desk_with({"inventory.limit_btc": 0.3, "inventory.capital_btc": 0.9})
    desk.control(ControlKind.CONTROL_EQUITY, real=0.9)
    assert limit_of(desk) == pytest.approx(0.3)
    desk.control(ControlKind.CONTROL_EQUITY, real=0.62)         # 0.69 of it: 0.7
    assert limit_of(desk) == pytest.approx(0.21)
    desk.control(ControlKind.CONTROL_EQUITY, real=5.0)
    assert limit_of(desk) == pytest.approx(0.21)
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=MORNING_NS + DAY_NS - desk.now_ns)
    assert limit_of(desk) == pytest.approx(0.3)                 # a new day, and never above


def test_leverage_is_gross_over_equity() -> None:
    desk = desk_with({}, 750)               # 0.1 BTC
    desk.control(ControlKind.CONTROL_EQUITY, real=0.8)
    desk.timer()
    assert desk.engine.limits.figures()["leverage"] == pytest.approx(0.125)


def limit_of(desk: Desk) -> float:
    desk.timer()
    desk.ticker()
    desk.turn()
    return float(desk.face.market_state(0)["limit_btc"])


def test_a_falling_mark_alone_can_breach_and_then_nothing_adds() -> None:
    desk = desk_with({"inventory.limit_btc": 0.3}, 2240)
    assert desk.engine.risk.state_name == "RISK_ACTIVE"
    price(desk, 74_000.0)               # 22,400 USD are 0.3027 BTC there
    desk.turn()
    desk.timer()
    assert (desk.engine.risk.state_name, desk.engine.risk.reason_name) == (
        "RISK_REDUCING", "REASON_EXPOSURE")


def test_stress_shrinks_what_may_be_held() -> None:
    # 0.05 BTC lost at -10 %: 0.05 / (1 / 0.9 - 1) = 0.45 BTC; after a loss of 0.03: 0.18
    desk = desk_with({**DAY, "risk.stress_kill_pct": 10})
    limit_of(desk)
    assert desk.engine.risk.limits_btc[0] == pytest.approx(0.45)
    desk = desk_with({**DAY, "risk.stress_kill_pct": 10}, ONE_FULL_LIMIT)
    price(desk, usd_at_loss(0.03))
    assert desk.engine.risk.limits_btc[0] == pytest.approx(0.18, abs=1e-6)
    desk.timer()
    assert desk.engine.risk.state_name == "RISK_REDUCING"


def test_stress_leaves_the_margin() -> None:
    desk = desk_with({"risk.stress_margin_pct": 20, "inventory.limit_btc": 100})
    desk.control(ControlKind.CONTROL_EQUITY, real=0.9)
    desk.control(ControlKind.CONTROL_MARGIN_RATE, real=0.02)
    desk.timer()
    desk.ticker()
    desk.turn()
    # 0.9 / (0.25 + 2 x 0.02 / 0.8)
    assert desk.engine.risk.limits_btc[1] == pytest.approx(3.0)


# ------------------------------------------------------------------ closing by order
def test_an_order_to_flatten_ends_with_the_resume() -> None:
    desk = desk_with({"risk.flatten_clip_btc": 0.05, "risk.kill_flatten_cap_bps": 50}, 750)
    desk.control(ControlKind.CONTROL_FLATTEN, value=1)
    desk.turn()
    assert desk.market.take() is not None
    desk.control(ControlKind.CONTROL_RESUME)
    desk.wait(300)
    price(desk, 75_000.0)
    desk.turn()
    assert desk.market.take() is None
    assert all(desk.market.quotes())


def test_a_closing_slice_stays_inside_the_collar() -> None:
    """The mark is 40 bps over the book: 50 bps under it would be within, 150 would not be."""
    desk = desk_with({"risk.flatten_clip_btc": 0.05, "risk.kill_flatten_cap_bps": 150,
                      "risk.price_collar_bps": 75}, 750)
    desk.control(ControlKind.CONTROL_FLATTEN, value=1)
    price(desk, 75_000.0)
    desk.turn()
    taken = desk.market.take()
    assert taken is not None
    # 75 bps under the reference of 75,000: 74,437.5
    assert taken[1] == 148_875
