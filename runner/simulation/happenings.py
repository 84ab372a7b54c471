"""What happens to the maker's process, its machine, its venue and by its operator.

Each takes the session and the fault; False means that there was nothing it could happen to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from connectors.sim.faults import Fault, FaultPlan, Faults
from connectors.sim.orders import CancelReason
from connectors.sim.wire.platform import Platform
from mmcore.states import RiskState
from mmcore.types import ControlKind
from runner.changes import Changes
from runner.simulation.plan import Kind, SessionFault
from runner.simulation.wire import VENUE_PORT, transports_of

if TYPE_CHECKING:
    from runner.simulation.life import Life
    from runner.simulation.session import Session

NS = 1_000_000_000
LEAVING_S = 8.0         # what an orderly way out may take
JOURNAL_PAUSE_S = 5.0   # what the engine keeps quiet after a record was lost
UNLATCHED_S = 0.5
CANCELLED_S = 2.0       # what a kill may take, with a second path


# -- the maker's process
def crash(session: Session, fault: SessionFault) -> bool:
    """End it as kill -9 does, and start another."""
    return session.begin_replacing("crash", fault.last_s)


def power_loss(session: Session, fault: SessionFault) -> bool:
    """End process and lines without a word: the venue still believes in both."""
    return session.begin_replacing("power_loss", fault.last_s)


def restart(session: Session, fault: SessionFault) -> bool:
    """Let it leave in order, and start another."""
    return session.begin_replacing("leave", fault.last_s)


# -- this machine
def stall(session: Session, fault: SessionFault) -> bool:
    """Do not run the process for a while; what comes meanwhile lies in its sockets."""
    life = session.life
    if life is None or life.maker is None or life.over or life.maker.reactor.handle is None:
        return False
    reactor, handle = life.maker.reactor, life.maker.reactor.handle
    ends = transports_of(session.loop, maker=True)
    handle.cancel()
    for end in ends:
        end.pause_reading()

    def go_on() -> None:
        for end in ends:
            end.resume_reading()
        if not life.over:
            reactor.tick()

    session.loop.call_later(fault.last_s, go_on)
    return True


def clock_jump(session: Session, fault: SessionFault) -> bool:
    """Let the venue's clock jump ahead of ours."""
    session.wall_offset_ns += int(fault.last_s * NS)
    return True


def disk_full(session: Session, fault: SessionFault) -> bool:
    """Let the recorder write nothing for a while."""
    life = session.life
    if life is None or not life.running:
        return False
    life.disk_full = True
    session.busy(fault.last_s + JOURNAL_PAUSE_S)

    def end() -> None:
        life.disk_full = False

    session.loop.call_later(fault.last_s, end)
    return True


# -- a person
def may_command(session: Session) -> bool:
    """Whether there is a maker that listens to a person."""
    life = session.life
    return (life is not None and life.maker is not None and not life.over
            and not session.changing and session.witness is not None
            and life.maker.engine.risk.state < RiskState.RISK_STOPPED)


def control(session: Session, kind: ControlKind, value: int = 0) -> None:
    """Tell the maker what the control socket would."""
    life = session.life
    if life is not None and life.maker is not None and not life.over:
        life.maker.session.control(kind, 0, value)


def pause(session: Session, fault: SessionFault) -> bool:
    """Pause it by hand, and resume."""
    return restrain(session, fault, ControlKind.CONTROL_PAUSE, 0)


def reduce(session: Session, fault: SessionFault) -> bool:
    """Let it only reduce, and take that back."""
    return restrain(session, fault, ControlKind.CONTROL_REDUCE, 1)


def restrain(session: Session, fault: SessionFault, kind: ControlKind, value: int) -> bool:
    if not may_command(session):
        return False
    assert session.witness is not None
    control(session, kind, value)
    session.witness.restrained = True
    session.loop.call_later(fault.last_s, set_free, session, session.life)
    return True


def flatten(session: Session, fault: SessionFault) -> bool:
    """Let it close its position, and take that back."""
    if not reduce(session, fault):
        return False
    assert session.witness is not None
    session.witness.flattening = True
    control(session, ControlKind.CONTROL_FLATTEN, 1)
    return True


def set_free(session: Session, life: Life | None) -> None:
    """Take a person's word back, as mm ctl resume does."""
    if life is not session.life or session.witness is None or session.witness.killed:
        return
    control(session, ControlKind.CONTROL_FLATTEN, 0)
    control(session, ControlKind.CONTROL_REDUCE, 0)
    control(session, ControlKind.CONTROL_RESUME)
    session.witness.restrained = session.witness.flattening = False


