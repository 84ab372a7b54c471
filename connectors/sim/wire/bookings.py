"""One trade as it was booked on an account: what the transaction log is made of."""

from __future__ import annotations

from typing import NamedTuple


class Booking(NamedTuple):
    """A trade of an account and what it left: money in 1e-8, amounts in the contract's unit."""

    t_ms: int
    market: int
    trade_id: int
    order_id: int
    bought: bool
    maker: bool
    closing: bool       # it made the position smaller
    liquidation: bool
    amount: float
    contracts: int
    price: float
    mark_price: float
    index_price: float
    fee_e8: int
    profit_e8: int
    funding_e8: int     # of the position since the last settlement
    balance_e8: int     # of the account, after it
    session_e8: int
    equity: float
    size: float         # the position after it, with its sign
