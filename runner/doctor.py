"""`mm doctor`: is this machine, this installation and this configuration fit to trade?"""

import ctypes
import importlib
import json
import os
import platform
import resource
import shutil
import ssl
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from msgspec import to_builtins

from runner import doctor_venue
from runner.config import Config, ConfigError, credentials, http_address, load
from runner.doctor_venue import Finding
from runner.options import EXIT_CLEAN, EXIT_FAILURE
from runner.state import SHARED_MEMORY, StateError, StateFolder
from runner.version import build_hash, product_version

# The same bounds as pyproject.toml (a test compares them): the session is compiled against one
# picows, and nothing but this checks it at run time.
PYTHON_LEAST = (3, 11)
PICOWS = "2.3.1"
LEAST = {"uvloop": (0, 22), "msgspec": (0, 21)}
OPEN_FILES_LEAST = 1024
SHARED_FREE_LEAST_MIB = 64
DISK_LEAST_MIB = 512
PROBE_S = 10.0
CLOCK_OFFSET_MAX_MS = 500.0
CLOCK_UNSYNCHRONISED = 5    # TIME_ERROR of adjtimex(2)
COMPILED = ("mmcore.engine", "connectors.deribit.session")


def main(config: Path | None, venue: str | None, sets: tuple[str, ...], *, as_json: bool,
         probe_s: float = PROBE_S, drill: bool = False) -> int:
    """Print every finding; 0 where none is a failure, else 1."""
    findings = list(examine(config, venue, sets, probe_s=probe_s, drill=drill))
    if as_json:
        sys.stdout.write(json.dumps([to_builtins(f) for f in findings], indent=1) + "\n")
    else:
        for finding in findings:
            sys.stdout.write(f"{finding.state:<5}{finding.name:<16}{finding.found}\n")
            if finding.remedy:
                sys.stdout.write(f"{'':<5}{'':<16}-> {finding.remedy}\n")
    failed = any(f.state == "fail" for f in findings)
    return EXIT_FAILURE if failed else EXIT_CLEAN


def examine(path: Path | None, venue: str | None, sets: tuple[str, ...], *,
            probe_s: float = PROBE_S, drill: bool = False) -> Iterator[Finding]:
    """Yield the findings in the order a person would ask for them."""
    yield installed()
    yield python_version()
    yield from libraries()
    yield openssl()
    yield one_place()
    yield compiled()
    yield clock_source()
    yield clock_synchronised()
    yield processors()
    yield governor()
    yield open_files()
    yield shared_memory()
    try:
        config = load(path, sets, venue)
    except ConfigError as error:
        for line in error.lines:
            yield Finding("configuration", "fail", line, "correct that line")
        return
    name = path.name if path else "defaults"
    yield Finding("configuration", "ok", f"{name}, {config.profile} profile, fingerprint "
                  f"{config.fingerprint()}")
    yield state_folder(config)
    yield disk(config)
    reached = True
    if not config.embedded:
        clock = venue_clock(config)
        yield clock
        reached = clock.state != "fail"
    if reached and (drill or not config.embedded):
        yield from doctor_venue.findings(config, probe_s=probe_s, drill=drill)


def installed() -> Finding:
    if not build_hash():
        return Finding("mm", "warn", product_version(), "the build left no hash of its sources: "
                       "install the wheel, or run make build in the source tree")
    return Finding("mm", "ok", product_version())


def python_version() -> Finding:
    found = platform.python_version()
    if sys.version_info[:2] < PYTHON_LEAST:
        return Finding("python", "fail", found, "install Python 3.11 or newer")
    return Finding("python", "ok", found)


def libraries() -> Iterator[Finding]:
    found = version("picows")
    if found != PICOWS:
        yield Finding("picows", "fail", found, f"pip install picows=={PICOWS}")
    else:
        yield Finding("picows", "ok", found)
    for name, least in LEAST.items():
        found = version(name)
        wanted = ".".join(str(n) for n in least)
        if tuple(int(n) for n in found.split(".")[:2]) < least:
            yield Finding(name, "fail", found, f"pip install '{name}>={wanted}'")
        else:
            yield Finding(name, "ok", found)


def openssl() -> Finding:
    """The fast TLS path needs the OpenSSL libraries that Python itself loaded."""
    found = ssl.OPENSSL_VERSION
    if not importlib.import_module("aiofastnet").OPENSSL_DYN_LIBS:
        return Finding("openssl", "warn", f"{found}, linked statically into Python",
                       "TLS takes a slower path; use a Python that links OpenSSL dynamically")
    return Finding("openssl", "ok", f"{found}, dynamic")


def one_place() -> Finding:
    """mmcore, connectors and runner are common names: another package may shadow one."""
    places = {}
    for name in ("mmcore", "connectors", "runner"):
        file = importlib.import_module(name).__file__
        places[name] = str(Path(file).resolve().parent.parent) if file else "nowhere"
    if len(set(places.values())) > 1:
        shown = ", ".join(f"{n} in {p}" for n, p in places.items())
        return Finding("packages", "fail", shown,
                       "install into an environment of its own, so that no other package has "
                       "one of these names")
    return Finding("packages", "ok", f"all three in {places['mmcore']}")


