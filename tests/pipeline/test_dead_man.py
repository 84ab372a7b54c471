"""The dead-man stop and the blind reduction, at the exchange's own accounts, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from exchange_client import EPOCH_NS, Client, connect, in_virtual_time
from scenario import NAME, PRICE, Scenario, scripted_market

from connectors.deribit.labels import LabelOwner, Labels
from connectors.sim.wire.server import SimConfig, SimServer
from runner.blind import BlindReduction
from runner.deadman import DeadMan, Holding, stop_label, trigger_usd
from runner.rest import VenueError

pytestmark = pytest.mark.quick

FULL_USD = 22_500.0


class WireVenue:
    """The API over a connection without cancel-on-disconnect."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def ask(self, method: str, **params: str | float | bool) -> Any:
        answer = await self.client.call(method, **params)
        if answer is None or "error" in answer:
            raise VenueError(f"{method}: {answer}")
        return answer["result"]


class GuardedScenario(Scenario):
    """A scenario in which somebody keeps the stop; the maker dies at `dies_at_s`."""

    dies_at_s = 1e9
    distance_pct = 5.0
    blind = False

    async def session(self, seconds: float, meanwhile: Any, every_s: float) -> None:
        guarding = asyncio.ensure_future(self.guard())
        try:
            await super().session(seconds, meanwhile, every_s)
        finally:
            guarding.cancel()

    async def guard(self) -> None:
        await asyncio.sleep(2.0)                # the maker is there
        assert self.server is not None
        self.client = await connect(self.server, self.config.venue.client_id or "maker")
        venue = WireVenue(self.client)
        self.deadman = DeadMan(venue, self.config.venue.label_prefix, self.distance_pct)
        reduction = BlindReduction(venue, self.config.venue.label_prefix, keep_btc=0.1,
                                   clip_btc=0.05, cap_bps=50)
        began = self.loop.time()
        alive = True
        while True:
            now = self.loop.time() - began
            if alive:
                await self.deadman.keep()
            if self.blind and now > 10.0:
                await reduction.step()
            if alive and now >= self.dies_at_s:
                alive = False
                self.die()
            await asyncio.sleep(1.0)

    def die(self) -> None:
        """End the maker as kill -9 does: no word, and its connection breaks."""
        assert self.maker is not None
        self.maker.reactor.stop()
        self.maker.client.state = "stopped"
        for task in asyncio.all_tasks(self.loop):
            if task.get_name() == "connection":
                task.cancel()
        self.maker.session.transport.underlying_transport.cut()

    @property
    def orders(self) -> list[Any]:
        """Open orders of the maker's account, at the exchange."""
        assert self.server is not None
        venue = self.server.methods.venue
        account = next(i for i, a in enumerate(self.server.exchange.accounts)
                       if a.client_id == (self.config.venue.client_id or "maker"))
        return list(venue.desk.open_orders(account))

    @property
    def contracts_held(self) -> int:
        """Contracts of the maker's account, at the exchange."""
        assert self.server is not None
        account = next(a for a in self.server.exchange.accounts
                       if a.client_id == (self.config.venue.client_id or "maker"))
        return int(account.position(0)[0])


def stops(orders: list[Any]) -> list[Any]:
    return [o for o in orders if o["label"] == stop_label("mm")]


def test_its_label_is_ours_and_of_no_run() -> None:
    labels = Labels("mm", run=77)
    assert labels.parse(stop_label("mm"))[0] == LabelOwner.LABEL_OTHER_RUN


@pytest.mark.parametrize(("size", "average", "mark", "expected"), [
    (100.0, 75_000.0, 75_000.0, 66_000.0),      # 12 % under the entry
    (-100.0, 75_000.0, 75_000.0, 84_000.0),
    (100.0, 75_000.0, 60_000.0, 59_940.0),      # passed already: the next step down
    (-100.0, 75_000.0, 90_000.0, 90_090.0)])
