"""One scene on the exchange per signal: what the market does, and what the quotes do then.

At 75,000 USD one bp is 7.5 USD. The quotes stand 2 bps, 15 USD, from the reference.
"""

import pytest
from scripted_market import ASK, BID, Look, Scene, ScriptedMarket

from mmcore.types import RemovedReason

NORMAL = ([74_985.0], [75_015.0])


def removed(look: Look) -> tuple[int, int]:
    bits: tuple[int, int] = look.why["removed"]
    return bits


def more_bids(market: ScriptedMarket) -> None:
    """600 against 200 on each level: an imbalance of 0.5."""
    market.around(market.mid, bid=600, ask=200)


def test_depth_imbalance_moves_both_quotes_towards_the_thin_side() -> None:
    scene = Scene([(2.0, more_bids)], "quote.imbalance_shift_bps=2", seconds=3)
    assert scene.at(1.9).resting == NORMAL
    after = scene.at(2.5)
    assert after.reading["imbalance"] == 0.5
    assert after.why["alpha_terms_usd"]["imbalance"] == pytest.approx(7.5)
    assert after.resting == ([74_992.5], [75_022.5])    # the bid tighter, the ask further (D1)


def test_micro_price_as_reference_follows_the_amounts_at_the_touch() -> None:
    scene = Scene([(2.0, more_bids)], "quote.micro_price=true", seconds=3)
    # 600 : 200 at 74,999.5 and 75,000.5: three quarters of the way up
    assert scene.at(2.5).why["reference_usd"] == 75_000.25
    assert (scene.at(2.5).bids[0][0], scene.at(2.5).asks[0][0]) == (74_985.0, 75_015.5)


def test_a_fitted_micro_price_moves_the_reference_by_its_table() -> None:
    scene = Scene([(2.0, more_bids)], "quote.micro_price=true",
                  "signals.micro_table=[[0, 0], [-4, 4]]", seconds=3)
    assert scene.at(2.5).why["reference_usd"] == 75_002.0       # 4 ticks of 0.5
    assert scene.at(2.5).resting == ([74_986.5], [75_017.5])    # 2 bps of 75,002 and outwards


def test_order_flow_imbalance_shifts_and_fades() -> None:
    """Bids growing by 400 at the touch in one change, in mean touch sizes; half-life 0.5 s."""
    scene = Scene([(2.0, more_bids)], "quote.ofi_shift_bps=1", "signals.ofi_half_life_s=0.5",
                  seconds=5)
    fresh, old = scene.at(2.06), scene.at(4.5)
    assert fresh.why["alpha_terms_usd"]["ofi"] == pytest.approx(7.5, rel=0.05)
    assert fresh.resting[BID][0] > NORMAL[BID][0]
    assert abs(old.why["alpha_terms_usd"]["ofi"]) < 1.0
    assert old.bids[0][0] == pytest.approx(NORMAL[BID][0], abs=1.0)


def test_taker_flow_shifts_where_its_weight_is_set() -> None:
    buys = [(2.0 + 0.1 * i, lambda m: m.trade(BID, 5)) for i in range(3)]
    scene = Scene(buys, "quote.flow_shift_bps=1", "signals.flow_half_life_s=5", seconds=3)
    assert scene.at(2.4).why["alpha_terms_usd"]["flow"] == pytest.approx(7.5, rel=0.05)
    # nobody sold: the whole of it, 15 USD round 75,007.5
    assert scene.at(2.4).resting == ([74_992.5], [75_022.5])


def run_up(market: ScriptedMarket) -> None:
    """A buy, then the touch one tick higher, with bids in the majority."""
    market.trade(BID, 2)
    market.around(market.mid + 1, bid=600, ask=200)


def test_imbalance_and_a_run_of_buys_remove_the_ask() -> None:
    steps = [(2.0 + 0.2 * i, run_up) for i in range(5)]
    scene = Scene(steps, "signals.imbalance_threshold=0.3", "signals.run_trades=4", seconds=3.5)
    assert scene.at(2.3).reading["run"] < 4
    assert removed(scene.at(2.3)) == (0, 0)
    strong = scene.at(2.95)
    assert strong.reading["run"] >= 4
    assert removed(strong) == (0, RemovedReason.REMOVED_SIGNAL)
    assert strong.resting[ASK] == []
    assert len(strong.resting[BID]) == 1


def test_a_large_taker_pulls_the_side_it_hits() -> None:
    """60,000 USD bought at one price in two prints of one order; back after 0.5 s of calm."""
    def large(market: ScriptedMarket) -> None:
        market.trade(BID, 3_000)
        market.trade(BID, 3_000)

    scene = Scene([(2.0, large)], "orders.pull_trade_usd=50000", "orders.momentum_ms=500",
                  seconds=3.5)
    hit = scene.at(2.1)
    assert removed(hit) == (0, RemovedReason.REMOVED_SWEEP)
    assert hit.resting == ([74_985.0], [])
    assert scene.at(3.2).resting == NORMAL


def test_a_block_trade_is_no_flow() -> None:
    scene = Scene([(2.0, lambda m: m.trade(BID, 6_000, flags=1))], "orders.pull_trade_usd=50000",
                  "quote.flow_shift_bps=1", seconds=3)
    assert all(look.resting == NORMAL for look in scene.between(1.5, 3.0))


def test_a_sweep_pulls_both_sides_and_they_return_when_it_is_calm() -> None:
    def swept(market: ScriptedMarket) -> None:
        market.sweep(BID, 75_002.5)
        market.around(market.mid + 6)

    scene = Scene([(2.0, swept)], "signals.sweep_bps=0.2", "orders.momentum_ms=500", seconds=3.5)
    assert removed(scene.at(2.1)) == (RemovedReason.REMOVED_SWEEP,) * 2
    assert scene.at(2.1).resting == ([], [])
    # 2 bps of 75,003 are 15.0006 USD, outwards to the tick
    assert scene.at(3.2).resting == ([74_987.5], [75_018.5])
    assert removed(scene.at(3.2)) == (0, 0)


