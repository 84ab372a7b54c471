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
from runner.state import shared_path, state_path

TIMEOUT_S = 5.0


def main(command: str, config: Path | None, venue: str | None, sets: tuple[str, ...],
         reason: str) -> int:
    """Send one command, or unkill; print the answer as JSON. Returns the exit code."""
    try:
        loaded = load(config, sets, venue)
        if loaded.embedded and not loaded.runtime.state_dir:
            return refuse("the embedded exchange keeps no state; name the folder of the maker "
                          "with --set runtime.state_dir=PATH or a config file", EXIT_USAGE)
        folder = state_path(loaded, credentials(loaded).client_id)
    except ConfigError as error:
        return refuse("; ".join(error.lines), EXIT_USAGE)
    if command == "unkill":
        return unkill(folder, reason)
    return ask(folder, {"command": command, "reason": reason, "who": whoami()})


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


def ask(folder: Path, request: dict[str, Any]) -> int:
    """Send one request to the maker of a folder and print its answer."""
    path = shared_path(folder) / SOCKET
    try:
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
        answer = json.loads(raw)
    except (OSError, ValueError) as error:
        return refuse(f"no maker answers at {path} ({error}); is it running with this config?",
                      EXIT_FAILURE)
    sys.stdout.write(json.dumps(answer, indent=1) + "\n")
    return EXIT_CLEAN if answer.get("ok") else EXIT_FAILURE


def refuse(text: str, code: int) -> int:
    sys.stderr.write(f"mm: {text}\n")
    return code
