"""Python face of the public trades still remembered."""

from typing import Any

from connectors.sim.exchange import Exchange

def newest_trades(exchange: Exchange, market: int, count: int) -> list[dict[str, Any]]: ...
def candles(
    exchange: Exchange, market: int, step_ms: int, first_ms: int, end_ms: int
) -> list[list[float]]: ...
