"""The page a session ends with; a child draws it, so that the process that trades imports none."""

import subprocess
from pathlib import Path

from runner.children import python_command, python_environment
from runner.config import Config
from runner.options import RunOptions
from runner.state import StateFolder, state_base

DRAW_S = 60.0


def page_wanted(config: Config, options: RunOptions) -> bool:
    """Tell whether to draw: not for a service, which ends to be started again at once."""
    return (config.journal.enabled and config.journal.report
            and (not options.headless or options.duration_s is not None))


def page_path(folder: StateFolder) -> Path:
    """Return where the page goes: a temporary folder goes with its session, the page is to stay."""
    return (state_base() / "embedded" if folder.temporary else folder.path) / "report.html"


def draw_page(journal: Path, out: Path, limit_s: float = DRAW_S) -> str:
    """Draw the last session of a journal; return the line that says where, or why not."""
    command = python_command("runner", "report", str(journal), "--out", str(out))
    try:
        out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = subprocess.run(command, env=python_environment(), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=limit_s, check=False)
        told = done.stdout.strip() if done.returncode == 0 else f"none: {done.stderr.strip()}"
    except OSError as error:
        told = f"none: {out.parent}: {error.strerror}; set runtime.state_dir"
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        told = (f"not drawn, for that takes long; mm report {journal} (a built-in exchange's goes "
                "with its session: set runtime.state_dir)")
    return f"  report         {told}\n"
