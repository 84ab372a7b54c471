"""What the connection does by itself: second path, split, platform, foreign orders, changes."""

import asyncio

import pytest
from fault_session import SESSION_S, SETS, FaultSession, fault_at, single_faults
from virtual_session import VirtualSession

from connectors.deribit import fills
from connectors.sim.exchange import Exchange
from connectors.sim.faults import Fault, FaultPlan
from connectors.sim.wire.desk import Desk
from mmcore.types import ControlKind
from runner.simulation.market import WalkingMarket
from runner.simulation.plan import Kind
from runner.virtual import MemoryTransport

SEED = 1


class Seen:
    """Counts the maker's open orders at the exchange over time."""

    def __init__(self) -> None:
        self.counts: list[tuple[float, int]] = []

    def __call__(self, session: VirtualSession) -> None:
        assert session.server is not None
        account = next((a for a in session.server.exchange.accounts
                        if a.client_id == "maker"), None)
        self.counts.append((session.loop.time() - 1000.0, account.open_orders if account else 0))

    def between(self, begin_s: float, end_s: float) -> set[int]:
        return {count for at_s, count in self.counts if begin_s <= at_s < end_s}


def quiet_session(*, sets: tuple[str, ...] = (), faults: FaultPlan | None = None,
                  market: WalkingMarket | None = None) -> VirtualSession:
    return VirtualSession(seed=SEED, sets=(*SETS, *sets), ring_mib=4, faults=faults,
                          market=lambda _: market or WalkingMarket(SEED))


# -------------------------------------------------------------------------------- second path
@pytest.mark.parametrize("step", ["request:cancel_all_by_instrument", "request:cancel"])
def test_a_pull_on_a_half_open_line_goes_by_the_second_path(step: str) -> None:
    case = FaultSession(fault_at("half_open", step, 1), SEED, guarded=True)
    gone: list[float] = []
    look = case.watcher.look

    def looking() -> None:
        look()
        account = case.watcher.account
        if case.struck_s > 0 and account is not None and not account.open_orders:
            gone.append(case.session.loop.time())

    case.watcher.look = looking     # type: ignore[method-assign]
    tick = case.operate

    def operate(session: VirtualSession) -> None:
        tick(session)
        looking()

    case.operate = operate          # type: ignore[method-assign]
    assert case.run() == []
    asked_s, name = case.second[0]
    assert name == "BTC-PERPETUAL"
    assert 0.25 <= asked_s - case.struck_s <= 0.31
    assert gone[0] - case.struck_s <= 0.42     # looked at every 100 ms
    assert case.session.maker is not None
    assert case.session.maker.client.orders.dead_lines == 1


def test_a_kill_asks_the_second_path_in_the_same_tick() -> None:
    case = FaultSession(None, SEED, guarded=True)
    killed: list[float] = []
    tick = case.operate

    def operate(session: VirtualSession) -> None:
        tick(session)
        if session.loop.time() > 1004.0 and not killed and session.maker is not None:
            session.maker.session.control(ControlKind.CONTROL_KILL)
            killed.append(session.loop.time())

    case.operate = operate          # type: ignore[method-assign]
    found = [text for text in case.run() if "no quotes" not in text]
    assert found == []
    assert [name for _, name in case.second] == [""]
    assert case.second[0][0] - killed[0] <= 0.0101
    assert case.session.maker is not None
    assert case.session.maker.engine.risk.state_name == "RISK_KILLED"


# -------------------------------------------------------------------------------- two connections
SPLIT = ("venue.split_connections=true",)


def test_two_connections_quote_and_bear_every_ninth_fault() -> None:
    plain = FaultSession(None, SEED, SPLIT)
    assert plain.run() == []
    assert plain.session.maker is not None
    client = plain.session.maker.client
    assert len(client.links) == 2
    assert client.data.session.frames > 180 > 150 > client.orders.session.frames
    wrong = []
    for fault in [f for f in single_faults(plain.wire.seen, (1,))
                  if f.kind in ("cut", "half_open", "deaf")][::2]:
        found = FaultSession(fault, SEED, SPLIT).run()
        wrong += [f"{fault}: {text}" for text in found]
    assert wrong == []


# -------------------------------------------------------------------------------- the platform
def test_maintenance_and_back() -> None:
    """Announced, closed, open again: no order while it lasts, quotes soon after."""
    seen = Seen()
    session = quiet_session(faults=FaultPlan(fault=(
        Fault(kind="maintenance", from_s=3.0, until_s=8.0, delay_ms=1000.0),)))
    session.run(16.0, meanwhile=seen, every_s=0.05)
    assert seen.between(2.0, 3.0) - {0}
    assert seen.between(3.1, 8.0) == {0}
    assert seen.between(11.0, 13.0) - {0}
    assert session.verified


