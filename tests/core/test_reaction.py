"""What moves, the tape, own fills and the time of day pull, through a whole engine."""


import pytest
from desk import ASK, BID, SECOND, Desk, perpetual, quoting, removed

from mmcore.types import ControlKind, RemovedReason
from mmcore.windows import TimeWindows

DATED = perpetual("BTC-25DEC26", expiry_ms=1_798_185_600_000)
MOMENTUM = {"orders.momentum_bps": 3.0, "orders.momentum_ms": 500}
HOLD = {"orders.post_fill_hold_ms": 1000, "orders.run_bps": 2.0, "orders.small_fill_share": 0.2,
        "orders.reentry_stagger_ms": 250}


def test_momentum_pulls_the_side_the_mid_moves_towards() -> None:
    desk, _ = quoting({**MOMENTUM, "quote.max_half_spread_bps": 5000})
    desk.wait(100)
    desk.delta([(149_999, 0), (149_949, 10)], [(150_001, 0), (149_951, 10)])    # -25 USD: 3.3 bps
    desk.turn()
    assert removed(desk) == (RemovedReason.REMOVED_MOMENTUM, 0)
    desk.wait(600)                                          # calm again
    desk.timer()
    assert removed(desk) == (0, 0)


@pytest.mark.parametrize("quiet_ms", [0, 50, 100, 499, 560, 700, 1_000, 2_000, 5_000])
@pytest.mark.parametrize("up", [False, True])
def test_a_jump_after_calm_is_momentum(quiet_ms: int, up: bool) -> None:
    """A quiet book is the normal case of a thin contract: how long it slept does not matter."""
    desk, _ = quoting({**MOMENTUM, "quote.max_half_spread_bps": 5000})
    desk.wait(quiet_ms)
    desk.ticker()
    sign = 1 if up else -1
    desk.delta([(149_999, 0), (149_999 + sign * 50, 10)],
               [(150_001, 0), (150_001 + sign * 50, 10)])
    desk.turn()
    pulled = RemovedReason.REMOVED_MOMENTUM
    assert removed(desk) == ((0, pulled) if up else (pulled, 0))


def test_a_snapshot_is_no_move() -> None:
    desk, _ = quoting({**MOMENTUM, "quote.max_half_spread_bps": 5000, "signals.warmup_s": 0})
    desk.wait(100)
    desk.snapshot(bid=75_500.0, ask=75_501.0)
    desk.ticker(mark=75_500.0)
    desk.turn()
    assert removed(desk) == (0, 0)


def test_a_slow_move_is_no_momentum() -> None:
    desk, _ = quoting(MOMENTUM)
    for i in range(10):
        desk.wait(700)
        desk.ticker()
        desk.delta([(149_999 - 10 * i, 0), (149_989 - 10 * i, 10)],
                   [(150_001 - 10 * i, 0), (149_991 - 10 * i, 10)])
        desk.turn()
        assert removed(desk) == (0, 0)


def test_a_large_taker_pulls_the_side_it_hits_counting_all_its_prints() -> None:
    desk, _ = quoting({"orders.pull_trade_usd": 200_000, **MOMENTUM})
    for _ in range(2):                                      # 2 x 100,000 USD, one taker order
        assert removed(desk) == (0, 0)
        desk.face.trade(0, BID, 150_001, 10_000, desk.now_ns)
        desk.turn()
    assert removed(desk) == (0, RemovedReason.REMOVED_SWEEP)


def test_a_sweep_pulls_both_sides_of_every_instrument() -> None:
    desk, _ = quoting({"signals.sweep_bps": 2.0, **MOMENTUM}, specs=[perpetual(), DATED])
    desk.face.trade(0, BID, 150_001, 10, desk.now_ns)
    desk.face.trade(0, BID, 150_032, 10, desk.now_ns)       # 31 ticks: 2.07 bps
    desk.turn()
    assert removed(desk, 0) == (RemovedReason.REMOVED_SWEEP,) * 2
    assert removed(desk, 1) == (RemovedReason.REMOVED_SWEEP,) * 2


def test_block_prints_are_no_flow() -> None:
    desk, _ = quoting({"orders.pull_trade_usd": 100.0, **MOMENTUM})
    desk.face.trade(0, BID, 150_001, 10_000, desk.now_ns, excluded=True)
    desk.turn()
    assert removed(desk) == (0, 0)


