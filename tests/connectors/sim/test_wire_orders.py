"""The exchange over real sockets: orders, trades, positions and money of one account and of two."""

from __future__ import annotations

import json

import pytest
from wire_client import PERP, Venue, played


def test_trading_from_order_to_money() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        client = await v.client()
        names = ["user.changes.any.any.raw", "user.orders.future.BTC.raw",
                 f"user.trades.{PERP}.raw", f"trades.{PERP}.100ms"]
        await client.result("private/subscribe", channels=[f"quote.{PERP}", *names])
        got = await client.result("private/buy", instrument_name=PERP, amount=200, price=60000.5,
                                  type="limit", label="first")
        order, (trade,) = got["order"], got["trades"]
        assert list(order) == [
            "label", "price", "user_id", "amount", "direction", "time_in_force",
            "instrument_name", "web", "api", "order_id", "creation_timestamp", "replaced",
            "filled_amount", "last_update_timestamp", "post_only", "reduce_only", "average_price",
            "mmp", "contracts", "order_state", "order_type", "is_liquidation", "risk_reducing"]
        assert (order["order_state"], order["average_price"]) == ("filled", 60000.5)
        assert trade["fee"] == round(200 / 60000.5 * 0.00035, 8)
        assert (trade["liquidity"], trade["state"]) == ("T", "filled")
        changes = await client.note("user.changes.any.any.raw")
        assert changes["orders"] == [order]
        assert changes["trades"] == [trade]
        assert changes["positions"][0]["size"] == 200.0
        assert await client.note("user.orders.future.BTC.raw") == order
        assert await client.note(f"user.trades.{PERP}.raw") == [trade]
        seen = (await client.note(f"trades.{PERP}.100ms"))[0]
        assert (seen["trade_id"], seen["direction"]) == (trade["trade_id"], "buy")

        placed = await client.result("private/sell", instrument_name=PERP, amount=100,
                                     price=60005, post_only=True, reject_post_only=True)
        order_id = placed["order"]["order_id"]
        edited = await client.result("private/edit", order_id=order_id, amount=60, price=60004)
        assert (edited["order"]["price"], edited["order"]["amount"]) == (60004.0, 60.0)
        assert edited["order"]["replaced"] is True
        assert await client.error("private/edit", order_id=order_id, price=60000) == 11054
        assert await client.error("private/cancel", order_id=order_id) == 11044
        assert await client.error("private/cancel", order_id="123") == 10004
        assert (await client.call("private/cancel", order_id="x"))["error"] == {
            "code": -32602, "data": {"reason": "invalid_order_id", "param": "order_id"},
            "message": "Invalid params"}

        for name, value in (("linked_order_type", "one_cancels_other"), ("display_amount", 10),
                            ("type", "trailing_stop"), ("type", "market_limit")):
            refused = (await client.call("private/buy", instrument_name=PERP, amount=20,
                                         price=59000, **{name: value}))["error"]
            assert (refused["code"], refused["data"]["param"]) == (-32602, name)
        for label in ("a", "a", "b"):
            await client.result("private/buy", instrument_name=PERP, amount=10, price=59000,
                                label=label)
        assert await client.error("private/edit_by_label", label="a", instrument_name=PERP,
                                  amount=20) == 13032
        edited = await client.result("private/edit_by_label", label="b", instrument_name=PERP,
                                     amount=20)
        assert edited["order"]["amount"] == 20.0
        assert len(await client.result(
            "private/get_open_orders_by_label", currency="BTC", label="a")) == 2
        assert await client.result("private/cancel_by_label", label="a") == 2
        assert await client.result("private/cancel_all_by_instrument", instrument_name=PERP) == 1
        assert await client.result("private/cancel_all") == 0

        closed = await client.result("private/close_position", instrument_name=PERP,
                                     type="market")
        assert closed["order"]["reduce_only"] is True
        gain = round(200 / 60000.5 - 200 / 60000.0, 8)
        assert closed["trades"][0]["profit_loss"] == gain
        summary = await client.result("private/get_account_summary", currency="BTC",
                                      extended=True)
        fees = trade["fee"] + closed["trades"][0]["fee"]
        assert summary["session_rpl"] == gain
        assert summary["balance"] == pytest.approx(0.9 - fees, abs=1e-12)
        assert summary["equity"] == pytest.approx(0.9 - fees + gain, abs=1e-12)
        assert (await client.result("private/get_position", instrument_name=PERP))["size"] == 0
        history = await client.result("private/get_user_trades_by_instrument",
                                      instrument_name=PERP, count=1)
        assert history["has_more"] is True
        assert history["trades"] == closed["trades"]
        assert await client.result(
            "private/get_user_trades_by_order", order_id=order["order_id"]) == [trade]
        assert [o["order_id"] for o in await client.result(
            "private/get_order_history_by_instrument", instrument_name=PERP)] == [
                closed["order"]["order_id"], order["order_id"]]
        # Every one of our fields, as bytes: some numbers come in scientific notation.
        assert any("e-" in text for text in client.texts)
    played(test)


def test_two_accounts_trade_with_each_other() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        maker, taker = await v.client("maker"), await v.client("taker")
        await maker.result("private/subscribe", channels=["user.trades.any.any.raw"])
        rest = await maker.result("private/sell", instrument_name="BTC-25DEC26", amount=50,
                                  price=60800, post_only=True)
        got = await taker.result("private/buy", instrument_name="BTC-25DEC26", amount=30,
                                 price=60800)
        assert got["order"]["order_state"] == "filled"
        (trade,) = await maker.note("user.trades.any.any.raw")
        assert (trade["liquidity"], trade["direction"], trade["amount"], trade["state"]) == (
            "M", "sell", 30.0, "open")
        state = await maker.result("private/get_order_state",
                                   order_id=rest["order"]["order_id"])
        assert state["filled_amount"] == 30.0
        assert await taker.error("private/get_order_state",
                                 order_id=rest["order"]["order_id"]) == 10004
        assert await taker.error("private/cancel", order_id=rest["order"]["order_id"]) == 10004
    played(test)


def test_cancel_on_disconnect() -> None:
    async def test(v: Venue) -> None:
        v.begin()
        watcher, client = await v.client(), await v.client()
        assert await client.result("private/get_cancel_on_disconnect") == {
            "scope": "connection", "enabled": False}
        assert await client.result("private/enable_cancel_on_disconnect") == "ok"
        assert (await client.result("private/get_cancel_on_disconnect"))["enabled"] is True
        order = {"instrument_name": PERP, "amount": 10, "price": 59000}
        await client.result("private/buy", **order)
        await watcher.result("private/buy", **order)
        await watcher.result("private/subscribe", channels=["user.orders.any.any.raw"])
        await client.socket.close()
        gone = await watcher.note("user.orders.any.any.raw")
        assert gone["cancel_reason"] == "cancel_on_disconnect"
        assert len(await watcher.result("private/get_open_orders")) == 1

        client = await v.client()
        await client.result("private/enable_cancel_on_disconnect", scope="account")
        later = await v.client()
        assert (await later.result("private/get_cancel_on_disconnect"))["enabled"] is True
        await client.result("private/buy", **order)
        await client.socket.send_str(json.dumps({"id": 1, "method": "private/logout"}))
        await client.socket.receive(timeout=5)      # no answer: it is closed
        assert client.socket.closed
        assert len(await watcher.result("private/get_open_orders")) == 2    # logout spares
    played(test)
