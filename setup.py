"""Build the compiled modules; everything else about the package is in pyproject.toml.

The environment chooses, because build front ends do not pass arguments on:

MM_BUILD  release (default), tuned, debug, trace, sanitize or fuzz; each kind has build/<kind> to
          itself. tuned is release arranged by a profile that was made here: see make tuned
MM_TRAIN  1: the tuned kind is compiled to write that profile, not to use it
MM_PROFILE  the folder of a profile written elsewhere, for a tuned wheel from the unpacked sdist
MM_MARCH  the -march of the release and tuned kinds, x86-64-v2 by default
MM_ONLY   comma separated globs of module names: build only these (never for a wheel)
MM_JOBS   how many modules to translate and compile at a time, 2 by default
"""

import fnmatch
import hashlib
import multiprocessing
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Command, Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))       # a build front end does not
import one_library  # noqa: E402, I001
del sys.path[0]
PACKAGES = ("mmcore", "connectors")

# Every compiled module, by name. A module missing from the tree would otherwise leave a wheel
# that installs and then fails to import, so the build compares this list with the .pyx it finds.
EXPECTED: tuple[str, ...] = (
    "connectors.deribit.codes", "connectors.deribit.decode", "connectors.deribit.encode",
    "connectors.deribit.feed", "connectors.deribit.labels", "connectors.deribit.own",
    "connectors.deribit.scan", "connectors.deribit.session", "connectors.deribit.trace",
    "connectors.replay.backtest", "connectors.replay.drive", "connectors.replay.event",
    "connectors.replay.gate_trial", "connectors.replay.observer", "connectors.replay.player",
    "connectors.replay.replay", "connectors.replay.script", "connectors.sim.account",
    "connectors.sim.checks", "connectors.sim.clearing", "connectors.sim.credits",
    "connectors.sim.direct", "connectors.sim.direct_sink", "connectors.sim.exchange",
    "connectors.sim.inflight", "connectors.sim.latency", "connectors.sim.levels",
    "connectors.sim.liquidation", "connectors.sim.margin", "connectors.sim.market.latent",
    "connectors.sim.market.recorded", "connectors.sim.market.stage",
    "connectors.sim.market.synthetic", "connectors.sim.market.tape", "connectors.sim.marking",
    "connectors.sim.matching", "connectors.sim.mmp", "connectors.sim.orders",
    "connectors.sim.outputs", "connectors.sim.pending", "connectors.sim.publish",
    "connectors.sim.quotes", "connectors.sim.registry", "connectors.sim.settlement",
    "connectors.sim.spreads", "connectors.sim.timers", "connectors.sim.trading",
    "connectors.sim.triggers", "connectors.sim.waiting", "connectors.sim.wire.book_frames",
    "connectors.sim.wire.broadcast", "connectors.sim.wire.channel", "connectors.sim.wire.desk",
    "connectors.sim.wire.ledger", "connectors.sim.wire.prints", "connectors.sim.wire.quote_desk",
    "connectors.sim.wire.replies", "connectors.sim.wire.views", "connectors.sim.wire.writer",
    "connectors.sim.witness", "mmcore.alpha", "mmcore.book", "mmcore.budget", "mmcore.calendar",
    "mmcore.diff", "mmcore.engine", "mmcore.face", "mmcore.faults", "mmcore.flow", "mmcore.funding",
    "mmcore.hedge", "mmcore.hysteresis", "mmcore.intake", "mmcore.journal", "mmcore.ladder",
    "mmcore.ledger", "mmcore.limits", "mmcore.market", "mmcore.microprice", "mmcore.observation",
    "mmcore.orders", "mmcore.pairing", "mmcore.pairs", "mmcore.params", "mmcore.planning",
    "mmcore.position", "mmcore.preference", "mmcore.priority", "mmcore.publish", "mmcore.quote",
    "mmcore.reaction", "mmcore.reduction", "mmcore.regime", "mmcore.risk", "mmcore.signals",
    "mmcore.sink", "mmcore.standing", "mmcore.statement", "mmcore.states", "mmcore.stats",
    "mmcore.telemetry", "mmcore.types", "mmcore.volatility", "mmcore.width", "mmcore.windows",
)

