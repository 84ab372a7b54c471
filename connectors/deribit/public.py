"""A venue's public market data over one connection: no orders, no account, nothing private.

`mm record` writes what comes, the paper exchange plays it. Without a key the venue gives books,
trades and tickers every 100 ms; with one, raw: the login then only opens the raw channels.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from connectors.deribit import endpoints
from connectors.deribit.connection import ClientConfig, auth_params, ssl_context_of
from connectors.deribit.instruments import resolve
from connectors.deribit.messages import InstrumentData
from connectors.deribit.rpc import Rpc, RpcError, encode
from connectors.deribit.session import CONNECT_ERRORS, TextListener, open_connection

PUBLIC_SUBSCRIBE = "public/subscribe"
PUBLIC_UNSUBSCRIBE = "public/unsubscribe"
HEARTBEAT_S = 10
DEAD_AFTER_S = 25.0             # two heartbeats without a frame
WIND_DOWN_H = 168.0         # what expiry.min_days asks of a front contract, too
BACKOFF_MIN_S, BACKOFF_MAX_S = 0.2, 30.0
LOST: tuple[type[Exception], ...] = (*CONNECT_ERRORS, RpcError)
log = logging.getLogger("mm.public")


class Chain(msgspec.Struct, gc=False):
    """Of a book message, what its continuity is judged by."""

    type: str
    instrument_name: str
    change_id: int
    prev_change_id: int = 0


class BookParams(msgspec.Struct, gc=False):
    channel: str
    data: Chain


class BookFrame(msgspec.Struct, gc=False):
    params: BookParams


DECODE_BOOK = msgspec.json.Decoder(BookFrame).decode


class PublicFeed:
    """Follows instruments until told to stop; connects again by itself.

    on_frame(payload, recv_ns) gets every market data message as it came, with this machine's wall
    clock. names: instruments or rules, as in [[instrument]]. `chosen` is known once `ready` is set.
    """

    def __init__(self, config: ClientConfig, names: Sequence[str],
                 on_frame: Callable[[bytes, int], None]) -> None:
        self.config = config
        self.names = list(names)
        self.on_frame = on_frame
        self.private = bool(config.client_id)
        self.interval = "raw" if self.private else "100ms"
        self.listed: list[InstrumentData] = []
        self.definitions: list[dict[str, object]] = []     # of the chosen, as the venue told them
        self.chosen: list[InstrumentData] = []
        self.ready = asyncio.Event()
        self.changes: dict[str, int] = {}
        self.frames = 0
        self.bytes = 0
        self.gaps = 0
        self.connections = 0
        self.heard_s = 0.0
        self.listener: TextListener | None = None
        self.rpc: Rpc | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Connect and follow for ever. The first connection's errors are raised."""
        delay_s = BACKOFF_MIN_S
        while True:
            closed = asyncio.Event()
            try:
                await self.open(closed)
                delay_s = BACKOFF_MIN_S
                await self.follow(closed)
            except LOST as error:
                if not self.ready.is_set():
                    raise
                log.warning("market data: %s; again in %.1f s", str(error) or type(error).__name__,
                            delay_s)
            finally:
                self.close()
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, BACKOFF_MAX_S)

    def close(self) -> None:
        """End the connection; nothing happens where there is none."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    async def open(self, closed: asyncio.Event) -> None:
        """Connect, ask what is listed, subscribe."""
        config = self.config
        listener = TextListener(self.take)
        rpc = Rpc(listener.send_text)
        self.listener, self.rpc = listener, rpc
        self.changes.clear()

        def on_closed() -> None:
            rpc.close()
            closed.set()

        listener.on_closed = on_closed
        await open_connection(
            listener, config.url, ssl_context=ssl_context_of(config.url, config.ca_file),
            use_aiofastnet=config.use_aiofastnet, auto_pong=True, proxy=config.proxy)
        self.connections += 1
        self.heard_s = time.monotonic()
        if self.private:
            wall_ms = time.time_ns() // 1_000_000
            await rpc.call(endpoints.AUTH, auth_params(config, wall_ms, str(wall_ms)), object,
                           secret=True)
        await rpc.call(endpoints.SET_HEARTBEAT, {"interval": HEARTBEAT_S}, object)
        if not self.chosen:
            await self.choose(rpc)
        channels = self.channels()
        told = await rpc.call(PUBLIC_SUBSCRIBE, {"channels": channels}, list[str])
        missing = sorted(set(channels) - set(told))
        if missing:
            raise RpcError(PUBLIC_SUBSCRIBE, 0, f"the venue does not give {', '.join(missing)}")
        self.ready.set()

    async def choose(self, rpc: Rpc) -> None:
        """Resolve the names among what the venue lists; ValueError where one is not listed."""
        server_ms = await rpc.call(endpoints.GET_TIME, {}, int)
        for currency in ("BTC", "USDC"):
            raw = await rpc.call(endpoints.GET_INSTRUMENTS,
                                 {"currency": currency, "kind": "future"},
                                 list[dict[str, object]])
            self.definitions += raw
            self.listed += msgspec.convert(raw, list[InstrumentData])
        self.chosen = resolve(self.names, self.listed, server_ms, wind_down_h=WIND_DOWN_H)
        names = {data.instrument_name for data in self.chosen}
        self.definitions = [d for d in self.definitions if d["instrument_name"] in names]

    def channels(self) -> list[str]:
        """Return every public channel that is followed, the books last."""
        names = [data.instrument_name for data in self.chosen]
        wanted = [channel for name in names
                  for channel in endpoints.market_channels(name, self.interval)]
        index = dict.fromkeys(
            f"deribit_price_index.{data.price_index or 'btc_usd'}" for data in self.chosen)
        return [*index, *wanted]

    async def follow(self, closed: asyncio.Event) -> None:
        """Wait for the end of the connection; a silent one is ended."""
        while not closed.is_set():
            try:
                await asyncio.wait_for(closed.wait(), 1.0)
            except TimeoutError:
                if time.monotonic() - self.heard_s > DEAD_AFTER_S:
                    raise TimeoutError("the venue has been silent") from None
        raise ConnectionError("the connection was lost")

    def take(self, raw: bytes) -> None:
        """Sort one message: market data, a heartbeat, or an answer."""
        recv_ns = time.time_ns()
        self.heard_s = time.monotonic()
        if b'"method":"subscription"' in raw[:80] or b'"method":"subscription"' in raw[-80:]:
            self.frames += 1
            self.bytes += len(raw)
            if b'"channel":"book.' in raw:
                self.check_chain(raw)
            self.on_frame(raw, recv_ns)
        elif b'"heartbeat"' in raw[:120]:
            if b'"test_request"' in raw and self.listener is not None:
                self.listener.send_text(encode(1, endpoints.TEST, {}))
        elif self.rpc is not None:
            self.rpc.on_answer(raw)

    def check_chain(self, raw: bytes) -> None:
        """Subscribe a book anew where a message of it is missing."""
        try:
            book = DECODE_BOOK(raw).params
        except msgspec.DecodeError:
            return                      # whoever reads the frame says what is wrong with it
        data = book.data
        last = self.changes.get(data.instrument_name)
        self.changes[data.instrument_name] = data.change_id
        if data.type != "snapshot" and last is not None and data.prev_change_id != last:
            self.gaps += 1
            self.refresh([book.channel])

    def refresh(self, channels: Sequence[str] = ()) -> None:
        """Have snapshots of books sent, of all where none is named; nothing is missed meanwhile."""
        for channel in channels or [c for c in self.channels() if c.startswith("book.")]:
            task = asyncio.ensure_future(self.again(channel))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def again(self, channel: str) -> None:
        """Ask for a fresh snapshot of a book."""
        assert self.rpc is not None
        try:
            await self.rpc.call(PUBLIC_UNSUBSCRIBE, {"channels": [channel]}, list[str])
            await self.rpc.call(PUBLIC_SUBSCRIBE, {"channels": [channel]}, list[str])
        except (RpcError, OSError, TimeoutError) as error:
            log.warning("%s: no fresh snapshot (%s)", channel, error)


def definitions_json(feed: PublicFeed) -> bytes:
    """Return the chosen instruments as a get_instruments reply, which readers look for."""
    return json.dumps({"jsonrpc": "2.0", "result": feed.definitions}).encode()
