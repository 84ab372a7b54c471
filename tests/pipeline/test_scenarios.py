"""What a gap against a full position costs on the exchange, and what state it leads to.

The tests print their figures; nothing may be liquidated.
"""

from collections.abc import Callable

import pytest
from scenario import PRICE, Scenario

from mmcore.face import EngineFace

LIMIT = "inventory.limit_btc=0.3"
FULL_USD = 22_500.0                     # 0.3 BTC at 75,000


def gap(share: float, at_s: float = 5.0) -> Callable[[float], tuple[float, int]]:
    return lambda s: (PRICE * (1.0 + (share if s >= at_s else 0.0)), 400)


def show(name: str, played: Scenario) -> None:
    """Print the figures; a liquidation would have come as trades nobody here sent."""
    print(f"{name}: worst {played.worst_btc:+.4f} BTC, end {played.profit_btc:+.4f} BTC, "
          f"{played.contracts} contracts left, states {' '.join(played.states)}")
    assert played.maker is not None
    assert EngineFace(played.maker.engine).counters()["foreign_fills"] == 0


@pytest.mark.parametrize(("share", "position", "unhedged", "state"), [
    (-0.05, FULL_USD, -0.0158, "reducing"), (-0.20, FULL_USD, -0.0750, "killed"),
    (0.20, -FULL_USD, -0.0500, "killed")])
def test_gap_against_a_full_position(share: float, position: float, unhedged: float,
                                     state: str) -> None:
    played = Scenario(gap(share), 40.0, position_usd=position, sets=(LIMIT,)).play()
    show(f"gap {share:+.0%}, all rules", played)
    # the gap itself cannot be avoided; what follows may cost the slices' slippage and fees
    assert played.worst_btc == pytest.approx(unhedged, abs=1.5e-3)
    assert state in played.states
