"""Reconciliation: what the venue says of clock, account, instruments and positions.

All of it is cold: questions over the RPC, answers into the engine as control events.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from connectors.deribit import endpoints
from connectors.deribit.account_messages import AccountSummary
from connectors.deribit.credits import other_pools, trading_rate
from connectors.deribit.deliveries import book_deliveries
from connectors.deribit.fills import MissedFills
from connectors.deribit.instruments import differences
from connectors.deribit.margins import read_margins
from connectors.deribit.messages import InstrumentData, PositionData, StatusResult
from connectors.deribit.profit import ProfitAudit
from connectors.deribit.roster import Roster, make_roster, new_places
from connectors.deribit.rpc import Rpc, RpcClosedError, RpcError
from connectors.deribit.session import DeribitSession
from connectors.deribit.sweep import Sweep
from mmcore.budget import CreditPool
from mmcore.states import RiskReason
from mmcore.types import ControlKind, InstrumentSpec, MarketState

log = logging.getLogger("mm.deribit")

MARGINS_S = 1.0  # after a start, for the first price to come
ROUND_TRIPS_KEPT = 64
HALF_MS_NS = 500_000  # the venue prints whole milliseconds: on average half of one is cut off
ROSTER_LEAST_NS = 300_000_000_000  # a session that goes on from another lasts so long
CLOCK_STEP_NS = 20_000_000  # beyond what a trip leaves open, a clock was set


class StartRefusedError(Exception):
    """The venue's state forbids quoting until somebody decides; the message says what."""


class UnfitConfigError(StartRefusedError):
    """What is configured does not fit this account; another configuration may."""


class InstrumentChangedError(StartRefusedError):
    """A contract is not any more what the session was built for; only a restart helps."""


class RosterChangedError(InstrumentChangedError):
    """Other contracts are to be traded now; a start anew takes them up."""


