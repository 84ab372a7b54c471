"""Use an installed wheel as its buyer would: without a compiler, from nothing to a report.

Usage: check_product.py WHEEL [SECONDS], run by the interpreter of the environment the wheel is
installed in, in an empty folder. Prints the size and contents of the wheel and every command.
"""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

BIN = Path(sys.executable).parent
# Nothing but the environment's own programs: no compiler, no shell, nobody else's libraries.
ENVIRONMENT = {"PATH": str(BIN), "HOME": str(Path.cwd()), "LC_ALL": "C.UTF-8"}
COMPILERS = ("cc", "gcc", "clang", "c++", "cython")


def contents(wheel: Path) -> None:
    """Print size and contents of the wheel; refuse what does not belong there."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [e for e in archive.infolist() if not e.is_dir()]
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB packed, "
          f"{sum(e.file_size for e in entries) / 1e6:.1f} MB unpacked, {len(entries)} files")
    kinds: Counter[tuple[str, str]] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        path = Path(entry.filename)
        kinds[path.parts[0], path.suffix or path.name] += 1
        sizes[path.parts[0], path.suffix or path.name] += entry.file_size
    for key in sorted(kinds):
        print(f"  {key[0]:<24}{key[1]:<14}{kinds[key]:>5} files {sizes[key] / 1e3:>10.1f} kB")
    stray = [e.filename for e in entries if {"tests", "benchmarks", "data"} & set(
        Path(e.filename).parts) or Path(e.filename).suffix in {".c", ".pyx", ".gz", ".mmj"}]
    if stray:
        raise SystemExit(f"not for a wheel: {stray}")


def mm(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run one command, print how it went, return what it wrote."""
    began = time.monotonic()
    done = subprocess.run([str(BIN / "mm"), *arguments], env=ENVIRONMENT, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
    print(f"  mm {' '.join(arguments)}: exit {done.returncode}, "
          f"{time.monotonic() - began:.1f} s", flush=True)
    if done.returncode not in codes:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def main() -> int:
    wheel, seconds = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "30"
    contents(wheel)
    found = [name for name in COMPILERS if shutil.which(name, path=ENVIRONMENT["PATH"])]
    if found:
        raise SystemExit(f"there is a compiler here: {found}")
    print(mm("--version").strip())
    # A machine may lack a synchronised clock, say; what counts is that every finding has a remedy.
    findings = json.loads(mm("doctor", "--json", codes=(0, 1)))
    silent = [f for f in findings if (f["state"] == "ok") != (f["remedy"] == "")]
    if silent or len(findings) < 16:
        raise SystemExit(f"findings without a remedy: {silent}")
    mm("init", "etc")
    mm("doctor", "-c", "etc/mm.toml", codes=(0, 1))
    mm("run", "-c", "etc/mm.toml", "--headless", "--duration", f"{seconds}s", "--summary",
       "out.json", "--set", "journal.dir='journal'", "--set", "telemetry.prometheus_port=0")
    figures = json.loads(Path("out.json").read_text())
    replayed = json.loads(mm("replay", "journal", "--json"))
    if not replayed["identical"] or not figures["orders_new"]:
        raise SystemExit(f"the session: {figures}; its replay: {replayed}")
    mm("record", "-o", "market", "--duration", "5s")
    mm("backtest", "market", "--out", "result")
    mm("backtest", "journal")
    for folder in ("result", "journal"):
        mm("report", folder)
        if "<html" not in Path(folder, "report.html").read_text()[:200]:
            raise SystemExit(f"{folder}/report.html is no page")
    print(f"  {figures['orders_new']} orders, {figures['fills']} fills, "
          f"{replayed['equal']} of {replayed['payloads']} messages equal in the replay")
    return 0


if __name__ == "__main__":
    sys.exit(main())
