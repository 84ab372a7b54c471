"""One simulated session: exchange, maker, what goes wrong, and who watches at every event."""

import asyncio
import json
import logging
import random
from collections import Counter
from enum import IntEnum
from typing import Any

import msgspec

from connectors.deribit.session import CONNECT_ERRORS
from connectors.sim.account import Account
from connectors.sim.wire.server import SimConfig, SimServer, serve
from connectors.sim.witness import Witness
from mmcore.orders import OrderState
from mmcore.states import RiskState
from mmcore.types import ActionKind
from runner.config import Config, load
from runner.simulation.happenings import HAPPENINGS
from runner.simulation.judgement import judge_books
from runner.simulation.life import URL, Books, Life, own_tasks
from runner.simulation.market import market_named
from runner.simulation.plan import DATED, MESSAGE_KINDS, Schedule, SessionFault
from runner.simulation.trace import Trace
from runner.simulation.wire import VENUE_PORT, Wire, transports_of
from runner.virtual import START_NS, MemoryTransport, VirtualLoop

NS = 1_000_000_000
EPOCH_S = 1_795_000_000         # 2026-11-18 08:26:40 UTC, no settlement near
SETTLEMENT_S = 1_795_075_200    # 2026-11-19 08:00:00 UTC
CLIENT = "maker"
SAVED_EVERY_S = 1.0
RECOVERY_S = 5.0                # quotes stand again so long after the last fault, at the latest
# What the maker cannot know before its own time-out: an answer that never comes.
UNTOLD_S = {"drop": 5.0, "delay": 5.0, "garbled": 5.0, "truncated": 5.0, "error": 5.0,
            "error_after_effect": 5.0, "error_before_effect": 5.0, "half_open": 3.0, "deaf": 3.0,
            "clock_jump": 3.0, "oversized": 3.0, "reorder": 5.0, "token_expiry": 3.0}
OF_ONE_LINE = frozenset({"half_open", "deaf"})      # another line works all the while
SECOND_PATH_S = 0.002
LEVELS_MAX = 10                 # slots below are bids
ORDERING = frozenset({"request:buy", "request:sell", "request:edit", "request:mass_quote"})
PULLED_S = 3.0
TEND_S = 0.05
QUIET_BEFORE_END_S = 9.0        # nothing strikes in the last seconds


class Outcome(msgspec.Struct, kw_only=True):
    """What a session came to; `breach` is empty where every invariant held."""

    seed: int
    breach: str = ""
    at_s: float = 0.0
    virtual_s: float = 0.0
    looks: int = 0
    fills: int = 0
    messages: int = 0
    lives: int = 0
    connects: int = 0
    struck: dict[str, int] = msgspec.field(default_factory=dict)
    codes: dict[int, int] = msgspec.field(default_factory=dict)
    orders: dict[str, int] = msgspec.field(default_factory=dict)    # "BEFORE>AFTER"
    risk: dict[str, int] = msgspec.field(default_factory=dict)