# warn.undeclared is left out: with warnings as errors it refuses every import of a Python name and
# every object local of a cold function. Where an untyped local would cost, the function is nogil,
# and there the compiler refuses objects by itself.
DIRECTIVES: dict[str, object] = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "nonecheck": False,
    "cdivision": True,
    "overflowcheck": False,
    "embedsignature": True,
    "emit_code_comments": True,
    "warn.unused": True,
    "warn.maybe_uninitialized": True,
    "show_performance_hints": True,
}

# Shared by every kind: exact floats (a fused multiply-add would make live and backtest differ).
# The four errors are what newer compilers refuse anyway; Cython makes such C only by mistake.
COMPILE_COMMON = [
    "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-unused-parameter",
    "-Werror=int-conversion", "-Werror=incompatible-pointer-types",
    "-Werror=implicit-function-declaration", "-Werror=return-type",
]
SANITIZERS = "address,undefined"


class Kind:
    """What one build kind adds to the common directives, flags and macros."""

    def __init__(
        self,
        compile_args: list[str],
        link_args: list[str] | None = None,
        directives: dict[str, object] | None = None,
        macros: list[tuple[str, str | None]] | None = None,
    ) -> None:
        self.compile_args = COMPILE_COMMON + compile_args
        self.link_args = link_args or []
        self.directives = DIRECTIVES | (directives or {})
        self.macros = macros or []


MARCH = os.environ.get("MM_MARCH", "x86-64-v2")
# An optimised build keeps -g1: it costs nothing at run time and perf and gdb need it.
RELEASE_ARGS = ["-O3", "-g1", "-fno-plt", f"-march={MARCH}"]
PROFILE = ROOT / "build" / "tuned" / "profile"
TRAIN = os.environ.get("MM_TRAIN") == "1"
# A profile moves code and chooses what is inlined; it changes no float.
PROFILE_ARGS = ([f"-fprofile-generate={PROFILE}", "-fprofile-update=single"] if TRAIN else
                [f"-fprofile-use={PROFILE}", "-fprofile-correction", "-Wno-missing-profile",
                 "-Wno-coverage-mismatch", "-flto=2"])
KINDS = {
    "release": Kind(RELEASE_ARGS),
    "tuned": Kind(RELEASE_ARGS + PROFILE_ARGS, ["-fprofile-generate"] if TRAIN else []),
    # Not nonecheck: it puts a raise into every `self.x += 1`, which nogil functions refuse. None
    # is stopped where it could come in, by `not None` in the def signatures.
    "debug": Kind(["-O1", "-g3"], directives={"boundscheck": True, "overflowcheck": True}),
    # Line events by the old hook: coverage cannot read Cython lines through sys.monitoring yet.
    "trace": Kind(
        ["-O1", "-g1"],
        directives={"linetrace": True},
        macros=[("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")],
    ),
    "sanitize": Kind(
        ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={SANITIZERS}",
         "-fno-sanitize-recover=undefined"],
        link_args=[f"-fsanitize={SANITIZERS}"],
    ),
    "fuzz": Kind(
        ["-O1", "-g", "-fno-omit-frame-pointer",
         f"-fsanitize=fuzzer-no-link,{SANITIZERS}"],
        link_args=[f"-fsanitize={SANITIZERS}"],
    ),
}


def bring_profile(folder: Path) -> None:
    """Copy a profile of the same sources here: gcc finds it by the object's place, / written #."""
    PROFILE.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.gcda"):
        place = path.name.rpartition("#build#tuned#obj#")[2]
        shutil.copyfile(path, PROFILE / f"{str(ROOT).replace('/', '#')}#build#tuned#obj#{place}")


def chosen_kind() -> str:
    """Return MM_BUILD, refusing a name that is not a build kind."""
    name = os.environ.get("MM_BUILD", "release")
    if name not in KINDS:
        raise SystemExit(f"MM_BUILD={name} is not a build kind; choose one of {', '.join(KINDS)}")
    return name


def module_name(source: Path) -> str:
    return ".".join(source.relative_to(ROOT).with_suffix("").parts)