def test_a_lock_pulls_and_its_end_quotes_again() -> None:
    seen = Seen()
    session = quiet_session(faults=FaultPlan(fault=(
        Fault(kind="lock", from_s=3.0, until_s=6.0),)))
    session.run(10.0, meanwhile=seen, every_s=0.05)
    assert seen.between(3.1, 6.0) == {0}
    assert seen.between(6.5, 9.0) - {0}


def test_a_platform_locked_at_the_start_is_waited_for() -> None:
    seen = Seen()
    session = quiet_session(faults=FaultPlan(fault=(
        Fault(kind="lock", from_s=0.0, until_s=3.0),)))
    session.run(9.0, meanwhile=seen, every_s=0.05)
    assert session.maker is not None
    assert session.maker.client.connects == 1
    assert seen.between(0.0, 3.0) == {0}
    assert seen.between(6.0, 9.0) - {0}


# -------------------------------------------------------------------------------- foreign orders
class Inhabited(WalkingMarket):
    """The account has an order of somebody else before the maker comes."""

    def start(self, exchange: Exchange, t_ns: int) -> int:
        due = super().start(exchange, t_ns)
        account = exchange.open_account("maker", t_ns, 90_000_000, 0, False)
        Desk(exchange).place(t_ns, -1, account, 0, 0, 0, 0, 139_000, 20, label=b"by hand")
        return due


def test_a_foreign_order_halts_the_start_and_stays() -> None:
    session = quiet_session(market=Inhabited(SEED))
    failed: list[BaseException | None] = []
    counts = Seen()

    def look(s: VirtualSession) -> None:
        counts(s)
        assert s.maker is not None
        failed.append(s.maker.client.error)

    session.run(3.0, meanwhile=look, every_s=0.1)
    assert "start.foreign_orders" in str(failed[-1])
    assert "buy 200 BTC-PERPETUAL" in str(failed[-1])
    assert {count for _, count in counts.counts} == {1}


def test_a_foreign_order_is_cancelled_where_that_is_the_policy() -> None:
    session = quiet_session(sets=("start.foreign_orders=cancel",), market=Inhabited(SEED))
    seen = Seen()
    session.run(4.0, meanwhile=seen, every_s=0.1)
    assert seen.between(2.0, 4.0) - {0}
    assert session.verified
    assert session.maker is not None
    assert session.maker.client.connects == 1


# -------------------------------------------------------------------------------- fills by pages
def test_missed_trades_are_asked_for_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fills, "TRADES_PAGE", 1)
    case = FaultSession(fault_at("half_open", "changes:fill", 2), SEED)
    assert case.run() == []
    assert case.session.maker is not None
    assert case.session.maker.client.reconciler.fills.pages > 2


# -------------------------------------------------------------------------------- definitions
def test_a_changed_tick_pulls_and_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    session = quiet_session()
    deliver = MemoryTransport.expect

    def altered(to: MemoryTransport, data: bytes | None) -> None:
        if data is not None and session.loop.time() > 1030.0 and b"settlement_period" in data:
            data = data.replace(b'"tick_size":0.5', b'"tick_size":0.1')
        deliver(to, data)

    monkeypatch.setattr(MemoryTransport, "expect", altered)
    errors: list[str] = []
    seen = Seen()

    def look(s: VirtualSession) -> None:
        seen(s)
        assert s.maker is not None
        errors.append(f"{s.maker.client.connects} {s.maker.client.error or ''}")

    session.run(62.5, meanwhile=look, every_s=0.1)
    assert "tick 0.5 is now 0.1" in errors[-1]
    assert seen.between(61.0, 62.5) == {0}
    assert errors[-1].startswith("1 ")      # no attempt to go on


# -------------------------------------------------------------------------------- the person's word
def test_a_mismatch_pause_is_lifted_without_a_restart() -> None:
    session = quiet_session(sets=("quote.size_btc=0.002",))
    states: list[str] = []

    async def upset() -> None:
        maker = session.maker
        assert maker is not None
        held = maker.engine.markets[0].position.contracts
        maker.session.control(ControlKind.CONTROL_POSITION, 0, held + 7, 70000.0)
        for _ in range(2):
            await maker.client.reconciler.compare_positions()
        states.append(maker.engine.risk.state_name)
        await maker.client.resume()
        states.append(maker.engine.risk.state_name)
        assert await maker.client.reconciler.compare_positions()

    tasks: list[asyncio.Task[None]] = []

    def once(s: VirtualSession) -> None:
        if s.loop.time() > 1003.0 and not tasks:
            tasks.append(s.loop.create_task(upset()))

    session.run(SESSION_S, meanwhile=once, every_s=0.1)
    assert tasks[0].exception() is None
    assert states == ["RISK_PAUSED", "RISK_ACTIVE"]


