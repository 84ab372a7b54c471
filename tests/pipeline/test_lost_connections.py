"""Connections cut while a fill is on its way: nothing is forgotten, nothing booked twice."""

import random
from collections.abc import Callable

import pytest
from virtual_session import LIVELY, VirtualSession

from connectors.sim.account import Account
from connectors.sim.market import open_market
from runner.config import credentials
from runner.virtual import MemoryTransport, VirtualLoop

SETS = (*LIVELY, "quote.levels=3", "quote.size_btc=0.005")
LOOK_S = 0.002
CUT_EVERY_S = 8.0


class Cutter:
    """Cuts the connection when the exchange counts a position the maker has not heard of yet."""

    def __init__(self) -> None:
        self.cuts = 0
        self.next_s = 0.0
        self.looks = 0

    def look(self, session: VirtualSession) -> None:
        account = account_of(session)
        if account is None:
            return
        assert session.maker is not None
        assert session.server is not None
        self.looks += 1
        market = session.maker.engine.markets[0]
        held, orders = market.position.contracts, market.orders
        venue = account.position(0)[0]
        known = sum(row["state"] != "ORDER_CLOSED" for row in orders.rows())
        assert held - orders.worst(1) <= venue <= held + orders.worst(0)
        assert account.open_orders <= known
        if venue != held and session.loop.time() >= self.next_s:
            self.next_s = session.loop.time() + CUT_EVERY_S
            self.cuts += 1
            next(iter(session.loop.live)).cut()


def account_of(session: VirtualSession) -> Account | None:
    assert session.server is not None
    client_id = credentials(session.config).client_id
    accounts = session.server.exchange.accounts
    return next((a for a in accounts if a.client_id == client_id), None)


@pytest.mark.parametrize("seed", [2, 3])
def test_every_fill_is_booked_once(seed: int) -> None:
    session = VirtualSession(seed=seed, sets=SETS, market=lambda wall_ns: open_market(
        (), seed=seed, regime="volatile", now_ns=wall_ns))
    delays = random.Random(seed)
    session.loop.close()
    session.loop = VirtualLoop(lambda: delays.randrange(500_000, 30_000_000))
    cutter = Cutter()
    session.run(120.0, meanwhile=cutter.look, every_s=LOOK_S)
    assert session.maker is not None
    assert cutter.cuts >= 3
    assert session.maker.client.connects == cutter.cuts + 1
    books_agree(session)


def books_agree(session: VirtualSession) -> None:
    """Compare with the exchange's account to the last digit, and with the replay."""
    account = account_of(session)
    assert session.maker is not None
    assert account is not None
    assert session.verified
    assert account.open_orders == 0
    size, entry, realized_e8, _ = account.position(0)
    position = session.maker.engine.markets[0].position
    assert (position.contracts, position.entry_cost, position.realized_e8, position.fees_e8) == (
        size, entry, realized_e8, account.money()[2])
    assert session.maker.client.reconciler.mismatches_total == 0
    replay = session.replay()
    assert replay.identical, replay.first_difference
    assert replay.engine.markets[0].position.realized_e8 == realized_e8


class Spoiler:
    """Makes every fifth message with own fills unreadable on its way."""

    def __init__(self, deliver: Callable[[MemoryTransport, bytes | None], None]) -> None:
        self.deliver = deliver
        self.seen = 0
        self.spoilt = 0

    def __call__(self, transport: MemoryTransport, data: bytes | None) -> None:
        if data is not None and b'"channel":"user.' in data and b'"liquidity":"M"' in data:
            self.seen += 1
            if self.seen % 5 == 0:
                self.spoilt += 1
                data = data.replace(b'"liquidity":"M"', b'"liquidity":"?"')
        self.deliver(transport, data)


def test_an_unreadable_fill_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    spoiler = Spoiler(MemoryTransport.expect)
    monkeypatch.setattr(MemoryTransport, "expect", lambda *given: spoiler(*given))
    session = VirtualSession(seed=2, sets=SETS, market=lambda wall_ns: open_market(
        (), seed=2, regime="volatile", now_ns=wall_ns))
    session.run(120.0)
    assert session.maker is not None
    assert spoiler.spoilt >= 2
    assert session.maker.client.connects == spoiler.spoilt + 1
    books_agree(session)
