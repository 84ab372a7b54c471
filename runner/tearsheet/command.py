"""`mm report`: write the page, or the figures as JSON."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from runner.options import EXIT_CLEAN, EXIT_USAGE
from runner.tearsheet.run_data import RunError, read_run


def main(folders: Sequence[Path], out: Path | None, *, as_json: bool) -> int:
    """Report on the first folder, compared with the others; the exit code."""
    try:
        runs = [read_run(folder) for folder in folders]
        from runner.tearsheet.page import figures, page
    except RunError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except ImportError:
        sys.stderr.write("reports are drawn by plotly: pip install 'mmcore[report]'\n")
        return EXIT_USAGE
    if as_json:
        sys.stdout.write(msgspec.json.encode([figures(run) for run in runs]).decode() + "\n")
        return EXIT_CLEAN
    path = out or folders[0] / "report.html"
    try:
        path.write_text(page(runs))
        (path.with_suffix(".json")).write_bytes(
            msgspec.json.format(msgspec.json.encode([figures(run) for run in runs]), indent=1))
    except OSError as error:
        sys.stderr.write(f"{path}: {error.strerror}; name another place with --out FILE\n")
        return EXIT_USAGE
    sys.stdout.write(f"{path}\n")
    return EXIT_CLEAN