def module_names() -> list[str]:
    """Return the modules to build, after comparing the tree with EXPECTED."""
    found = {module_name(p) for package in PACKAGES for p in (ROOT / package).rglob("*.pyx")}
    missing = sorted(set(EXPECTED) - found)
    unlisted = sorted(found - set(EXPECTED))
    if missing:
        raise SystemExit(
            f"setup.py: EXPECTED lists modules without a .pyx file: {', '.join(missing)}; "
            "restore the file, or take the line out with the module"
        )
    if unlisted:
        raise SystemExit(
            f"setup.py: .pyx files that EXPECTED does not list: {', '.join(unlisted)}; "
            "add one line each to EXPECTED in setup.py"
        )
    globs = [g.strip() for g in os.environ.get("MM_ONLY", "").split(",") if g.strip()]
    if not globs:
        return sorted(found)
    chosen = sorted(n for n in found if any(fnmatch.fnmatchcase(n, g) for g in globs))
    if not chosen:
        raise SystemExit(f"MM_ONLY={','.join(globs)} matches no module; see EXPECTED in setup.py")
    return chosen


def jobs_count() -> int:
    text = os.environ.get("MM_JOBS", "2")
    if not text.isdigit() or int(text) < 1:
        raise SystemExit(f"MM_JOBS={text} is not a number of jobs; give 1 or more")
    return int(text)


def build_key(kind: str) -> str:
    """Describe everything outside the sources that decides what the compiler makes."""
    import Cython
    import picows

    chosen = KINDS[kind]
    return "\n".join([
        f"cython {Cython.__version__}", f"picows {picows.__version__}",
        f"python {sysconfig.get_config_var('SOABI')}", f"cc {os.environ.get('CC', '')}",
        f"cflags {os.environ.get('CFLAGS', '')}",
        f"compile {chosen.compile_args}", f"link {chosen.link_args}",
        f"directives {chosen.directives}", f"macros {chosen.macros}", "",
    ])


