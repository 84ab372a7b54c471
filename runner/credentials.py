"""Secrets: where they may come from, and nowhere else."""

import os
import stat
from pathlib import Path


class SecretError(ValueError):
    """A reference that yields no secret; the text says the remedy and never the secret."""


def read_secret(reference: str, *, literal_allowed: bool) -> str:
    """Return the secret behind `env:NAME` or `file:PATH`, or a literal where that is allowed."""
    kind, separator, rest = reference.partition(":")
    if separator and kind == "env":
        value = os.environ.get(rest, "")
        if not value:
            raise SecretError(f"environment variable {rest} is not set; export it")
        return value
    if separator and kind == "file":
        return read_secret_file(Path(rest).expanduser())
    if not literal_allowed:
        raise SecretError(
            "a secret in clear is allowed on a loopback venue only; use env:NAME or file:PATH")
    return reference


def read_secret_file(path: Path) -> str:
    """Return the first line of a file that nobody else can read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SecretError(f"cannot read {path}: {error.strerror}; check the path") from None
    if stat.S_IMODE(mode) & 0o077:
        raise SecretError(
            f"{path} has mode {stat.S_IMODE(mode):04o} and others can read it; "
            f"run: chmod 600 {path}")
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"cannot read {path}: {error}") from None
    if not text:
        raise SecretError(f"{path} is empty; write the secret into it")
    return text.splitlines()[0]