def test_a_strong_signal_removes_the_side_against_it() -> None:
    desk, _ = quoting({"signals.imbalance_threshold": 0.3, "signals.run_trades": 3})
    desk.delta([(149_999, 4000)], [])                       # imbalance 0.6
    for i in range(3):
        desk.turn()
        assert removed(desk) == (0, 0)
        for _ in range(2):              # two prints of one taker order are one event
            desk.face.trade(0, BID, 150_001 + i, 1, desk.now_ns, timestamp_ms=1_000 + i)
    desk.turn()
    assert desk.market.signals.read()["run"] == 3
    assert removed(desk) == (0, RemovedReason.REMOVED_SIGNAL)
    desk.face.trade(0, ASK, 150_001, 1, desk.now_ns, timestamp_ms=2_000)
    desk.turn()
    assert removed(desk) == (0, 0)


def test_touch_that_moves_too_fast_widens_then_pulls() -> None:
    desk, _ = quoting({"signals.top_rate_max": 4.0, "quote.vol_k": 0.0})
    factors = []
    for i in range(5):
        desk.wait(20)
        up = i % 2 == 0
        desk.delta([(150_000, 10 if up else 0)], [])
        desk.turn()
        factors.append(desk.market.why()["spread_factor"])
    assert factors == pytest.approx([1.0, 1.0, 1.0, 1.0, 1.25])
    for i in range(3):
        desk.delta([(150_000, 0 if i % 2 == 0 else 10)], [])
        desk.turn()
    assert removed(desk) == (RemovedReason.REMOVED_TOP_RATE,) * 2
    desk.wait(1200)
    desk.timer()
    assert removed(desk) == (0, 0)


def test_a_fill_pulls_the_other_side_holds_and_staggers() -> None:
    desk, actions = quoting(HOLD)
    bid = next(a for a in actions if a["side"] == BID)
    assert desk.fill(bid, 150)
    desk.update(bid, filled=150, state=1)
    desk.turn()
    assert removed(desk)[ASK] == RemovedReason.REMOVED_HOLD
    desk.wait(1001)
    desk.timer()
    assert removed(desk) == (RemovedReason.REMOVED_HOLD, 0)     # reducing first
    desk.wait(251)
    desk.timer()
    assert removed(desk) == (0, 0)


def test_dust_pulls_nothing() -> None:
    desk, actions = quoting(HOLD)
    desk.fill(next(a for a in actions if a["side"] == BID), 29)     # of 150: under a fifth
    desk.turn()
    assert removed(desk) == (0, 0)


def test_a_price_that_runs_holds_longer() -> None:
    desk, actions = quoting(HOLD)
    desk.fill(next(a for a in actions if a["side"] == BID), 150)
    desk.turn()
    desk.wait(900)
    desk.delta([(149_999, 0), (149_959, 10)], [(150_001, 0), (149_961, 10)])    # 2.7 bps
    desk.wait(200)
    desk.timer()
    assert removed(desk)[ASK] == RemovedReason.REMOVED_HOLD
    desk.wait(1001)
    desk.timer()
    assert removed(desk)[ASK] == 0


def test_fills_in_a_row_shrink_then_pause() -> None:
    desk, actions = quoting({"inventory.fills_in_row_shrink": 2, "inventory.fills_in_row_pause": 3,
                             "inventory.fills_in_row_pause_s": 30.0, "quote.size_btc": 0.002})
    sizes = []
    for _ in range(3):
        bid = next(a for a in actions if a["side"] == BID)
        sizes.append(bid["amount_contracts"])
        desk.fill(bid, bid["amount_contracts"])
        desk.update(bid, filled=bid["amount_contracts"], state=1)
        desk.wait(400)
        actions = desk.turn()
        desk.accept(actions)
    assert sizes[0] == 15
    assert sizes[2] <= 7
    assert removed(desk) == (RemovedReason.REMOVED_FILLS, 0)


