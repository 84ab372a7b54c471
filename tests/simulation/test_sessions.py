"""Simulated sessions: a few fresh seeds, the bugs found so far, and that the witness can see."""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from mutants import ROOT, read_list

from mmcore.types import ControlKind
from runner.simulation.campaign import kind_of, run_seed, run_seeds, shrink
from runner.simulation.plan import KINDS, Plan, Schedule, SessionFault, draw, read_plan
from runner.simulation.session import Outcome, Session

PERP = ("BTC-PERPETUAL",)
QUIET = Plan(least=0, most=0, seconds=12.0, market="walk", instruments=PERP)
FRESH = 10


def test_a_seed_is_one_session() -> None:
    """The same seed twice is the same session, to every look and message."""
    first, again = (run_seed(Plan(seconds=20.0), 11) for _ in range(2))
    assert msgspec.structs.replace(first) == again
    assert first.messages > 50


def test_more_chunks_than_a_round_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.simulation.campaign.TASKS_OF_A_CHILD", 1)
    monkeypatch.setattr("runner.simulation.campaign.AT_A_TIME", 1)
    done: list[int] = []
    campaign = run_seeds(Plan(seconds=10.0), range(7, 12), workers=2, progress=done.append)
    assert (campaign.seeds, done, campaign.broken) == (5, [1] * 5, [])


def test_fresh_seeds_break_nothing() -> None:
    base = random.SystemRandom().randrange(10**9)
    print(f"seeds from {base}")
    campaign = run_seeds(Plan(), range(base, base + FRESH), workers=1)
    assert campaign.broken == []
    assert campaign.seeds == FRESH
    assert campaign.fills > 0


# ------------------------------------------------------------------------- bugs found by seeds
FOUND = {
    # a jump of the venue's clock: offsets of before it were kept, and the least one counted
    "clock": SessionFault(kind="clock_jump", at_s=3.0, last_s=2.616),
    # a token that expired: below a reject storm nobody looked at the login
    "token": SessionFault(kind="token_expiry", at_s=4.0),
    # a venue that was away for long: the next attempt came up to half a minute later
    "back-off": SessionFault(kind="refuses_connections", at_s=3.0, last_s=9.886),
}


@pytest.mark.parametrize("name", FOUND)
def test_found_by_seeds(name: str) -> None:
    outcome = run_seed(Plan(fault=(FOUND[name],), seconds=30.0, market="walk", instruments=PERP),
                       32)
    assert outcome.breach == ""
    assert outcome.struck == {FOUND[name].kind: 1}


def test_found_by_seed_121() -> None:
    """A line that breaks while orders of unknown fate are asked for is noticed at once."""
    faults = tuple(SessionFault(kind=kind, at_s=at_s, step=step, nth=nth, at_byte=40)
                   for kind, at_s, step, nth in (
                       ("cut", 3.0, "answer:new", 1),
                       ("cut_after", 2.6, "request:get_order_state_by_label", 1)))
    outcome = run_seed(Plan(fault=faults, seconds=30.0, set=("quote.levels=3",), market="walk",
                            instruments=PERP), 121)
    assert outcome.breach == ""
    assert outcome.struck == {"cut": 1, "cut_after": 1}


# Seed, seconds, and the faults that were enough.
TWO = ("BTC-PERPETUAL", "BTC-26MAR27")


def walk(seconds: float, *faults: SessionFault, instruments: tuple[str, ...] = PERP) -> Plan:
    return Plan(fault=faults, seconds=seconds, market="walk", instruments=instruments)


