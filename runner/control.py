"""The socket `mm ctl` speaks to: one JSON line in, one JSON line out; for this user alone."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from mmcore.engine import Engine
from mmcore.types import ControlKind
from runner.changes import Changes
from runner.latch import Latch

log = logging.getLogger("mm.control")

SOCKET = "ctl"
LINE_MAX = 65_536
COMMANDS = ("status", "set", "pause", "resume", "reduce", "kill", "flatten", "hedge", "unkill")


class Request(msgspec.Struct):
    """What is asked, by whom and why. changes: of set, KEY=VALUE each; confirm: its second step."""

    command: str
    reason: str = ""
    who: str = ""
    changes: list[str] = []
    confirm: str = ""


class ControlSocket:
    """Answers requests; every change is journalled by the engine and audited here.

    control: tells the engine one ControlKind (kind, market, value, real).
    """

    def __init__(self, folder: Path, engine: Engine, latch: Latch,
                 control: Callable[[ControlKind, int, int, float], None],
                 changes: Changes | None = None) -> None:
        self.path = folder / SOCKET
        self.engine = engine
        self.latch = latch
        self.control = control
        self.changes = changes
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; the socket is made with mode 0600. Raises OSError."""
        self.path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self.server = await asyncio.start_unix_server(
                self.serve, path=str(self.path), limit=LINE_MAX)
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        """Stop listening and remove the socket."""
        if self.server is not None:
            self.server.close()
            self.server = None
        self.path.unlink(missing_ok=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5.0):
                line = await reader.readline()
            if not line:
                return                  # somebody looked whether a maker is here
            writer.write(msgspec.json.encode(self.answer(line)) + b"\n")
            await writer.drain()
        except (TimeoutError, ValueError, ConnectionError) as error:
            log.warning("control socket: %s", error)
        finally:
            writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what a line asks; the answer says ok, or what is wrong with the request."""
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.DecodeError as error:
            return {"ok": False, "error": f"no request: {error}"}
        if request.command not in COMMANDS:
            return {"ok": False, "error": f"no command {request.command!r}; one of "
                                          + ", ".join(COMMANDS)}
        if request.command == "status":
            return {"ok": True, **self.status()}
        if request.command == "unkill":
            return {"ok": False, "error": "this maker runs; stop it first, unkill, start it again"}
        if request.command == "set":
            return self.set(request)
        if request.command == "hedge" and not self.engine.params.get("hedge.enabled"):
            return {"ok": False, "error": "hedge.enabled is false; mm ctl set hedge.enabled=true "
                                          "turns it on"}
        self.latch.note(request.command, request.reason, request.who)
        if request.command == "kill":
            self.control(ControlKind.CONTROL_KILL, 0, 0, 0.0)
            try:
                self.latch.set(request.reason or "mm ctl kill", request.who)
            except OSError as error:
                log.error("the kill is not latched: %s", error)
        else:
            kind, value = {
                "pause": (ControlKind.CONTROL_PAUSE, 0),
                "resume": (ControlKind.CONTROL_RESUME, 0),
                "reduce": (ControlKind.CONTROL_REDUCE, 1),
                "flatten": (ControlKind.CONTROL_FLATTEN, 1),
                "hedge": (ControlKind.CONTROL_HEDGE, 1),
            }[request.command]
            if request.command == "resume":
                self.control(ControlKind.CONTROL_REDUCE, 0, 0, 0.0)
            if request.command == "flatten" and self.engine.risk.state_name != "RISK_KILLED":
                self.control(ControlKind.CONTROL_REDUCE, 0, 1, 0.0)
            self.control(kind, 0, value, 0.0)
        return {"ok": True, **self.status()}

    def set(self, request: Request) -> dict[str, Any]:
        """Change parameters; what was changed is in the audit, the log and the journal."""
        if self.changes is None:
            return {"ok": False, "error": "this maker's parameters cannot change"}
        answer = self.changes.ask(request.changes, request.who, request.reason, request.confirm)
        if answer["ok"]:
            told = ", ".join("{key} {old} -> {new}".format(**c) for c in answer["changes"])
            self.latch.note("set", f"{told}: {request.reason}" if request.reason else told,
                            request.who)
            log.info("set by %s: %s", request.who or "unknown", told)
        return answer

    def status(self) -> dict[str, Any]:
        """Return state and reason of risk, the day's figures, and each position."""
        risk, limits = self.engine.risk, self.engine.limits.figures()
        return {
            "state": risk.state_name.removeprefix("RISK_").lower(),
            "reason": risk.reason_name.removeprefix("REASON_").lower(),
            "fault": self.engine.faults.code, "flattening": risk.flattening,
            "refused": risk.refusals(), **limits,
            "hedge": self.engine.hedge.figures(), "pairs": self.engine.pairs.figures(),
            "changed": self.changes.made if self.changes is not None else {},
            "positions": {m.name: m.spec_object.amount(abs(m.position.contracts))
                          * (1 if m.position.contracts >= 0 else -1)
                          for m in self.engine.markets}}
