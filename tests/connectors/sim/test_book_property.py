"""What is published, against a plain reference of every level and order, under random play."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from connectors.sim.exchange import Exchange
from connectors.sim.wire.broadcast import Broadcast
from connectors.sim.wire.channel import Channel
from connectors.sim.wire.desk import Desk
from mmcore.types import InstrumentSpec

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
STEPS = 6_000


def payload(frame: bytes) -> bytes:
    size = frame[1]
    return frame[2:] if size < 126 else frame[4:] if size == 126 else frame[10:]


class Follower:
    """A subscriber that keeps a dict book and checks the chain of change ids."""

    def __init__(self) -> None:
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.change_id = 0
        self.changes = 0
        self.crossed = 0

    def send_frame(self, frame: bytes) -> None:
        data = msgspec.json.decode(payload(frame))["params"]["data"]
        if data["type"] == "snapshot":
            assert "prev_change_id" not in data
        else:
            assert data["prev_change_id"] == self.change_id
            assert data["change_id"] > self.change_id
            assert data["bids"] or data["asks"]
            self.changes += 1
        self.change_id = data["change_id"]
        for side, name in enumerate(("bids", "asks")):
            book = self.sides[side]
            prices = [row[1] for row in data[name]]
            assert prices == sorted(prices, reverse=side == 0)
            for action, price, amount in data[name]:
                assert (action == "new") == (price not in book)
                if action == "delete":
                    assert amount == 0
                    del book[price]
                else:
                    assert amount > 0
                    assert book.get(price) != amount
                    book[price] = amount
        bids, asks = self.sides
        self.crossed += bool(bids and asks and max(bids) >= min(asks))


def random_step(rng: random.Random, exchange: Exchange, desk: Desk, t: int, middle: int,
                accounts: list[int]) -> None:
    kind = rng.random()
    if kind < 0.55:
        side = rng.randint(0, 1)
        away = rng.randint(-2, 25)
        ticks = middle - away if side == 0 else middle + 1 + away
        exchange.market_set_level(t, 0, side, ticks, rng.choice((0, rng.randint(1, 60))))
    elif kind < 0.75:
        side = rng.randint(0, 1)
        away = rng.randint(-3, 12)
        ticks = middle - away if side == 0 else middle + 1 + away
        desk.place(t, -1, rng.choice(accounts), 0, side, 0, rng.choice((0, 0, 0, 1, 2)), ticks,
                   rng.randint(1, 40))
    elif kind < 0.85:
        exchange.market_trade(t, 0, rng.randint(0, 1), middle + rng.randint(-4, 5),
                              rng.randint(1, 30), 0)
    else:
        account = rng.choice(accounts)
        orders = desk.open_orders(account)
        if orders:
            order = rng.choice(orders)
            if rng.random() < 0.5:
                desk.cancel(t, account, int(order["order_id"]))
            else:
                desk.edit(t, account, int(order["order_id"]),
                          price_ticks=round(order["price"] * 2) + rng.randint(-3, 3),
                          amount_contracts=rng.randint(1, 60))


def check(exchange: Exchange, desk: Desk, accounts: list[int]) -> None:
    """Every level is its liquidity and orders; nothing is crossed; queues hold."""
    queued: dict[tuple[int, int], int] = {}
    for account in accounts:
        for order in desk.open_orders(account):
            side = 0 if order["direction"] == "buy" else 1
            rest = round((order["amount"] - order["filled_amount"]) / 10)
            assert rest > 0
            key = (side, round(order["price"] * 2))
            queued[key] = queued.get(key, 0) + rest
    bids, asks = (dict(exchange.books[0].levels_of(s)) for s in (0, 1))
    if bids and asks:
        assert max(bids) < min(asks)
    for (side, ticks), amount in queued.items():
        assert (bids, asks)[side].get(ticks, 0) >= amount
    for side, book in enumerate((bids, asks)):
        for ticks, amount in book.items():
            assert amount - queued.get((side, ticks), 0) >= 0
            # A subscriber can be told of the recorded part only through the total.
            assert amount > 0


def test_published_book_is_the_book(seed: int) -> None:
    rng = random.Random(seed)
    exchange = Exchange(seed, 0)
    exchange.add_market(InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10,
                                       min_amount=10), "btc_usd", True)
    broadcast, desk = Broadcast(exchange), Desk(exchange)
    accounts = [exchange.open_account(n, T0, 10**15, 0, False) for n in ("a", "b", "c")]
    desk.set_self_trade(accounts[2], 1)
    followers: list[tuple[Follower, Channel]] = []

    def follow(interval: int, name: str, t: int) -> None:
        follower = Follower()
        channel = Channel(f"book.BTC-PERPETUAL.{name}", "book", market=0, interval=interval)
        broadcast.open(channel)
        broadcast.put_first(channel, t, follower)
        channel.sessions.append(follower)
        followers.append((follower, channel))

    t, middle = T0, 120_000
    for interval, name in enumerate(("raw", "100ms", "agg2")):
        follow(interval, name, t)
    for step in range(STEPS):
        t += rng.choice((0, 1000, MS // 2, 3 * MS, 40 * MS))
        middle += rng.choice((0, 0, 0, -1, 1))
        random_step(rng, exchange, desk, t, middle, accounts)
        if step % 50 == 0:
            check(exchange, desk, accounts)
            exchange.advance(t + MS)
            t += MS
            compare(exchange, followers[0][0])
        if step == STEPS // 2:      # a subscriber leaves and another comes
            channel = followers[1][1]
            channel.sessions.clear()
            broadcast.close(channel)
            follow(1, "100ms", t)
    exchange.advance(t + 2_000 * MS)
    for follower, _ in [followers[0], *followers[2:]]:
        compare(exchange, follower)
        assert follower.changes > 50
        assert follower.crossed == 0
    sizes = [exchange.accounts[n].position(0)[0] for n in range(exchange.account_count)]
    assert sum(sizes) == 0
    assert any(sizes)


def compare(exchange: Exchange, follower: Follower) -> None:
    for side in (0, 1):
        told = {round(p * 2): round(a / 10) for p, a in follower.sides[side].items()}
        assert told == dict(exchange.books[0].levels_of(side))


def sink_of(frames: list[bytes]) -> Any:
    class Sink:
        def send_frame(self, frame: bytes) -> None:
            frames.append(frame)
    return Sink()


def test_same_seed_and_same_requests_give_the_same_bytes(seed: int) -> None:
    def play() -> bytes:
        frames: list[bytes] = []
        rng = random.Random(seed)
        exchange = Exchange(seed, 4)
        exchange.add_market(InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10,
                                           min_amount=10, taker_fee=0.00035), "btc_usd", True)
        broadcast, desk = Broadcast(exchange), Desk(exchange)
        accounts = [exchange.open_account(n, T0, 10**12, 0, False) for n in ("a", "b")]
        for name, kind, interval in (
                ("book.BTC-PERPETUAL.raw", "book", 0), ("book.BTC-PERPETUAL.agg2", "book", 2),
                ("trades.BTC-PERPETUAL.raw", "trades", 0), ("quote.BTC-PERPETUAL", "quote", 0),
                ("ticker.BTC-PERPETUAL.100ms", "ticker", 1)):
            channel = Channel(name, kind, market=0, interval=interval)
            broadcast.open(channel)
            channel.sessions.append(sink_of(frames))
        for account in accounts:
            channel = Channel("user.changes.any.any.raw", "user.changes", account=account)
            broadcast.open(channel)
            channel.sessions.append(sink_of(frames))
        t = T0
        for _ in range(1500):
            t += rng.choice((1000, 3 * MS))
            random_step(rng, exchange, desk, t, 120_000, accounts)
        exchange.advance(t + 1_000 * MS)
        return b"\n".join(frames)
    first = play()
    assert len(first) > 100_000
    assert first == play()