def test_where_it_stands(size: float, average: float, mark: float, expected: float) -> None:
    assert trigger_usd(Holding(NAME, size, average, mark), 0.12) == pytest.approx(expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_killed_with_a_position_the_stop_stays_and_closes_it(sign: int) -> None:
    """kill -9 at 10 s, the price runs 6 % at 20 s: nobody but the stop is there."""
    def script(s: float) -> tuple[float, int]:
        return PRICE * (1.0 - sign * (0.06 if s >= 20.0 else 0.0)), 400

    seen: dict[str, Any] = {}
    played = GuardedScenario(script, 40.0, position_usd=sign * FULL_USD)
    played.dies_at_s = 10.0

    def look(scenario: Any) -> None:
        if played.maker is None or not hasattr(played, "deadman"):
            return
        at = played.loop.time() - 1000.0
        if 14.0 < at < 18.0:
            seen["orders"], seen["held"] = played.orders, played.contracts_held
        if at > 30.0:
            seen["end"], seen["left"] = played.contracts_held, played.orders

    played.run(40.0, meanwhile=look, every_s=0.5)
    assert abs(seen["held"]) >= 2000
    (stop,) = seen["orders"]                    # cancel-on-disconnect took every quote
    assert stop["order_type"] == "stop_market"
    assert stop["reduce_only"]
    assert stop["amount"] == 10 * abs(seen["held"])
    print(f"stop {stop['direction']} {stop['amount']} at {stop['trigger_price']}; "
          f"after the gap {seen['end']} contracts, {len(seen['left'])} orders")
    assert seen["end"] == 0
    assert seen["left"] == []


def still(_: float) -> tuple[float, int]:
    return PRICE, 400


def kept_by(script: Callable[[WireVenue, DeadMan, Client], Awaitable[None]]) -> None:
    """Run a script with one account, its stop's keeper and a still market."""
    async def main(server: SimServer) -> None:
        client = await connect(server, "maker")
        await client.call("public/subscribe", channels=[f"book.{NAME}.100ms"])
        await asyncio.sleep(0.5)
        venue = WireVenue(client)
        await script(venue, DeadMan(venue, "mm", 12.0), client)

    in_virtual_time(SimConfig(market=scripted_market(still, 120.0, EPOCH_NS), port=9000,
                              http=False, use_aiofastnet=False), main)


async def trade(venue: WireVenue, usd: float) -> None:
    await venue.ask("private/buy" if usd > 0 else "private/sell", instrument_name=NAME,
                    amount=abs(usd), type="market")


def test_it_follows_the_position_and_goes_when_flat() -> None:
    async def script(venue: WireVenue, deadman: DeadMan, _: Client) -> None:
        assert await deadman.keep()
        assert await deadman.orders() == []
        for usd, amount, side in ((1000.0, 1000.0, "sell"), (500.0, 1500.0, "sell"),
                                  (-1200.0, 300.0, "sell"), (-800.0, 500.0, "buy")):
            await trade(venue, usd)
            assert await deadman.keep()
            (stop,) = await deadman.orders()
            assert (stop["amount"], stop["direction"]) == (amount, side)
            assert stop["order_state"] == "untriggered"
        await trade(venue, 500.0)
        assert await deadman.keep()
        assert await deadman.orders() == []

    kept_by(script)


def test_what_a_cancel_all_takes_comes_back_and_a_second_one_goes() -> None:
    async def script(venue: WireVenue, deadman: DeadMan, _: Client) -> None:
        await trade(venue, 1000.0)
        assert await deadman.keep()
        assert await venue.ask("private/cancel_all") == 1
        assert await deadman.keep()
        assert len(await deadman.orders()) == 1
        other = DeadMan(venue, "mm", 12.0)      # as a guard that took its answer for lost
        await other.place(Holding(NAME, 1000.0, PRICE, PRICE))
        assert len(await deadman.orders()) == 2
        assert await deadman.keep()
        assert len(await deadman.orders()) == 1

    kept_by(script)


def test_a_new_guard_takes_over_the_stop_it_finds() -> None:
    async def script(venue: WireVenue, deadman: DeadMan, _: Client) -> None:
        await trade(venue, 1000.0)
        assert await deadman.keep()
        (before,) = await deadman.orders()
        other = DeadMan(venue, "mm", 12.0)
        assert await other.keep()
        assert (other.placed, other.moved, other.removed) == (0, 0, 0)
        assert [o["order_id"] for o in await other.orders()] == [before["order_id"]]
        wider = DeadMan(venue, "mm", 20.0)      # a changed distance moves it
        assert await wider.keep()
        assert (await wider.orders())[0]["trigger_price"] < before["trigger_price"]

    kept_by(script)


def test_the_makers_start_and_its_pauses_leave_the_stop_alone() -> None:
    """A maker starts on it with foreign_orders = "halt", quotes, leaves; the stop is there."""
    seen: dict[str, Any] = {}
    played = GuardedScenario(still, 20.0, position_usd=FULL_USD)
    played.distance_pct = 12.0

    def look(_: Any) -> None:
        if hasattr(played, "deadman") and played.loop.time() - 1000.0 > 15.0:
            seen["stops"], seen["orders"] = stops(played.orders), len(played.orders)
            assert played.maker is not None
            seen["state"] = played.maker.engine.risk.state_name

    played.run(20.0, meanwhile=look, every_s=0.5)
    assert len(seen["stops"]) == 1
    assert seen["orders"] > 1                   # and quotes beside it
    assert seen["state"] != "RISK_PAUSED"
    assert played.verified


@pytest.mark.parametrize("sign", [1, -1])
def test_its_trade_is_ours_and_no_strangers(sign: int) -> None:
    """The stop is nearer than the maker's own rules: it fires while the maker lives."""
    def script(s: float) -> tuple[float, int]:
        return PRICE * (1.0 - sign * (0.03 if s >= 10.0 else 0.0)), 400

    played = GuardedScenario(script, 25.0, position_usd=sign * FULL_USD,
                             sets=("risk.stop_loss_btc=0", "risk.day_kill_btc=0"))
    played.distance_pct = 2.0
    played.play()
    assert played.states
    assert "paused" not in played.states
    assert played.verified
    assert played.maker is not None
    assert played.maker.client.reconciler.mismatches_total == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_blind_with_a_position_reduces_to_what_may_be_held(sign: int) -> None:
    played = GuardedScenario(still, 25.0, position_usd=sign * FULL_USD)
    played.blind, played.dies_at_s, played.distance_pct = True, 5.0, 12.0
    seen: list[int] = []

    def look(_: Any) -> None:
        if hasattr(played, "deadman"):
            seen.append(played.contracts_held)

    played.run(25.0, meanwhile=look, every_s=0.5)
    # 0.1 BTC at 75,000 are 7,500 USD: the last clip ends within a lot of it
    print(f"from {max(seen, key=abs)} to {seen[-1]} contracts")
    assert abs(max(seen, key=abs)) >= 2000
    assert sign * seen[-1] == pytest.approx(750, abs=2)
