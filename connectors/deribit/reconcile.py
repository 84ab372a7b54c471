"""The engine and the venue brought to agree: clock, account, positions, orders.

All of it is cold: questions over the RPC, answers into the engine as control events. Orders of
unknown fate are asked for by label with ids the feed itself decodes, so that a replay of the
frames resolves them the same way.
"""

import asyncio
import logging
from collections.abc import Sequence

from msgspec import UnsetType

from connectors.deribit import endpoints
from connectors.deribit.instruments import differences
from connectors.deribit.messages import (
    AccountSummary,
    InstrumentData,
    Limits,
    MatchingLimits,
    OrderData,
    PositionData,
    RateData,
    TradingLimits,
)
from connectors.deribit.rpc import Rpc, RpcClosedError, RpcError, encode
from connectors.deribit.session import DeribitSession
from mmcore.types import ControlKind, InstrumentSpec

log = logging.getLogger("mm.deribit")

QUERY_KIND = 6  # request ids of get_order_state_by_label; see own.pxd
TRADES_KIND = 7  # request ids of get_user_trades_by_instrument
TRADES_PAGE = 500  # own.pxd takes 512 of one message
OVERLAP_NS = 60_000_000_000  # a connection may have been deaf for so long before it was lost
EXPIRY_SLACK_NS = 1_000_000_000  # an order may still appear this long after its valid_until
QUERY_AGAIN_NS = 1_000_000_000
ROUND_TRIPS_KEPT = 64
HALF_MS_NS = 500_000  # the venue prints whole milliseconds: on average half of one is cut off


class StartRefusedError(Exception):
    """The venue's state forbids quoting until somebody decides; the message says what."""


def trading_rate(limits: Limits | UnsetType) -> RateData | None:
    """Return rate and burst of matching-engine requests out of an account's limits."""
    if isinstance(limits, UnsetType) or isinstance(limits.matching_engine, UnsetType):
        return None
    engine = limits.matching_engine
    for place in (engine.trading, engine):
        if isinstance(place, TradingLimits) and isinstance(place.total, RateData):
            return place.total
        if (isinstance(place, TradingLimits | MatchingLimits)
                and not isinstance(place.rate, UnsetType)
                and not isinstance(place.burst, UnsetType)):
            return RateData(rate=place.rate, burst=place.burst)
    return None


