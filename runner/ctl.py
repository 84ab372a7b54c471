"""`mm ctl`: ask a running maker, or clear the latch of one that does not run."""

import fcntl
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from runner.config import ConfigError, credentials, load
from runner.control import SOCKET
from runner.latch import Latch, whoami
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE
from runner.state import SHARED_MEMORY, shared_path, shared_pattern, state_path

TIMEOUT_S = 5.0


def main(command: str, config: Path | None, venue: str | None, sets: tuple[str, ...],
         reason: str, *, changes: tuple[str, ...] = (), confirm: str = "",
         as_json: bool = True) -> int:
    """Send one command, or unkill; print the answer. Returns the exit code."""
    try:
        loaded = load(config, sets, venue)
        if loaded.embedded and not loaded.runtime.state_dir:
            if command == "unkill":
                return refuse("the embedded exchange keeps no state; name the folder of the "
                              "maker with --set runtime.state_dir=PATH or a config file",
                              EXIT_USAGE)
            shared = embedded_maker()
        else:
            folder = state_path(loaded, credentials(loaded).client_id)
            shared = shared_path(folder)
    except ConfigError as error:
        return refuse("; ".join(error.lines), EXIT_USAGE)
    if command == "unkill":
        return unkill(folder, reason)
    return ask(shared / SOCKET, {"command": command, "reason": reason, "who": whoami(),
                                 "changes": changes, "confirm": confirm}, as_json=as_json)


def embedded_maker() -> Path:
    """Return the shared folder of the one maker that answers here. Raises ConfigError."""
    found = [path.parent for path in SHARED_MEMORY.glob(f"{shared_pattern()}/{SOCKET}")
             if answers(path)]
    if len(found) == 1:
        return found[0]
    fault = (f"{len(found)} makers answer on this machine; name one by its config file (-c), by "
             "--venue, or by --set runtime.state_dir=PATH")
    raise ConfigError([fault])


def answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(TIMEOUT_S)
            line.connect(str(path))
    except OSError:
        return False
    return True


def unkill(folder: Path, reason: str) -> int:
    """Clear the latch of a folder no maker holds."""
    if is_held(folder / "lock"):
        return refuse(f"a maker uses {folder}; stop it first, then unkill and start it again",
                      EXIT_FAILURE)
    try:
        killed = Latch(folder).clear(reason)
    except ValueError as error:
        return refuse(str(error), EXIT_USAGE)
    except OSError as error:
        return refuse(f"{error.filename}: {error.strerror}; the latch stays", EXIT_FAILURE)
    sys.stdout.write(json.dumps({"ok": True, "cleared": {
        "reason": killed.reason, "time": killed.time, "who": killed.who}}) + "\n")
    return EXIT_CLEAN


def is_held(lock: Path) -> bool:
    """Whether a maker holds its lock file."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def ask(path: Path, request: dict[str, Any], *, as_json: bool = True) -> int:
    """Send one request to a maker's socket and print its answer."""
    try:
        answer = answer_of(path, request)
    except (OSError, ValueError) as error:
        return refuse(f"no maker answers at {path} ({error}); is it running with this config?",
                      EXIT_FAILURE)
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=1) + "\n")
    else:
        sys.stdout.write(text_of(answer))
    return EXIT_CLEAN if answer.get("ok") else EXIT_FAILURE


def text_of(answer: dict[str, Any], under: str = "") -> str:
    """Return an answer as lines of name and value, for people."""
    lines = []
    for name, value in answer.items():
        if isinstance(value, dict):
            lines.append(text_of(value, f"{under}{name}."))
        elif value not in ("", [], None):
            shown = f"{value:.8g}" if isinstance(value, float) else str(value)
            lines.append(f"{under + name:<32}{shown}\n")
    return "".join(lines)


def answer_of(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Send one request to a maker's socket and return its answer. Raises OSError, ValueError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(TIMEOUT_S)
        line.connect(str(path))
        line.sendall(json.dumps(request).encode() + b"\n")
        raw = b""
        while not raw.endswith(b"\n"):
            part = line.recv(65_536)
            if not part:
                break
            raw += part
    return dict(json.loads(raw))


def refuse(text: str, code: int) -> int:
    sys.stderr.write(f"mm: {text}\n")
    return code
