"""The exchange on the wire: WebSocket and HTTP servers, and the clock that drives them."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

import msgspec
import picows
from picows import WSUpgradeRequest

from connectors.sim.exchange import Exchange
from connectors.sim.faults import FaultPlan, Faults
from connectors.sim.market import Follower, Listing, Market
from connectors.sim.wire.auth import Auth
from connectors.sim.wire.broadcast import Broadcast
from connectors.sim.wire.channels import Subscriptions
from connectors.sim.wire.codes import CODES
from connectors.sim.wire.desk import Desk
from connectors.sim.wire.errors import RpcError
from connectors.sim.wire.history import History
from connectors.sim.wire.http import HttpFront
from connectors.sim.wire.methods import REQUEST_MAX, Methods
from connectors.sim.wire.peek import id_of, method_of
from connectors.sim.wire.platform import Platform
from connectors.sim.wire.roll import Roll, add_spread, set_queues
from connectors.sim.wire.secondly import Secondly
from connectors.sim.wire.session import Session
from connectors.sim.wire.venue import Settings, Venue
from connectors.sim.wire.writer import frame as as_frame

MS = 1_000_000
SECOND = 1_000 * MS
BEATS_NS = 100 * MS
PATHS = (b"/ws/api/v2", b"/ws/api/v2/")


class SimConfig(msgspec.Struct, kw_only=True):
    """Settings of one embedded exchange."""

    market: Market
    host: str = "127.0.0.1"
    port: int = 0  # 0: chosen by the system
    http_port: int | None = None  # None: port + 1, or with port 0 another where that is taken
    http: bool = True
    tls_cert: str | None = None
    tls_key: str | None = None
    seed: int = 1
    once: bool = False  # `SimServer.ended` is set when the market has ended
    client_id: str | None = None  # None: every client id is an account of its own
    client_secret: str | None = None
    balance_btc: float = 0.9
    balance_usdc: float = 0.0
    tier: int = 4  # credits as of api tier 1 to 4; 0: no limits
    terminate_on_limit: bool = False
    testnet: bool = True
    shuffle_replies: bool = True  # a response before or after its notifications, by lot
    send_queue_max: int = 16 * 1024 * 1024  # bytes a client may be behind
    heartbeat_min_s: float = 10.0
    faults: FaultPlan | None = None
    processing_us: tuple[int, int] = (0, 0)  # a request's time in the matching engine, by lot
    queue_model: str = "pessimistic"  # of orders behind recorded liquidity: see sim/queue.pxd
    queue_power: float = 2.0  # of the model "power"
    spread: bool = True  # list the spread of the nearest dated contract and the perpetual
    token_expiry_s: int = 31536000  # of access tokens; clients may ask for less
    idle_s: float = 60.5  # a socket with no login, heartbeat, channel or request is dropped
    idle_login_s: float = 600.0  # the same of one logged in; 0 never drops
    use_aiofastnet: bool | None = None  # False where transports are in memory


def wall_clock() -> Callable[[], int]:
    """Return a clock in ns since the epoch that never goes back."""
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: time.monotonic_ns() + offset


class SimServer:
    """A running exchange; made by `serve`."""

    def __init__(self, config: SimConfig, clock: Callable[[], int]) -> None:
        self.config = config
        for fault in config.faults.fault if config.faults is not None else ():
            if fault.kind == "error" and fault.code not in CODES:
                raise ValueError(f"fault plan: the venue has no error code {fault.code}")
        self.clock = clock
        self.market = config.market
        self.listings: list[Listing] = list(config.market.instruments())
        self.exchange = Exchange(config.seed, config.tier)
        for listing in self.listings:
            self.exchange.add_market(
                listing.spec, listing.index_name, listing.settlement_period == "perpetual")
        set_queues(self.exchange, config.queue_model, config.queue_power)
        spread = add_spread(self.exchange, self.listings) if config.spread else None
        if spread is not None:
            self.listings.append(spread)
        self.exchange.set_processing(*(us * 1000 for us in config.processing_us))
        self.broadcast = Broadcast(self.exchange)
        self.desk = Desk(self.exchange)
        self.auth = Auth(config.client_id, config.client_secret, config.seed,
                         config.token_expiry_s)
        names = {listing.spec.name: i for i, listing in enumerate(self.listings)}
        indexes: dict[str, int] = {}
        for listing in self.listings:
            indexes.setdefault(listing.index_name, len(indexes))   # numbered as by the exchange
        perpetuals = {i for i, listing in enumerate(self.listings)
                      if listing.settlement_period == "perpetual"}
        self.history = History(self.desk, self.listings, indexes)
        self.secondly = Secondly(self.broadcast, self.history)
        self.subscriptions = Subscriptions(
            self.broadcast, names, indexes, perpetuals, self.secondly)
        venue = Venue(self.exchange, self.desk, self.auth, self.subscriptions, self.listings,
                      self.history,
                      Settings(balance_e8=(round(config.balance_btc * 1e8),
                                           round(config.balance_usdc * 1e8)),
                               tier=config.tier, testnet=config.testnet,
                               heartbeat_min_s=config.heartbeat_min_s))
        self.subscriptions.on_book = self.start_market
        self.roll = Roll(venue, (config.queue_model, config.queue_power))
        self.methods = Methods(venue, self.roll)
        self.roll.on_new = self.on_new_market
        self.faults: Faults | None = None
        self.platform: Platform | None = None
        if config.faults is not None:
            self.faults = Faults(config.faults, clock())
            self.platform = Platform(self.faults, self.exchange, self.subscriptions)
        self.tell: Callable[[str, Session | None, bytes], None] | None = None
        self.session_count = 0
        self.timers = True  # False where a trace says when time passes
        self.send_queue_max = config.send_queue_max
        self.terminate_on_limit = config.terminate_on_limit
        self.request_max = REQUEST_MAX
        self.idle_ns = (int(config.idle_s * 1e9), int(config.idle_login_s * 1e9))
        self.sessions: set[Session] = set()
        self.unsent: list[Session] = []
        self.market_due_ns: int | None = None
        self.newly_listed: list[int] = []
        self.market_started = False
        self.beats_due_ns = 0
        self.second = 0
        self.ended = asyncio.Event()
        self.timer: asyncio.TimerHandle | None = None
        self.timer_due_ns = 0
        self.ws_server: asyncio.Server | None = None
        self.http_front: HttpFront | None = None
        self.ws_port = 0
        self.http_port = 0
        self.stopped = False

    # ---- life
    async def start(self) -> None:
        tls = None
        if self.config.tls_cert is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self.config.tls_cert, self.config.tls_key)
        self.ws_server = await picows.ws_create_server(
            self.on_upgrade, self.config.host, self.config.port, ssl=tls, enable_auto_pong=False,
            enable_auto_ping=False, read_buffer_init_size=64 * 1024,
            use_aiofastnet=self.config.use_aiofastnet)
        self.ws_port = self.ws_server.sockets[0].getsockname()[1]
        if self.config.http:
            port = self.ws_port + 1 if self.config.http_port is None else self.config.http_port
            free = self.config.port == 0 and self.config.http_port is None
            self.http_front = HttpFront(self)
            try:
                self.http_port = await self.http_front.start(
                    self.config.host, port, tls, or_any=free)
            except OSError:
                await self.stop()
                raise
        self.begin()

    def begin(self) -> None:
        """Let time pass from now on."""
        if not self.market.waits_for_book:
            self.start_market(self.clock())
        self.run_due(self.clock())

    async def stop(self) -> None:
        """Close every connection and both servers."""
        self.stopped = True
        if self.timer is not None:
            self.timer.cancel()
        if self.ws_server is not None:
            self.ws_server.close()
        for session in list(self.sessions):
            session.close(1001, b"")
        if self.http_front is not None:
            await self.http_front.stop()
        if self.ws_server is not None:
            await self.ws_server.wait_closed()

    def on_upgrade(self, request: WSUpgradeRequest) -> Session | None:
        if self.methods.maintenance or request.path not in PATHS:
            return None
        return Session(self)

    # ---- the market and the timers
    def start_market(self, t_ns: int) -> None:
        """Let the market begin, once."""
        if self.market_started:
            return
        self.market_started = True
        self.exchange.advance(t_ns)
        self.market_due_ns = self.market.start(self.exchange, t_ns)
        self.exchange.refresh_marks(t_ns)
        self.market_ended()

    def market_ended(self) -> None:
        if self.market_due_ns is None and self.config.once:
            self.ended.set()

    def advance(self, t_ns: int) -> None:
        """Bring market and exchange up to a time."""
        if self.market_due_ns is not None and self.market_due_ns <= t_ns:
            self.market_due_ns = self.market.advance(self.exchange, t_ns)
            self.market_ended()
        self.exchange.advance(t_ns)
        if self.newly_listed:
            self.follow_listings(t_ns)

    def run_due(self, t_ns: int) -> None:
        """Advance, beat, send, and set the timer for what comes next."""
        self.advance(t_ns)
        if self.beats_due_ns <= t_ns:
            self.beats_due_ns = t_ns + BEATS_NS
            for session in list(self.sessions):
                session.beat(t_ns)
            if t_ns // SECOND != self.second:
                self.second = t_ns // SECOND
                self.history.sample(t_ns)
                self.secondly.tick(t_ns)
                self.broadcast.put_portfolios()
        if self.faults is not None:
            self.run_faults(self.faults, t_ns)
        self.flush(t_ns)
        self.set_timer(t_ns)

    def run_faults(self, faults: Faults, t_ns: int) -> None:
        """Let the plan change the platform, give back what it held, end what it killed."""
        assert self.platform is not None
        if self.platform.follow(t_ns):
            for session in list(self.sessions):
                session.close(1012, b"")
        self.methods.maintenance = self.platform.closed
        for owner, frame in faults.due(t_ns):
            if isinstance(owner, Session):
                owner.write([frame], t_ns)
        for session in list(self.sessions):
            if session.line.held or session.line.backlog:
                session.flush(t_ns)
            if session.line.killer is not None and not faults.active(session.line.killer, t_ns):
                session.drop()

    def news(self) -> None:
        """Take what a live market has waiting, now."""
        t_ns = self.clock()
        if self.market_due_ns is not None:
            self.market_due_ns = t_ns
        self.run_due(t_ns)

    def set_timer(self, t_ns: int) -> None:
        due = min(self.exchange.advance(t_ns), self.beats_due_ns)
        if self.faults is not None:
            due = min(due, self.faults.next_due_ns() or due)
        if self.market_due_ns is not None:
            due = min(due, self.market_due_ns)
        if self.timer is not None:
            if self.timer_due_ns <= due:
                return
            self.timer.cancel()
        if self.stopped or not self.timers:
            return
        self.timer_due_ns = due
        # A wake-up is 1 ms at best, and a timer that fires early would spin.
        delay_s = max(due - t_ns, MS) / 1e9
        self.timer = asyncio.get_running_loop().call_later(delay_s, self.on_timer)

    def on_timer(self) -> None:
        self.timer = None
        self.note("tick", None)
        self.run_due(self.clock())

    def flush(self, t_ns: int) -> None:
        unsent, self.unsent = self.unsent, []
        for session in unsent:
            session.flush(t_ns)

    def on_new_market(self, market: int, t_ns: int) -> None:
        """Tell those who follow creations; the market's participants come to it."""
        self.broadcast.tell_listed(market, {
            **self.methods.public.instrument_view(market), "timestamp": t_ns // MS})
        self.newly_listed.append(market)    # the exchange is busy now

    def follow_listings(self, t_ns: int) -> None:
        """Let the market's participants come to what was listed since."""
        newly, self.newly_listed = self.newly_listed, []
        if isinstance(self.market, Follower) and self.market_due_ns is not None:
            for market in newly:
                self.market_due_ns = self.market.follow(self.exchange, market, t_ns)

    # ---- connections
    def note(self, kind: str, session: Session | None, payload: bytes = b"") -> None:
        """Tell a trace, where there is one, what comes in now."""
        if kind == "open" and session is not None:
            self.session_count += 1
            session.number = self.session_count
        if self.tell is not None:
            self.tell(kind, session, payload)

    def on_connected(self, session: Session) -> None:
        session.heard_ns = self.clock()
        session.connection = self.exchange.connect(session.heard_ns)
        self.sessions.add(session)

    def on_disconnected(self, session: Session) -> None:
        if session not in self.sessions:
            return
        t_ns = self.clock()
        self.sessions.discard(session)
        session.closing = True
        self.subscriptions.unsubscribe(session, list(session.channels))
        self.auth.forget(session.connection)
        self.exchange.disconnect(t_ns, session.connection, not session.leaving)
        if not self.stopped:
            self.run_due(t_ns)

    def login(self, session: Session, account: int, t_ns: int) -> None:
        self.exchange.login(t_ns, session.connection, account)

    def close_soon(self, session: Session, code: int, reason: bytes) -> None:
        """Close after the answer under way is sent."""
        if self.timers:
            asyncio.get_running_loop().call_soon(session.close, code, reason)

    def on_request(self, session: Session, payload: bytes) -> None:
        """Answer one request; notifications it causes stand before or after the answer."""
        t_ns = self.clock()
        session.heard_ns = t_ns
        self.advance(t_ns)
        place = len(session.frames)
        if b"public/test" in payload:
            session.on_tested()
        fault = None if self.faults is None else self.faults.on_request(
            method_of(payload), t_ns)
        if fault is not None and fault.kind == "error":
            response = self.methods.envelope(
                id_of(payload), RpcError(fault.code), self.clock, t_ns)
        elif fault is not None and fault.kind == "half_open":
            session.line.dead, session.line.killer = True, fault
            return
        elif fault is not None and not fault.answered:
            self.cut(session, fault.code)
            return
        else:
            response = self.methods.handle(session, payload, self.clock, t_ns)
        if fault is not None and fault.kind == "close":
            session.frames.clear()
            self.cut(session, fault.code)
            return
        if not response:
            return
        if not session.frames:
            self.unsent.append(session)
        after = len(session.frames) > place and self.config.shuffle_replies and self.desk.lot()
        session.frames.insert(len(session.frames) if after else place, as_frame(response))

    def cut(self, session: Session, code: int) -> None:
        """End a connection as a fault wants it; 1006 is a line that breaks."""
        session.closing = code == 1006
        if not self.timers:
            return
        loop = asyncio.get_running_loop()
        if code == 1006:
            loop.call_soon(session.drop)
        else:
            loop.call_soon(session.close, code, b"")

    def on_read_end(self) -> None:
        t_ns = self.clock()
        self.flush(t_ns)
        self.set_timer(t_ns)

    def ports(self) -> dict[str, Any]:
        """Return what `mm sim` prints first."""
        return {"ws": self.ws_port, "http": self.http_port}


async def serve(config: SimConfig, clock: Callable[[], int] | None = None) -> SimServer:
    """Start an exchange on its ports; OSError where one is taken."""
    server = SimServer(config, clock or wall_clock())
    await server.start()
    return server