def change(session: Session, fault: SessionFault) -> bool:
    """Set a key while it trades, as mm ctl set does, and set it back."""
    life = session.life
    if not may_command(session) or life is None or life.maker is None:
        return False
    changes = Changes(session.config, life.maker.engine, life.maker.session.note)
    key = fault.change.partition("=")[0]
    section, name = key.split(".")
    before = getattr(getattr(session.config, section), name)
    if not asked(changes, fault.change):
        return False

    def set_back() -> None:
        if life is session.life and not life.over and not asked(changes, f"{key}={before}"):
            session.fail(f"EXCEPTION: {key}={before} is refused where it was before")

    session.loop.call_later(fault.last_s, set_back)
    return True


def asked(changes: Changes, text: str) -> bool:
    """Ask for a change, twice where that is wanted; False where it is refused or is none."""
    answer = changes.ask([text], "simulation", "", "")
    if "confirm" in answer:
        answer = changes.ask([text], "simulation", "", answer["confirm"])
    return bool(answer["ok"])


def kill(session: Session, fault: SessionFault) -> bool:
    """Kill it by hand; somebody looks, unlatches, starts it again."""
    if not may_command(session):
        return False
    assert session.witness is not None
    session.witness.killed = True
    control(session, ControlKind.CONTROL_KILL)
    session.loop.call_later(fault.last_s, session.begin_replacing, "leave", UNLATCHED_S)
    session.loop.call_later(min(fault.last_s, CANCELLED_S) - 0.001, all_gone, session, session.life)
    session.busy(fault.last_s + LEAVING_S)
    return True


def all_gone(session: Session, life: Life | None) -> None:
    """Check that a kill has taken every order, where there was a line to say so."""
    if (life is session.life and life is not None and life.maker is not None and not life.over
            and session.witness is not None and session.witness.resting
            and life.maker.session.sink.is_connected and not session.wire.troubled()):
        session.fail("KILL: orders still rest after it")


# -- the venue
def token_expiry(session: Session, _fault: SessionFault) -> bool:
    """Let every login be worth nothing any more."""
    assert session.server is not None
    for client in session.server.sessions:
        client.expires_ns = 1
    return bool(session.server.sessions)


def platform(session: Session, kind: Literal["maintenance", "lock"], last_s: float,
             delay_ms: float = 0.0) -> None:
    """Let the exchange's own fault plan change the platform from now on."""
    server = session.server
    assert server is not None
    now_ns = session.wall_ns()
    if server.faults is None or server.platform is None:
        server.faults = Faults(FaultPlan(), now_ns)
        server.platform = Platform(server.faults, server.exchange, server.subscriptions)
    from_s = (now_ns - server.faults.start_ns) / NS
    server.faults.add(Fault(kind=kind, from_s=from_s, until_s=from_s + last_s,
                            delay_ms=delay_ms))
    server.run_due(now_ns)


def maintenance(session: Session, fault: SessionFault) -> bool:
    """Close the venue, announced or not."""
    platform(session, "maintenance", fault.last_s, session.random.choice((0.0, 1000.0)))
    return True


def lock(session: Session, fault: SessionFault) -> bool:
    """Lock the platform."""
    platform(session, "lock", fault.last_s)
    return True


def settlement(_session: Session, _fault: SessionFault) -> bool:
    """Do nothing: the session's clock was set so that it comes now."""
    return True


def refuses_connections(session: Session, fault: SessionFault) -> bool:
    """Break what connections there are, and take none for a while."""
    server = session.loop.servers.pop(VENUE_PORT, None)
    if server is None:
        return False
    for end in transports_of(session.loop, maker=True):
        end.cut()

    def listen() -> None:
        session.loop.servers[VENUE_PORT] = server

    session.loop.call_later(fault.last_s, listen)
    return True


def mmp(session: Session, fault: SessionFault) -> bool:
    """Trigger market maker protection: every order cancelled, none taken for a while."""
    server, account = session.server, session.account
    if server is None or account is None:
        return False
    now_ns = session.wall_ns()
    session.wire.refusing = (session.loop.time() + fault.last_s, 13030)
    server.exchange.cancel_all(now_ns, account.number, -1, -1, -1, None, CancelReason.CANCEL_MMP)
    server.run_due(now_ns)
    maker = session.life.maker if session.life is not None else None
    if maker is not None and maker.client.protection is not None:   # quotes in mass wait so long
        session.busy(maker.client.protection.limits.frozen_s + 1.0)
    return True


HAPPENINGS: dict[Kind, Callable[[Session, SessionFault], bool]] = {
    "crash": crash, "power_loss": power_loss, "restart": restart, "stall": stall,
    "clock_jump": clock_jump, "disk_full": disk_full,
    "pause": pause, "reduce": reduce, "flatten": flatten, "kill": kill, "set": change,
    "token_expiry": token_expiry, "maintenance": maintenance, "lock": lock,
    "settlement": settlement, "refuses_connections": refuses_connections, "mmp": mmp}
