"""Deliveries: a contract that expired with a position in it, booked at the venue's own price."""

import logging
from collections.abc import Sequence

from connectors.deribit import endpoints
from connectors.deribit.account_messages import SettlementPage
from connectors.deribit.rpc import Rpc
from connectors.deribit.session import DeribitSession
from mmcore.types import ControlKind, InstrumentSpec

log = logging.getLogger("mm.deribit")


async def book_deliveries(session: DeribitSession, rpc: Rpc, specs: Sequence[InstrumentSpec],
                          wrong: Sequence[tuple[str, int, int]], timeout_s: float) -> int:
    """Book each contract the venue has delivered; return how many were.

    wrong: (instrument, our contracts, the venue's) that differ. Only what has expired, is open
    here and flat there can have been delivered; the venue's history says so, and at what price.
    """
    booked = 0
    now_ms = (session.now_ns() + session.engine.wall_offset_ns) // 1_000_000
    names = [spec.name for spec in specs]
    for name, ours, theirs in wrong:
        market = names.index(name)
        if theirs != 0 or not 0 < specs[market].expiry_ms <= now_ms:
            continue
        page = await rpc.call(
            endpoints.GET_SETTLEMENTS, {"instrument_name": name, "type": "delivery", "count": 1},
            SettlementPage, timeout_s=timeout_s)
        for row in page.settlements:
            if row.instrument_name == name and row.type == "delivery" and row.mark_price > 0:
                log.warning("%s: %d contracts delivered at %s", name, ours, row.mark_price)
                session.control(ControlKind.CONTROL_SETTLED, market, 1, row.mark_price)
                booked += 1
                break
    return booked
