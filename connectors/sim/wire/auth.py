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
    return hmac_hex(secret, f"{timestamp}\n{nonce}\n{data}")


def hmac_hex(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Auth:
    """Logins of one server.

    Without a pinned client id every id opens an account of its own and any secret is right; a
    signature is then checked for its form and age alone.
    """

    def __init__(self, client_id: str | None, client_secret: str | None, seed: int,
                 expires_s: int = EXPIRES_S) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.expires_s = expires_s
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
        if not isinstance(data, str):
            raise invalid("data", "must be a string")
        self.check_signed(client_id, text, f"{text}\n{nonce}\n{data}", given, t_ns)

    def check_http(self, header: str, method: str, target: str, body: str, t_ns: int) -> str:
        """Check a deri-hmac-sha256 authorization (without its first word); return the client id.

        Signed are time, nonce, method, target with its query, and body, each with a line end.
        """
        fields = dict(part.strip().partition("=")[::2] for part in header.split(","))
        client_id, stamp = fields.get("id", ""), fields.get("ts", "")
        if not client_id:
            raise RpcError(13004)
        text = f"{stamp}\n{fields.get('nonce', '')}\n{method}\n{target}\n{body}\n"
        self.check_signed(client_id, stamp, text, fields.get("sig", ""), t_ns)
        return client_id

    def check_signed(self, client_id: str, stamp: str, text: str, given: str,
                     t_ns: int) -> None:
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 15:
            raise invalid("timestamp", "invalid timestamp")
        if abs(int(stamp) - t_ns // 1_000_000) > SIGNATURE_AGE_MS:
            raise RpcError(13009, data={"reason": "timestamp_expired"})
        if self.client_id is not None and client_id != self.client_id:
            raise RpcError(13004)
        if self.client_secret is not None and not hmac.compare_digest(
                given.encode(), hmac_hex(self.client_secret, text).encode()):
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
                       self.expires_s)
        expires = max(1, min(expires, self.expires_s))
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
    """Does a scope permit a private method? What is not listed is about trading."""
    name = method.partition("/")[2]
    if name in FREE:
        return True
    area = "account" if name in OF_ACCOUNT else "trade"
    words = set(scope.split())
    if f"{area}:read_write" in words:
        return True
    return name.startswith("get_") and f"{area}:read" in words


def may_listen(scope: str, kind: str) -> bool:
    """Does a scope permit a private channel of a kind?"""
    area = "account" if kind in ("portfolio", "lock", "access_log") else "trade"
    return bool({f"{area}:read", f"{area}:read_write"} & set(scope.split()))


FREE = frozenset({"subscribe", "unsubscribe", "unsubscribe_all", "logout"})
OF_ACCOUNT = frozenset({
    "enable_cancel_on_disconnect", "disable_cancel_on_disconnect", "get_cancel_on_disconnect",
    "set_self_trading_config", "get_account_summary", "get_account_summaries", "get_subaccounts",
    "get_transaction_log", "get_access_log"})
