"""Credentials, tokens and scopes. A secret is compared, never kept beyond its request or logged."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec

from connectors.sim.wire.errors import RpcError, invalid

EXPIRES_S = 31536000
SIGNATURE_AGE_MS = 60_000
DEFAULT_SCOPE = "block_trade:read_write trade:read_write account:read_write wallet:read_write"
GRANTS = ("trade", "account", "wallet", "block_trade")


class Grant(msgspec.Struct):
    """What one pair of tokens stands for."""

    client_id: str
    account: int
    scope: str
    expires_ns: int
    session: str  # name of a session scope; "" dies with its connection
    connection: int  # -1: any


def signature(secret: str, timestamp: str, nonce: str, data: str) -> str:
    """Return the client_signature of a WebSocket login, in lower case hex."""
    text = f"{timestamp}\n{nonce}\n{data}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Auth:
    """Logins of one server.

    Without a pinned client id every id opens an account of its own and any secret is right; a
    signature is then checked for its form and age alone.
    """

    def __init__(self, client_id: str | None, client_secret: str | None, seed: int) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.key = hashlib.sha256(f"tokens of seed {seed}".encode()).digest()
        self.count = 0
        self.grants: dict[str, Grant] = {}
        self.refresh: dict[str, str] = {}  # refresh token -> access token

    def token(self, t_ns: int) -> str:
        """Return a new token, the same for the same seed and requests."""
        self.count += 1
        text = f"{self.count}.{t_ns}".encode()
        digest = hmac.new(self.key, text, hashlib.sha256).hexdigest()
        return f"{t_ns // 1_000_000 + EXPIRES_S * 1000}.1{digest[:8]}.{digest[8:]}"

    def check_secret(self, client_id: str, client_secret: str) -> None:
        """Refuse a login the pinned credentials do not allow."""
        if not client_id:
            raise RpcError(13004)
        if self.client_id is not None and not hmac.compare_digest(
                client_id.encode(), self.client_id.encode()):
            raise RpcError(13004)
        if self.client_secret is not None and not hmac.compare_digest(
                client_secret.encode(), self.client_secret.encode()):
            raise RpcError(13004)

    def check_signature(self, params: dict[str, Any], client_id: str, t_ns: int) -> None:
        """Check a client_signature: form, age, and the signature itself where it can be known."""
        stamp = params.get("timestamp")
        if isinstance(stamp, bool) or not isinstance(stamp, int | str):
            raise invalid("timestamp", "value required")
        given, nonce = params.get("signature"), params.get("nonce", "")
        if not isinstance(given, str) or not isinstance(nonce, str):
            raise invalid("signature", "value required")
        data = params.get("data", "")
        text = str(stamp)
        if not text.isascii() or not text.isdigit() or len(text) > 15 or not isinstance(data, str):
            raise invalid("timestamp", "invalid timestamp")
        if abs(int(text) - t_ns // 1_000_000) > SIGNATURE_AGE_MS:
            raise RpcError(13009, data={"reason": "timestamp_expired"})
        if self.client_id is not None and client_id != self.client_id:
            raise RpcError(13004)
        if self.client_secret is not None and not hmac.compare_digest(
                given.encode(), signature(self.client_secret, text, nonce, data).encode()):
            raise RpcError(13004)
        if len(given) != 64 or not set(given) <= set("0123456789abcdef"):
            raise RpcError(13004)

    def grant(self, client_id: str, account: int, asked: str, connection: int,
              t_ns: int) -> tuple[Grant, dict[str, Any]]:
        """Issue tokens; return the grant and the result of public/auth."""
        words = asked.split()
        session = next((w[8:] for w in words if w.startswith("session:") and len(w) > 8), "")
        expires = next((int(w[8:]) for w in words
                        if w.startswith("expires:") and w[8:].isdecimal() and len(w) < 20),
                       EXPIRES_S)
        expires = max(1, min(expires, EXPIRES_S))
        scope = [f"session:{session}" if session else "connection"]
        for word in DEFAULT_SCOPE.split():
            name = word.partition(":")[0]
            wanted = next((w for w in words if w.partition(":")[0] == name
                           and w.partition(":")[2] in ("read", "read_write", "none")), word)
            if not wanted.endswith(":none"):
                scope.append(wanted)
        grant = Grant(client_id, account, " ".join([*scope, "mainaccount"]),
                      t_ns + expires * 1_000_000_000, session, -1 if session else connection)
        access, refresh = self.token(t_ns), self.token(t_ns)
        self.grants[access] = grant
        self.refresh[refresh] = access
        return grant, {
            "enabled_features": [], "access_token": access, "expires_in": expires,
            "refresh_token": refresh, "scope": grant.scope, "token_type": "bearer"}

    def use_refresh(self, refresh: object) -> Grant:
        """Take a refresh token out of use, with its access token."""
        access = self.refresh.pop(refresh, None) if isinstance(refresh, str) else None
        grant = self.grants.pop(access, None) if access else None
        if grant is None:
            raise RpcError(13009, data={"reason": "invalid_token"})
        return grant

    def by_token(self, token: object, connection: int, t_ns: int) -> Grant:
        """Return what an access token grants on a connection (-1: over HTTP)."""
        grant = self.grants.get(token) if isinstance(token, str) else None
        if grant is None or grant.expires_ns < t_ns or (
                connection >= 0 and grant.connection not in (-1, connection)):
            raise RpcError(13009, data={"reason": "invalid_token"})
        return grant

    def forget(self, connection: int) -> None:
        """Drop connection-scoped tokens with their connection."""
        gone = {t for t, g in self.grants.items() if g.connection == connection}
        self.grants = {t: g for t, g in self.grants.items() if t not in gone}
        self.refresh = {r: a for r, a in self.refresh.items() if a not in gone}


def allows(scope: str, method: str) -> bool:
    """Does a scope permit a private method?"""
    name = method.partition("/")[2]
    words = set(scope.split())
    if name in WRITES_TRADE:
        return "trade:read_write" in words
    if name in WRITES_ACCOUNT:
        return "account:read_write" in words
    if name in READS_TRADE:
        return bool(words & {"trade:read", "trade:read_write"})
    if name in READS_ACCOUNT:
        return bool(words & {"account:read", "account:read_write"})
    return True


WRITES_TRADE = frozenset({
    "buy", "sell", "edit", "edit_by_label", "cancel", "cancel_all", "cancel_all_by_instrument",
    "cancel_all_by_currency", "cancel_by_label", "close_position"})
WRITES_ACCOUNT = frozenset({
    "enable_cancel_on_disconnect", "disable_cancel_on_disconnect", "set_self_trading_config"})
READS_TRADE = frozenset({
    "get_open_orders", "get_open_orders_by_currency", "get_open_orders_by_instrument",
    "get_open_orders_by_label", "get_order_state", "get_order_state_by_label",
    "get_user_trades_by_instrument", "get_user_trades_by_currency", "get_user_trades_by_order",
    "get_order_history_by_instrument", "get_position", "get_positions", "get_margins"})
READS_ACCOUNT = frozenset({"get_account_summary", "get_cancel_on_disconnect"})
