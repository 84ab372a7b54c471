"""A short session of creates, edits, cancels and fills, with one fault, watched at every event."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from virtual_session import LIVELY, VirtualSession
from wire_faults import WireFault, WireFaults

from connectors.deribit.labels import Labels
from connectors.sim.account import Account
from connectors.sim.exchange import Exchange
from connectors.sim.market import Listing
from mmcore.types import ControlKind, InstrumentSpec, MarketState
from runner.virtual import MemoryTransport

MS = 1_000_000
STEP_NS = 50 * MS
MID_TICKS = 140_000
SPACING = 4
SETS = (*LIVELY, "quote.levels=2", "quote.size_btc=0.005", "signals.warmup_s=0.3",
        "orders.post_fill_hold_ms=100", "orders.momentum_bps=0", "orders.run_bps=0",
        "orders.requote_bps=0.1", "orders.retreat_bps=0.1", "quote.vol_k=0",
        "signals.regime=false", "cover.trigger_bps=0", "settlement.resume_after_s=0.2",
        "inventory.fills_in_row_pause=0")
ARMED_S = 1.5
SESSION_S = 9.0
QUIET_S = 5.0       # quotes stand again so long after the fault, at the latest


class ScriptedMarket:
    """A walk of the mid, and prints that fill what stands nearest: partly, then wholly."""

    waits_for_book = False

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.mid = MID_TICKS
        self.step = 0
        self.start_ns = 0

    def instruments(self) -> list[Listing]:
        return [Listing(spec=InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10,
                                            maker_fee=0.00015, taker_fee=0.00035))]

    def levels(self, exchange: Exchange, t_ns: int, amount: int) -> None:
        for i in range(1, 6):
            exchange.market_set_level(t_ns, 0, 0, self.mid - SPACING * i, amount)
            exchange.market_set_level(t_ns, 0, 1, self.mid + SPACING * i, amount)

    def start(self, exchange: Exchange, t_ns: int) -> int:
        self.start_ns = t_ns
        exchange.market_index(t_ns, "btc_usd", self.mid / 2)
        exchange.market_mark(t_ns, 0, self.mid / 2)
        self.levels(exchange, t_ns, 5000)
        return t_ns + STEP_NS

    def advance(self, exchange: Exchange, t_ns: int) -> int:
        while self.start_ns + (self.step + 1) * STEP_NS <= t_ns:
            self.step += 1
            self.act(exchange, self.start_ns + self.step * STEP_NS)
        return self.start_ns + (self.step + 1) * STEP_NS

    def act(self, exchange: Exchange, t_ns: int) -> None:
        if self.step % 5 == 0:
            self.levels(exchange, t_ns, 0)
            self.mid += self.random.choice((-6, -4, 4, 6))
            exchange.market_mark(t_ns, 0, self.mid / 2)
            self.levels(exchange, t_ns, 5000)
        elif self.step % 5 == 1:
            self.levels(exchange, t_ns, 5000 + 10 * (self.step % 7))
        if self.step % 12 == 3:     # a taker who reaches through our best price
            side = self.step // 12 % 2
            price = self.mid + SPACING if side == 0 else self.mid - SPACING
            exchange.market_trade(t_ns, 0, side, price, 10 if self.step // 24 % 2 else 60, 0)


class Watcher:
    """Compares maker and exchange after every event; what it finds is what nobody may see."""

    def __init__(self, session: VirtualSession) -> None:
        self.session = session
        self.labels: Labels | None = None
        self.looks = 0
        self.quoting_s = -1.0       # when orders last stood on both sides
        self.ready_s = -1.0
        self.account: Account | None = None
        self.found: list[str] = []

    def look(self) -> None:
        session = self.session
        if session.maker is None or session.server is None:
            return
        if self.account is None:
            self.account = next((a for a in session.server.exchange.accounts
                                 if a.client_id == "maker"), None)
            if self.account is None:
                return
        self.looks += 1
        self.judge(session.maker.engine.markets[0],
                   session.server.desk.open_orders(self.account.number))

    def judge(self, market: Any, there: list[dict[str, Any]]) -> None:
        assert self.account is not None
        rows = {(row["slot"], row["generation"]): row for row in market.orders.rows()
                if row["state"] != "ORDER_CLOSED"}
        rest, slots = [0, 0], defaultdict(list)
        for order in there:
            side = order["direction"] == "sell"
            rest[side] += round((order["amount"] - order["filled_amount"]) / 10)
            slot, generation = place_of(order["label"])
            slots[slot].append(order["order_id"])
            if (slot, generation) not in rows:
                self.say(f"orphan {order['order_id']} in slot {slot}, {generation}")
        for slot, orders in slots.items():
            if len(orders) > 1:
                self.say(f"two live orders in slot {slot}: {orders}")
        held, venue = market.position.contracts, self.account.position(0)[0]
        if (venue + rest[0] > held + market.orders.worst(0)
                or venue - rest[1] < held - market.orders.worst(1)):
            self.say(f"exposure understated: we hold {held}, worst {market.orders.worst(0)} and "
                     f"{market.orders.worst(1)}; the venue has {venue} and rests {rest}")
        if rest[0] or rest[1]:
            self.quoting_s = self.session.loop.time()

    def say(self, what: str) -> None:
        if not any(what[:12] in said for said in self.found):   # the first of a kind is enough
            self.found.append(f"{self.session.loop.time() - 1000:.4f} s: {what}")


def place_of(label: str) -> tuple[int, int]:
    """Return slot and generation of a label of any run: prefix, run, -, market slot, -, …"""
    parts = label.split("-")
    return int(parts[1][1:], 16), int(parts[2], 16)


class FaultSession:
    """One case: runs the session, returns what was found wrong."""

    def __init__(self, fault: WireFault | None, seed: int, sets: tuple[str, ...] = (), *,
                 guarded: bool = False) -> None:
        """guarded: a second path of 2 ms stands ready, as the guard's HTTP does."""
        self.fault = fault
        self.guarded = guarded
        self.second: list[tuple[float, str]] = []   # when the second path was asked for what
        self.session = VirtualSession(seed=seed, sets=(*SETS, *sets), ring_mib=4,
                                      market=lambda _: ScriptedMarket(seed))
        self.watcher = Watcher(self.session)
        self.wire = WireFaults(fault, MemoryTransport.expect)
        self.phase = 0

    def run(self) -> list[str]:
        receive = MemoryTransport.receive

        def received(transport: MemoryTransport) -> None:
            receive(transport)
            self.watcher.look()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryTransport, "expect", lambda *given: self.wire(*given))
            patch.setattr(MemoryTransport, "receive", received)
            self.session.run(SESSION_S + self.longest_s(), meanwhile=self.operate, every_s=0.1)
        return self.watcher.found + self.judged()

    def longest_s(self) -> float:
        """A late message must still arrive while somebody looks."""
        return self.fault.delay_s if self.fault is not None else 0.0

    def operate(self, session: VirtualSession) -> None:
        """Arm the fault once quotes stand; pull everything now and then, as a halt does."""
        at_s = session.loop.time() - 1000.0
        self.wire.armed = self.wire.armed or at_s >= ARMED_S
        assert session.maker is not None
        if self.guarded:
            session.maker.client.second_path = self.second_path
        tenths = round(at_s * 10)
        if at_s > ARMED_S and tenths % 15 == 7:
            session.maker.session.control(ControlKind.CONTROL_MARKET_STATE, 0,
                                               MarketState.MARKET_HALTED)
        elif at_s > ARMED_S and tenths % 15 == 9:
            session.maker.session.control(ControlKind.CONTROL_MARKET_STATE, 0,
                                               MarketState.MARKET_OPEN)

    def second_path(self, name: str) -> None:
        session, account = self.session, self.watcher.account
        assert session.server is not None
        assert account is not None
        self.second.append((session.loop.time(), name))
        session.loop.call_later(0.002, lambda: session.server and session.server.desk.cancel_many(
            session.wall_ns(), account.number))

    def judged(self) -> list[str]:
        session, account = self.session, self.watcher.account
        assert session.maker is not None
        assert account is not None
        found = []
        if not session.verified:
            found.append("the way out was not verified")
        if account.open_orders:
            found.append(f"{account.open_orders} orders are left")
        engine = session.maker.engine
        position = engine.markets[0].position
        size, entry, realized_e8, _ = account.position(0)
        ours, theirs = (position.contracts, position.fees_e8), (size, account.money()[2])
        if ours != theirs:
            found.append(f"contracts and fees: ours {ours}, the venue's {theirs}")
        # What is realised and what is still open depends on the order in which late fills are
        # booked; their sum does not, but for the rounding of each to 1e-8.
        sign = 1 if size > 0 else -1
        off_e12 = ((position.realized_e8 - realized_e8) * 10_000
                   + sign * (position.entry_cost - entry))
        if abs(off_e12) > 10_000:
            found.append(f"profit is off by {off_e12 * 1e-12:.12f} BTC")
        if engine.markets[0].orders.invalid_transitions:
            found.append("a transition that cannot be")
        if session.maker.client.reconciler.mismatches_total:
            found.append("positions were found to differ")
        end_s = 1000.0 + SESSION_S + self.longest_s()
        if end_s - self.watcher.quoting_s > QUIET_S:
            found.append(f"no quotes for {end_s - self.watcher.quoting_s:.1f} s at the end, risk "
                         f"{engine.risk.state_name}, client {session.maker.client.error}")
        if session.maker.session.exceptions:
            found.append("an exception in the session")
        return found


