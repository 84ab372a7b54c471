"""Trigger orders: the parameters of stop and take orders."""

from __future__ import annotations

from typing import Any

from connectors.sim.wire.errors import RpcError, invalid
from connectors.sim.wire.params import Params
from connectors.sim.wire.venue import Venue

KINDS = {"limit": (0, 0), "market": (1, 0), "stop_limit": (0, 1), "stop_market": (1, 1),
         "take_limit": (0, 2), "take_market": (1, 2)}     # order type, TriggerKind
TRIGGERS = ("mark_price", "index_price", "last_price")


def order_kind(params: Params) -> tuple[int, int]:
    """Return (order type, TriggerKind) of `type`."""
    return KINDS[params.choice("type", tuple(KINDS), "limit")]


def trigger_of(venue: Venue, params: Params, market: int, kind: int) -> dict[str, Any]:
    """Return what `Desk.place` takes for a trigger order, nothing for another."""
    if kind == 0:
        return {}
    by = params.values.get("trigger")
    if by is None:
        raise invalid("trigger", "value required")
    ticks = trigger_ticks(venue, params, market)
    if ticks is None:
        raise invalid("trigger_price", "value required")
    return {"trigger": kind, "trigger_by": TRIGGERS.index(params.choice("trigger", TRIGGERS)),
            "trigger_ticks": ticks}


def trigger_ticks(venue: Venue, params: Params, market: int) -> int | None:
    """Return the trigger price in ticks, None where none is given."""
    price = params.number("trigger_price")
    if price is None:
        return None
    try:
        ticks = venue.desk.instrument(market).ticks(price)
    except ValueError:
        raise RpcError(10044) from None
    if ticks <= 0:
        raise RpcError(10044)
    return ticks
