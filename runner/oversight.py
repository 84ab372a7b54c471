"""What watches a session from inside: the latch of a kill, the day's accounts, the socket."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from mmcore.engine import Engine
from mmcore.faults import FaultCode
from mmcore.states import RiskState
from mmcore.types import ControlKind
from runner.accounts import Accounts, Day
from runner.changes import Changes
from runner.control import ControlSocket
from runner.latch import Latch

log = logging.getLogger("mm.oversight")

Control = Callable[[ControlKind, int, int, float], None]


class Oversight:
    """Latch, accounts and control socket of one session; step() is called ten times a second."""

    def __init__(self, path: Path, shared: Path, engine: Engine, control: Control,
                 changes: Changes | None = None) -> None:
        self.engine = engine
        self.control = control
        self.latch = Latch(path)
        self.accounts = Accounts(path, engine)
        self.socket = ControlSocket(shared, engine, self.latch, control, changes)
        self.latched = False
        self.state = RiskState.RISK_ACTIVE
        self.at_cap = False
        self.writing: asyncio.Future[bool] | None = None

    async def start(self) -> None:
        """Continue the day and listen; what cannot be had is said, and trading goes on."""
        try:
            self.accounts.open(self.control)
        except OSError as error:
            log.error("%s: %s; the accounts of the day are not kept", self.accounts.folder, error)
        try:
            await self.socket.start()
        except OSError as error:
            log.error("%s: %s; mm ctl cannot reach this maker", self.socket.path, error)

    def step(self) -> None:
        """Latch a kill as soon as it is one; write the accounts when they are due."""
        self.say_state()
        if not self.latched and self.engine.risk.state == RiskState.RISK_KILLED:
            self.latched = True
            fault = FaultCode(self.engine.faults.code).name
            try:
                killed = self.latch.set(fault, "engine")
                log.error("killed (%s); latched until mm ctl unkill --reason TEXT", killed.reason)
            except OSError as error:
                log.error("killed (%s), and not latched: %s", fault, error)
        day = self.accounts.step()
        if day is not None and (self.writing is None or self.writing.done()):
            # not on the reactor's thread: a disk may take its time
            self.writing = asyncio.get_running_loop().run_in_executor(
                None, self.accounts.write, day)

    def say_state(self) -> None:
        """Log what risk has come to, and a position that cannot be closed within its cap."""
        risk = self.engine.risk
        if risk.state != self.state:
            level = (logging.INFO if risk.state == RiskState.RISK_ACTIVE
                     or risk.reason_name == "REASON_OPERATOR" else logging.ERROR)
            log.log(level, "risk: %s to %s (%s)", plain(self.state.name), plain(risk.state_name),
                    plain(risk.reason_name))
            self.state = RiskState(risk.state)
        if self.engine.limits.at_cap != self.at_cap:
            self.at_cap = self.engine.limits.at_cap
            if self.at_cap:
                log.error("a position to be closed rests at risk.kill_flatten_cap_bps: nobody "
                          "buys or sells within it; close it at the venue, or raise the cap")

    async def stop(self) -> Day:
        """Write the day's file a last time, stop listening; return the day."""
        self.step()
        if self.writing is not None:
            await asyncio.wait({self.writing})
        day = self.accounts.figures()
        day.held = {}
        self.accounts.write(day)
        await self.socket.stop()
        return day


def plain(name: str) -> str:
    """Return the name of a state or reason as a person writes it."""
    return name.partition("_")[2].lower().replace("_", " ")