SEEDS: dict[int, Plan] = {
    # a login that expired while orders of unknown fate were asked for, before quoting began
    90040: walk(30.0,
                SessionFault(kind="cut", at_s=10.03, step="answer:new", nth=4),
                SessionFault(kind="token_expiry", at_s=12.41)),
    # the first question of a new process was not answered, and it waited for ten seconds
    91624: walk(40.0,
                SessionFault(kind="reorder", at_s=15.15, step="answer:cold", nth=5),
                SessionFault(kind="power_loss", at_s=16.59, step="changes:fill", nth=5,
                             last_s=1.493)),
    # the snapshot of a new subscription was lost, and nobody asked for another
    814562: walk(30.0,
                 SessionFault(kind="cut", at_s=6.0, step="answer:new"),
                 SessionFault(kind="drop", at_s=6.1, step="book")),
    # killed before a fill was noted; the question for it arrived broken, and was asked once
    841234: walk(40.0,
                 SessionFault(kind="crash", at_s=8.0, step="changes:fill", nth=3, last_s=1.5),
                 SessionFault(kind="garbled", at_s=7.0,
                              step="request:get_user_trades_by_instrument")),
    # the same of two instruments; asked again on another line, the first's fill was taken back
    841363: walk(40.0,
                 SessionFault(kind="crash", at_s=8.0, step="changes:fill", nth=3, last_s=1.5),
                 SessionFault(kind="truncated", at_s=7.0, step="answer:asked", nth=2),
                 instruments=TWO),
    # a fill asked for after another had overtaken it: both round otherwise than at the venue
    852924: Plan(fault=(SessionFault(kind="drop", at_s=29.832, step="changes:fill", nth=3),),
                 seconds=60.0),
    # the venue's clock jumped, and a stall struck as it was read: orders timed out till the next
    223728777: Plan(fault=(SessionFault(kind="clock_jump", at_s=4.46, step="request:cancel", nth=4,
                                        last_s=1.586),
                           SessionFault(kind="stall", at_s=17.19, step="answer:new", nth=5,
                                        last_s=5.02)), seconds=60.0),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_found_by_a_seed(seed: int) -> None:
    outcome = run_seed(SEEDS[seed], seed)
    assert outcome.breach == ""
    assert outcome.struck == {fault.kind: 1 for fault in SEEDS[seed].fault}


@pytest.mark.parametrize("seed", [19, 22, 23, 39, 41, 53])
def test_found_by_seed_81278(seed: int) -> None:
    """A held line is given up; what was on it arrives all the same, at a pool in use: no 10028."""
    fault = SessionFault(kind="held", at_s=8.0, step="request:edit", last_s=9.7)
    outcome = run_seed(Plan(
        fault=(fault,), seconds=30.0, market="walk", instruments=PERP,
        set=("orders.unknown_ms=300", "inventory.limit_btc=0.02", "orders.mode=edit",
             "quote.levels=2", "venue.split_connections=false")), seed)
    assert outcome.breach == ""
    assert outcome.struck == {"held": 1}


def test_a_key_is_set_while_orders_are_under_way_and_set_back() -> None:
    fault = SessionFault(kind="set", at_s=4.0, step="request:edit", last_s=3.0,
                         change="quote.levels=1")
    session = Session(draw(Plan(
        fault=(fault,), seconds=20.0, set=("quote.levels=3",), instruments=PERP), 5))
    levels: list[float] = []

    def note() -> None:
        assert session.life is not None
        assert session.life.maker is not None
        levels.append(session.life.maker.engine.params.get("quote.levels"))

    for at_s in (3.9, 6.0, 12.0):
        session.loop.call_later(at_s, note)
    outcome = session.run()
    assert outcome.breach == ""
    assert outcome.struck == {"set": 1}
    assert levels == [3.0, 1.0, 3.0]


# ------------------------------------------------------------------------- the witness sees
def sown(do: Callable[[Session], None], plan: Plan = QUIET, at_s: float = 5.0) -> Outcome:
    session = Session(draw(plan, 3))
    session.loop.call_later(at_s, do, session)
    return session.run()


def place(session: Session, label: str, ticks: int, contracts: int, side: int = 0) -> None:
    assert session.server is not None
    assert session.account is not None
    session.server.desk.place(session.wall_ns(), -1, session.account.number, 0, side, 0, 0, ticks,
                              contracts, label=label.encode())


def own_label(session: Session, slot: int, generation: int) -> str:
    assert session.life is not None
    assert session.life.maker is not None
    return session.life.maker.session.feed.own.labels.write(0, slot, generation)


def test_two_orders_of_a_slot_and_orphans_are_seen() -> None:
    def double(session: Session) -> None:
        assert session.life is not None
        assert session.life.maker is not None
        live = [row for row in session.life.maker.engine.markets[0].orders.rows()
                if row["state"] == "ORDER_LIVE"]
        if not live:
            session.loop.call_later(0.05, double, session)
            return
        place(session, own_label(session, live[0]["slot"], live[0]["generation"]), 130_000, 10)

    assert kind_of(sown(double).breach) == "BREACH_DOUBLE"
    assert kind_of(sown(lambda s: place(s, own_label(s, 7, 9), 130_000, 10)).breach) == (
        "BREACH_ORPHAN")


def test_a_fill_nobody_booked_is_seen() -> None:
    def forget(session: Session) -> None:
        assert session.life is not None
        assert session.life.maker is not None
        maker = session.life.maker
        held = maker.engine.markets[0].position.contracts
        maker.session.control(ControlKind.CONTROL_POSITION, 0, held - 7, 70_000.0)

    assert kind_of(sown(forget).breach) == "BREACH_EXPOSURE"


def test_a_maker_that_quotes_no_more_is_seen() -> None:
    def silence(session: Session) -> None:
        assert session.life is not None
        assert session.life.maker is not None
        session.life.maker.engine.configure("signals.warmup_s", 3600.0)

    plan = msgspec.structs.replace(QUIET, seconds=20.0)
    assert kind_of(sown(silence, plan).breach) == "LIVENESS"


def test_an_unprotected_connection_is_seen() -> None:
    def expose(session: Session) -> None:
        assert session.server is not None
        for client in session.server.sessions:
            session.server.exchange.set_cancel_on_disconnect(client.connection, False, False)

    assert kind_of(sown(expose).breach) == "BREACH_UNPROTECTED"


def test_an_order_of_a_killed_maker_is_seen() -> None:
    def forget(session: Session) -> None:
        assert session.witness is not None
        session.witness.killed = True       # somebody killed it, and it did not hear

    assert kind_of(sown(forget).breach) == "BREACH_KILLED"


def test_a_lost_fee_is_seen() -> None:
    def rob(session: Session) -> None:
        session.books = msgspec.structs.replace(session.books, fees_e8=(5,))
        assert session.life is not None
        session.life.before = session.books
        session.life.before = msgspec.structs.replace(session.books, realized_e8=(0,))

    assert kind_of(sown(rob).breach) == "FILLS"


# ------------------------------------------------------------------------- plans
def test_a_plan_is_shrunk_to_what_breaks_it() -> None:
    faults = tuple(SessionFault(kind="drop", step="book", nth=n) for n in range(1, 7))
    schedule = msgspec.structs.replace(draw(Plan(), 1), fault=faults)

    def run(tried: Schedule) -> str:
        both = {2, 5} <= {f.nth for f in tried.fault}
        return "LIVENESS: gone" if both else ""

    assert [f.nth for f in shrink(schedule, "LIVENESS", run).fault] == [2, 5]


def test_a_shrunk_plan_reads_back(tmp_path: Path) -> None:
    for seed in range(40):
        schedule = draw(Plan(), seed)
        (tmp_path / "plan.toml").write_text(schedule.as_plan())
        again = draw(read_plan(tmp_path / "plan.toml"), seed)
        assert (again.fault, again.set, again.market) == (
            schedule.fault, schedule.set, schedule.market)


def test_every_kind_is_drawn() -> None:
    drawn = {fault.kind for seed in range(300) for fault in draw(Plan(), seed).fault}
    assert drawn == set(KINDS)


@pytest.mark.parametrize(("text", "fault"), [
    ("seconds = 1", "seconds 1"),
    ("[mix]\nfire = 1.0", "fire"),
    ("[mix]\ndrop = 0.0", "no kind"),
    ("[mix]\ndrop = -1.0\ncut = 1.0", "negative"),
    ("least = 4\nmost = 2", "least 4"),
    ("[[fault]]\nkind = 'drop'\nstep = 'request:dance'", "request:dance"),
    ("[[fault]]\nkind = 'error'\nstep = 'request:buy'", "needs a code"),
    ("[[fault]]\nkind = 'crash'\nnth = 0", "nth from 1"),
    ("[[fault]]\nkind = 'set'", "change = "),
    ("[[fault]]\nkind = 'crash'\nchange = 'quote.levels=1'", "change = "),
    ("colour = 1", "colour"),
])
def test_a_wrong_plan_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=fault):
        read_plan(path)


# ------------------------------------------------------------------------- mutants
def test_every_mutant_still_fits_the_sources() -> None:
    """The bugs are planted by hand (benchmarks/mutants.py); here only that they still can be."""
    mutants = read_list(ROOT)
    assert len(mutants) >= 30
    assert len({m.name for m in mutants}) == len(mutants)
    for mutant in mutants:
        assert all(change.old != change.new for change in mutant.change)