def test_momentum_pulls_the_side_the_mid_runs_into() -> None:
    """20 USD, 2.7 bps, in 0.2 s where 2 bps in 0.5 s are allowed."""
    steps = [(2.0 + 0.05 * i, lambda m: m.around(m.mid + 10)) for i in range(4)]
    scene = Scene(steps, "orders.momentum_bps=2", "orders.momentum_ms=500", seconds=4)
    assert removed(scene.at(2.3)) == (0, RemovedReason.REMOVED_MOMENTUM)
    assert scene.at(2.3).resting[ASK] == []
    assert removed(scene.at(3.6)) == (0, 0)
    assert len(scene.at(3.6).resting[ASK]) == 1


def flicker(rate: int, seconds: float) -> list[tuple[float, object]]:
    """Touch amounts stay; the best prices change so many times a second."""
    def up(market: ScriptedMarket) -> None:
        market.around(market.mid + 1)

    def down(market: ScriptedMarket) -> None:
        market.around(market.mid - 1)

    return [(2.0 + i / rate, down if i % 2 else up) for i in range(round(rate * seconds))]


@pytest.mark.parametrize(("rate", "bits"), [(8, 0), (30, RemovedReason.REMOVED_TOP_RATE)])
def test_a_fast_touch_widens_and_a_very_fast_one_pulls(rate: int, bits: int) -> None:
    """Each flicker changes both best prices: 16 and 60 changes a second against 10 allowed."""
    scene = Scene(flicker(rate, 1.5), "signals.top_rate_max=10",  # type: ignore[arg-type]
                  seconds=5)
    fast = scene.at(3.2)
    assert removed(fast) == (bits, bits)
    if not bits:
        assert fast.why["spread_factor"] == pytest.approx(1.6, abs=0.25)
        assert fast.why["half_usd"] == pytest.approx(15 * fast.why["spread_factor"], rel=1e-3)
    else:
        assert fast.resting == ([], [])
    assert removed(scene.at(4.9)) == (0, 0)
    assert scene.at(4.9).why["spread_factor"] == 1.0


def test_volatility_widens() -> None:
    """Steps of 5 USD each way at 10 a second; sigma lies near 5 / sqrt(0.1) = 15.8."""
    steps = [(2.0 + 0.1 * i, lambda m, i=i: m.around(m.mid + (10 if i % 2 else -10)))
             for i in range(60)]
    scene = Scene(steps, "quote.vol_k=1", "quote.horizon_s=1", "signals.vol_half_life_s=1",
                  "quote.max_half_spread_bps=100", seconds=8)  # type: ignore[arg-type]
    loud = scene.at(7.5)
    assert 8.0 < loud.why["sigma_usd"] < 20.0
    assert loud.why["half_vol_usd"] == pytest.approx(loud.why["sigma_usd"])
    assert scene.at(1.9).why["half_vol_usd"] == 0.0


def test_a_drought_of_depth_widens() -> None:
    """40 where 200 were: depth at a fifth of its mean, 40 % of the half that counts as drought."""
    scene = Scene([(5.0, lambda m: m.around(m.mid, bid=40, ask=40))],
                  "quote.drought_depth_share=0.5", "quote.drought_widen=1", seconds=6,
                  )
    assert scene.at(4.9).why["drought_usd"] == 0.0
    assert scene.at(5.15).why["drought_usd"] == pytest.approx(15 * 0.6, rel=0.1)
    assert scene.at(5.15).resting[BID][0] < NORMAL[BID][0]


def test_bad_markouts_widen_their_side() -> None:
    """A bid is filled, the mid falls 30 USD and stays: 5 s later the fill was bad by 2 bps."""
    def hit(market: ScriptedMarket) -> None:
        market.sweep(ASK, 74_980.0)
        market.trade(ASK, 200, market.spec.ticks(74_980.0))
        market.around(market.spec.ticks(74_970.0))

    scene = Scene([(2.0, hit)], "quote.markout_widen=1", "quote.markout_fills=1",
                  "quote.max_markout_bps=3", "quote.fee_floor=true", "quote.min_edge_bps=0",
                  seconds=8.5)
    assert scene.at(6.5).why["markout_usd"] == (0.0, 0.0)
    late = scene.at(8.4)
    # filled at 74,985, mid 74,970: -2 bps against the floor of 1.5 bps: 3.5, capped at 3
    assert late.why["markout_usd"][BID] == pytest.approx(3e-4 * late.why["reference_usd"])
    assert late.why["markout_usd"][ASK] == 0.0
    # 37.5 USD; 15 USD less the fifteenth of the limit that the ask would give back
    assert (late.bids[0][0], late.asks[0][0]) == (74_932.5, 74_984.0)


def test_the_round_trip_pads_the_quotes_in_a_moving_market() -> None:
    """The measured round trip of the virtual link is 1 ms: z 10 makes sigma count a third."""
    steps = [(2.0 + 0.1 * i, lambda m, i=i: m.around(m.mid + (10 if i % 2 else -10)))
             for i in range(100)]
    scene = Scene(steps, "quote.latency_z=10", "signals.vol_half_life_s=1", seconds=12)
    late = scene.at(11.5)           # type: ignore[arg-type]
    assert late.why["pad_usd"] > 0.0
    assert late.why["pad_usd"] == pytest.approx(
        10 * late.why["sigma_usd"] * 0.001 ** 0.5, rel=0.3)