def test_dated_contract_is_priced_from_the_perpetual() -> None:
    desk = Desk(specs=[perpetual(), DATED])
    desk.snapshot(bid=76_000.0, ask=76_001.0, market=1)
    desk.turn()
    found = desk.engine.markets[1].signals.read()
    assert found["reference_source"] == "REFERENCE_LEAD"
    basis = found["lead_basis_usd"]
    assert basis == pytest.approx(1000.5)
    desk.wait(10)
    desk.delta([(149_999, 0), (150_009, 1000)], [(150_001, 0), (150_011, 1000)])    # perp + 5
    desk.turn()                                             # its own book has not moved
    assert desk.engine.markets[1].signals.read()["reference_usd"] == pytest.approx(76_005.5)


def test_stand_aside_resumes_lower_and_regime_off_turns_it_off() -> None:
    keys = {"signals.regime": 1.0, "quote.stand_aside_vol": 1.5, "quote.resume_vol": 1.0}
    for on, bits in ((1.0, RemovedReason.REMOVED_VOL), (0.0, 0)):
        desk, _ = quoting({**keys, "signals.regime": on, "quote.max_half_spread_bps": 5000})
        for i in range(15):                 # +-30 USD a second: 4 bps, 2.2 annualised
            desk.wait(1001)
            desk.ticker()
            low, high = (149_999, 150_059) if i % 2 == 0 else (150_059, 149_999)
            desk.delta([(low, 0), (high, 10)], [(low + 2, 0), (high + 2, 10)])
            desk.turn()
        assert 2.0 < desk.market.signals.read()["vol_year"] < 2.5
        assert removed(desk) == (bits, bits)


def test_time_windows() -> None:
    windows = TimeWindows()
    friday = 1 << 4
    windows.replace([(127, -1, 5, 15, 1.2, 1.0, False),
                     (friday, 8 * 3600, 1800, 60, 2.0, 0.5, True)])
    day = 86_400 * SECOND                   # 2 January 1970 was a Friday
    at = {"07:29:59": (1.0, 1.0, False), "07:30:00": (2.0, 0.5, True), "08:00:59": (2.0, 0.5, True),
          "08:01:00": (1.0, 1.0, False), "09:00:14": (1.2, 1.0, False),
          "09:59:54": (1.0, 1.0, False), "09:59:55": (1.2, 1.0, False)}
    for text, expected in at.items():
        h, m, s = (int(part) for part in text.split(":"))
        assert windows.at(day + (h * 3600 + m * 60 + s) * SECOND) == expected, text
    assert windows.at(2 * day + 8 * 3600 * SECOND) == (1.2, 1.0, False)        # Saturday
    with pytest.raises(ValueError, match="at_s"):
        windows.replace([(127, 90_000, 0, 0, 1.0, 1.0, False)])


def test_a_window_that_pulls_reaches_the_quotes() -> None:
    desk = Desk()
    desk.engine.windows.replace([(127, 0, 0, 86_399, 1.0, 1.0, True)])
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=86_400 * SECOND)
    assert desk.turn() == []
    assert removed(desk) == (RemovedReason.REMOVED_WINDOW,) * 2


def test_a_reference_off_index_plus_basis_adds_nothing() -> None:
    desk, _ = quoting({"risk.max_index_deviation_bps": 10, "risk.max_mark_deviation_bps": 500,
                       "quote.max_half_spread_bps": 5000, "signals.basis_half_life_s": 86_400})
    assert removed(desk) == (0, 0)
    desk.wait(200)
    desk.delta([(149_999, 0), (150_199, 10)], [(150_001, 0), (150_201, 10)])    # 13 bps
    desk.turn()
    assert removed(desk) == (RemovedReason.REMOVED_REFERENCE,) * 2


# ------------------------------------------------------------------ a dated contract and its lead
PAIR = {**MOMENTUM, "signals.warmup_s": 0.0, "signals.trending_sides": 0}


def paired(changes: dict[str, float]) -> Desk:
    """Perpetual and dated contract, both quoting."""
    desk, _ = quoting({**PAIR, **changes}, specs=[perpetual(), DATED])
    assert removed(desk, 0) == removed(desk, 1) == (0, 0)
    return desk


def stir(desk: Desk, market: int, contracts: int) -> None:
    """Something far from the touch changes."""
    desk.delta([(149_900, contracts)], [], market=market)


def test_without_its_lead_a_dated_contract_adds_nothing() -> None:
    desk = paired({})
    desk.delta([(150_001, 10)], [])                         # crossed: the book is not to be trusted
    desk.turn()
    assert removed(desk, 1)[BID] & RemovedReason.REMOVED_REFERENCE
    assert removed(desk, 1)[ASK] & RemovedReason.REMOVED_REFERENCE
    assert desk.engine.markets[1].quotes() == ([], [])


