"""The latch of a kill: on disk, so that no restart forgets it; cleared with a reason, audited.

The file is made at the start with its full size: writing over blanks needs no new block, so a
full disk cannot keep a kill from being latched.
"""

import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

LATCH_BYTES = 2048
REASON_CHARS = 400


class Killed(msgspec.Struct):
    """What a latch says."""

    reason: str
    time: str
    who: str


class Latch:
    """The latch of one state folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "latch"
        self.audit = folder / "audit.jsonl"

    def prepare(self) -> None:
        """Make the file in its full size; a latch that is set stays as it is.

        Raises OSError where it cannot be made.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size < LATCH_BYTES:
                os.pwrite(handle, b" " * (LATCH_BYTES - size), size)
                os.fsync(handle)
        finally:
            os.close(handle)

    def read(self) -> Killed | None:
        """Return what is latched; a file that cannot be understood is latched too."""
        try:
            raw = self.path.read_bytes().strip()
        except FileNotFoundError:
            return None
        if not raw:
            return None
        try:
            return msgspec.json.decode(raw, type=Killed)
        except msgspec.DecodeError:
            return Killed(reason=f"{self.path} cannot be read", time="unknown", who="unknown")

    def set(self, reason: str, who: str = "") -> Killed:
        """Latch a kill; the first one stays. Raises OSError where it cannot be written."""
        before = self.read()
        if before is not None:
            return before
        killed = Killed(reason=reason[:REASON_CHARS], time=now_text(), who=(who or whoami())[:80])
        raw = msgspec.json.encode(killed)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(handle, raw.ljust(LATCH_BYTES), 0)
            os.fsync(handle)
        finally:
            os.close(handle)
        self.note("kill", killed.reason, killed.who)
        return killed

    def clear(self, reason: str, who: str = "") -> Killed:
        """Clear the latch and write down who did and why; ValueError where there is nothing to.

        The audit is written first: no latch goes without it. Raises OSError where that fails.
        """
        killed = self.read()
        if not reason.strip():
            raise ValueError("unkill needs --reason: what was found, and why it is safe to go on")
        if killed is None:
            raise ValueError(f"{self.path.parent}: nothing is latched")
        self.note("unkill", reason.strip(), who or whoami(), cleared=msgspec.to_builtins(killed),
                  must=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.pwrite(handle, b" " * max(LATCH_BYTES, os.fstat(handle).st_size), 0)
            os.fsync(handle)
        finally:
            os.close(handle)
        return killed

    def note(self, what: str, reason: str, who: str, *, cleared: Any = None,
             must: bool = False) -> None:
        """Append one line to the audit; `must`: fail where it cannot be written."""
        row = {"time": now_text(), "what": what, "who": who, "reason": reason}
        if cleared is not None:
            row["cleared"] = cleared
        try:
            handle = os.open(self.audit, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
                             0o600)
            try:
                os.write(handle, json.dumps(row).encode() + b"\n")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError:
            if must:
                raise


def refusal(killed: Killed) -> str:
    """Return the line a latched maker refuses to start with."""
    return (f"killed at {killed.time} by {killed.who}: {killed.reason}; find out why, look at the "
            "position, then run: mm ctl unkill --reason TEXT")


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def whoami() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
