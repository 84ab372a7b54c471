"""What a fresh connection needs before anything else: login, heartbeat, cancel-on-disconnect."""

import asyncio
import random
from typing import Any

from msgspec import Struct

from connectors.deribit import endpoints
from connectors.deribit.connection import ClientConfig, auth_params
from connectors.deribit.messages import AuthResult
from connectors.deribit.reconcile import StartRefusedError
from connectors.deribit.rpc import Rpc
from connectors.deribit.session import DeribitSession

REFRESH_SHARE = 0.8  # of a token's life; it is renewed then
REFRESH_AT_MOST_S = 86_400.0
NEEDED = ("trade:read_write", "account:read_write")
FORBIDDEN = "wallet:read_write"
CLOCK_OFFSET_MAX_MS = 500


class CancelOnDisconnectResult(Struct, gc=False):
    """private/get_cancel_on_disconnect."""

    scope: str
    enabled: bool


class Login:
    """The login of one connection, and its renewal. rng: nonces of signatures."""

    def __init__(self, config: ClientConfig, session: DeribitSession, rpc: Rpc,
                 rng: random.Random, *, session_name: str) -> None:
        self.config = config
        self.session = session
        self.rpc = rpc
        self.session_name = session_name
        self.done = False       # logged in, and a lost connection cancels its orders
        self.refresh_in_s = REFRESH_AT_MOST_S
        self.refreshes = 0
        self._rng = rng
        self._refresh_token = ""

    async def log_in(self) -> None:
        """Authenticate, set the heartbeat, and make sure that a lost connection cancels.

        Raises StartRefusedError for a key or a clock that must not trade.
        """
        config = self.config
        # The signature's clock is the venue's own, whatever ours says.
        server_ms = await self.ask(endpoints.GET_TIME, {}, int)
        if config.wall_ms is not None:
            self.check_clock(config.wall_ms() - server_ms)
        nonce = f"{self._rng.getrandbits(64):016x}"
        result = await self.authenticate(
            auth_params(config, server_ms, nonce, self.session_name))
        if config.strict_key:
            check_scope(result.scope)
        await self.ask(endpoints.SET_HEARTBEAT, {"interval": config.heartbeat_s}, str)
        if self.session.orders:
            await self.confirm_cancel_on_disconnect()
        self.done = True

    async def confirm_cancel_on_disconnect(self) -> None:
        """Switch it on and read it back; StartRefusedError where the venue does not say so."""
        scope = {"scope": "connection"}
        await self.ask(endpoints.ENABLE_CANCEL_ON_DISCONNECT, scope, str)
        told = await self.ask(
            endpoints.GET_CANCEL_ON_DISCONNECT, scope, CancelOnDisconnectResult)
        if not told.enabled:
            raise StartRefusedError(
                "the venue does not confirm cancel-on-disconnect, without which a lost connection "
                "leaves orders behind; start again, and ask the venue's support if it stays so")

    async def ask(self, method: str, params: dict[str, Any], kind: Any) -> Any:
        return await self.rpc.call(method, params, kind, timeout_s=self.config.rpc_timeout_s)

    async def authenticate(self, params: dict[str, Any]) -> AuthResult:
        self.session.redact = True
        try:
            result = await self.rpc.call(endpoints.AUTH, params, AuthResult, secret=True,
                                         timeout_s=self.config.rpc_timeout_s)
        finally:
            self.session.redact = False
        self._refresh_token = result.refresh_token
        self.refresh_in_s = min(REFRESH_SHARE * result.expires_in, REFRESH_AT_MOST_S)
        return result

    async def keep_fresh(self) -> None:
        """Renew the token before it expires, for as long as the connection lives."""
        while True:
            await asyncio.sleep(self.refresh_in_s)
            await self.authenticate(
                {"grant_type": "refresh_token", "refresh_token": self._refresh_token})
            self.refreshes += 1

    def check_clock(self, offset_ms: int) -> None:
        if abs(offset_ms) > CLOCK_OFFSET_MAX_MS:
            raise StartRefusedError(
                f"this machine's clock is {offset_ms} ms off the venue's, more than "
                f"{CLOCK_OFFSET_MAX_MS}; let chrony or ntpd set it (mm doctor shows the offset)")


def check_scope(scope: str) -> None:
    """Refuse a key that may move money out, or may not do what quoting needs."""
    granted = scope.split()
    if FORBIDDEN in granted:
        raise StartRefusedError(
            "this key may withdraw (wallet:read_write); make one with wallet:none")
    missing = [name for name in NEEDED if name not in granted]
    if missing:
        raise StartRefusedError(f"this key lacks {' and '.join(missing)}; grant it at the venue")
