"""`mm run`: the process that trades. Started by the command line, which it replaces."""

import sys
from pathlib import Path

import msgspec

from runner.config import ConfigError, load
from runner.options import EXIT_FAILURE, EXIT_USAGE, RunOptions


def main(options: RunOptions) -> int:
    """Trade as told; return the exit code."""
    path = Path(options.config) if options.config else None
    try:
        load(path, options.sets, options.venue)
    except ConfigError as error:
        return refuse(error.lines, EXIT_USAGE)
    return refuse(["trading is not assembled yet"], EXIT_FAILURE)


def refuse(lines: list[str], code: int) -> int:
    """Say why not, one line each."""
    for line in lines:
        sys.stderr.write(f"mm: {line}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(msgspec.json.decode(sys.argv[1], type=RunOptions)))
