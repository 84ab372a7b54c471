"""Every method and channel a stranger's client may count on, and the ones the docs leave out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from exchange_client import EPOCH_NS, PERP, connect, in_virtual_time

from connectors.sim.market import SyntheticMarket
from connectors.sim.wire.server import SimConfig, SimServer

METHODS = {
    "public": """hello auth test get_time status set_heartbeat disable_heartbeat subscribe
        unsubscribe unsubscribe_all get_instrument get_instruments get_order_book ticker
        get_last_trades_by_instrument get_last_trades_by_instrument_and_time get_index_price
        get_currencies get_funding_rate_value get_funding_rate_history get_contract_size
        get_book_summary_by_instrument get_delivery_prices get_last_settlements_by_instrument
        get_last_settlements_by_currency get_combos get_combo_ids get_combo_details
        get_tradingview_chart_data get_expirations get_index_price_names""",
    "private": """subscribe unsubscribe unsubscribe_all logout enable_cancel_on_disconnect
        disable_cancel_on_disconnect get_cancel_on_disconnect buy sell edit edit_by_label cancel
        cancel_all cancel_all_by_currency cancel_all_by_currency_pair cancel_all_by_instrument
        cancel_all_by_kind_or_type cancel_by_label close_position get_open_orders
        get_open_orders_by_currency get_open_orders_by_instrument get_open_orders_by_label
        get_order_state get_order_state_by_label get_order_history_by_instrument
        get_order_history_by_currency get_user_trades_by_instrument
        get_user_trades_by_instrument_and_time get_user_trades_by_currency
        get_user_trades_by_currency_and_time get_user_trades_by_order get_position get_positions
        get_account_summary get_account_summaries get_margins get_mmp_config set_mmp_config
        reset_mmp get_mmp_status mass_quote cancel_quotes set_self_trading_config
        get_settlement_history_by_instrument get_settlement_history_by_currency
        get_transaction_log get_access_log create_combo get_leg_prices"""}
CHANNELS = [
    f"book.{PERP}.raw", f"book.{PERP}.100ms", f"book.{PERP}.agg2", f"book.{PERP}.none.20.100ms",
    f"book.{PERP}.5.10.agg2", f"quote.{PERP}", f"ticker.{PERP}.raw", f"ticker.{PERP}.100ms",
    f"ticker.{PERP}.agg2", f"incremental_ticker.{PERP}", f"trades.{PERP}.raw",
    "trades.future.BTC.100ms", "trades.any.any.agg2", "trades.future_combo.BTC.raw",
    f"perpetual.{PERP}.100ms", "deribit_price_index.btc_usd", "deribit_price_statistics.btc_usd",
    "estimated_expiration_price.btc_usd", "instrument.state.any.any",
    "instrument.state.future.BTC", "instrument.creation.any.any",
    "instrument.creation.future_combo.BTC", "platform_state",
    "platform_state.public_methods_state", f"chart.trades.{PERP}.1D", "announcements",
    f"user.orders.{PERP}.raw", "user.orders.any.any.raw", "user.orders.future.BTC.100ms",
    f"user.trades.{PERP}.agg2", "user.trades.future_combo.any.raw", f"user.changes.{PERP}.raw",
    "user.changes.any.any.100ms", "user.portfolio.btc", "user.portfolio.any",
    "user.combo_trades.any.any.raw", "user.mmp_trigger.btc_usd", "user.mmp_trigger.any",
    "user.lock", "user.access_log"]
ELSEWHERE = ["book.ETH-PERPETUAL.raw", f"book.{PERP}.3.10.100ms", f"book.{PERP}.none.7.100ms",
             f"chart.trades.{PERP}.2", "user.nothing", "nonsense", "", "trades.spot.BTC.raw",
             "deribit_price_ranking.btc_usd", "user.orders.BTC-1JAN20.raw"]


def run(script: Any, **settings: Any) -> Any:
    return in_virtual_time(SimConfig(
        market=SyntheticMarket(seed=7, now_ns=EPOCH_NS), http=False, use_aiofastnet=False, tier=0,
        **settings), script)


@pytest.fixture(scope="module")
def handlers() -> set[str]:
    server = SimServer(SimConfig(market=SyntheticMarket(seed=7, now_ns=EPOCH_NS)),
                       lambda: EPOCH_NS)
    return set(server.methods.handlers)


@pytest.mark.parametrize("method", [f"{scope}/{name}" for scope, names in METHODS.items()
                                    for name in names.split()])
def test_a_method_is_known(handlers: set[str], method: str) -> None:
    assert method in handlers


def test_channels_are_known_and_strange_ones_left_out() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server)
        return (await client.call("private/subscribe", channels=CHANNELS + ELSEWHERE))["result"]
    assert run(script) == CHANNELS


def test_channels_of_an_account_need_a_login_and_a_scope() -> None:
    async def script(server: SimServer) -> Any:
        stranger, limited = await connect(server, None), await connect(server, None)
        await limited.call("public/auth", grant_type="client_credentials", client_id="me",
                           client_secret="x", scope="trade:read account:none")
        names = ["user.lock", "user.access_log", "user.changes.any.any.100ms"]
        return [(await client.call("public/subscribe", channels=names))["result"]
                for client in (stranger, limited)]
    assert run(script) == [[], ["user.changes.any.any.100ms"]]


def test_logins_are_logged_and_told() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server)
        await client.call("private/subscribe", channels=["user.access_log"])
        await connect(server, "me")
        await connect(server, "other")
        log = (await client.call("private/get_access_log", count=1))["result"]
        return client.data("user.access_log"), log
    told, log = run(script)
    assert [row["log"] for row in told] == ["success"]
    assert log["records_total"] == 2
    assert log["data"] == told


def test_the_log_has_a_pool_of_its_own() -> None:
    async def script(server: SimServer) -> Any:
        client = await connect(server)
        span = {"currency": "BTC", "start_timestamp": 0, "end_timestamp": 2 * 10**12}
        ids = [client.send("private/get_transaction_log", **span) for _ in range(9)]
        await asyncio.sleep(0.1)
        answers = {m["id"]: m for m in client.messages() if "id" in m}
        other = await client.call("private/get_positions", currency="BTC")
        return [answers[i].get("error", {}).get("code") for i in ids], other
    codes, other = in_virtual_time(SimConfig(
        market=SyntheticMarket(seed=7, now_ns=EPOCH_NS), http=False, use_aiofastnet=False,
        tier=4), script)
    assert codes == [None] * 8 + [10028]
    assert other["result"] == []