class Session:
    """A schedule at work. run() may be called once."""

    def __init__(self, schedule: Schedule, trace: Trace | None = None) -> None:
        self.schedule = schedule
        self.trace = trace
        self.random = random.Random(f"chances {schedule.seed}")
        self.loop = VirtualLoop()
        self.config: Config = load(None, list(schedule.set), URL)
        self.wall_offset_ns = EPOCH_S * NS - START_NS
        for fault in schedule.fault:
            if fault.kind == "settlement":      # quotes go a little before it
                self.loop.call_later(max(0.0, fault.at_s - PULLED_S), self.busy, PULLED_S)
                self.wall_offset_ns = SETTLEMENT_S * NS - START_NS - int(fault.at_s * NS)
        self.wire = Wire(self.on_strike, self.on_request)
        self.server: SimServer | None = None
        self.witness: Witness | None = None
        self.account: Account | None = None
        self.life: Life | None = None
        self.books = Books()
        self.saved_s = 0.0
        self.busy_s = 0.0           # a fault is at work until then
        self.dark_s = -1.0          # no order stands since then; -1: some do
        self.lives = 0
        self.connects = 0
        self.messages = 0
        self.struck: Counter[str] = Counter()
        self.breach = ""
        self.breach_s = 0.0
        self.ended = asyncio.Event()
        self.leaving = False
        self.changing = False       # the process is being replaced
        self.known = False          # this process has agreed with the venue once
        self.works: set[asyncio.Task[Any]] = set()

    # ---------------------------------------------------------------- clocks
    def now_s(self) -> float:
        """Return seconds since the session began."""
        return (self.loop.now_ns() - START_NS) / NS

    def wall_ns(self) -> int:
        """Return the exchange's clock."""
        return self.loop.now_ns() + self.wall_offset_ns

    # ---------------------------------------------------------------- life
    def run(self) -> Outcome:
        """Run to the end or the first breach."""
        logging.disable(logging.CRITICAL)       # thousands of connections end here
        asyncio.set_event_loop(self.loop)
        own_tasks(self.loop)
        self.loop.carry = self.wire
        self.loop.arriving = self.on_arriving
        self.loop.received = lambda _to: self.look()
        self.loop.clock.between = self.look
        self.loop.set_exception_handler(self.on_loop_error)
        try:
            self.loop.run_until_complete(self.main())
        finally:
            self.loop.clock.between = None
            asyncio.set_event_loop(None)
            self.loop.close()
            logging.disable(logging.NOTSET)
        return self.outcome()

    async def main(self) -> None:
        schedule = self.schedule
        market = market_named(schedule.market, schedule.seed, self.wall_ns(),
                              dated=DATED in schedule.instruments)
        self.server = await serve(
            SimConfig(market=market, port=9000, http=False, seed=schedule.seed,
                      use_aiofastnet=False), self.wall_ns)
        self.witness = Witness(self.server.exchange)
        if self.trace is not None:
            self.wire.note = self.trace.message
        for fault in schedule.fault:
            self.loop.call_later(fault.at_s, self.arm, fault)
        self.loop.call_later(schedule.seconds - QUIET_BEFORE_END_S, self.wire.disarm)
        self.new_life()
        try:
            async with asyncio.timeout(schedule.seconds):
                while not self.ended.is_set():
                    self.tend()
                    await asyncio.sleep(TEND_S)
        except TimeoutError:
            await self.finish()
        await self.server.stop()
        for work in [*self.works, *(self.life.tasks if self.life is not None else ())]:
            work.cancel()
        await asyncio.sleep(0.1)

    async def finish(self) -> None:
        """Leave as an operator would; judge the books when both sides are quiet."""
        assert self.server is not None
        self.leaving = True
        if self.works:
            await asyncio.wait(self.works, timeout=10.0)
        life = self.life
        if self.breach or life is None or life.maker is None or self.account is None:
            self.fail("no maker ran at the end" if not self.breach else self.breach)
            return
        verified = await life.leave()
        if not verified:
            self.fail("EXIT: the way out was not verified")
        elif self.account.open_orders:
            self.fail(f"EXIT: {self.account.open_orders} orders are left")
        else:
            self.fail(judge_books(life, self.server.exchange, self.account,
                                  self.venue_markets(life)))

    def new_life(self) -> None:
        """Start a process."""
        self.lives += 1
        self.known = False
        life = Life(self.loop, self.config, self.random, self.books, self.wall_ns)
        if self.schedule.guarded:
            life.second_path = self.second_path
        self.life = life
        self.say("maker starts")
        life.begin()

    def venue_markets(self, life: Life) -> list[int]:
        """Return the exchange's number of each of the maker's markets."""
        assert self.server is not None
        assert life.maker is not None
        names = [spec.name for spec in self.server.exchange.specs]
        return [names.index(market.name) for market in life.maker.engine.markets]

    def tend(self) -> None:
        """Do what a recorder and a supervisor do, twenty times a second."""
        life = self.life
        if life is None or life.over:
            return
        life.drain()
        if life.ready and self.loop.time() - self.saved_s >= SAVED_EVERY_S:
            self.saved_s = self.loop.time()
            self.books = life.books()
        if life.failed is not None and not self.changing:
            self.say(f"maker gives up: {life.failed}")
            self.work(self.replace("", 1.0))

    # ---------------------------------------------------------------- watching
    def on_arriving(self, to: MemoryTransport) -> None:
        if self.witness is not None and to.get_extra_info("sockname")[1] != VENUE_PORT:
            self.witness.heard(self.loop.now_ns())

    def look(self) -> None:
        """Compare both sides; the first breach ends the session."""
        witness, life = self.witness, self.life
        if witness is None or life is None or self.breach:
            return
        if self.account is None and witness.follow(CLIENT):
            assert self.server is not None
            self.account = next(a for a in self.server.exchange.accounts
                                if a.client_id == CLIENT)
        if life.maker is not None and not self.known and not life.over:
            self.meet(witness, life)
        if witness.look():
            self.fail(witness.described)
            return
        self.watch_light(witness)

    def meet(self, witness: Witness, life: Life) -> None:
        """Let the witness know a new maker, and that it has agreed with the venue."""
        assert life.maker is not None
        if not witness.watches(life.maker.engine):
            witness.begin(life.maker.engine, self.venue_markets(life))
        if life.maker.client.state == "ready":
            self.known = True
            witness.reconciled()

    def watch_light(self, witness: Witness) -> None:
        """No order for too long while nothing is wrong: the maker does not do its work."""
        now_s = self.now_s()
        if witness.resting or self.leaving:
            self.dark_s = -1.0
            return
        if self.dark_s < 0.0:
            self.dark_s = now_s
        if now_s - max(self.dark_s, self.busy_s) > RECOVERY_S:
            self.fail(f"LIVENESS: no order since {self.dark_s:.2f} s, the last fault ended at "
                      f"{self.busy_s:.2f} s{self.state()}")

    def state(self) -> str:
        """Say what the maker is about, for a message."""
        maker = self.life.maker if self.life is not None else None
        if maker is None:
            return "; no maker"
        risk = maker.engine.risk
        return (f"; client {maker.client.state}, risk {risk.state_name} {risk.reason_name}, "
                f"error {maker.client.error!r}")

    def on_request(self, step: str, payload: bytes) -> None:
        """Judge a message of the maker as it leaves."""
        self.messages += 1
        if step not in ORDERING or self.witness is None:
            return
        number = int(payload[22:payload.index(b",", 22)])
        if step == "request:mass_quote":
            self.judge_quotes(number, json.loads(payload)["params"]["quotes"])
            return
        kind = ActionKind.ACTION_EDIT if step == "request:edit" else ActionKind.ACTION_NEW
        if self.witness.on_request(
                kind, number >> 40 & 15, number >> 32 & 255, b'"post_only":true' in payload,
                b'"reduce_only":true' in payload, self.loop.now_ns()):
            self.fail(self.witness.described)

    def judge_quotes(self, number: int, quotes: list[dict[str, Any]]) -> None:
        """Judge every side of a mass quote as an order of its own."""
        assert self.witness is not None
        for quote in quotes:
            side = int("ask" in quote)
            if self.witness.on_request(
                    ActionKind.ACTION_NEW, number >> 40 & 15,
                    side * LEVELS_MAX + (number >> 32 & 255),
                    quote["ask" if side else "bid"].get("reject_post_only", False), False,
                    self.loop.now_ns()):
                self.fail(self.witness.described)

    def on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), CONNECT_ERRORS):
            return      # why a connection ended; the listener was told by on_ws_disconnected
        self.fail(f"EXCEPTION: {context.get('message')}: {context.get('exception')!r}")

    def fail(self, breach: str) -> None:
        """Keep the first breach, and end the session."""
        if breach and not self.breach:
            self.breach, self.breach_s = breach, self.now_s()
            self.say(f"BREACH {breach}")
            self.ended.set()

    def say(self, text: str) -> None:
        if self.trace is not None:
            self.trace.note(text)

    # ---------------------------------------------------------------- the next process
    def begin_replacing(self, how: str, pause_s: float) -> bool:
        if self.changing or self.life is None:
            return False
        self.work(self.replace(how, pause_s))
        return True

    async def replace(self, how: str, pause_s: float) -> None:
        """End the process, wait, and start another."""
        self.changing = True
        life, witness = self.life, self.witness
        assert life is not None
        assert witness is not None
        if how == "leave":
            self.busy(8.0 + pause_s)
            await life.leave()
        if how == "power_loss":
            for end in transports_of(self.loop, maker=True):
                self.wire.vanish(end)
        if how not in ("crash", "power_loss"):
            self.books = life.books() if life.maker is not None else self.books
        self.connects += life.maker.client.connects if life.maker is not None else 0
        life.crash(flushed=self.random.random() < 0.5)
        witness.end()
        self.busy(pause_s)
        await asyncio.sleep(pause_s)
        self.changing = False
        if not self.leaving:
            self.new_life()

    # ---------------------------------------------------------------- what goes wrong
    def arm(self, fault: SessionFault) -> None:
        """Let a fault happen now, or at its message."""
        if fault.step:
            self.wire.expect(fault)
        else:
            self.on_strike(fault, b"")

    def on_strike(self, fault: SessionFault, _payload: bytes) -> None:
        """A fault's moment has come."""
        self.say(f"FAULT {fault}")
        self.busy((0.0 if fault.kind in OF_ONE_LINE else fault.last_s)
                  + UNTOLD_S.get(fault.kind, 0.0))
        if fault.kind in MESSAGE_KINDS:
            self.struck[fault.kind] += 1
        else:
            self.loop.call_soon(self.happen, fault)

    def busy(self, seconds: float) -> None:
        self.busy_s = max(self.busy_s, self.now_s() + seconds)

    def happen(self, fault: SessionFault) -> None:
        """Let the fault of a process, a machine, a venue or a person happen."""
        if self.leaving or self.breach:
            return
        happened = HAPPENINGS[fault.kind](self, fault)
        if happened is not False:
            self.struck[fault.kind] += 1

    def work(self, work: Any) -> None:
        """Do something that takes its time."""
        task = self.loop.create_task(work)
        self.works.add(task)
        task.add_done_callback(self.works.discard)

    def second_path(self, name: str) -> None:
        """Cancel as the guard does over HTTP: a connection of its own, a little later."""
        def cancel() -> None:
            if self.server is not None and self.account is not None and not self.server.stopped:
                now_ns = self.wall_ns()
                self.server.desk.cancel_many(now_ns, self.account.number)
                self.server.run_due(now_ns)

        self.say(f"second path: cancel {name or 'everything'}")
        self.loop.call_later(SECOND_PATH_S, cancel)

    # ---------------------------------------------------------------- the end
    def outcome(self) -> Outcome:
        """Sum up."""
        witness, life = self.witness, self.life
        maker = life.maker if life is not None else None
        return Outcome(
            seed=self.schedule.seed, breach=self.breach, at_s=self.breach_s,
            virtual_s=self.now_s(), looks=witness.looks if witness is not None else 0,
            fills=life.books().fills if life is not None else 0, messages=self.messages,
            lives=self.lives,
            connects=self.connects + (maker.client.connects if maker is not None else 0),
            struck=dict(self.struck), codes=dict(self.wire.codes),
            orders=moves(OrderState, witness.order_visits()) if witness is not None else {},
            risk=moves(RiskState, witness.risk_moves()) if witness is not None else {})


def moves(kind: type[IntEnum], seen: dict[tuple[int, int], int]) -> dict[str, int]:
    """Name the states of a table: BEFORE>AFTER."""
    return {f"{kind(a).name}>{kind(b).name}": n for (a, b), n in seen.items()}