REQUESTS = ("request:buy", "request:sell", "request:edit", "request:cancel",
            "request:cancel_all_by_instrument")
ANSWERED = ("answer:new", "answer:edit", "answer:cancel", "answer:pull")
TOLD = ("changes:open", "changes:fill", "changes:cancelled")
MARKET = ("book", "trades", "ticker")
DELAYS_S = (0.05, 0.3, 0.999, 1.7, 20.0)
REFUSALS = (10001, 10003, 10004, 10005, 10009, 10010, 10028, 10040, 10041, 10043, 10047, 10050,
            11008, 11044, 11051, 11054, 11094, 13009, 13028, 13666, 13777, 13888, -32602)
AFTER_EFFECT = (10001, 10040, 10050, 11051, 11094, 13028)
LOSSES = ("drop", "cut", "cut after", "half open", "deaf")
SPOILT = ("duplicate", "reorder", "garbled", "truncated")


def single_faults(counts: dict[str, int], nths: tuple[int, ...] = (1, 2)) -> Iterator[WireFault]:
    """Yield every fault at every step that occurs; counts says how often each does."""
    def each(steps: tuple[str, ...], *cases: Callable[[str, int], Iterator[WireFault]]
             ) -> Iterator[WireFault]:
        for step in steps:
            for nth in nths:
                if counts.get(step, 0) >= nth:
                    for case in cases:
                        yield from case(step, nth)

    def losses(step: str, nth: int) -> Iterator[WireFault]:
        for what in LOSSES:
            yield WireFault(step, nth, what)
        for delay_s in DELAYS_S:
            yield WireFault(step, nth, "delay", delay_s=delay_s)

    def spoilt(step: str, nth: int) -> Iterator[WireFault]:
        for what in SPOILT:
            yield WireFault(step, nth, what)

    def refusals(step: str, nth: int) -> Iterator[WireFault]:
        for code in REFUSALS:
            if code == 11054 and step not in REQUESTS[:2]:
                continue    # the venue cancels the order it refuses so; a bare refusal is a lie
            yield WireFault(step, nth, "error", code=code)
        for code in AFTER_EFFECT:
            yield WireFault(step, nth, "error after effect", code=code)

    yield from each(REQUESTS, losses, refusals)
    yield from each(ANSWERED + TOLD, losses, spoilt)
    yield from each(MARKET, losses, spoilt)
