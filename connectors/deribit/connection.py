"""What a connection is made of: settings, TLS, login, and questions before there is an engine."""

import hashlib
import hmac
import ssl
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from connectors.deribit import endpoints
from connectors.deribit.messages import InstrumentData
from connectors.deribit.roster import Roster
from connectors.deribit.rpc import Rpc
from connectors.deribit.session import TextListener, open_connection


class Held(msgspec.Struct, frozen=True):
    """What an earlier process of ours held of one instrument, and the last trade it had booked."""

    contracts: int
    average_usd: float
    trade_seq: int  # of that trade; 0: none, then the time counts
    since_ms: int


class QuoteLimits(msgspec.Struct, frozen=True):
    """Limits of the venue's quote protection; each rung is a group of its own."""

    rungs: int
    interval_s: int  # trades of so long count together
    frozen_s: int  # nothing is quoted for so long after it tripped
    quantity_btc: float  # traded within the interval, it trips
    delta_btc: float  # the same of bought less sold; 0: no limit
    max_quote_btc: float  # of one quote; the venue reserves margin for it


class ClientConfig(msgspec.Struct, frozen=True):
    """What a connection needs to know; seconds unless the name says otherwise."""

    url: str
    client_id: str
    client_secret: str
    auth: Literal["client_credentials", "client_signature"] = "client_credentials"
    session_name: str = "mm"
    start_requests: int = 6  # that a new process counts on, of each pool of credits
    ca_file: str | None = None
    currency: str = "BTC"
    interval: Literal["raw", "100ms"] = "raw"
    heartbeat_s: int = 10
    quotes: QuoteLimits | None = None  # orders are sent as mass quotes
    roster: Roster | None = None  # the contracts of the session; None: they never change
    requote_orders: int = 0  # orders of a full requote; 0: not compared with the credits
    position: Literal["adopt", "refuse"] = "adopt"
    held: tuple[Held, ...] = ()  # by market; the trades since are booked at the start
    foreign_orders: Literal["halt", "cancel"] = "halt"
    proxy: str | None = None  # http://[user:password@]host:port
    strict_key: bool = False  # refuse a key that may withdraw, or lacks a scope
    wall_ms: Callable[[], int] | None = None  # this machine's clock, compared with the venue's
    reconcile_s: float = 60.0
    audit_s: float = 300.0  # between two audits of our fills against the venue's trades
    listing_s: float = 60.0  # between two looks at the instruments' definitions
    clock_s: float = 10.0
    dead_after_s: float = 3.0  # a line without a sign of life for so long is given up
    rpc_timeout_s: float = 5.0
    backoff_min_s: float = 0.1
    backoff_max_s: float = 3.0  # a venue that is back is quoted within 5 s
    stop_deadline_s: float = 20.0
    tick_s: float = 0.01  # 0: the caller calls on_tick() itself
    use_aiofastnet: bool | None = None  # False where transports are in memory


def ssl_context_of(url: str, ca_file: str | None) -> ssl.SSLContext | None:
    """Return the verifying TLS context of a wss:// URL, None for ws://."""
    if not url.startswith("wss://"):
        return None
    return ssl.create_default_context(cafile=ca_file)


def auth_params(config: ClientConfig, wall_ms: int, nonce: str,
                session_name: str = "") -> dict[str, Any]:
    """Return the parameters of public/auth for the configured kind of login."""
    params: dict[str, Any] = {"grant_type": config.auth, "client_id": config.client_id,
                              "scope": f"session:{session_name or config.session_name}"}
    if config.auth == "client_credentials":
        return params | {"client_secret": config.client_secret}
    text = f"{wall_ms}\n{nonce}\n"
    signature = hmac.new(config.client_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return params | {"timestamp": wall_ms, "nonce": nonce, "data": "", "signature": signature}


async def fetch_instruments(
    url: str, *, ca_file: str | None = None, timeout_s: float = 5.0, currency: str = "BTC",
    use_aiofastnet: bool | None = None, proxy: str | None = None,
) -> tuple[list[InstrumentData], int]:
    """Ask a venue what it lists, and its time in ms, over a connection of its own.

    Raises one of CONNECT_ERRORS or an RPC error.
    """
    rpc: Rpc
    listener = TextListener(lambda raw: rpc.on_answer(raw))
    rpc = Rpc(listener.send_text)
    listener.on_closed = rpc.close
    await open_connection(listener, url, ssl_context=ssl_context_of(url, ca_file),
                          use_aiofastnet=use_aiofastnet, timeout_s=timeout_s, auto_pong=True,
                          proxy=proxy)
    try:
        server_ms = await rpc.call(endpoints.GET_TIME, {}, int, timeout_s=timeout_s)
        listed: list[InstrumentData] = []
        for name in dict.fromkeys((currency, "USDC")):
            listed += await rpc.call(
                endpoints.GET_INSTRUMENTS, {"currency": name, "kind": "future"},
                list[InstrumentData], timeout_s=timeout_s)
    finally:
        listener.close()
    return listed, server_ms
