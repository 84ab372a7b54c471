"""Options that several commands of `mm` share, and how a command refuses."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

ConfigOption = Annotated[
    Path | None, typer.Option("-c", "--config", help="Configuration file (TOML).")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE",
                                   help="Override one key, like quote.levels=2; repeatable.")]


def fail(lines: list[str], code: int = 2) -> NoReturn:
    """Say what is wrong, one line each, and leave."""
    for line in lines:
        sys.stderr.write(f"mm: {line}\n")
    raise typer.Exit(code)