def test_with_a_one_sided_lead_a_dated_contract_adds_nothing() -> None:
    desk = paired({})
    desk.delta([], [(150_001, 0)])
    desk.turn()
    stir(desk, 1, 5)
    desk.turn()
    assert removed(desk, 1)[BID] & RemovedReason.REMOVED_REFERENCE
    assert desk.engine.markets[1].quotes() == ([], [])


def test_behind_a_silent_lead_a_dated_contract_adds_nothing() -> None:
    desk = paired({"risk.book_silence_ms": 10_000})
    for i in range(12):
        desk.wait(1_000)
        desk.ticker(0)
        desk.ticker(1)
        stir(desk, 1, 5 + i)                                # its own book is alive
        desk.timer()
    assert removed(desk, 0)[BID] & RemovedReason.REMOVED_STALE
    assert removed(desk, 1) == (RemovedReason.REMOVED_REFERENCE,) * 2


def test_what_pulls_a_side_of_the_lead_pulls_it_in_the_same_turn() -> None:
    desk = paired({"orders.pull_trade_usd": 200_000})
    desk.face.trade(0, BID, 150_001, 20_000, desk.now_ns)   # 200,000 USD: the ask of the perpetual
    desk.turn()
    assert removed(desk, 0) == (0, RemovedReason.REMOVED_SWEEP)
    assert removed(desk, 1) == (0, RemovedReason.REMOVED_SWEEP)


def test_a_fast_touch_of_the_lead_pulls_the_dated_contract() -> None:
    desk = paired({"signals.top_rate_max": 4})
    for i in range(12):
        desk.wait(20)
        step = i % 2
        desk.delta([(149_999, 10 * step), (149_998, 10)], [])
        desk.turn()
    assert removed(desk, 0)[BID] & RemovedReason.REMOVED_TOP_RATE
    assert removed(desk, 1)[BID] & RemovedReason.REMOVED_TOP_RATE


def test_the_refresh_comes_a_fifth_sooner_or_later() -> None:
    desk, _ = quoting({"orders.refresh_s": 1.0, "risk.ticker_stale_ms": 1e9,
                       "risk.book_silence_ms": 1e9, "orders.stale_s": 0})
    desk.timer()
    gaps, last, count = [], desk.now_ns, desk.face.counters()["decisions"]
    while len(gaps) < 30:
        desk.wait(1)
        desk.timer()
        if desk.face.counters()["decisions"] > count:
            count = desk.face.counters()["decisions"]
            gaps.append((desk.now_ns - last) // 1_000_000)
            last = desk.now_ns
    assert 800 <= min(gaps[1:]) < 880, gaps
    assert 1_120 < max(gaps[1:]) <= 1_201, gaps


def test_a_strange_reference_keeps_nobody_in_a_position() -> None:
    desk, _ = quoting({"risk.max_mark_deviation_bps": 50})
    desk.control(ControlKind.CONTROL_POSITION, value=1_000, real=75_000.0)
    desk.ticker(mark=75_500.0)                              # 66 bps above the book
    desk.turn()
    assert removed(desk) == (RemovedReason.REMOVED_REFERENCE,) * 2
    bids, asks = desk.market.quotes()
    assert bids == []
    assert asks
    assert asks[0][0] >= 150_000


def test_one_late_book_message_pulls_in_the_same_event() -> None:
    desk, _ = quoting({"risk.max_feed_lag_ms": 250})
    desk.control(ControlKind.CONTROL_WALL_OFFSET, value=1_700_000_000_000_000_000)
    wall_ms = (desk.now_ns + 1_700_000_000_000_000_000) // 1_000_000
    for late_ms, bits in ((0, 0), (251, RemovedReason.REMOVED_LAG), (10, 0)):
        desk.change_id[0] += 1
        desk.face.frame(desk.now_ns)
        desk.face.book(0, [(149_900, 5 + late_ms)], [], desk.now_ns, change_id=desk.change_id[0],
                       prev_change_id=desk.change_id[0] - 1, timestamp_ms=wall_ms - late_ms)
        desk.turn()
        assert removed(desk) == (bits, bits), late_ms