def percentile_95(samples: Sequence[int]) -> int:
    """Return the value 95 % of the samples do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, (len(ordered) * 95) // 100)]


class Reconciler:
    """Questions that make the engine's picture the venue's, over one session and RPC."""

    def __init__(
        self,
        session: DeribitSession,
        rpc: Rpc,
        specs: Sequence[InstrumentSpec],
        *,
        currency: str = "BTC",
        timeout_s: float = 5.0,
    ) -> None:
        self.session = session
        self.rpc = rpc
        self.specs = list(specs)
        self.currency = currency
        self.timeout_s = timeout_s
        self.round_trips_ns: list[int] = []
        self.offsets: list[tuple[int, int]] = []  # (round trip, wall minus now), both ns
        self.mismatches = 0  # in a row
        self.mismatches_total = 0
        self.queries = 0
        self._listened_ns = 0  # since then every fill reaches us, or is asked for
        self._lost_ns = 0  # when fills began to be missed; 0: none are
        self._trade_requests = 0
        self._asked_ns: dict[tuple[int, int, int], int] = {}

    # ---------------------------------------------------------------- clock
    async def measure_clock(self, samples: int) -> None:
        """Estimate the venue's clock and the round trip; the shortest trip knows best."""
        for _ in range(samples):
            sent_ns = self.session.now_ns()
            server_ms = await self.rpc.call(endpoints.GET_TIME, {}, int, timeout_s=self.timeout_s)
            trip_ns = self.session.now_ns() - sent_ns
            offset_ns = server_ms * 1_000_000 + HALF_MS_NS - (sent_ns + trip_ns // 2)
            self.round_trips_ns.append(trip_ns)
            self.offsets.append((trip_ns, offset_ns))
        del self.round_trips_ns[:-ROUND_TRIPS_KEPT]
        # Old offsets drift away with the clocks, so the best of the last few counts.
        del self.offsets[:-8]
        self.session.control(ControlKind.CONTROL_WALL_OFFSET, 0, min(self.offsets)[1])
        self.session.control(
            ControlKind.CONTROL_ROUND_TRIP, 0, percentile_95(self.round_trips_ns))

    # ---------------------------------------------------------------- account
    async def read_account(self, requote_orders: int = 0) -> AccountSummary:
        """Tell the engine equity and credits.

        Raises StartRefusedError where a full requote takes more than half of the burst: one
        jump of the market would leave nothing for the next, and the reserve would be all.
        """
        summary = await self.rpc.call(
            endpoints.GET_ACCOUNT_SUMMARY, {"currency": self.currency, "extended": True},
            AccountSummary, timeout_s=self.timeout_s)
        self.session.control(ControlKind.CONTROL_EQUITY, 0, 0, summary.equity)
        rate = trading_rate(summary.limits)
        if rate is not None and 2 * requote_orders > rate.burst:
            raise StartRefusedError(
                f"a full requote is {requote_orders} orders, more than half of this account's "
                f"burst of {rate.burst:g} requests; lower quote.levels or quote fewer instruments")
        if rate is not None:
            self.session.control(ControlKind.CONTROL_CREDITS, 0, int(rate.burst), rate.rate)
        return summary

    def check_listings(self, listed: Sequence[InstrumentData]) -> None:
        """Refuse to start on a contract whose definition is not the one in use."""
        by_name = {d.instrument_name: d for d in listed}
        for spec in self.specs:
            data = by_name.get(spec.name)
            if data is None:
                raise StartRefusedError(f"{spec.name} is not listed any more")
            changed = differences(data, spec)
            if changed:
                raise StartRefusedError(f"{spec.name}: {'; '.join(changed)}; restart to use it")

    async def positions(self) -> list[tuple[int, float]]:
        """Ask for the venue's positions: (signed contracts, average price) by market."""
        reply = await self.rpc.call(
            endpoints.GET_POSITIONS, {"currency": "any", "kind": "future"}, list[PositionData],
            timeout_s=self.timeout_s)
        by_name = {p.instrument_name: p for p in reply}
        found = []
        for spec in self.specs:
            held = by_name.get(spec.name)
            if held is None:
                found.append((0, 0.0))
                continue
            contracts = spec.contracts(abs(held.size))
            found.append((-contracts if held.direction == "sell" else contracts,
                          held.average_price))
        return found

    async def adopt_positions(self, policy: str) -> None:
        """Tell the engine what it holds; policy refuse makes any position a StartRefusedError.

        After the first time both counts should agree; a difference is taken over, never silently.
        """
        found = await self.positions()
        for market, (contracts, average) in enumerate(found):
            name = self.specs[market].name
            held = self.session.engine.markets[market].position.contracts
            if self._listened_ns and held != contracts:
                self.mismatches_total += 1
                log.error("%s: we count %d contracts, the venue %d: the venue's count is taken, "
                          "and our profit misses trades", name, held, contracts)
            if contracts and policy == "refuse":
                raise StartRefusedError(
                    f"{name}: the account holds {contracts} contracts at {average}; close them or "
                    "set start.position = \"adopt\"")
            self.session.control(ControlKind.CONTROL_POSITION, market, contracts, average)

    async def compare_positions(self) -> bool:
        """Compare positions; two mismatches in a row pause the engine. True where they agree.

        A fill between question and answer is no mismatch: what moved meanwhile is not compared.
        """
        before = [m.position.contracts for m in self.session.engine.markets]
        found = await self.positions()
        after = [m.position.contracts for m in self.session.engine.markets]
        wrong = [(self.specs[i].name, after[i], contracts)
                 for i, (contracts, _) in enumerate(found)
                 if before[i] == after[i] and contracts != after[i]]
        if not wrong:
            self.mismatches = 0
            return True
        self.mismatches += 1
        self.mismatches_total += 1
        log.error("positions differ (instrument, ours, venue's): %s", wrong)
        if self.mismatches >= 2:
            self.session.control(ControlKind.CONTROL_PAUSE)
        return False

    # ---------------------------------------------------------------- fills
    def listening(self) -> None:
        """Note that from now on every fill reaches the engine by itself."""
        self._lost_ns = 0
        self._listened_ns = self._listened_ns or self.session.now_ns()

    def deaf(self) -> None:
        """Note that fills may be missed from now on, until listening()."""
        if self._listened_ns:
            self._lost_ns = self._lost_ns or self.session.now_ns()

    async def recover_fills(self) -> bool:
        """Book the own trades a lost connection kept from us; False where some may be missing.

        The feed decodes the answers, so that a replay of the frames books them too.
        """
        if not self._lost_ns:
            return True
        since_ns = max(self._lost_ns - OVERLAP_NS, self._listened_ns)
        since_ms = (since_ns + self.session.engine.wall_offset_ns) // 1_000_000
        return all([await self._ask_trades(market, since_ms) for market in range(len(self.specs))])

    async def _ask_trades(self, market: int, since_ms: int) -> bool:
        self._trade_requests += 1
        request_id = TRADES_KIND << 44 | market << 40 | self._trade_requests
        name = self.specs[market].name
        self.session.send_text(encode(request_id, endpoints.GET_USER_TRADES, {
            "instrument_name": name, "start_timestamp": since_ms, "count": TRADES_PAGE,
            "sorting": "asc"}))
        loop = asyncio.get_running_loop()
        end = loop.time() + self.timeout_s
        while loop.time() < end and self.session.sink.is_connected:
            answered = self.session.feed.own.trades_answered
            if abs(answered) == request_id:
                if answered < 0:
                    log.error("%s: the venue did not tell all our trades since %d", name, since_ms)
                return answered > 0
            await asyncio.sleep(0.005)
        raise RpcClosedError(f"{endpoints.GET_USER_TRADES}: no answer; connecting again")

    # ---------------------------------------------------------------- orders
    async def clear_orders(self, deadline_s: float) -> bool:
        """Cancel everything and learn how every order ended; False at the deadline.

        What was under way on a lost connection may reach the venue after the first cancel_all;
        so once none of it can take effect any more, everything is cancelled again.
        """
        under_way = bool(self.unknown_orders())
        if not await self.cancel_and_verify(deadline_s):
            return False
        return not under_way or (await self.resolve_unknown(deadline_s)
                                 and await self.cancel_and_verify(deadline_s))

    async def cancel_and_verify(self, deadline_s: float) -> bool:
        """Cancel every order of the account until a query shows none; False at the deadline.

        Raises RpcClosedError where the connection goes meanwhile.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        pause_s = 0.05
        while True:
            try:
                await self.rpc.call(endpoints.CANCEL_ALL, {}, int, timeout_s=self.timeout_s)
                left = await self.rpc.call(
                    endpoints.GET_OPEN_ORDERS, {}, list[OrderData], timeout_s=self.timeout_s)
                if not left:
                    return True
                log.warning("%d orders are still open after cancel_all", len(left))
            except RpcClosedError:
                raise
            except (RpcError, TimeoutError) as error:
                log.warning("cancel_all, not yet verified: %s", error)
            if loop.time() + pause_s > end:
                return False
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)

    def unknown_orders(self) -> list[tuple[int, int, int, int]]:
        """List (market, slot, generation, valid_until_ms) of orders of unknown fate."""
        return [(market, row["slot"], row["generation"], row["valid_until_ms"])
                for market, m in enumerate(self.session.engine.markets)
                if m.orders.unknown_count
                for row in m.orders.rows() if row["state"] == "ORDER_UNKNOWN"]

    def ask_unknown(self) -> int:
        """Ask by label for each order of unknown fate; the feed applies the answers.

        An order is only asked for once nothing sent for it can still take effect: then even its
        absence is evidence. Returns how many are still unknown.
        """
        unknown = self.unknown_orders()
        now_ns = self.session.now_ns()
        wall_ns = now_ns + self.session.engine.wall_offset_ns
        for market, slot, generation, valid_until_ms in unknown:
            if wall_ns < valid_until_ms * 1_000_000 + EXPIRY_SLACK_NS:
                continue
            key = (market, slot, generation)
            if now_ns - self._asked_ns.get(key, -QUERY_AGAIN_NS) < QUERY_AGAIN_NS:
                continue
            self._asked_ns[key] = now_ns
            self.queries += 1
            request_id = QUERY_KIND << 44 | market << 40 | slot << 32 | generation
            label = self.session.feed.own.labels.write(market, slot, generation)
            self.session.send_text(encode(
                request_id, endpoints.GET_ORDER_STATE_BY_LABEL,
                {"currency": currency_of(self.specs[market]), "label": label}))
        if not unknown:
            self._asked_ns.clear()
        return len(unknown)

    async def resolve_unknown(self, deadline_s: float) -> bool:
        """Ask until no order is of unknown fate; False at the deadline."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        while self.ask_unknown():
            if loop.time() > end:
                return False
            await asyncio.sleep(0.02)
        return True


def currency_of(spec: InstrumentSpec) -> str:
    """Return the currency the venue files an instrument's orders under."""
    base = spec.name.split("-")[0]
    return base.split("_")[-1]
