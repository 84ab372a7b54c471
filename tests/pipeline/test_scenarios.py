"""What a gap, a trend, a crash, an empty book and the settlement cost, on the exchange.

Every test prints its figures; the end is flat or inside the limits, and nothing was liquidated.
"""

from collections.abc import Callable

import pytest
from scenario import PRICE, Scenario

from mmcore.face import EngineFace

LIMIT = "inventory.limit_btc=0.3"
LIMIT_BTC = 0.3
FULL_USD = 22_500.0                     # 0.3 BTC at 75,000


def gap(share: float, at_s: float = 5.0) -> Callable[[float], tuple[float, int]]:
    return lambda s: (PRICE * (1.0 + (share if s >= at_s else 0.0)), 400)


def show(name: str, played: Scenario) -> None:
    """Print the figures; a liquidation would have come as trades nobody here sent."""
    print(f"{name}: worst {played.worst_btc:+.4f} BTC, end {played.profit_btc:+.4f} BTC, "
          f"{played.contracts} contracts left, states {' '.join(played.states)}")
    assert played.maker is not None
    assert EngineFace(played.maker.engine).counters()["foreign_fills"] == 0


def inside(played: Scenario) -> bool:
    return abs(played.contracts) * 10 / PRICE <= LIMIT_BTC * 1.02


@pytest.mark.parametrize(("share", "position", "unhedged"), [
    (-0.05, FULL_USD, -0.0158), (-0.20, FULL_USD, -0.0750), (0.20, -FULL_USD, -0.0500)])
def test_gap_against_a_full_position(share: float, position: float, unhedged: float) -> None:
    played = Scenario(gap(share), 40.0, position_usd=position, sets=(LIMIT,)).play()
    show(f"gap {share:+.0%}, all rules", played)
    # the gap itself cannot be avoided; what follows may cost the slices' slippage and fees
    assert played.worst_btc == pytest.approx(unhedged, abs=1.5e-3)
    assert played.contracts == 0
    assert "reducing" in played.states or "killed" in played.states


@pytest.mark.parametrize("seconds", [
    300.0, pytest.param(3600.0, marks=pytest.mark.campaign)])
def test_one_sided_trend(seconds: float) -> None:
    """One way, 3 % an hour, with takers all the way: never over the limit, loss bounded."""
    played = Scenario(lambda s: (PRICE * (1.0 - 0.03 * s / 3600.0), 400), seconds,
                      sets=(LIMIT, "quote.size_btc=0.02"), print_every_s=1.0).play()
    show(f"trend of {seconds:.0f} s", played)
    assert played.most_btc <= LIMIT_BTC * 1.02
    assert inside(played)
    assert played.worst_btc > -0.05


def test_flash_crash_and_back() -> None:
    def crash(s: float) -> tuple[float, int]:
        if 5.0 <= s < 15.0:             # 8 % down in five seconds, back in five
            return PRICE * (1.0 - 0.08 * (1.0 - abs(s - 10.0) / 5.0)), 100
        return PRICE, 400

    played = Scenario(crash, 40.0, position_usd=FULL_USD, sets=(LIMIT,)).play()
    show("flash crash of 8 % and back", played)
    assert played.worst_btc > -0.03         # unhedged and still: -0.0261 at the bottom
    assert inside(played)


def test_liquidity_gone() -> None:
    played = Scenario(lambda s: (PRICE * (1.0 - (0.07 if s >= 5.0 else 0.0)),
                                 0 if 5.0 <= s < 20.0 else 400), 60.0,
                      position_usd=FULL_USD, sets=(LIMIT,)).play()
    show("no book for 15 s during a gap of 7 %", played)
    assert played.contracts == 0
    assert played.worst_btc > -0.0300       # 0.3 (1 / 0.93 - 1) = -0.0226 and the way out
