"""Print callgrind instructions per item of every stage; needs valgrind, says so without it.

Counts repeat to within a few instructions, so they may gate where times may not. --json for
keeping; --stage NAME is the child's own call.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import stages

COUNT = 4_000      # so many that what happens once does not show


def child(name: str) -> None:
    """Run one stage in the process that valgrind watches."""
    next(s for s in stages.STAGES if s.name == name).make()(COUNT)


def counted(stage: stages.Stage) -> int:
    """Return instructions per item inside the stage's loop."""
    valgrind = shutil.which("valgrind") or "valgrind"
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        result = subprocess.run(
            [valgrind, "--tool=callgrind", f"--callgrind-out-file={out}",
             "--collect-atstart=no", f"--toggle-collect=*{stage.loop}",
             sys.executable, "-P", __file__, "--stage", stage.name],
            capture_output=True, text=True, check=False)
        if result.returncode:
            raise SystemExit(f"{stage.name}: valgrind failed\n{result.stderr[-2000:]}")
        found = re.search(r"^summary: (\d+)", out.read_text(), re.MULTILINE)
        if not found or found.group(1) == "0":
            raise SystemExit(f"{stage.name}: callgrind saw nothing of {stage.loop}")
    return round(int(found.group(1)) / COUNT)


def main() -> None:
    """Count every stage and print the table."""
    if "--stage" in sys.argv:
        child(sys.argv[sys.argv.index("--stage") + 1])
        return
    if shutil.which("valgrind") is None:
        print("instruction counts: valgrind is not installed, none taken")
        return
    found = {stage.name: counted(stage) for stage in stages.STAGES}
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    print(f"{'stage':22s} {'instructions':>12s} {'own':>8s}")
    for stage in stages.STAGES:
        own = found[stage.name] - found.get(stage.without, 0)
        print(f"{stage.name:22s} {found[stage.name]:12d} {own:8d}")


if __name__ == "__main__":
    main()
