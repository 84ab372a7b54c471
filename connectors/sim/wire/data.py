"""Public data beyond the books: summaries, trades by time, funding, charts, names."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from connectors.sim.wire.caller import Caller
from connectors.sim.wire.errors import invalid
from connectors.sim.wire.params import Params
from connectors.sim.wire.prints import candles, newest_trades
from connectors.sim.wire.secondly import RESOLUTIONS
from connectors.sim.wire.venue import Venue

TRADES_REMEMBERED = 65_536
CANDLES_MAX = 5000
CHART_LENGTHS_MS = {"8h": 8 * 3_600_000, "24h": 24 * 3_600_000, "1m": 31 * 24 * 3_600_000}


class PublicData:
    """Handlers of public methods; each takes (caller, params, t_ns) and returns the result."""

    NAMES = (
        "get_book_summary_by_instrument", "get_book_summary_by_currency",
        "get_last_trades_by_instrument", "get_last_trades_by_instrument_and_time",
        "get_last_trades_by_currency", "get_last_trades_by_currency_and_time",
        "get_funding_rate_value", "get_funding_rate_history", "get_funding_chart_data",
        "get_contract_size", "get_delivery_prices", "get_index_price_names",
        "get_supported_index_names", "get_expirations", "get_tradingview_chart_data",
        "get_currencies")

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.exchange = venue.exchange
        self.desk = venue.desk
        self.listings = venue.listings
        self.history = venue.history

    # ---- books and trades
    def summary(self, market: int, t_ns: int) -> dict[str, Any]:
        ticker, listing = self.desk.ticker(market, t_ns), self.listings[market]
        bid, ask = ticker["best_bid_price"], ticker["best_ask_price"]
        view = {
            "high": ticker["stats"]["high"], "low": ticker["stats"]["low"],
            "last": ticker["last_price"], "instrument_name": listing.spec.name,
            "bid_price": bid, "ask_price": ask, "open_interest": ticker["open_interest"],
            "mark_price": ticker["mark_price"], "creation_timestamp": t_ns // 1_000_000,
            "price_change": ticker["stats"]["price_change"],
            "volume": ticker["stats"]["volume"],
            "estimated_delivery_price": ticker["estimated_delivery_price"],
            "base_currency": "BTC", "quote_currency": "USD" if listing.spec.inverse else "USDC",
            "volume_usd": ticker["stats"]["volume_usd"],
            "volume_notional": ticker["stats"]["volume_notional"],
            "mid_price": (bid + ask) / 2 if bid is not None and ask is not None else None}
        if "current_funding" in ticker:
            view |= {"current_funding": ticker["current_funding"],
                     "funding_8h": ticker["funding_8h"]}
        return view

    def get_book_summary_by_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return [self.summary(self.venue.market(params), t_ns)]

    def get_book_summary_by_currency(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return [self.summary(m, t_ns) for m in self.venue.covered(params)]

    def trades(self, params: Params, markets: list[int]) -> dict[str, Any]:
        """Return a page of public trades; the newest alone where no range is asked for."""
        ranged = any(params.values.get(k) is not None for k in (
            "start_seq", "end_seq", "start_timestamp", "end_timestamp", "start_id", "end_id"))
        count = params.integer("count", 10, 1, 1000)
        wanted = TRADES_REMEMBERED if ranged or params.values.get("sorting") else count + 1
        market = markets[0] if len(markets) == 1 else -1
        names = {self.listings[m].spec.name for m in markets}
        return self.venue.page(params, [
            t for t in newest_trades(self.exchange, market, wanted)
            if t["instrument_name"] in names])

    def get_last_trades_by_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.trades(params, [self.venue.market(params)])

    def get_last_trades_by_instrument_and_time(self, caller: Caller, params: Params,
                                               t_ns: int) -> Any:
        params.span(half=True)
        return self.trades(params, [self.venue.market(params)])

    def get_last_trades_by_currency(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.trades(params, self.venue.covered(params))

    def get_last_trades_by_currency_and_time(self, caller: Caller, params: Params,
                                             t_ns: int) -> Any:
        params.span(half=True)
        return self.trades(params, self.venue.covered(params))

    def get_tradingview_chart_data(self, caller: Caller, params: Params, t_ns: int) -> Any:
        first_ms, end_ms = params.span()
        market = self.venue.market(params)
        step_ms = RESOLUTIONS[params.choice("resolution", tuple(RESOLUTIONS))]
        end_ms = min(end_ms, t_ns // 1_000_000)
        first_ms = max(first_ms // step_ms * step_ms, end_ms - CANDLES_MAX * step_ms)
        rows = candles(self.exchange, market, step_ms, first_ms, end_ms)
        columns = list(zip(*rows, strict=True)) if rows else [()] * 7
        ticks, opens, highs, lows, closes, volumes, costs = map(list, columns)
        return {"volume": volumes, "ticks": ticks, "status": "ok" if rows else "no_data",
                "open": opens, "low": lows, "high": highs, "cost": costs, "close": closes}

    # ---- funding
    def perpetual(self, params: Params) -> int:
        market = self.venue.market(params)
        if market not in self.history.funding:
            raise invalid("instrument_name", "must be a perpetual")
        return market

    def get_funding_rate_value(self, caller: Caller, params: Params, t_ns: int) -> float:
        first_ms, end_ms = params.span()
        funding = self.history.funding[self.perpetual(params)]
        return round(funding.paid_at(end_ms) - funding.paid_at(first_ms), 12)

    def get_funding_rate_history(self, caller: Caller, params: Params, t_ns: int) -> Any:
        first_ms, end_ms = params.span()
        hours = list(self.history.funding[self.perpetual(params)].hours)
        return [{"timestamp": hour.end_ms, "index_price": hour.index_usd,
                 "prev_index_price": before.index_usd, "interest_8h": hour.rate_8h,
                 "interest_1h": round(hour.paid - before.paid, 12)}
                for before, hour in pairwise(hours)
                if first_ms < hour.end_ms <= end_ms]

    def get_funding_chart_data(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.perpetual(params)
        length = CHART_LENGTHS_MS[params.choice("length", tuple(CHART_LENGTHS_MS))]
        ticker, since_ms = self.desk.ticker(market, t_ns), t_ns // 1_000_000 - length
        return {"data": [{"timestamp": hour.end_ms, "index_price": hour.index_usd,
                          "interest_8h": hour.rate_8h}
                         for hour in self.history.funding[market].hours
                         if hour.end_ms >= since_ms],
                "interest_8h": ticker["funding_8h"],
                "current_interest": ticker["current_funding"]}

    # ---- names and constants
    def get_contract_size(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return {"contract_size": self.listings[self.venue.market(params)].spec.contract_size}

    def get_delivery_prices(self, caller: Caller, params: Params, t_ns: int) -> Any:
        name = params.text("index_name")
        if self.desk.index_number(name) is None:
            raise invalid("index_name", "index not found")
        offset = params.integer("offset", 0, 0, 1_000_000)
        count = params.integer("count", 10, 1, 1000)
        found = self.venue.delivery_prices(name)
        return {"records_total": len(found), "data": [
            {"date": datetime.fromtimestamp(t_ms / 1000, tz=UTC).strftime("%Y-%m-%d"),
             "delivery_price": price} for t_ms, price in found[offset:offset + count]]}

    def get_index_price_names(self, caller: Caller, params: Params, t_ns: int) -> Any:
        names = list(self.history.indexes)
        if not params.flag("extended"):
            return names
        return [{"name": name, "future_combo_creation_enabled": False,
                 "option_combo_creation_enabled": False} for name in names]

    def get_supported_index_names(self, caller: Caller, params: Params, t_ns: int) -> Any:
        kind = params.choice("type", ("all", "spot", "derivative"), "all")
        return [] if kind == "derivative" else list(self.history.indexes)

    def get_expirations(self, caller: Caller, params: Params, t_ns: int) -> Any:
        kind = params.choice("kind", ("future", "option", "any"))
        markets = self.venue.covered(params) if kind != "option" else []
        stamps = sorted({spec.expiry_ms for spec in (self.listings[m].spec for m in markets)
                         if spec.expiry_ms > t_ns // 1_000_000})
        names = [datetime.fromtimestamp(s / 1000, tz=UTC).strftime("%-d%b%y").upper()
                 for s in stamps]
        perpetual = any(self.listings[m].spec.expiry_ms == 0 for m in markets)
        return {"future": names + (["PERPETUAL"] if perpetual else []), "option": []} \
            if kind == "any" else {kind: names + (["PERPETUAL"] if perpetual else [])}

    def get_currencies(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return [{
            "coin_type": coin, "currency": name, "currency_long": long, "min_confirmations": 1,
            "min_withdrawal_fee": 0.0001, "withdrawal_fee": 0.0001, "withdrawal_priorities": [],
            "network_currency": network, "network_fee": 0.0001, "decimals": decimals,
            "fee_precision": decimals, "in_cross_collateral_pool": True,
        } for coin, name, long, network, decimals in (
            ("BITCOIN", "BTC", "Bitcoin", "BTC", 8), ("ETHER", "USDC", "USD Coin", "ETH", 6))]