class NothingLeftError(InstrumentChangedError):
    """Every contract of the session is over, and nothing follows."""


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
        quotes: bool = False,
        start_requests: int = 6,
        roster: Roster | None = None,
    ) -> None:
        self.session = session
        self.rpc = rpc
        self.specs = list(specs)
        self.currency = currency
        self.timeout_s = timeout_s
        self.start_requests = start_requests
        self.round_trips_ns: list[int] = []
        self.offsets: list[tuple[int, int]] = []  # (round trip, wall minus now), both ns
        self.fills = MissedFills(session, specs, timeout_s)
        self.sweep = Sweep(session, rpc, specs, timeout_s,
                           ask_trades=self.fills.ask_at_once if quotes else None)
        self.profit = ProfitAudit(session, specs)
        self.profit_off: list[tuple[str, float]] = []
        self.on_account: Callable[[AccountSummary], object] = lambda _summary: None  # the first
        self.funding: dict[int, float] = {}     # by market, as last booked here
        self.mismatches = 0  # in a row
        self.mismatches_total = 0
        self.account: AccountSummary | None = None  # as the venue last said
        self.margin_rates: list[float] = []  # by market; 0: not asked for want of a price
        self.difference_usd = 0.0  # largest, at the last comparison
        self.roster = roster
        self.over: set[int] = set()  # markets whose contract was delivered, or is gone
        self._began_ns = session.now_ns()
        self.elsewhere: set[str] = set()  # contracts with a position that we do not follow

    # ---------------------------------------------------------------- clock
    async def measure_clock(self, samples: int) -> None:
        """Estimate the venue's clock and the round trip; the shortest trip knows best."""
        for _ in range(samples):
            sent_ns = self.session.now_ns()
            server_ms = await self.rpc.call(endpoints.GET_TIME, {}, int, timeout_s=self.timeout_s)
            trip_ns = self.session.now_ns() - sent_ns
            offset_ns = server_ms * 1_000_000 + HALF_MS_NS - (sent_ns + trip_ns // 2)
            self.round_trips_ns.append(trip_ns)
            if self.offsets and abs(offset_ns - min(self.offsets)[1]) > (
                    trip_ns + min(self.offsets)[0]) // 2 + CLOCK_STEP_NS:
                self.offsets.clear()    # one of the clocks was set: what was before tells nothing
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
        first = self.account is None
        if first:
            log.info("account: equity %.8f %s, margin model %s, initial margin %.8f, maintenance "
                     "margin %.8f", summary.equity, self.currency,
                     summary.margin_model or "not told", summary.initial_margin,
                     summary.maintenance_margin)
            self.on_account(summary)
        self.account = summary
        self.session.control(ControlKind.CONTROL_EQUITY, 0, 0, summary.equity)
        self.session.control(ControlKind.CONTROL_MARGIN, 0, round(summary.initial_margin * 1e8),
                             summary.margin_balance)
        rate = trading_rate(summary.limits)
        if rate is not None and 2 * requote_orders > rate.burst:
            raise UnfitConfigError(
                f"a full requote is {requote_orders} orders, more than half of this account's "
                f"burst of {rate.burst:g} requests; lower quote.levels or quote fewer instruments")
        for pool, limit in ((CreditPool.POOL_TRADING, rate), *other_pools(summary.limits)):
            if limit is not None:
                self.session.control(ControlKind.CONTROL_CREDITS, pool, int(limit.burst),
                                     limit.rate)
        if first:       # the venue tells limits, not what an earlier process has left of them
            for pool in (CreditPool.POOL_TRADING, CreditPool.POOL_MASS_QUOTE):
                self.session.control(ControlKind.CONTROL_CREDITS_LEFT, pool, self.start_requests)
        return summary

    async def read_margins(self) -> None:
        """Tell the engine what margin the venue asks; a refusal leaves the last answer in force."""
        try:
            self.margin_rates = await read_margins(self.session, self.rpc, self.specs,
                                                   self.timeout_s, self.over)
        except RpcClosedError:
            raise
        except RpcError as error:
            log.warning("margins: %s", error)

    async def read_first_margins(self) -> None:
        """Read margins as soon as there is a price to ask them for."""
        await asyncio.sleep(MARGINS_S)
        await self.read_margins()

    async def compare(self) -> None:
        """Bring account and margins up to date, and compare positions and profits."""
        await self.read_account()
        await self.read_margins()
        if not self.settles():
            await self.compare_positions()

    def settles(self) -> bool:
        """Say whether the venue is in its daily settlement: half of it may be done."""
        return any(market.state == MarketState.MARKET_SETTLEMENT
                   for market in self.session.engine.markets)

    async def locked(self) -> bool:
        """Ask whether the platform, or the index of one of our instruments, is locked."""
        told = await self.rpc.call(endpoints.STATUS, {}, StatusResult, timeout_s=self.timeout_s)
        if told.locked in ("partial", "true", True) and told.locked_indices:
            return any(endpoints.price_index(s.name) in told.locked_indices for s in self.specs)
        return told.locked in ("true", True)

    async def read_listings(self) -> None:
        """Compare the venue's listing with ours; raises InstrumentChangedError."""
        listed: list[InstrumentData] = []
        for currency in dict.fromkeys("USDC" if "_" in s.name else self.currency
                                      for s in self.specs):
            listed += await self.rpc.call(
                endpoints.GET_INSTRUMENTS, {"currency": currency, "kind": "future"},
                list[InstrumentData], timeout_s=self.timeout_s)
        self.check_listings(listed)
        if self.roster is not None:
            await self.check_roster(self.roster, listed)

    async def check_roster(self, roster: Roster, listed: Sequence[InstrumentData]) -> None:
        """Notice what is over, and end the session where others are to be traded now.

        A session that began so lasts ROSTER_LEAST_NS, whatever the list says: starts cost quotes.
        """
        session = self.session
        if self.settles():
            return          # what is delivered and listed comes at its end
        now_ms = (session.now_ns() + session.engine.wall_offset_ns) // 1_000_000
        over = roster.over(listed, now_ms)
        for market in sorted(over - self.over):
            log.warning("%s is over: delivered, or taken off the venue's list",
                        self.specs[market].name)
        came = bool(over - self.over)
        self.over.clear()
        self.over.update(over)
        if came and self.fills.listened_ns:
            await self.compare_positions()      # a delivery is booked now, not in a minute
        held = [spec.name for market, spec in enumerate(self.specs)
                if session.engine.markets[market].position.contracts]
        try:
            wanted = make_roster(roster.choice, listed, now_ms, before=roster.chosen(now_ms),
                                 held=held)
        except ValueError:
            if len(self.over) < len(self.specs):
                return
            raise NothingLeftError("every contract is over, and nothing follows") from None
        come = new_places(roster, wanted, self.over, now_ms)
        young = roster.going_on and session.now_ns() - self._began_ns < ROSTER_LEAST_NS
        if come and not young:
            raise RosterChangedError(
                f"{', '.join(p.name for p in come)} to be traded or followed now, by rule "
                f"{', '.join(sorted({roster.choice.names[p.entry] for p in come}))}")

    def check_listings(self, listed: Sequence[InstrumentData]) -> None:
        """Refuse to trade a contract whose definition is not the one in use."""
        by_name = {d.instrument_name: d for d in listed}
        for spec in self.specs:
            data = by_name.get(spec.name)
            if self.roster is not None and (data is None or not data.is_active):
                continue        # over, or halted: the roster says which
            if data is None:
                raise InstrumentChangedError(
                    f"{spec.name} is not listed any more; choose another instrument")
            changed = differences(data, spec)
            if changed:
                raise InstrumentChangedError(
                    f"{spec.name}: {'; '.join(changed)}")

    async def positions(self) -> list[tuple[int, float]]:
        """Ask for the venue's positions: (signed contracts, average price) by market."""
        realized = [self.profit.realized(market) for market in range(len(self.specs))]
        reply = await self.rpc.call(
            endpoints.GET_POSITIONS, {"currency": "any", "kind": "future"}, list[PositionData],
            timeout_s=self.timeout_s)
        by_name = {p.instrument_name: p for p in reply}
        names = {spec.name for spec in self.specs}
        elsewhere = {name for name, held in by_name.items() if held.size and name not in names}
        for name in sorted(elsewhere - self.elsewhere):
            log.warning("the account holds %g of %s, which this session does not follow: nobody "
                        "looks after it", by_name[name].size, name)
        self.elsewhere = elsewhere
        self.profit_off = self.profit.differing(by_name, realized)
        found = []
        for market, spec in enumerate(self.specs):
            held = by_name.get(spec.name)
            if held is None:
                found.append((0, 0.0))
                self.funding.setdefault(market, 0.0)
                continue
            self.take_funding(market, held.realized_funding)
            contracts = spec.contracts(abs(held.size))
            found.append((-contracts if held.direction == "sell" else contracts,
                          held.average_price))
        return found

    def take_funding(self, market: int, session_btc: float) -> None:
        """Book the funding of the session so far; a position that rests sends no word of it.

        What was paid before the first look is not ours. Not around a settlement, where the figure
        begins anew.
        """
        before = self.funding.get(market)
        if before == session_btc or self.session.engine.markets[market].settling:
            return
        self.funding[market] = session_btc
        self.session.control(ControlKind.CONTROL_FUNDING, market, int(before is None),
                             session_btc)

    async def adopt_positions(self, policy: str) -> None:
        """Tell the engine what it holds; policy refuse makes any position a StartRefusedError.

        After the first time both counts should agree; a difference is taken over, never silently.
        """
        if self.over and self.fills.listened_ns:    # delivered while nobody listened
            await book_deliveries(self.session, self.rpc, self.specs, await self.differing(),
                                  self.timeout_s)
        found = await self.positions()
        for market, (contracts, average) in enumerate(found):
            name = self.specs[market].name
            held = self.session.engine.markets[market].position.contracts
            if self.fills.listened_ns and held != contracts:
                self.mismatches_total += 1
                log.error("%s: we count %d contracts, the venue %d: the venue's count is taken, "
                          "and our profit misses trades", name, held, contracts)
            if contracts and policy == "refuse":
                raise StartRefusedError(
                    f"{name}: the account holds {contracts} contracts at {average}; close them or "
                    "set start.position = \"adopt\"")
            if held == contracts and self.fills.listened_ns:
                # The venue's average is rounded for people; ours is exact.
                average = self.session.engine.markets[market].position.average(self.specs[market])
            self.session.control(ControlKind.CONTROL_POSITION, market, contracts, average)
        self.profit.rebase()
        self.fills.agreed()

    async def compare_positions(self) -> bool:
        """Compare positions; two mismatches in a row pause the engine. True where they agree.

        Before a difference counts, the venue is asked for trades we may have missed.
        """
        wrong = await self.differing()
        if wrong and await self.fills.recover(always=True):
            wrong = await self.differing()
        if wrong and await book_deliveries(self.session, self.rpc, self.specs, wrong,
                                           self.timeout_s):
            wrong = await self.differing()
        if not wrong and not self.profit_off:
            self.mismatches = 0
            self.fills.agreed()
            return True
        self.mismatches += 1
        self.mismatches_total += 1
        if wrong:
            log.error("positions differ (instrument, ours, venue's): %s", wrong)
        else:
            log.error("realised profits differ (instrument, ours less the venue's): %s",
                      self.profit_off)
        if self.mismatches >= 2:
            self.session.control(ControlKind.CONTROL_PAUSE, 0, 0, RiskReason.REASON_RECONCILE)
        return False

    async def accept(self) -> None:
        """Take the venue's positions for ours, on a person's word, so that quoting may go on."""
        for name, ours, theirs in await self.differing():
            log.error("%s: by order, our %d contracts become the venue's %d", name, ours, theirs)
        for market, (contracts, average) in enumerate(await self.positions()):
            if contracts != self.session.engine.markets[market].position.contracts:
                self.session.control(ControlKind.CONTROL_POSITION, market, contracts, average)
        self.mismatches = 0
        self.profit.rebase()
        self.fills.agreed()

    async def differing(self) -> list[tuple[str, int, int]]:
        """Return (instrument, our contracts, the venue's) where they are not the same.

        A fill between question and answer is no mismatch: what moved meanwhile is not compared.
        """
        before = [m.position.contracts for m in self.session.engine.markets]
        found = await self.positions()
        after = [m.position.contracts for m in self.session.engine.markets]
        wrong = [(spec, ours, contracts)
                 for spec, ours, then, (contracts, _) in zip(self.specs, after, before, found,
                                                             strict=True)
                 if ours == then and contracts != ours]
        self.difference_usd = max(
            (abs(spec.amount(contracts - ours)) for spec, ours, contracts in wrong), default=0.0)
        return [(spec.name, ours, contracts) for spec, ours, contracts in wrong]
