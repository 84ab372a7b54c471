"""Wire messages with our own numbers, and a feed that writes down what it tells the engine."""

from typing import Any

import msgspec

from connectors.deribit.feed import DeribitFeed
from connectors.deribit.labels import Labels
from connectors.deribit.trace import EventTrace
from mmcore.types import InstrumentSpec

LABELS = Labels("mm", run=0xC0FFEE, config=0xABC)
OURS = LABELS.write(0, 10, 7)
Payload = dict[str, Any]


def specs() -> list[InstrumentSpec]:
    return [
        InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10),
        InstrumentSpec("BTC-25JUN27", tick_size=2.5, contract_size=10),
        InstrumentSpec("BTC_USDC-PERPETUAL", tick_size=0.1, contract_size=0.0001, inverse=False),
    ]


def note(channel: str, data: Any) -> Payload:
    return {"jsonrpc": "2.0", "method": "subscription",
            "params": {"channel": channel, "data": data}}


def book(**change: Any) -> Payload:
    data = {"timestamp": 1790000000123, "type": "change", "change_id": 5001,
            "instrument_name": "BTC-PERPETUAL",
            "bids": [["new", 70000.5, 1250.0], ["delete", 69990.0, 0.0]],
            "asks": [["change", 70001, 30]], "prev_change_id": 4900}
    return note("book.BTC-PERPETUAL.raw", data | change)


def ticker(**change: Any) -> Payload:
    data = {"timestamp": 1790000000200, "state": "open", "index_price": 70010.25,
            "instrument_name": "BTC-PERPETUAL", "last_price": 70000.5, "min_price": 68960.0,
            "max_price": 71061.0, "mark_price": 70009.87, "best_bid_price": 70000.0,
            "best_ask_price": None, "current_funding": -1.5e-5, "funding_8h": 0.00002,
            "stats": {"high": 1.0}}
    return note("ticker.BTC-PERPETUAL.raw", data | change)


def trade(**change: Any) -> Payload:
    return {"timestamp": 1790000000300, "price": 70000.5, "amount": 2310.0, "direction": "sell",
            "index_price": 70010.0, "instrument_name": "BTC-PERPETUAL", "trade_seq": 991,
            "mark_price": 70009.0, "tick_direction": 2, "contracts": 231.0,
            "trade_id": "77001"} | change


def trades(*items: Payload) -> Payload:
    return note("trades.BTC-PERPETUAL.raw", list(items) or [trade()])


def order(**change: Any) -> Payload:
    return {"label": OURS, "price": 7.02e4, "user_id": 9, "amount": 400.0, "direction": "sell",
            "time_in_force": "good_til_cancelled", "instrument_name": "BTC-PERPETUAL",
            "web": False, "api": True, "order_id": "7436570", "creation_timestamp": 1790000000000,
            "replaced": False, "filled_amount": 150.0, "last_update_timestamp": 1790000000400,
            "post_only": True, "reduce_only": False, "average_price": 70200.0, "mmp": False,
            "contracts": 40.0, "reject_post_only": True, "order_state": "open",
            "order_type": "limit", "is_liquidation": False, "risk_reducing": False} | change


def own_trade(**change: Any) -> Payload:
    return {"label": OURS, "timestamp": 1790000000399, "state": "open", "price": 70200.0,
            "user_id": 9, "amount": 150.0, "direction": "sell", "index_price": 70190.0,
            "instrument_name": "BTC-PERPETUAL", "trade_seq": 992, "api": True,
            "mark_price": 70195.0, "order_id": "7436570", "matching_id": None,
            "tick_direction": 0, "profit_loss": 0.0, "post_only": True, "reduce_only": False,
            "self_trade": False, "mmp": False, "contracts": 15.0, "trade_id": "77002",
            "fee_currency": "BTC", "fee": -3.2e-7, "order_type": "limit", "liquidity": "M",
            "risk_reducing": False} | change


def position(**change: Any) -> Payload:
    return {"size": -150.0, "kind": "future", "maintenance_margin": 0.0, "initial_margin": 0.0,
            "direction": "sell", "index_price": 70190.0, "instrument_name": "BTC-PERPETUAL",
            "settlement_price": 70100.0, "mark_price": 70195.0, "delta": -0.002,
            "average_price": 70200.0, "floating_profit_loss": 1e-8, "realized_profit_loss": 2e-8,
            "total_profit_loss": 1.5e-7, "realized_funding": -4e-8, "leverage": 50,
            "size_currency": -0.00213} | change


def changes(**change: Any) -> Payload:
    return note("user.changes.BTC-PERPETUAL.raw",
                {"orders": [order()], "instrument_name": "BTC-PERPETUAL",
                 "trades": [own_trade()], "positions": [position()]} | change)


def answer(request_id: int, **body: Any) -> Payload:
    return {"jsonrpc": "2.0", "id": request_id} | body | {
        "usIn": 1790000000000000, "usOut": 1790000000000500, "usDiff": 500, "testnet": True}


def encoded(payload: Payload) -> bytes:
    return msgspec.json.encode(payload)


class Rig:
    """A feed over an EventTrace, and the cold answers it handed on."""

    def __init__(self) -> None:
        self.trace = EventTrace()
        self.feed = DeribitFeed(self.trace, specs(), LABELS)
        self.cold: list[bytes] = []
        self.feed.on_cold = self.cold.append
        self.now = 0

    def __call__(self, payload: Payload | bytes) -> list[tuple[Any, ...]]:
        raw = payload if isinstance(payload, bytes) else encoded(payload)
        self.now += 1000
        self.feed.payload(raw, self.now)
        return self.trace.take()
