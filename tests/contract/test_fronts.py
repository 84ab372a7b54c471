"""The same actions through the wire front and the direct front: the same outcome of each.

A random session is sent to the wire first, as JSON over a socket in virtual time. What was sent,
when, and what the market did meanwhile is then played into a second exchange of the same seed
through the direct front. Outcomes, order ids, order states, fills with their prices, fees and
profits, trade ids and the account's money must be the same.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from exchange_client import EPOCH_NS, Client, connect, in_virtual_time
from wire_client import StillMarket

from connectors.deribit.labels import Labels
from connectors.sim.direct import FILL_FIELDS, DirectVenue
from connectors.sim.exchange import Exchange
from connectors.sim.latency import Latency
from connectors.sim.wire.desk import Desk
from connectors.sim.wire.server import SimConfig, SimServer
from mmcore.types import ActionKind

NEW, EDIT, CANCEL, CANCEL_MARKET, CANCEL_ALL = (
    ActionKind.ACTION_NEW, ActionKind.ACTION_EDIT, ActionKind.ACTION_CANCEL,
    ActionKind.ACTION_CANCEL_INSTRUMENT, ActionKind.ACTION_CANCEL_ALL)
NAMES = ("BTC-PERPETUAL", "BTC-25DEC26")
TOUCH = (120_000, 120_200)      # best bid of each market, in half dollars
TIMES = ("good_til_cancelled", "immediate_or_cancel", "fill_or_kill")
PENDING = 1
SLOTS = 6
US, S = 1_000, 1_000_000_000


class TwoMarkets(StillMarket):
    """The dated contract has a book as well; what moves is in the script."""

    waits_for_book = False

    def start(self, exchange: Exchange, t_ns: int) -> int | None:
        for market, bid in enumerate(TOUCH):
            for i in range(10):
                exchange.market_set_level(t_ns, market, 0, bid - i, 100)
                exchange.market_set_level(t_ns, market, 1, bid + 1 + i, 100)
        return None


LABELS = Labels("mm", run=7)


def config(seed: int, tier: int = 0) -> SimConfig:
    return SimConfig(market=TwoMarkets(), http=False, use_aiofastnet=False, tier=tier, seed=seed,
                     spread=False, shuffle_replies=False)


def draw(rng: random.Random, orders: dict[int, tuple[int, int]], number: int) -> dict[str, Any]:
    """One action: of an order known by its slot, or a new one; some of them are wrong."""
    market, side = rng.randrange(2), rng.randrange(2)
    offset = rng.choice((-900, -3, -2, -1, 0, 1, 2, 3, 4000))
    action: dict[str, Any] = {
        "kind": NEW, "market": market, "side": side, "slot": rng.randrange(SLOTS),
        "generation": number % 1000, "amount_contracts": rng.randint(1, 60),
        "price_ticks": TOUCH[market] + (offset if side == 0 else 1 - offset),
        "post_only": rng.random() < 0.5, "reduce_only": rng.random() < 0.1,
        "time_in_force": 0, "order_id": 0}
    if not action["post_only"]:
        action["time_in_force"] = rng.choice((0, 0, 1, 2))
    lot = rng.random()
    if orders and lot < 0.55:
        slot = rng.choice(sorted(orders))
        order_id, at = orders[slot]
        action |= {"kind": EDIT if lot < 0.35 else CANCEL, "slot": slot, "order_id": order_id,
                   "market": at, "time_in_force": 0}
        action["price_ticks"] += TOUCH[at] - TOUCH[market]
    elif lot < 0.60:
        action["kind"] = CANCEL_MARKET if lot < 0.58 else CANCEL_ALL
    return action


async def send(client: Client, action: dict[str, Any]) -> Any:
    """Send an action as a client would."""
    name = {"instrument_name": NAMES[action["market"]]}
    amounts = {"amount": action["amount_contracts"] * 10, "price": action["price_ticks"] / 2,
               "post_only": action["post_only"], "reject_post_only": action["post_only"],
               "reduce_only": action["reduce_only"]}
    order = {"order_id": str(action["order_id"])}
    if action["kind"] == NEW:
        label = LABELS.write(action["market"], action["slot"], action["generation"])
        return await client.call(
            "private/buy" if action["side"] == 0 else "private/sell", **name, **amounts,
            label=label, time_in_force=TIMES[action["time_in_force"]])
    if action["kind"] == EDIT:
        return await client.call("private/edit", **order, **amounts)
    if action["kind"] == CANCEL:
        return await client.call("private/cancel", **order)
    if action["kind"] == CANCEL_MARKET:
        return await client.call("private/cancel_all_by_instrument", **name)
    return await client.call("private/cancel_all")


def move(exchange: Exchange, t_ns: int, step: tuple[str, tuple[Any, ...]]) -> None:
    """Do what the market does in a step of the script."""
    name, values = step
    getattr(exchange, name)(t_ns, *values)


def market_step(rng: random.Random) -> tuple[str, tuple[Any, ...]]:
    market, side = rng.randrange(2), rng.randrange(2)
    away = rng.randint(0, 4)
    ticks = TOUCH[market] + (1 + away if side == 0 else -away)      # a buyer takes asks
    if rng.random() < 0.5:
        return "market_trade", (market, side, ticks, rng.randint(1, 150), 0)
    return "market_set_level", (market, 1 - side, ticks, rng.choice((0, 40, 100, 300)))


def over_the_wire(seed: int, actions: int, tier: int) -> tuple[list[Any], Any]:
    """Play a random session; return the script with its outcomes, and what is left at the end."""
    rng = random.Random(seed)
    script: list[Any] = []

    async def session(server: SimServer) -> Any:
        client = await connect(server)
        orders: dict[int, tuple[int, int]] = {}
        for number in range(actions):
            if rng.random() < 0.4:
                step = market_step(rng)
                script.append(("market", server.clock(), step))
                move(server.exchange, server.clock(), step)
            action = draw(rng, orders, number)
            answer = await send(client, action)
            assert answer is not None
            code = answer.get("error", {}).get("code", 0)
            found = answer.get("result")
            order = found.get("order", found) if isinstance(found, dict) else None
            if order is not None and action["kind"] == NEW:
                orders[action["slot"]] = int(order["order_id"]), action["market"]
            elif code == 11044 or (action["kind"] == CANCEL and rng.random() < 0.8):
                orders.pop(action["slot"], None)    # not too often of what is over
            script.append(("action", answer["usIn"] * US, (action, code, order)))
            await asyncio.sleep(rng.choice((0.0, 0.003, 0.05)))
        await asyncio.sleep(1.0)
        ids = sorted({o["order_id"] for kind, _, row in script if kind == "action"
                      for o in (row[2],) if o is not None})
        states = [(await client.call("private/get_order_state", order_id=i))["result"]
                  for i in ids]
        trades = (await client.call("private/get_user_trades_by_currency", currency="BTC",
                                    count=1000, sorting="asc"))["result"]["trades"]
        summary = (await client.call("private/get_account_summary", currency="BTC"))["result"]
        return states, trades, summary, server.clock()

    return script, in_virtual_time(config(seed, tier), session)


def directly(seed: int, tier: int, script: list[Any]) -> tuple[list[int], DirectVenue, Desk]:
    """Play a script into the direct front; return the code of each action, and the venue."""
    market = TwoMarkets()
    exchange = Exchange(seed, tier)
    for listing in market.instruments():
        exchange.add_market(listing.spec, listing.index_name,
                            listing.settlement_period == "perpetual")
    exchange.advance(EPOCH_NS)
    market.start(exchange, EPOCH_NS)
    exchange.refresh_marks(EPOCH_NS)
    account = exchange.open_account("me", EPOCH_NS, 90_000_000, 0, False)
    venue = DirectVenue(exchange, LABELS, [0, 1], account=account, t_ns=EPOCH_NS,
                        entry=Latency.constant(0), response=Latency.constant(0))
    venue.keep_trail = True
    for kind, t_ns, row in script:
        if kind == "market":
            move(exchange, t_ns, row)
        else:
            venue.request(t_ns, **row[0])
    return [entry[-1] for entry in venue.trail], venue, Desk(exchange)


@pytest.mark.parametrize(("seed", "tier"), [(1, 0), (2, 0), (3, 4)])
def test_two_fronts_of_one_exchange(seed: int, tier: int) -> None:
    script, (states, trades, summary, end_ns) = over_the_wire(seed, 260, tier)
    codes, venue, desk = directly(seed, tier, script)
    venue.exchange.advance(end_ns)
    sent = [row for kind, _, row in script if kind == "action"]
    assert len(codes) == len(sent) == 260
    for (action, code, _), direct in zip(sent, codes, strict=True):
        if direct != PENDING:       # a speed bump: the wire answers when it is over
            assert direct == code, action
    assert len({code for _, code, _ in sent}) >= 4, "a session without refusals shows little"
    assert PENDING in codes or tier
    assert (10028 in codes) == (tier > 0)
    assert [desk.order(int(s["order_id"]), venue.account) for s in states] == states
    fills = [dict(zip(FILL_FIELDS, row, strict=True)) for row in venue.fills]
    assert len(fills) == len(trades) >= 10
    for fill, trade in zip(fills, trades, strict=True):
        assert NAMES[fill["market"]] == trade["instrument_name"]
        assert fill["t_ns"] // 1_000_000 == trade["timestamp"]
        assert (fill["price_ticks"] / 2, fill["amount_contracts"] * 10.0) == (
            trade["price"], trade["amount"])
        assert ("buy", "sell")[fill["side"]] == trade["direction"]
        assert ("T", "M")[fill["maker"]] == trade["liquidity"]
        assert fill["fee_e8"] / 1e8 == trade["fee"]
        assert fill["profit_e8"] / 1e8 == trade["profit_loss"]
        assert (str(fill["trade_id"]), str(fill["order_id"])) == (
            trade["trade_id"], trade["order_id"])
        assert (round(fill["mark_usd"], 2), round(fill["index_usd"], 2)) == (
            trade["mark_price"], trade["index_price"])
    balance_e8, session_e8, fees_e8, _ = venue.money(0)
    assert balance_e8 / 1e8 == summary["balance"]
    assert session_e8 / 1e8 == summary["session_rpl"]
    assert fees_e8 == sum(round(trade["fee"] * 1e8) for trade in trades)
