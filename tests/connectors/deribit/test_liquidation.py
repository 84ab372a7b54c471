"""The venue looks after our risk itself: the messages that say so pause the engine."""

from typing import Any

import pytest
from deribit_wire import Rig, changes, order, own_trade
from scenario import PRICE, Scenario

from mmcore.states import RiskReason
from mmcore.types import ControlKind

pytestmark = pytest.mark.quick

POSITION_USD = 1_500_000.0
PAUSE = ("control", ControlKind.CONTROL_PAUSE, 0, 0, float(RiskReason.REASON_LIQUIDATION))


@pytest.mark.parametrize("change", [
    {"trades": [own_trade(liquidation="M")]},           # the maker's side, and it is ours
    {"trades": [own_trade(liquidation="MT")]},
    {"trades": [own_trade(liquidity="T", liquidation="T")]},
    {"orders": [order(is_liquidation=True)]},
    {"orders": [order(order_state="cancelled", cancel_reason="risk_mitigation")]},
    {"orders": [order(order_state="cancelled", cancel_reason="autoliquidation")]},
    {"orders": [order(order_state="cancelled", cancel_reason="position_locked")]}])
def test_it_pauses(change: dict[str, Any]) -> None:
    rig = Rig()
    assert PAUSE in rig(changes(**change))
    assert rig.feed.own.liquidations == 1


@pytest.mark.parametrize("change", [
    {}, {"trades": [own_trade(liquidation="T")]},       # somebody else's, met by our quote
    {"orders": [order(order_state="cancelled", cancel_reason="user_request")]}])
def test_what_is_no_liquidation_of_ours_does_not(change: dict[str, Any]) -> None:
    rig = Rig()
    assert PAUSE not in rig(changes(**change))
    assert rig.feed.own.liquidations == 0


def test_on_the_exchange_a_liquidated_maker_stays_paused() -> None:
    """Twenty times the account's money, no rule of ours on, and 4 % against it."""
    off = ("risk.stop_loss_btc=0", "risk.stop_move_pct=0", "risk.day_kill_btc=0",
           "risk.day_soft_btc=0", "risk.margin_use_max=0", "risk.max_leverage=0")
    played = Scenario(lambda s: (PRICE * (0.96 if s >= 5.0 else 1.0), 4_000_000), 20.0,
                      position_usd=POSITION_USD, sets=off).play()
    assert played.maker is not None
    print(played.states, played.reasons, played.maker.session.feed.own.liquidations)
    assert played.maker.session.feed.own.liquidations > 0
    assert played.states[-1] == "paused"
    # the first word on it is the trade of an order that we did not send
    assert played.reasons[-1] in ("liquidation", "foreign")
