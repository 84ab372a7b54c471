"""`mm init DIR`: a commented configuration, dashboards, rules, service units and the runbook."""

import json
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from runner.config_keys import KEYS, SECTIONS, Key
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE

CONFIG_NAME = "mm.toml"
HEAD = """\
# Configuration of mm. Every key is here with its default; take the # away to state another value.
# A key's name ends in its unit. mm doctor -c mm.toml checks the file.
# "needed live": a venue other than the embedded exchange starts only where the key is stated.
# Secrets are named, never written: client_secret = "env:NAME" or "file:PATH".
"""


def config_text() -> str:
    """Return the commented configuration."""
    lines = [HEAD]
    for section, struct in SECTIONS.items():
        title = (struct.__doc__ or "").split(": ", 1)[1].rstrip(".")
        lines.append(f"# {title}")
        lines.append(f"[[{section}]]" if section == "instrument" else f"[{section}]")
        for spec in KEYS.values():
            if spec.name.startswith(f"{section}."):
                lines += key_lines(spec)
        lines.append("")
    return "\n".join(lines)


def key_lines(spec: Key) -> list[str]:
    """Return a key with what it does, what it may be and what it is on the embedded exchange."""
    facts = [spec.expected]
    if spec.sim != spec.default:
        facts.append(f"{toml(spec.sim)} on the embedded exchange")
    if spec.running:
        facts.append("may change while running")
    if spec.limit:
        facts.append("needed live")
    name = spec.name.partition(".")[2]
    value = "" if spec.default is None else f" {toml(spec.default)}"
    return [f"# {spec.effect}", f"#   {'; '.join(facts)}", f"# {name} ={value}"]


def toml(value: Any) -> str:
    return json.dumps(value)


def shipped(folder: Traversable, prefix: Path = Path()) -> dict[Path, bytes]:
    """Return the deployable files of the package by their path."""
    found: dict[Path, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found.update(shipped(entry, prefix / entry.name))
        else:
            found[prefix / entry.name] = entry.read_bytes()
    return found


def placed(unit: bytes, folder: Path) -> bytes:
    """Return a service unit with the paths of this installation."""
    program = Path(sys.executable).with_name("mm")
    command = str(program) if program.exists() else f"{sys.executable} -P -m runner"
    return unit.replace(b"@MM@", command.encode()).replace(
        b"@DIR@", str(folder.resolve()).encode())


def main(folder: Path, *, force: bool) -> int:
    """Write every file; return the exit code. A file that is there is kept, unless forced."""
    texts = {Path(CONFIG_NAME): config_text().encode(),
             **shipped(files("runner").joinpath("deploy"))}
    there = sorted(str(path) for path in texts if (folder / path).exists())
    if there and not force:
        sys.stderr.write(f"mm: {folder} already has {', '.join(there)}; choose another folder, or "
                         "--force to replace them\n")
        return EXIT_USAGE
    try:
        for path, text in sorted(texts.items()):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(placed(text, folder) if path.suffix == ".service" else text)
            sys.stdout.write(f"{target}\n")
    except OSError as error:
        sys.stderr.write(f"mm: cannot write {error.filename}: {error.strerror}\n")
        return EXIT_FAILURE
    sys.stderr.write(f"mm: next: edit {folder / CONFIG_NAME}, then mm doctor -c "
                     f"{folder / CONFIG_NAME}\n")
    return EXIT_CLEAN