# -------------------------------------------------------------------------------- subscriptions
def test_a_dead_ticker_is_subscribed_anew() -> None:
    """The venue forgets one channel: quotes go after 6 s, and are back once it is asked again."""
    session, seen = quiet_session(), Seen()

    def forget(running: VirtualSession) -> None:
        seen(running)
        if seen.counts[-1][0] >= 3.0 and not forgotten:
            assert running.server is not None
            (maker,) = running.server.sessions
            running.server.subscriptions.unsubscribe(maker, ["ticker.BTC-PERPETUAL.100ms"])
            forgotten.append(seen.counts[-1][0])

    forgotten: list[float] = []
    session.run(16.0, meanwhile=forget, every_s=0.1)
    assert session.maker is not None
    assert session.maker.client.subscriptions.tickers_renewed == 1
    assert session.maker.client.subscriptions.resyncs == 0
    assert session.maker.client.connects == 1
    assert 0 in seen.between(forgotten[0] + 5.5, forgotten[0] + 7.5)
    assert seen.between(15.0, 16.0) - {0}


def test_nothing_is_subscribed_anew_because_it_is_quiet() -> None:
    class Still(WalkingMarket):
        def act(self, exchange: Exchange, t_ns: int) -> None:
            """Let nothing happen for the rest of the day."""

    session = quiet_session(market=Still(SEED))
    session.run(25.0)
    assert session.maker is not None
    client = session.maker.client
    assert (client.subscriptions.resyncs, client.subscriptions.tickers_renewed) == (0, 0)
    assert client.connects == 1


@pytest.mark.parametrize("kind", ["half_open", "deaf"])
def test_a_kill_on_a_line_that_does_not_answer_goes_by_the_second_path(kind: Kind) -> None:
    """The socket takes the cancel-all and nobody gets it: no order is left 50 ms later."""
    case = FaultSession(fault_at(kind, "book", 3), SEED, guarded=True)
    killed: list[float] = []
    gone: list[float] = []
    tick = case.operate

    def operate(session: VirtualSession) -> None:
        tick(session)
        account = case.watcher.account
        assert session.maker is not None
        assert account is not None
        if case.struck_s > 0 and not killed and account.open_orders:
            session.maker.session.control(ControlKind.CONTROL_KILL)
            killed.append(session.loop.time())
            session.loop.call_later(0.05, lambda: gone.append(account.open_orders))

    case.operate = operate          # type: ignore[method-assign]
    found = [text for text in case.run() if "no quotes" not in text]
    assert found == []
    assert killed
    assert gone == [0]
    assert case.second[0][0] - killed[0] <= 0.0101
    assert case.session.maker is not None
    assert case.session.maker.engine.risk.state_name == "RISK_KILLED"


def test_a_create_under_way_at_the_kill_is_taken_when_it_arrives() -> None:
    """A fifth of a second late, behind the cancel-all, and gone 50 ms later."""
    late_s = 0.2
    case = FaultSession(fault_at("delay", "request:buy", 3, last_s=late_s), SEED, guarded=True)
    killed: list[float] = []
    rested: list[float] = []
    tick, look = case.operate, case.watcher.look

    def looking() -> None:
        look()
        account = case.watcher.account
        if killed and account is not None and account.open_orders:
            rested.append(case.session.loop.time())

    def operate(session: VirtualSession) -> None:
        tick(session)
        if case.struck_s > 0 and not killed:
            assert session.maker is not None
            session.maker.session.control(ControlKind.CONTROL_KILL)
            killed.append(session.loop.time())

    case.watcher.look = looking     # type: ignore[method-assign]
    case.operate = operate          # type: ignore[method-assign]
    found = [text for text in case.run() if "no quotes" not in text]
    assert found == []
    assert killed[0] - case.struck_s < late_s
    assert rested                   # it did arrive
    assert max(rested) <= case.struck_s + late_s + 0.05
    assert case.session.maker is not None
    assert case.session.maker.engine.risk.state_name == "RISK_KILLED"
