"""Deliveries: a contract that expired with a position in it, booked at the venue's own price."""

import logging
from collections.abc import Sequence

from connectors.deribit import endpoints
from connectors.deribit.account_messages import SettlementPage, TransactionPage
from connectors.deribit.rpc import Rpc, RpcClosedError, RpcError
from connectors.deribit.session import DeribitSession
from mmcore.types import ControlKind, InstrumentSpec

log = logging.getLogger("mm.deribit")

DELIVERY = "delivery"
SLACK_MS = 3_600_000        # a delivery may be written down so long after the expiry
LOG_ROWS = 100


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
            endpoints.GET_SETTLEMENTS, {"instrument_name": name, "type": DELIVERY, "count": 1},
            SettlementPage, timeout_s=timeout_s)
        for row in page.settlements:
            if row.instrument_name == name and row.type == DELIVERY and row.mark_price > 0:
                fee_e8 = await delivery_fee_e8(rpc, specs[market], timeout_s)
                log.warning("%s: %d contracts delivered at %s, fee %.8f", name, ours,
                            row.mark_price, fee_e8 * 1e-8)
                session.control(ControlKind.CONTROL_FEE, market, fee_e8)    # before its trip ends
                session.control(ControlKind.CONTROL_SETTLED, market, 1, row.mark_price)
                booked += 1
                break
    return booked


async def delivery_fee_e8(rpc: Rpc, spec: InstrumentSpec, timeout_s: float) -> int:
    """Return what the venue charged for a delivery, in 1e-8; 0 where it does not tell.

    Only its log of transactions has it: weekly contracts are free, others are not.
    """
    currency = "BTC" if spec.inverse else "USDC"
    try:
        page = await rpc.call(
            endpoints.GET_TRANSACTIONS,
            {"currency": currency, "query": DELIVERY, "count": LOG_ROWS,
             "start_timestamp": spec.expiry_ms, "end_timestamp": spec.expiry_ms + SLACK_MS},
            TransactionPage, timeout_s=timeout_s)
    except RpcClosedError:
        raise
    except RpcError as error:
        log.warning("%s: the fee of its delivery is not booked: %s", spec.name, error)
        return 0
    return sum(round(row.commission * 1e8) for row in page.logs
               if row.type == DELIVERY and row.instrument_name == spec.name)