def sources_hash() -> str:
    """Return what tells this program from every other: a hash of its sources, wherever they lie."""
    found = hashlib.sha256()
    paths = [p for name in (*PACKAGES, "runner") for p in Path(name).rglob("*")
             if p.suffix in {".py", ".pyx", ".pxd"}]
    for path in sorted(paths, key=Path.as_posix):
        content = path.read_bytes()
        found.update(f"{path.as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()[:12]


def extensions(kind: str) -> list[Extension]:
    """Return one Extension per module; each depends on the build key of its kind."""
    chosen = KINDS[kind]
    return [
        Extension(
            name,
            [name.replace(".", "/") + ".pyx"],
            define_macros=list(chosen.macros),
            extra_compile_args=list(chosen.compile_args),
            extra_link_args=list(chosen.link_args),
            depends=[f"build/{kind}/key"],
        )
        for name in module_names()
    ]


def translate(kind: str, modules: list[Extension]) -> list[Extension]:
    """Run Cython over the modules that changed; keep what it says in build/<kind>/cython.log.

    A performance hint is an error like a warning is. Cython cannot promote it, so the C file is
    removed again: the hint comes back with every build until its cause is gone.
    """
    from Cython.Build import cythonize
    from Cython.Compiler import Options
    from Cython.Compiler.Errors import CompileError

    base = Path("build", kind)
    base.mkdir(parents=True, exist_ok=True)
    key = base / "key"
    changed = not key.exists() or key.read_text() != build_key(kind)
    if changed:
        key.write_text(build_key(kind))
    Options.warning_errors = True
    # The option above is a global: workers must inherit it, which only a fork does.
    multiprocessing.set_start_method("fork", force=True)
    record = Recorded(base / "cython.log")
    try:
        with record:
            made = cythonize(
                modules,
                nthreads=0 if jobs_count() == 1 else jobs_count(),
                build_dir=str(base / "c"),
                quiet=True,
                compiler_directives=KINDS[kind].directives,
                force=changed,
            )
    except CompileError as error:
        raise SystemExit(f"Cython refused {error}; see above (a warning is an error)") from None
    hinted = hints_in(record.text)
    for source in hinted:
        (base / "c" / source).with_suffix(".c").unlink(missing_ok=True)
    if hinted:
        raise SystemExit(f"performance hints are errors here; see above: {', '.join(hinted)}")
    return list(made)


def hints_in(log: str) -> list[str]:
    """Return our source files a Cython log has performance hints for; foreign .pxd are not ours."""
    names = re.findall(r"^performance hint: (\S+?):\d+", log, re.MULTILINE)
    return sorted({n for n in names if not Path(n).is_absolute() and n.startswith(PACKAGES)})


class Recorded:
    """Show what this process and its children print, and append it to a log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.text = ""

    def __enter__(self) -> "Recorded":
        sys.stdout.flush()
        sys.stderr.flush()
        self.saved = [os.dup(1), os.dup(2)]
        self.file = tempfile.TemporaryFile()
        os.dup2(self.file.fileno(), 1)
        os.dup2(self.file.fileno(), 2)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), self.saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        self.file.seek(0)
        self.text = self.file.read().decode(errors="replace")
        self.file.close()
        # Only the last build's words: a stale hint must not fail a later, clean build.
        self.log.write_text(self.text)
        sys.stderr.write(self.text)


class BuildExt(build_ext):
    """Translate late, so that an sdist holds .pyx files and not the C made from them."""

    def build_extensions(self) -> None:
        kind = chosen_kind()
        print(f"building {len(self.extensions)} modules ({kind}) …", flush=True)
        made = {e.name: e for e in translate(kind, self.extensions)}
        for extension in self.extensions:
            extension.sources = made[extension.name].sources
        self.parallel = jobs_count()
        if kind == "tuned":
            one_library.build(self, self.extensions, jobs_count())
            return
        super().build_extensions()
        if kind == "trace":
            self.place_sources()

    def get_outputs(self) -> list[str]:
        shared = [str(one_library.path_of(self))] if chosen_kind() == "tuned" else []
        return super().get_outputs() + shared

    def place_sources(self) -> None:
        """Coverage looks for .pyx and C side by side under its working folder; no wheel does."""
        for extension in self.extensions:
            name = extension.name.replace(".", "/")
            shutil.copyfile(extension.sources[0], Path(self.build_lib, name + ".c"))
            shutil.copyfile(name + ".pyx", Path(self.build_lib, name + ".pyx"))


class Build(build):
    """Build, then drop what the tree no longer has, so that a removed module stops importing."""

    def run(self) -> None:
        super().run()
        Path(self.build_lib, "runner", "build_hash").write_text(sources_hash() + "\n")
        if os.environ.get("MM_ONLY"):
            return
        kept = {Path(o) for o in self.get_outputs()}
        ours = {".py", ".so", ".pyi", ".pxd"}
        for path in Path(self.build_lib).rglob("*"):
            if path.suffix in ours and path not in kept:
                path.unlink()

    def get_outputs(self) -> list[str]:
        return [o for name in self.get_sub_commands() for o in self.outputs_of(name)]

    def outputs_of(self, name: str) -> list[str]:
        command: Command = self.get_finalized_command(name)
        return list(command.get_outputs())


def main() -> None:
    """Run setuptools with this kind's own folders."""
    os.chdir(ROOT)
    kind = chosen_kind()
    if "bdist_wheel" in sys.argv and (
            kind not in {"release", "tuned"} or TRAIN or os.environ.get("MM_ONLY")):
        raise SystemExit("a wheel is the release or the tuned kind with every module: unset "
                         "MM_BUILD, MM_TRAIN, MM_ONLY")
    brought = Path(os.environ.get("MM_PROFILE", PROFILE))
    if kind == "tuned" and brought.resolve() != PROFILE.resolve():
        bring_profile(brought)
    if kind == "tuned" and not TRAIN and len([*PROFILE.glob("*.gcda")]) < len(EXPECTED):
        raise SystemExit("MM_BUILD=tuned needs a profile of these sources: run make tuned")
    if kind == "fuzz":
        os.environ.setdefault("CC", "clang")
        if shutil.which(os.environ["CC"]) is None:
            raise SystemExit("MM_BUILD=fuzz needs clang for its coverage counters: install clang")
    setup(
        ext_modules=extensions(kind),
        cmdclass={"build": Build, "build_ext": BuildExt},
        options={
            "build": {
                "build_base": f"build/{kind}",
                "build_lib": f"build/{kind}/lib",
                "build_temp": f"build/{kind}/obj",
            },
        },
    )


# Guarded: the workers of a parallel translation import this file again where they are spawned,
# and the gates import it to learn the directives.
if __name__ == "__main__":
    main()