def compiled() -> Finding:
    for name in COMPILED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            return Finding("compiled core", "fail", str(error),
                           "install the wheel, or run make build in the source tree")
    return Finding("compiled core", "ok", ", ".join(COMPILED))


def read_system(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def clock_source() -> Finding:
    found = read_system("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if found in ("tsc", "kvm-clock", "arch_sys_counter"):
        return Finding("clock source", "ok", found)
    return Finding("clock source", "warn", found or "not readable",
                   "reading the time may cost a system call; boot with clocksource=tsc if the "
                   "machine has a stable one")


def clock_synchronised() -> Finding:
    # struct timex with modes = 0: read only, allowed to anybody.
    buffer = ctypes.create_string_buffer(512)
    status = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    if status == CLOCK_UNSYNCHRONISED or status < 0:
        return Finding("clock sync", "warn", "the kernel does not know its clock as synchronised",
                       "run chrony or systemd-timesyncd; the venue refuses late requests by "
                       "its own clock")
    return Finding("clock sync", "ok", "synchronised")


def processors() -> Finding:
    usable = len(os.sched_getaffinity(0))
    if usable < 2:
        return Finding("processors", "warn", f"{usable} usable",
                       "two let the helpers run beside the reactor")
    return Finding("processors", "ok", f"{usable} usable")


def governor() -> Finding:
    found = read_system("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if found in ("", "performance"):
        return Finding("cpu governor", "ok", found or "left to the host")
    return Finding("cpu governor", "warn", found, "run: cpupower frequency-set -g performance")


def open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES_LEAST:
        return Finding("open files", "warn", f"limit {soft}", f"run: ulimit -n {OPEN_FILES_LEAST}")
    return Finding("open files", "ok", f"limit {soft}")


def shared_memory() -> Finding:
    if not os.access(SHARED_MEMORY, os.W_OK):
        return Finding("shared memory", "warn", f"{SHARED_MEMORY} is not writable",
                       "mount a tmpfs there; until then the pages lie in the state folder")
    free_mib = shutil.disk_usage(SHARED_MEMORY).free >> 20
    if free_mib < SHARED_FREE_LEAST_MIB:
        return Finding("shared memory", "fail", f"{free_mib} MiB free in {SHARED_MEMORY}",
                       f"give it {SHARED_FREE_LEAST_MIB} MiB, or lower journal.ring_mib")
    return Finding("shared memory", "ok", f"{free_mib} MiB free")


def disk(config: Config) -> Finding:
    """Room for what the journal may take."""
    place = Path(config.journal.dir or config.runtime.state_dir or "~").expanduser()
    while not place.exists():
        place = place.parent
    free_mib = shutil.disk_usage(place).free >> 20
    found = f"{free_mib / 1024:.1f} GiB free at {place}"
    wanted_mib = config.journal.quota_mib if config.journal.enabled else 0
    if free_mib < DISK_LEAST_MIB:
        return Finding("disk", "fail", found, f"free {DISK_LEAST_MIB} MiB at least: quoting pauses "
                       "where the journal cannot be written")
    if free_mib < wanted_mib:
        return Finding("disk", "warn", f"{found}, journal.quota_mib is {wanted_mib}",
                       "lower journal.quota_mib under what is free, or free more")
    return Finding("disk", "ok", found)


def state_folder(config: Config) -> Finding:
    try:
        folder = StateFolder.open(config, credentials(config).client_id)
    except StateError as error:
        return Finding("state folder", "fail", str(error), "see the message")
    found = "temporary" if folder.temporary else str(folder.path)
    folder.close(keep_shared=not folder.temporary)
    return Finding("state folder", "ok", f"{found}, writable, not in use")


def venue_clock(config: Config) -> Finding:
    """Ask the venue its time over HTTP: is it there, and how far are the clocks apart?"""
    address = f"{http_address(config.venue)}/public/get_time"
    trust = ssl.create_default_context(cafile=config.venue.ca_file or None)
    offsets: list[tuple[float, float]] = []
    try:
        for _ in range(3):
            sent = time.time()
            with urllib.request.urlopen(address, timeout=5, context=trust) as answer:  # noqa: S310
                venue_s = json.load(answer)["result"] / 1000
            took = time.time() - sent
            offsets.append((took, (venue_s - sent - took / 2) * 1000))
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Finding("venue", "fail", f"{address}: {error}",
                       "check venue.url, venue.rest_url, venue.ca_file and the network")
    took, offset_ms = min(offsets)
    found = f"answers in {took * 1000:.0f} ms, its clock is {offset_ms:+.0f} ms from ours"
    if abs(offset_ms) > CLOCK_OFFSET_MAX_MS:
        return Finding("venue", "fail", found, "synchronise this machine's clock")
    return Finding("venue", "ok", found)
