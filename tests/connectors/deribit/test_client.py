"""The client against the exchange over a real loopback socket."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trustme
from deribit_wire import LABELS
from exchange_client import daytime_clock

from connectors.deribit.client import DeribitClient
from connectors.deribit.connection import ClientConfig, fetch_instruments
from connectors.deribit.encode import Encoder
from connectors.deribit.feed import DeribitFeed
from connectors.deribit.instruments import resolve, spec_of
from connectors.deribit.reconcile import StartRefusedError
from connectors.deribit.session import DeribitSession, DeribitSink
from connectors.sim.market import Listing
from connectors.sim.wire.server import SimConfig, SimServer, serve
from mmcore.engine import Engine
from mmcore.params import Params
from mmcore.types import InstrumentSpec

MS = 1_000_000
MID = 140000  # ticks of 0.5 USD
MARKET_OPEN = 0


PARAMS = {
    "signals.vol_half_life_s": 60.0, "signals.warmup_s": 0.2, "signals.imbalance_levels": 5.0,
    "quote.size_btc": 0.01, "quote.levels": 1.0, "quote.level_spacing_bps": 4.0,
    "quote.base_half_spread_bps": 2.5, "quote.vol_k": 1.0, "quote.horizon_s": 10.0,
    "quote.min_half_spread_usd": 2.5, "quote.max_half_spread_bps": 30.0,
    "quote.max_reference_spread_bps": 20.0, "quote.max_skew_bps": 8.0,
    "orders.requote_bps": 2.0, "orders.retreat_bps": 1.0, "orders.off_center_bps": 10.0,
    "orders.refresh_s": 0.2, "orders.max_updates_per_s": 8.0, "orders.reserve_requests": 6.0,
    "orders.valid_for_ms": 1000.0, "orders.unknown_ms": 1000.0, "orders.max_unanswered": 8.0,
    "inventory.limit_btc": 0.3, "risk.stale_ms": 5000.0, "risk.book_silence_ms": 10000.0,
    "risk.ticker_stale_ms": 6000.0, "risk.max_feed_lag_ms": 500.0,
    "risk.max_mark_deviation_bps": 100.0, "risk.price_collar_bps": 75.0,
    "risk.max_order_usd": 10000.0, "risk.max_open_orders": 20.0,
}


class SmallMarket:
    """Ten levels a side around a mid that steps back and forth every 20 ms."""

    waits_for_book = False

    def __init__(self) -> None:
        self.step = 0

    def instruments(self) -> list[Listing]:
        return [Listing(spec=InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10,
                                            maker_fee=0.00015, taker_fee=0.00035))]

    def start(self, exchange: Any, t_ns: int) -> int:
        exchange.market_state(t_ns, 0, MARKET_OPEN)
        exchange.market_index(t_ns, "btc_usd", MID / 2)
        exchange.market_mark(t_ns, 0, MID / 2)
        for i in range(1, 11):
            exchange.market_set_level(t_ns, 0, 0, MID - 4 * i, 5000)
            exchange.market_set_level(t_ns, 0, 1, MID + 4 * i, 5000)
        return t_ns + 20 * MS

    def advance(self, exchange: Any, t_ns: int) -> int:
        self.step += 1
        exchange.market_set_level(t_ns, 0, 0, MID - 4, 5000 + 10 * (self.step % 7))
        exchange.market_set_level(t_ns, 0, 1, MID + 4, 5000 + 10 * (self.step % 5))
        if self.step % 10 == 0:
            exchange.market_trade(t_ns, 0, self.step // 10 % 2, MID + 4, 5, 0)
        return t_ns + 20 * MS


class Maker:
    """Engine, session and client as they are assembled, over one exchange."""

    def __init__(self, server: SimServer, scheme: str = "ws", **change: Any) -> None:
        self.server = server
        specs = [m.spec for m in server.listings]
        self.engine = Engine(Params(), specs)
        for key, value in PARAMS.items():
            self.engine.configure(key, value)
        feed = DeribitFeed(self.engine, specs, LABELS)
        sink = DeribitSink(self.engine, Encoder(specs, LABELS, mask_seed=7))
        self.engine.attach(sink)
        self.session = DeribitSession(feed, sink)
        settings: dict[str, Any] = {
            "url": f"{scheme}://localhost:{server.ws_port}/ws/api/v2", "client_id": "maker",
            "client_secret": "open sesame", "backoff_min_s": 0.02, "backoff_max_s": 0.1}
        self.client = DeribitClient(ClientConfig(**(settings | change)), self.session, specs,
                                    rng=random.Random(5))

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 - a condition is not an event
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pytest.fail(f"not within {seconds} s: {what}; client {self.client.state}, "
                        f"error {self.client.error!r}, feed {self.session.feed.counts}")

    @property
    def market(self) -> Any:
        return self.engine.markets[0]

    async def open_orders(self) -> list[Any]:
        return await self.client.rpc.call("private/get_open_orders", {}, list[Any])


def with_maker(body: Callable[[Maker], Awaitable[None]], *, tls: dict[str, Any] | None = None,
               **change: Any) -> None:
    """Run a body with an exchange and a client that is already quoting or trying to."""
    async def main() -> None:
        server = await serve(SimConfig(market=SmallMarket(), http=False, host="localhost",
                                       **(tls or {})), daytime_clock())
        maker = Maker(server, "wss" if tls else "ws", **change)
        running = asyncio.ensure_future(maker.client.run())
        try:
            await body(maker)
        finally:
            if maker.client.state != "stopped":
                await maker.client.stop()
            await asyncio.wait([running], timeout=5)
            await server.stop()
        if not running.cancelled() and running.exception() is not None:
            assert isinstance(running.exception(), StartRefusedError)

    asyncio.run(main())


async def quoting(maker: Maker) -> None:
    await maker.until(lambda: maker.client.state == "ready", "ready")
    await maker.until(lambda: maker.market.orders.open_count >= 2, "two orders in the table")
    await maker.until(
        lambda: {r["state"] for r in maker.market.orders.rows()} == {"ORDER_LIVE"}, "all live")


@pytest.mark.parametrize("auth", ["client_credentials", "client_signature"])
def test_quotes_and_leaves_nothing(auth: str) -> None:
    async def body(maker: Maker) -> None:
        await quoting(maker)
        feed = maker.session.feed
        rows = {r["order_id"]: r for r in maker.market.orders.rows()}
        there = {o["order_id"]: o for o in await maker.open_orders()}
        assert set(there) == set(rows)
        for order_id, row in rows.items():
            assert there[order_id]["price"] == row["price_ticks"] / 2
            assert there[order_id]["amount"] == row["amount_contracts"] * 10
            assert there[order_id]["label"] == LABELS.write(0, row["slot"], row["generation"])
        assert maker.engine.equity_btc == pytest.approx(0.9)
        assert abs(maker.engine.wall_offset_ns) > 0
        assert feed.counts["malformed"] == feed.counts["unknown_ids"] == 0
        assert maker.session.exceptions == 0
        assert maker.market.book_gaps == 0
        await maker.until(lambda: maker.market.book_updates > 20, "book updates")
        assert await maker.client.stop() is True
        assert maker.session.transport is None
        await maker.until(lambda: not maker.server.sessions, "the exchange saw it close")

    with_maker(body, auth=auth)


def test_over_tls(tmp_path: Any) -> None:
    ca = trustme.CA()
    cert = ca.issue_cert("localhost")
    cert.private_key_pem.write_to_path(tmp_path / "key.pem")
    for i, blob in enumerate(cert.cert_chain_pems):
        blob.write_to_path(tmp_path / "cert.pem", append=i > 0)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = {"tls_cert": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}

    async def body(maker: Maker) -> None:
        await quoting(maker)

    with_maker(body, tls=tls, ca_file=str(tmp_path / "ca.pem"))

    async def refused(maker: Maker) -> None:
        await maker.until(lambda: maker.client.error is not None, "an error")
        assert "CERTIFICATE" in str(maker.client.error).upper()
        assert maker.client.connects == 0

    with_maker(refused, tls=tls, stop_deadline_s=0.1)


def test_reconnects_and_agrees_before_it_quotes() -> None:
    async def body(maker: Maker) -> None:
        await quoting(maker)
        for round_ in range(3):
            for session in list(maker.server.sessions):
                session.close(1001, b"")
            await maker.until(lambda n=round_: maker.client.connects == n + 2, "connected again")
            await quoting(maker)
            there = {o["order_id"] for o in await maker.open_orders()}
            assert there == {r["order_id"] for r in maker.market.orders.rows()}
        assert maker.session.exceptions == 0
        # What was live when the connection went was unknown until the venue had been asked.
        assert maker.client.reconciler.sweep.queries >= 6
        assert maker.market.orders.invalid_transitions == 0

    with_maker(body)


def test_a_gap_is_mended_by_a_fresh_snapshot() -> None:
    async def body(maker: Maker) -> None:
        await quoting(maker)
        before = maker.client.subscriptions.resyncs
        broken = (b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":'
                  b'"book.BTC-PERPETUAL.raw","data":{"type":"change","timestamp":1,'
                  b'"instrument_name":"BTC-PERPETUAL","change_id":4000000000000000002,'
                  b'"prev_change_id":4000000000000000001,'
                  b'"bids":[],"asks":[]}}}')
        maker.session.feed.payload(broken, maker.session.now_ns())
        assert maker.market.book_gaps == 1
        await maker.until(lambda: maker.client.subscriptions.resyncs == before + 1, "a resync")
        await maker.until(lambda: maker.engine.resync_mask == 0, "a snapshot")
        await quoting(maker)

    with_maker(body)


def test_an_exception_cancels_everything_and_keeps_the_connection() -> None:
    async def body(maker: Maker) -> None:
        await quoting(maker)
        hand_on = maker.session.feed.on_cold

        def broken(raw: bytes) -> None:
            maker.session.feed.on_cold = hand_on
            raise RuntimeError("a mistake of ours")

        maker.session.feed.on_cold = broken
        assert maker.session.send_text(b'{"jsonrpc":"2.0","id":999,"method":"public/test"}')
        await maker.until(lambda: maker.session.exceptions == 1, "the exception")
        await maker.until(lambda: maker.market.orders.open_count == 0, "nothing open")
        assert await maker.open_orders() == []
        await asyncio.sleep(0.3)
        assert await maker.open_orders() == []
        assert (maker.client.connects, maker.client.state) == (1, "ready")

    with_maker(body)


def test_positions_are_compared_and_two_mismatches_pause() -> None:
    async def body(maker: Maker) -> None:
        await quoting(maker)
        assert await maker.client.reconciler.compare_positions() is True
        maker.session.control(5, 0, 7, 70000.0)  # CONTROL_POSITION: what the venue never said
        maker.engine.configure("quote.size_btc", 0.0)
        assert await maker.client.reconciler.compare_positions() is False
        assert await maker.client.reconciler.compare_positions() is False
        assert maker.client.reconciler.mismatches == 2

    with_maker(body)


def test_wrong_secret_is_tried_again_and_said() -> None:
    """So it is with a key of another environment: no order ever leaves on it."""
    async def main() -> None:
        server = await serve(SimConfig(market=SmallMarket(), http=False, client_id="maker",
                                       client_secret="other"), daytime_clock())
        maker = Maker(server, stop_deadline_s=0.1)
        running = asyncio.ensure_future(maker.client.run())
        await maker.until(lambda: maker.client.connects >= 2, "a second attempt")
        assert maker.client.state != "ready"
        assert "public/auth" in str(maker.client.error)
        assert maker.market.orders_new == 0
        assert [account.open_orders for account in server.exchange.accounts
                if account.client_id == "maker"] in ([], [0])
        assert await maker.client.stop() is False
        await asyncio.wait([running], timeout=5)
        await server.stop()

    asyncio.run(main())


def test_a_line_that_ended_before_it_was_asked_hides_no_reason() -> None:
    async def main() -> None:
        server = await serve(SimConfig(market=SmallMarket(), http=False), daytime_clock())
        maker = Maker(server)
        assert maker.client.orders.may_probe(0) is False        # there is no connection to ask
        await maker.client.orders.probe()                       # nor one left when its turn came
        assert maker.client.error is None
        await server.stop()

    asyncio.run(main())


def test_instruments_before_there_is_an_engine() -> None:
    async def main() -> None:
        server = await serve(SimConfig(market=SmallMarket(), http=False), daytime_clock())
        listed, server_ms = await fetch_instruments(f"ws://127.0.0.1:{server.ws_port}/ws/api/v2")
        await server.stop()
        chosen = resolve(["perpetual"], listed, server_ms)
        spec = spec_of(chosen[0])
        assert (spec.name, spec.tick_usd, spec.contract_size, spec.maker_fee) == (
            "BTC-PERPETUAL", 0.5, 10.0, 0.00015)
        assert server_ms > 1_600_000_000_000

    asyncio.run(main())


def test_stop_before_it_ever_connected() -> None:
    async def main() -> None:
        server = await serve(SimConfig(market=SmallMarket(), http=False), daytime_clock())
        maker = Maker(server, stop_deadline_s=0.2)
        await server.stop()
        running = asyncio.ensure_future(maker.client.run())
        await asyncio.sleep(0.05)
        assert await maker.client.stop() is False
        await asyncio.wait([running], timeout=5)
        assert running.done()

    asyncio.run(main())
