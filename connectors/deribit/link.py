"""One connection to the venue: made, watched for signs of life, ended."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from connectors.deribit import endpoints
from connectors.deribit.connection import ClientConfig, ssl_context_of
from connectors.deribit.login import Login
from connectors.deribit.rpc import Rpc, RpcClosedError, RpcError, RpcTimeoutError
from connectors.deribit.session import DeribitSession, open_connection

log = logging.getLogger("mm.deribit")

CLOSE_S = 2.0  # for the venue to answer a close frame
PROBE_AGAIN_NS = 500_000_000


class Link:
    """A session with its RPC and its login. on_end is called when the connection goes."""

    def __init__(self, config: ClientConfig, session: DeribitSession, *, rng: random.Random,
                 on_end: Callable[[], None], session_name: str, beside: "Link | None" = None
                 ) -> None:
        self.config = config
        self.session = session
        self.rpc: Rpc = Rpc(session.send_text, None if beside is None else beside.rpc)
        self.login = Login(config, session, self.rpc, rng, session_name=session_name)
        self.on_end = on_end
        self.dead_lines = 0     # given up for want of a sign of life
        self._probing = False
        self._probed_ns = 0
        self._frames = 0
        self._heard_ns = 0
        self._ended = asyncio.Event()
        session.on_closed = self.ended

    async def connect(self) -> None:
        """Open the connection; raises one of CONNECT_ERRORS."""
        config = self.config
        self._ended.clear()
        await open_connection(
            self.session, config.url, ssl_context=ssl_context_of(config.url, config.ca_file),
            use_aiofastnet=config.use_aiofastnet, timeout_s=config.rpc_timeout_s,
            proxy=config.proxy)
        self._heard_ns = self.session.now_ns()

    async def disconnect(self) -> None:
        """Close and wait for the end; without patience for a venue that says nothing."""
        self.rpc.close()
        if self.session.transport is None:
            return
        self.session.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._ended.wait()
        except TimeoutError:
            self.session.abort()

    def ended(self) -> None:
        self._probing = False
        self._ended.set()
        self.login.done = False
        self.rpc.close()
        self.on_end()

    # ---------------------------------------------------------------- signs of life
    def is_quiet(self, now_ns: int) -> bool:
        """Say whether nothing has come for a sixth of the time after which a line is dead.

        By default half of risk.stale_ms: on a quiet market the answer keeps the quotes.
        """
        if self.session.transport is None or self.session.frames != self._frames:
            self._frames, self._heard_ns = self.session.frames, now_ns
        return now_ns - self._heard_ns > self.config.dead_after_s / 6 * 1e9

    def may_probe(self, now_ns: int) -> bool:
        """Say whether to ask for a sign of life now; if so, probe() must follow."""
        if (self._probing or self.session.transport is None
                or now_ns - self._probed_ns < PROBE_AGAIN_NS):
            return False
        self._probing, self._probed_ns = True, now_ns
        return True

    async def probe(self) -> None:
        """Ask for a sign of life; without one the connection is ended here and now.

        A half-open line takes every byte and tells nobody; the venue's own test would find it
        out after two heartbeats, with our orders in its book all the while.
        """
        try:
            await self.rpc.call(endpoints.TEST, {}, dict[str, Any],
                                timeout_s=self.config.dead_after_s / 3 * 2)
        except RpcClosedError:
            pass        # it ended meanwhile, and why is said where that was noticed
        except RpcTimeoutError:
            self.dead_lines += 1
            log.error("no sign of life from %s: giving the connection up", self.config.url)
            self.session.abort()
        except RpcError as error:
            log.info("the venue answers, with %s", error)
        finally:
            self._probing = False
