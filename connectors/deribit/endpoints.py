"""Where the venue is and what it calls things: URLs, methods, channels."""

import ipaddress
from urllib.parse import urlsplit

WS_PATH = "/ws/api/v2"
REST_PATH = "/api/v2"
VENUES = {
    "prod": "wss://www.deribit.com" + WS_PATH,
    "testnet": "wss://test.deribit.com" + WS_PATH,
}

# Methods, by what they do for us.
AUTH = "public/auth"
GET_TIME = "public/get_time"
TEST = "public/test"
STATUS = "public/status"
SET_HEARTBEAT = "public/set_heartbeat"
GET_INSTRUMENTS = "public/get_instruments"
SUBSCRIBE = "private/subscribe"
UNSUBSCRIBE = "private/unsubscribe"
ENABLE_CANCEL_ON_DISCONNECT = "private/enable_cancel_on_disconnect"
GET_CANCEL_ON_DISCONNECT = "private/get_cancel_on_disconnect"
GET_ACCOUNT_SUMMARY = "private/get_account_summary"
GET_MARGINS = "private/get_margins"
GET_SETTLEMENTS = "private/get_settlement_history_by_instrument"
GET_TRANSACTIONS = "private/get_transaction_log"
GET_POSITIONS = "private/get_positions"
GET_OPEN_ORDERS = "private/get_open_orders"
GET_ORDER_STATE_BY_LABEL = "private/get_order_state_by_label"
GET_USER_TRADES = "private/get_user_trades_by_instrument"
CANCEL = "private/cancel"
CANCEL_ALL = "private/cancel_all"
GET_ORDER_STATE = "private/get_order_state"
GET_OPEN_ORDERS_BY_INSTRUMENT = "private/get_open_orders_by_instrument"
SET_MMP_CONFIG = "private/set_mmp_config"
GET_MMP_CONFIG = "private/get_mmp_config"
GET_MMP_STATUS = "private/get_mmp_status"
RESET_MMP = "private/reset_mmp"
CANCEL_ALL_BY_INSTRUMENT = "private/cancel_all_by_instrument"


def is_loopback(url: str) -> bool:
    """Say whether a URL names this machine: the embedded class of venues."""
    host = urlsplit(url).hostname
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def ws_url(venue: str) -> str:
    """Return the WebSocket URL of `prod`, `testnet` or a ws:// or wss:// URL.

    A URL without a path gets the venue's own. Plain ws:// is for loopback only: keys would
    cross a network in the clear. Raises ValueError naming the remedy.
    """
    if venue in VENUES:
        return VENUES[venue]
    parts = urlsplit(venue)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ValueError(f"venue {venue!r}: expected prod, testnet, ws://host:port or wss://host")
    if parts.scheme == "ws" and not is_loopback(venue):
        raise ValueError(f"venue {venue!r}: use wss://, plain ws:// is for this machine only")
    path = parts.path if parts.path.strip("/") else WS_PATH
    return f"{parts.scheme}://{parts.netloc}{path}"


def rest_url(ws: str) -> str:
    """Return the REST base URL that goes with a WebSocket URL: ws://h:P has http://h:P+1."""
    parts = urlsplit(ws)
    if parts.scheme == "wss":
        return f"https://{parts.netloc}{REST_PATH}"
    if parts.port is None:
        raise ValueError(f"{ws}: a ws:// URL needs a port, its REST port is the next one")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"http://{host}:{parts.port + 1}{REST_PATH}"


def price_index(instrument: str) -> str:
    """Return the name of the index an instrument follows."""
    base = instrument.split("-")[0].lower()
    return base if "_" in base else base + "_usd"


def protection_channel(index: str) -> str:
    """Return the name of the channel that says when quote protection has tripped."""
    return f"user.mmp_trigger.{index}"


def own_channel(instrument: str) -> str:
    """Return the name of the channel of own orders, trades and position."""
    return f"user.changes.{instrument}.raw"


def quoting_ticker(interval: str) -> str:
    """Return the interval a maker's ticker needs where its book comes at `interval`.

    A raw ticker comes with every change of the book, in front of the decision on it; what is taken
    from it (mark, index, funding, state) changes a few times a second.
    """
    return "100ms" if interval == "raw" else interval


def market_channels(instrument: str, interval: str = "raw", *, ticker: str = "") -> list[str]:
    """Return the public channels one instrument is followed by, its book last.

    Trades and tickers before the book, so that the snapshot meets a market already described.
    ticker: its interval, where it is another.
    """
    return [
        f"trades.{instrument}.{interval}",
        ticker_channel(instrument, ticker or interval),
        book_channel(instrument, interval),
    ]


def ticker_channel(instrument: str, interval: str = "raw") -> str:
    """Return the name of the channel of one instrument's mark, index, funding and state."""
    return f"ticker.{instrument}.{interval}"


def book_channel(instrument: str, interval: str = "raw") -> str:
    """Return the name of the incremental book of one instrument."""
    return f"book.{instrument}.{interval}"


def state_channels(currency: str = "BTC") -> list[str]:
    """Return the channels that say whether trading is possible at all."""
    return [f"instrument.state.future.{currency}", "platform_state"]
