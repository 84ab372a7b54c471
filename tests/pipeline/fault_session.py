"""A short session of creates, edits, cancels and fills, with one fault, watched at every event."""

from collections.abc import Callable, Iterator

from virtual_session import LIVELY, VirtualSession

from connectors.sim.account import Account
from connectors.sim.witness import Witness
from mmcore.states import RiskState
from mmcore.types import ControlKind, MarketState
from runner.simulation.market import WalkingMarket
from runner.simulation.plan import Kind, SessionFault
from runner.simulation.wire import Wire

SETS = (*LIVELY, "quote.levels=2", "quote.size_btc=0.005", "signals.warmup_s=0.3",
        "orders.post_fill_hold_ms=100", "orders.momentum_bps=0", "orders.run_bps=0",
        "orders.requote_bps=0.1", "orders.retreat_bps=0.1", "quote.vol_k=0",
        "signals.regime=false", "cover.trigger_bps=0", "settlement.resume_after_s=0.2",
        "inventory.fills_in_row_pause=0")
ARMED_S = 1.5
SESSION_S = 9.0
QUIET_S = 5.0       # quotes stand again so long after the fault, at the latest


class Watcher:
    """Lets the witness compare maker and exchange after every event; keeps what it finds first."""

    def __init__(self, session: VirtualSession) -> None:
        self.session = session
        self.witness: Witness | None = None
        self.quoting_s = -1.0       # when orders last stood
        self.account: Account | None = None

    @property
    def found(self) -> list[str]:
        described = self.witness.described if self.witness is not None else ""
        return [described] if described else []

    def look(self) -> None:
        session = self.session
        if session.maker is None or session.server is None:
            return
        if self.witness is None:
            self.witness = Witness(session.server.exchange)
        if self.account is None:
            if not self.witness.follow("maker"):
                return
            self.account = next(a for a in session.server.exchange.accounts
                                if a.client_id == "maker")
        if not self.witness.watches(session.maker.engine):
            self.witness.begin(session.maker.engine, [0])
            self.witness.reconciled()
        self.witness.killed = session.maker.engine.risk.state == RiskState.RISK_KILLED
        self.witness.look()
        if self.witness.resting:
            self.quoting_s = session.loop.time()


class FaultSession:
    """One case: runs the session, returns what was found wrong."""

    def __init__(self, fault: SessionFault | None, seed: int, sets: tuple[str, ...] = (), *,
                 guarded: bool = False) -> None:
        """guarded: a second path of 2 ms stands ready, as the guard's HTTP does."""
        self.fault = fault
        self.guarded = guarded
        self.second: list[tuple[float, str]] = []   # when the second path was asked for what
        self.session = VirtualSession(seed=seed, sets=(*SETS, *sets), ring_mib=4,
                                      market=lambda _: WalkingMarket(seed))
        self.watcher = Watcher(self.session)
        self.struck_s = -1.0
        self.wire = Wire(self.on_strike)
        self.armed = False

    def on_strike(self, _fault: SessionFault, _payload: bytes) -> None:
        self.struck_s = self.session.loop.time()

    def run(self) -> list[str]:
        loop = self.session.loop
        loop.carry = self.wire
        loop.received = lambda _to: self.watcher.look()
        self.session.run(SESSION_S + self.longest_s(), meanwhile=self.operate, every_s=0.1)
        return self.watcher.found + self.judged()

    def arm(self) -> None:
        self.armed = self.wire.count_steps = True
        if self.fault is not None:
            self.wire.expect(self.fault)

    def longest_s(self) -> float:
        """A late message must still arrive while somebody looks."""
        return self.fault.last_s if self.fault is not None and self.fault.kind == "delay" else 0.0

    def operate(self, session: VirtualSession) -> None:
        """Arm the fault once quotes stand; pull everything now and then, as a halt does."""
        at_s = session.loop.time() - 1000.0
        if not self.armed and at_s >= ARMED_S:
            self.arm()
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
            "request:cancel_all_by_instrument", "request:mass_quote")
ANSWERED = ("answer:new", "answer:edit", "answer:cancel", "answer:pull", "answer:quoted")
TOLD = ("changes:open", "changes:fill", "changes:cancelled")
MARKET = ("book", "trades", "ticker")
DELAYS_S = (0.05, 0.3, 0.999, 1.7, 20.0)
REFUSALS = (10001, 10003, 10004, 10005, 10009, 10010, 10028, 10040, 10041, 10043, 10047, 10050,
            11008, 11044, 11051, 11054, 11094, 13009, 13028, 13666, 13777, 13888, -32602)
AFTER_EFFECT = (10001, 10040, 10050, 11051, 11094, 13028)
LOSSES: tuple[Kind, ...] = ("drop", "cut", "cut_after", "half_open", "deaf")
FOR_GOOD_S = 60.0   # a dead line is never told
SPOILT: tuple[Kind, ...] = ("duplicate", "reorder", "garbled", "truncated")


def fault_at(kind: Kind, step: str, nth: int, *, last_s: float = 0.0,
             code: int = 0) -> SessionFault:
    """Return a fault of the nth message of a step."""
    if kind in ("half_open", "deaf"):
        last_s = FOR_GOOD_S
    return SessionFault(kind=kind, step=step, nth=nth, last_s=last_s, code=code)


def single_faults(counts: dict[str, int], nths: tuple[int, ...] = (1, 2)) -> Iterator[SessionFault]:
    """Yield every fault at every step that occurs; counts says how often each does."""
    def each(steps: tuple[str, ...], *cases: Callable[[str, int], Iterator[SessionFault]]
             ) -> Iterator[SessionFault]:
        for step in steps:
            for nth in nths:
                if counts.get(step, 0) >= nth:
                    for case in cases:
                        yield from case(step, nth)

    def losses(step: str, nth: int) -> Iterator[SessionFault]:
        for what in LOSSES:
            yield fault_at(what, step, nth)
        for delay_s in DELAYS_S:
            yield fault_at("delay", step, nth, last_s=delay_s)

    def spoilt(step: str, nth: int) -> Iterator[SessionFault]:
        for what in SPOILT:
            yield fault_at(what, step, nth)

    def refusals(step: str, nth: int) -> Iterator[SessionFault]:
        for code in REFUSALS:
            if code == 11054 and step not in REQUESTS[:2]:
                continue    # the venue cancels the order it refuses so; a bare refusal is a lie
            yield fault_at("error", step, nth, code=code)
        for code in AFTER_EFFECT:
            yield fault_at("error_after_effect", step, nth, code=code)

    yield from each(REQUESTS, losses, refusals)
    yield from each(ANSWERED + TOLD, losses, spoilt)
    yield from each(MARKET, losses, spoilt)
