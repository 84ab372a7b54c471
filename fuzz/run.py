"""Coverage-guided fuzzing of what reads other people's bytes, under ASAN and UBSAN (clang).

    python fuzz/run.py decoder --seconds 3600       # until then, or to the first crash
    python fuzz/run.py exchange --seconds 3600 --keep
    python fuzz/run.py --replay                     # the kept inputs once, on any build

Targets are in targets.py: `decoder` is the maker's side (decoder, own orders, engine), `exchange`
the embedded exchange's (request parser, matching, accounts). --keep writes what reached something
new back to examples/, as few inputs as show it. Exit code 1: something crashed; the input and,
for the exchange, what came before it are named.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "fuzz"
SANITIZERS = "address,undefined"
# Whose Python lines count as progress; the compiled modules have counters of their own.
LINES_OF = {"decoder": "connectors/deribit", "exchange": "connectors/sim"}
SIZE_MAX = 6000
WORD = re.compile(r'"([\w./ -]{2,40})"')


class Run(NamedTuple):
    """What libFuzzer said of a run."""

    executions: int
    branches: int
    counters: int
    features: int
    inputs: int
    crashed: bool


def clang() -> str:
    """Return a clang; SystemExit where there is none."""
    for name in (os.environ.get("CC", ""), "clang", *(f"clang-{n}" for n in range(20, 13, -1))):
        if "clang" in name and shutil.which(name):
            return name
    raise SystemExit("fuzzing needs clang with its runtime: install clang and libclang-rt-dev, "
                     "or set CC; --replay needs neither")


def make_fuzzer() -> Path:
    """Compile the driver where it is not up to date."""
    made = BUILD / "fuzzer"
    source = HERE / "driver.c"
    if made.exists() and made.stat().st_mtime > source.stat().st_mtime:
        return made
    BUILD.mkdir(parents=True, exist_ok=True)
    variable = sysconfig.get_config_var
    places = [variable("LIBDIR"), variable("LIBPL")]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [clang(), "-g", "-O1", f"-fsanitize=fuzzer,{SANITIZERS}", "-rdynamic", str(source),
               f"-I{sysconfig.get_path('include')}", *(f"-L{p}" for p in places),
               f"-lpython{version}", *(f"-Wl,-rpath,{p}" for p in places[:1]),
               *variable("LIBS").split(), *variable("SYSLIBS").split(), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the driver does not compile: {done.stderr[-2000:]}")
    return made


def environment(name: str, lib: Path) -> dict[str, str]:
    """Return what the embedded interpreter must know."""
    sites = [p for p in sys.path if "site-packages" in p]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(lib), str(HERE), *sites]),
            "PYTHONHOME": f"{sys.base_prefix}:{sys.base_exec_prefix}", "PYTHONMALLOC": "malloc",
            "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
            "MM_FUZZ_TARGET": name, "MM_FUZZ_LINES": LINES_OF[name],
            "MM_FUZZ_RECENT": str(BUILD / f"recent-{name}.jsonl"),
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


def lay_out(name: str) -> tuple[Path, Path]:
    """Write corpus and dictionary; return their places."""
    corpus = BUILD / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    words: set[str] = set()
    for line in (HERE / "examples" / f"{name}.jsonl").read_text().splitlines():
        text = json.loads(line)
        data = text.encode("latin-1")
        (corpus / sha256(data).hexdigest()[:20]).write_bytes(data)
        words.update(WORD.findall(text))
    dictionary = BUILD / f"{name}.dict"
    dictionary.write_text("".join(f'"{word}"\n' for word in sorted(words)))
    return corpus, dictionary


def fuzz(name: str, seconds: int, lib: Path) -> Run:
    """Run one target for so long, or until it crashes."""
    corpus, dictionary = lay_out(name)
    crashes = BUILD / f"crash-{name}-"
    log = BUILD / f"{name}.log"
    with log.open("wb") as file:
        done = subprocess.run(
            [make_fuzzer(), corpus, f"-max_total_time={seconds}", f"-max_len={SIZE_MAX}",
             f"-dict={dictionary}", "-timeout=30", "-rss_limit_mb=6000", "-len_control=20",
             "-print_final_stats=1", f"-artifact_prefix={crashes}"],
            cwd=BUILD, stdout=file, stderr=subprocess.STDOUT, env=environment(name, lib))
    return read_log(log.read_text(errors="replace"), crashed=done.returncode != 0)


def read_log(text: str, *, crashed: bool) -> Run:
    """Read libFuzzer's last words."""
    def last(pattern: str) -> int:
        found = re.findall(pattern, text)
        return int(found[-1]) if found else 0

    counters = sum(map(int, re.findall(r"\((\d+) inline 8-bit counters\)", text)))
    return Run(last(r"stat::number_of_executed_units:\s*(\d+)") or last(r"#(\d+)\s"),
               last(r" cov: (\d+)"), counters, last(r" ft: (\d+)"), last(r" corp: (\d+)"), crashed)


def keep(name: str, lib: Path) -> int:
    """Write the fewest inputs that reach all the corpus does back to the examples."""
    chosen = BUILD / "kept" / name
    shutil.rmtree(chosen, ignore_errors=True)
    chosen.mkdir(parents=True)
    subprocess.run([make_fuzzer(), "-merge=1", "-use_counters=0", f"-max_len={SIZE_MAX}", chosen,
                    BUILD / "corpus" / name], cwd=BUILD, check=True, capture_output=True,
                   env=environment(name, lib))
    inputs = [path.read_bytes() for path in chosen.iterdir()]
    lines = sorted({json.dumps(data.decode("latin-1")) for data in inputs})
    (HERE / "examples" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return len(lines)


def replay() -> None:
    """Run every kept input once in this process."""
    import targets  # on the build that PYTHONPATH names

    for name in targets.NAMES:
        inputs = targets.read_examples(name)
        for data in inputs:
            getattr(targets, name)(data)
        print(f"{name}: {len(inputs)} kept inputs")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=sorted(LINES_OF))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--lib", type=Path, default=BUILD / "lib",
                        help="where the instrumented modules are (MM_BUILD=fuzz makes them)")
    parser.add_argument("--keep", action="store_true", help="write new inputs to examples/")
    parser.add_argument("--replay", action="store_true", help="the kept inputs once, here")
    parser.add_argument("--compiler", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compiler:
        print(clang())
        return 0
    if options.replay or options.target is None:
        replay()
        return 0
    if not any(options.lib.rglob("decode*.so")):
        raise SystemExit(f"{options.lib} holds no modules: MM_BUILD=fuzz python setup.py build")
    began = time.monotonic()
    run = fuzz(options.target, options.seconds, options.lib)
    print(f"{options.target}: {run.executions} inputs in {time.monotonic() - began:.0f} s, "
          f"{run.branches} of {run.counters} branches and {run.features} features reached, "
          f"{run.inputs} inputs worth keeping")
    if run.crashed:
        print(f"CRASHED: see {BUILD}/{options.target}.log and crash-{options.target}-*")
        return 1
    if options.keep:
        print(f"{keep(options.target, options.lib)} inputs kept in examples/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
