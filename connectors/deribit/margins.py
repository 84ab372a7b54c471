"""The initial margin of one BTC of each contract, as the venue itself reckons it."""

from collections.abc import Container, Sequence

from connectors.deribit import endpoints
from connectors.deribit.account_messages import MarginsResult
from connectors.deribit.rpc import Rpc
from connectors.deribit.session import DeribitSession
from mmcore.types import ControlKind, InstrumentSpec


async def read_margins(session: DeribitSession, rpc: Rpc, specs: Sequence[InstrumentSpec],
                       timeout_s: float, over: Container[int] = ()) -> list[float]:
    """Tell the engine the margin per BTC of exposure at each limit; return them, 0: no price yet.

    Asked for an order as large as the limit: the venue's rate grows with the size. over: markets
    that are not asked for any more.
    """
    rates = []
    for market, spec in enumerate(specs):
        engine_market = session.engine.markets[market]
        reading = engine_market.signals.read()
        price = reading["mark_usd"] or reading["reference_usd"]
        rates.append(0.0)
        if price <= 0.0 or market in over:
            continue
        limit_btc = engine_market.params.get("inventory.limit_btc")
        lot = spec.amount(spec.lot_contracts)
        wanted = limit_btc * (price if spec.inverse else 1.0)
        amount = max(lot, round(wanted / lot) * lot)
        told = await rpc.call(
            endpoints.GET_MARGINS, {"instrument_name": spec.name, "amount": amount,
                                    "price": spec.price(spec.round_down(price))},
            MarginsResult, timeout_s=timeout_s)
        margin_btc = max(told.buy, told.sell) / (1.0 if spec.inverse else price)
        rates[-1] = margin_btc / (amount / price if spec.inverse else amount)
        session.control(ControlKind.CONTROL_MARGIN_RATE, market, 0, rates[-1])
    return rates
