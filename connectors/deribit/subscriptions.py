"""Channels we follow: subscribed once, and anew where one has fallen silent or has a gap.

A quiet market is no reason: only a gap in a book, a snapshot that did not come, or a ticker that
the venue sends every 5 s at least and did not.
"""

import asyncio
import logging
from collections.abc import Container, Sequence

from connectors.deribit import endpoints
from connectors.deribit.connection import ClientConfig
from connectors.deribit.link import Link
from connectors.deribit.reconcile import StartRefusedError
from mmcore.types import ControlKind, InstrumentSpec

log = logging.getLogger("mm.deribit")

SUBSCRIBE_PAUSE_S = 0.35  # subscribing costs credits of its own pool, 3.3 a second
RESYNC_PAUSE_S = 1.0  # of one instrument
SNAPSHOT_WAIT_S = 2.0  # after which a book that was subscribed is asked for again
TICKER_AGAIN_S = 6.0  # a ticker asked for anew may take as long as any


class Subscriptions:
    """Subscribes over two links, which may be the same one."""

    def __init__(self, config: ClientConfig, specs: Sequence[InstrumentSpec], orders: Link,
                 data: Link) -> None:
        self.config = config
        self.specs = list(specs)
        self.orders = orders
        self.data = data
        self.over: Container[int] = ()  # markets of which the venue says nothing any more
        self.resyncs = 0
        self.tickers_renewed = 0
        self._resyncing: set[int] = set()
        self._resync_at: dict[int, float] = {}
        self._ticker_at = [0.0] * len(self.specs)   # last subscribed
        self._book_at = [0.0] * len(self.specs)
        self._free_at = 0.0

    async def subscribe(self) -> None:
        """Subscribe everything; StartRefusedError names what the venue left out."""
        config = self.config
        specs = [s for market, s in enumerate(self.specs) if market not in self.over]
        own = [endpoints.own_channel(s.name) for s in specs]
        if config.quotes is not None:
            own += [endpoints.protection_channel(index) for index in dict.fromkeys(
                endpoints.price_index(s.name) for s in specs)]
        market = [c for s in specs for c in endpoints.market_channels(
            s.name, config.interval, ticker=endpoints.quoting_ticker(config.interval))]
        for number in range(len(self.specs)):
            self.orders.session.control(ControlKind.CONTROL_SUBSCRIBED, number)
        market += endpoints.state_channels(config.currency)
        self._ticker_at = [asyncio.get_running_loop().time()] * len(self.specs)
        self._book_at = list(self._ticker_at)
        if self.data is self.orders:
            await self._subscribe_over(self.orders, own + market)
        else:
            await self._subscribe_over(self.orders, own)
            await self._subscribe_over(self.data, market)

    async def _subscribe_over(self, link: Link, channels: list[str]) -> None:
        got = await link.rpc.call(endpoints.SUBSCRIBE, {"channels": channels}, list[str],
                                  timeout_s=self.config.rpc_timeout_s)
        missing = sorted(set(channels) - set(got) - {"platform_state"})
        if missing:
            # Unknown names are dropped without an error, so the answer is compared.
            raise StartRefusedError(f"the venue did not subscribe {', '.join(missing)}")

    def lost(self) -> None:
        """Forget what was under way: the connection has gone."""
        self._resyncing.clear()

    def books_due(self) -> list[int]:
        """Return the markets whose book has a gap and is not asked for yet; they are now."""
        mask = self.orders.session.engine.resync_mask
        due = [market for market in range(len(self.specs) if mask else 0)
               if mask >> market & 1 and market not in self._resyncing
               and market not in self.over]
        self._resyncing.update(due)
        return due

    def snapshots_due(self) -> list[int]:
        """Return the markets whose first snapshot did not come; it is asked for again now."""
        mask = self.orders.session.engine.books_missing()
        now_s = asyncio.get_running_loop().time()
        due = [market for market, asked_s in enumerate(self._book_at if mask else ())
               if mask >> market & 1 and now_s - asked_s > SNAPSHOT_WAIT_S
               and market not in self._resyncing and market not in self.over]
        for market in due:
            log.warning("%s: no book since it was subscribed; asking again",
                        self.specs[market].name)
        self._resyncing.update(due)
        return due

    def tickers_due(self) -> list[int]:
        """Return the markets whose ticker is dead and was not asked for lately; it is now."""
        session = self.orders.session
        mask = session.engine.stale_tickers(session.now_ns())
        now_s = asyncio.get_running_loop().time()
        due = [market for market, asked_s in enumerate(self._ticker_at if mask else ())
               if mask >> market & 1 and now_s - asked_s > TICKER_AGAIN_S
               and market not in self.over]
        for market in due:
            self._ticker_at[market] = now_s
        return due

    async def resync(self, market: int) -> None:
        """Get a fresh snapshot: only unsubscribing first makes the venue send one."""
        loop = asyncio.get_running_loop()
        try:
            begin = max(loop.time(), self._resync_at.get(market, 0.0), self._free_at)
            self._resync_at[market] = begin + RESYNC_PAUSE_S
            self.resyncs += 1
            await self._renew(endpoints.book_channel(
                self.specs[market].name, self.config.interval), begin)
            self._book_at[market] = loop.time()
        finally:
            self._resyncing.discard(market)

    async def renew_ticker(self, market: int) -> None:
        """Subscribe a dead ticker anew."""
        name = self.specs[market].name
        log.warning("%s: no ticker for too long; subscribing anew", name)
        self.tickers_renewed += 1
        channel = endpoints.ticker_channel(name, endpoints.quoting_ticker(self.config.interval))
        await self._renew(channel, max(asyncio.get_running_loop().time(), self._free_at))

    async def _renew(self, channel: str, begin: float) -> None:
        """Unsubscribe and subscribe at a time when the credits of subscribing allow both."""
        self._free_at = begin + 2 * SUBSCRIBE_PAUSE_S
        await asyncio.sleep(begin - asyncio.get_running_loop().time())
        for method in (endpoints.UNSUBSCRIBE, endpoints.SUBSCRIBE):
            await self.data.rpc.call(method, {"channels": [channel]}, list[str],
                                     timeout_s=self.config.rpc_timeout_s)
