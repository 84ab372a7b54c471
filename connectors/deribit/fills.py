"""Own trades that a connection kept from us: noticed, asked for, booked once.

The feed decodes the answers, so that a replay of the frames books them too.
"""

import asyncio
import logging
from collections.abc import Sequence

from connectors.deribit import endpoints
from connectors.deribit.connection import Held
from connectors.deribit.rpc import RpcClosedError, encode
from connectors.deribit.session import DeribitSession
from mmcore.types import ControlKind, InstrumentSpec

log = logging.getLogger("mm.deribit")

TRADES_KIND = 7  # request ids of get_user_trades_by_instrument
TRADES_PAGE = 500  # own.pxd takes 512 of one message
PAGES_MAX = 1000
REFUSED_MAX = 3  # of one page before we go on without
REFUSED_PAUSE_S = 0.2
FRESH_NS = 2_000_000_000  # a trade's word may be on its way for so long
OVERLAP_NS = 60_000_000_000  # a connection may have been deaf for so long before it was lost


class MissedFills:
    """Knows since when fills may be missing, and asks for the trades of that time."""

    def __init__(self, session: DeribitSession, specs: Sequence[InstrumentSpec],
                 timeout_s: float) -> None:
        self.session = session
        self.specs = list(specs)
        self.timeout_s = timeout_s
        self.pages = 0
        self.listened_ns = 0  # since then every fill reaches us, or is asked for
        self._lost_ns = 0  # when fills began to be missed; 0: none are
        self.audits = 0
        self.audit_missed = 0
        self._audited_ns = 0
        self._waiting = 0  # for an answer
        self._agreed_ns = 0  # when both sides last counted the same
        self._held: set[int] = set()  # markets that have taken over an earlier process's position

    def listening(self) -> None:
        """Note that from now on every fill reaches the engine by itself."""
        self._lost_ns = 0
        self.listened_ns = self.listened_ns or self.session.now_ns()

    @property
    def listened_ms(self) -> int:
        """The venue's time since which every fill reaches us, or is asked for; 0: not yet."""
        if not self.listened_ns:
            return 0
        return (self.listened_ns + self.session.engine.wall_offset_ns) // 1_000_000

    def deaf(self) -> None:
        """Note that fills may be missed from now on, until listening()."""
        if self.listened_ns:
            self._lost_ns = self._lost_ns or self.session.now_ns()

    def agreed(self) -> None:
        """Note that our count of contracts and the venue's are the same now."""
        self._agreed_ns = self.session.now_ns()

    async def recover(self, *, always: bool = False) -> bool:
        """Book what was missed, page by page; False where some may still be missing.

        always: ask even where no connection was lost, for everything since both last agreed.
        """
        if not self._lost_ns and not always:
            return True
        begin_ns = min(self._lost_ns or self.session.now_ns(), self._agreed_ns
                       or self.session.now_ns())
        since_ns = max(begin_ns - OVERLAP_NS, self.listened_ns)
        since_ms = (since_ns + self.session.engine.wall_offset_ns) // 1_000_000
        return all([await self.ask(market, {"start_timestamp": since_ms})
                    for market in range(len(self.specs))])

    async def audit(self) -> int:
        """Ask for the trades since the last audit; return how many nobody had told us of.

        They are booked. The newest seconds are left to the next audit: their word is on its way.
        """
        now_ns = self.session.now_ns()
        if not self.listened_ns:
            return 0
        since_ns = max(self._audited_ns - OVERLAP_NS, self.listened_ns)
        offset_ns = self.session.engine.wall_offset_ns
        before = self.session.feed.own.recovered
        for market in range(len(self.specs)):
            await self.ask(market, {
                "start_timestamp": (since_ns + offset_ns) // 1_000_000,
                "end_timestamp": (now_ns - FRESH_NS + offset_ns) // 1_000_000})
        self._audited_ns = now_ns
        self.audits += 1
        missed = self.session.feed.own.recovered - before
        if missed:
            self.audit_missed += missed
            log.error("fill audit: the venue has %d trades of ours that it never told us of; "
                      "they are booked now", missed)
        return missed

    async def go_on(self, held: Sequence[Held]) -> bool:
        """Go on where an earlier process was killed: its positions, then the trades since."""
        for market, known in enumerate(held):
            # once: asked again on another line, what was booked since would be taken back
            if market not in self._held:
                self._held.add(market)
                self.session.control(ControlKind.CONTROL_POSITION, market, known.contracts,
                                     known.average_usd)
            begin = ({"start_seq": known.trade_seq + 1} if known.trade_seq
                     else {"start_timestamp": known.since_ms})
            if not await self.ask(market, begin):
                return False
        self.listening()
        return True

    def ask_at_once(self, market: int) -> None:
        """Ask for the newest trades of an instrument; whoever asks does not wait for them."""
        if self._waiting:       # for an answer that has them
            return
        since_ns = max((self._agreed_ns or self.session.now_ns()) - OVERLAP_NS, self.listened_ns)
        self.send(market, {
            "start_timestamp": (since_ns + self.session.engine.wall_offset_ns) // 1_000_000})

    async def ask(self, market: int, begin: dict[str, int]) -> bool:
        """Ask for one instrument's trades from a time or number on; False where refused."""
        name = self.specs[market].name
        refused = 0  # the same page, in a row: a request may arrive broken
        for _ in range(PAGES_MAX):
            if not await self.ask_page(market, begin):
                refused += 1
                if refused < REFUSED_MAX:
                    await asyncio.sleep(REFUSED_PAUSE_S)
                    continue
                log.error("%s: the venue did not tell our trades since %s", name, begin)
                return False
            refused = 0
            following = self.session.feed.own.trades_next_seq
            if following == 0:
                return True
            begin = {**begin, "start_seq": following}
            begin.pop("start_timestamp", None)
        return False

    def send(self, market: int, begin: dict[str, int]) -> int:
        """Ask for a page of trades; return the request's id."""
        self.pages += 1
        request_id = TRADES_KIND << 44 | market << 40 | self.pages
        self.session.send_text(encode(request_id, endpoints.GET_USER_TRADES, {
            "instrument_name": self.specs[market].name, "count": TRADES_PAGE, "sorting": "asc",
            **begin}))
        return request_id

    async def ask_page(self, market: int, begin: dict[str, int]) -> bool:
        request_id = self.send(market, begin)
        loop = asyncio.get_running_loop()
        end = loop.time() + self.timeout_s
        self._waiting += 1
        try:
            while loop.time() < end and self.session.sink.is_connected:
                answered = self.session.feed.own.trades_answered
                if abs(answered) == request_id:
                    return answered > 0
                await asyncio.sleep(0.005)
        finally:
            self._waiting -= 1
        raise RpcClosedError(f"{endpoints.GET_USER_TRADES}: no answer; connecting again")
