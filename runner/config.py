"""Read one TOML file and the --set options into a checked Config.

Strict: an unknown key, a wrong type, a value out of its range or two keys that contradict each
other is a ConfigError with one line per fault, each naming file and line, key and remedy.
"""

import difflib
import hashlib
import math
import re
import tomllib
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from connectors.deribit.endpoints import is_loopback, rest_url, ws_url
from runner.config_checks import contradictions, limits_missing, venue_faults
from runner.config_keys import (
    ENGINE_SECTIONS,
    KEYS,
    SECTIONS,
    Backtest,
    Cover,
    Expiry,
    Instrument,
    Inventory,
    JournalKeys,
    Key,
    Orders,
    Quote,
    Risk,
    Runtime,
    Section,
    Settlement,
    Shutdown,
    Signals,
    Start,
    Telemetry,
    Venue,
    engine_numbers,
)
from runner.credentials import SecretError, read_secret
from runner.micro_price import Table, table_of
from runner.pair_keys import Basis, Funding, Hedge, Preference
from runner.time_windows import SHIPPED_WINDOWS, TimeWindow, windows_of

INSTRUMENT_RULES = ("perpetual", "front", "next-quarter")
INSTRUMENT_NAME = re.compile(r"[A-Z]{2,8}(_[A-Z]{2,8})?-(PERPETUAL|\d{1,2}[A-Z]{3}\d{2})")


class ConfigError(Exception):
    """A configuration that cannot be used; `lines` holds one sentence per fault."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(lines)
        super().__init__("\n".join(self.lines))


class Config(Struct, frozen=True, kw_only=True):
    """Everything a session is told. Holds references to secrets, not the secrets themselves."""

    venue: Venue
    instrument: tuple[Instrument, ...]
    signals: Signals
    quote: Quote
    orders: Orders
    inventory: Inventory
    risk: Risk
    cover: Cover
    expiry: Expiry
    settlement: Settlement
    hedge: Hedge
    basis: Basis
    funding: Funding
    preference: Preference
    telemetry: Telemetry
    journal: JournalKeys
    runtime: Runtime
    start: Start
    shutdown: Shutdown
    backtest: Backtest
    windows: tuple[TimeWindow, ...]     # [[quote.window]]
    micro_table: Table                  # signals.micro_table
    profile: Literal["sim", "live"]
    embedded: bool                  # the venue is a child of ours, its address not known yet
    origin: dict[str, str]          # dotted key -> where its value comes from

    def fingerprint(self) -> str:
        """Return 8 hex digits that change with any value except a secret."""
        return hashlib.sha256(self.redacted_json()).hexdigest()[:8]

    def redacted_json(self) -> bytes:
        """Return the sections as JSON without client id and secret, for journal and support."""
        sections = {name: msgspec.to_builtins(getattr(self, name)) for name in SECTIONS}
        for name in ("client_id", "client_secret"):
            sections["venue"][name] = "redacted" if sections["venue"][name] else ""
        if "@" in sections["venue"]["proxy"]:
            sections["venue"]["proxy"] = "redacted"
        sections["signals"]["micro_table"] = self.micro_table
        sections["quote"]["window"] = [msgspec.to_builtins(w) for w in self.windows]
        return msgspec.json.encode(sections, order="sorted")

    def engine_values(self) -> dict[str, float]:
        """Return the keys the engine takes, by dotted name, as doubles."""
        return engine_numbers({name: msgspec.to_builtins(getattr(self, name))
                               for name in ENGINE_SECTIONS})


class Credentials(Struct, frozen=True):
    """What a venue knows us by. Never journalled, logged or put on a command line."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return "Credentials(redacted)"


class Given(Struct, frozen=True):
    """A value with the place it was written at."""

    value: Any
    where: str


def load(path: Path | None, sets: Sequence[str] = (), venue: str | None = None, *,
         connects: bool = True) -> Config:
    """Return the checked configuration.

    path: the TOML file, or None for defaults. sets: `key=value` overrides. venue: the --venue
    option, which wins over `venue.url`. connects: False where no venue is reached, and so no
    secret or stated limit is needed. Raises ConfigError.
    """
    faults: list[str] = []
    given, instruments = read_file(path, faults) if path is not None else ({}, [])
    for text in sets:
        apply_set(text, given, instruments, faults)
    if venue is not None:
        given["venue.url"] = Given(venue, f"--venue {venue}")
    url = resolve_venue(given, faults)
    profile: Literal["sim", "live"] = "sim" if url == "sim" or is_loopback(url) else "live"
    stated = given.pop("quote.window", None)
    windows = windows_of(stated.value, stated.where, faults) if stated else SHIPPED_WINDOWS
    stated = given.pop("signals.micro_table", None)
    micro_table = table_of(stated.value, stated.where, faults) if stated else ()
    check_values(given, instruments, faults)
    if faults:
        raise ConfigError(faults)
    config = build(given, instruments, url, profile, windows, micro_table)
    file_name = path.name if path is not None else "defaults"
    faults = contradictions(config)
    if connects:
        faults = (limits_missing(given, profile, file_name) + faults + credential_faults(config)
                  + venue_faults(config))
    if faults:
        raise ConfigError(faults)
    return config


def http_address(venue: Venue) -> str:
    """Return the HTTP address of a venue: stated, or next to the WebSocket one."""
    return venue.rest_url.rstrip("/") or rest_url(venue.url)


def credentials(config: Config) -> Credentials:
    """Resolve the secrets. Raises ConfigError."""
    loopback = config.profile == "sim"
    values = []
    for name in ("client_id", "client_secret"):
        reference = getattr(config.venue, name) or ("maker" if loopback else "")
        try:
            values.append(read_secret(reference, literal_allowed=loopback))
        except SecretError as error:
            where = config.origin.get(f"venue.{name}", "")
            raise ConfigError([f"{where}: venue.{name}: {error}"]) from None
    return Credentials(*values)


# ------------------------------------------------------------------------------------ reading
def read_file(path: Path, faults: list[str]) -> tuple[dict[str, Given], list[dict[str, Given]]]:
    """Read a file into values by dotted key, and one such table per [[instrument]]."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        fault = f"{path}: cannot read the configuration: {reason}; check the path given to -c"
        raise ConfigError([fault]) from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))
        line = found.group(1) if found else str(len(text.splitlines()))
        reason = re.sub(r" \(at .*\)", "", str(error))
        raise ConfigError([f"{path.name}:{line}: not valid TOML: {reason}"]) from None
    lines = locate(text)

    def where(dotted: str) -> str:
        while dotted and dotted not in lines:
            dotted = dotted.rpartition(".")[0]
        return f"{path.name}:{lines.get(dotted, 1)}"

    given: dict[str, Given] = {}
    instruments: list[dict[str, Given]] = []
    for section, body in tree.items():
        if section == "instrument":
            if not (isinstance(body, list) and all(isinstance(t, dict) for t in body)):
                faults.append(f"{where(section)}: instrument: write [[instrument]], two brackets")
                continue
            for i, entry in enumerate(body):
                instruments.append(
                    {f"instrument.{k}": Given(v, where(f"instrument.{i}.{k}"))
                     for k, v in entry.items()})
        elif section not in SECTIONS:
            faults.append(f"{where(section)}: {section}: no such section; "
                          f"nearest: {nearest(section, SECTIONS)}")
        elif not isinstance(body, dict):
            faults.append(f"{where(section)}: {section} is a section; write [{section}]")
        else:
            for name, value in body.items():
                dotted = f"{section}.{name}"
                given[dotted] = Given(value, where(dotted))
    return given, instruments


def locate(text: str) -> dict[str, int]:
    """Return the line of every table and key, by dotted name (instrument.0.name)."""
    found: dict[str, int] = {}
    prefix = ""
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]", line)
        pair = re.match(r"""\s*([\w\-."' ]+?)\s*=""", line)
        if header:
            prefix = re.sub(r"""[\s"']""", "", header.group(2))
            if header.group(1) == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
                found.setdefault(prefix, number)
                prefix = f"{prefix}.{counts[prefix]}"
            found.setdefault(prefix, number)
        elif pair:
            name = re.sub(r"""[\s"']""", "", pair.group(1))
            dotted = f"{prefix}.{name}" if prefix else name
            parts = dotted.split(".")
            for size in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:size]), number)
    return found


def apply_set(text: str, given: dict[str, Given], instruments: list[dict[str, Given]],
              faults: list[str]) -> None:
    """Take one `key=value`; the value is TOML, a bare word is a string."""
    name, separator, raw = text.partition("=")
    name = name.strip()
    if not separator or not name:
        faults.append(f"--set {text}: expected key=value, like --set quote.levels=2")
        return
    # What names a secret is not repeated on the screen.
    shown = f"--set {name}" if name.startswith("venue.client") else f"--set {text}"
    try:
        value = tomllib.loads(f"v = {raw}")["v"]
    except tomllib.TOMLDecodeError:
        value = raw.strip()
    parts = name.split(".")
    if parts[0] == "instrument" and len(parts) == 3 and parts[1].isdigit():
        index = int(parts[1])
        if index > len(instruments):
            faults.append(f"{shown}: there are {len(instruments)} instruments; "
                          f"the next is instrument.{len(instruments)}")
            return
        if index == len(instruments):
            instruments.append({})
        instruments[index][f"instrument.{parts[2]}"] = Given(value, shown)
    elif parts[0] == "instrument":
        faults.append(f"{shown}: instruments are numbered; write instrument.0.{parts[-1]}=…")
    else:
        given[name] = Given(value, shown)


def resolve_venue(given: dict[str, Given], faults: list[str]) -> str:
    """Return `sim` or the WebSocket address that was asked for."""
    stated = given.get("venue.url")
    if stated is None or not isinstance(stated.value, str):
        return "sim"
    if stated.value == "sim":
        return "sim"
    try:
        return ws_url(stated.value)
    except ValueError as error:
        faults.append(f"{stated.where}: venue.url: {error}; sim is the embedded exchange")
        return stated.value


# ----------------------------------------------------------------------------------- checking
def check_values(given: dict[str, Given], instruments: list[dict[str, Given]],
                 faults: list[str]) -> None:
    """Check every value against its key alone."""
    for table in (given, *instruments):
        for name, entry in table.items():
            spec = KEYS.get(name)
            if spec is None:
                faults.append(f"{entry.where}: {name}: no such key; nearest: {nearest_key(name)}")
            else:
                fault = value_fault(spec, entry.value)
                if fault:
                    faults.append(f"{entry.where}: {fault}")
    for table in instruments:
        entry = table.get("instrument.name", Given("perpetual", ""))
        name = entry.value
        if isinstance(name, str) and name not in INSTRUMENT_RULES \
                and not INSTRUMENT_NAME.fullmatch(name):
            faults.append(
                f"{entry.where}: instrument.name = {name!r} is neither a rule "
                f"({', '.join(INSTRUMENT_RULES)}) nor a venue name like BTC-PERPETUAL; "
                f"nearest: {nearest(name, INSTRUMENT_RULES)}")


def value_fault(spec: Key, value: Any) -> str:
    """Say what is wrong with a value, or nothing."""
    shown = "" if spec.name.startswith("venue.client") else f" = {shortened(value)}"
    kinds: tuple[type, ...] = {float: (int, float), int: (int,), bool: (bool,)}.get(
        spec.type, (str,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and spec.type is not bool):
        return f"{spec.name}{shown} is of the wrong type; expected {spec.expected}"
    if isinstance(value, (int, float)) and spec.low is not None and spec.high is not None \
            and not (math.isfinite(value) and spec.low <= value <= spec.high):
        return f"{spec.name}{shown} is out of range; expected {spec.expected}"
    choices = typing.get_args(spec.type)
    if choices and value not in choices:
        near = nearest(str(value), choices)
        return f"{spec.name}{shown}: expected {spec.expected}; nearest: {near}"
    return ""


def shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return the choice that looks most like a name."""
    return max(choices, key=lambda c: difflib.SequenceMatcher(None, name, c).ratio())


def nearest_key(name: str) -> str:
    """Return the key that was probably meant: same last part elsewhere first, then looks."""
    last = name.rpartition(".")[2]
    same = [k for k in KEYS if k.rpartition(".")[2] == last]
    return nearest(name, same or KEYS)


def credential_faults(config: Config) -> list[str]:
    """Resolve the secrets once, so that a missing one is a start-up fault."""
    if config.profile == "live" and not (config.venue.client_id and config.venue.client_secret):
        return []
    try:
        credentials(config)
    except ConfigError as error:
        return error.lines
    return []


# ----------------------------------------------------------------------------------- building
def build(given: dict[str, Given], instruments: list[dict[str, Given]], url: str,
          profile: Literal["sim", "live"], windows: tuple[TimeWindow, ...],
          micro_table: Table) -> Config:
    """Put values and the profile's defaults together."""
    origin: dict[str, str] = {}
    sections: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for spec in KEYS.values():
        section, _, name = spec.name.partition(".")
        if spec.name in given:
            value, origin[spec.name] = given[spec.name].value, given[spec.name].where
        elif profile == "sim" and spec.sim != spec.default:
            value, origin[spec.name] = spec.sim, "sim profile"
        else:
            value, origin[spec.name] = spec.default, "default"
        sections[section][name] = float(value) if spec.type is float and value is not None \
            else value
    sections["venue"]["url"] = url
    del sections["instrument"]
    made: dict[str, Section] = {
        name: SECTIONS[name](**values) for name, values in sections.items()}
    entries = tuple(
        Instrument(**{k.partition(".")[2]: v.value for k, v in table.items()})
        for table in (instruments or [{}]))
    origin |= {f"instrument.{i}.{k.partition('.')[2]}": v.where
               for i, table in enumerate(instruments) for k, v in table.items()}
    fields: dict[str, Any] = dict(made)
    return Config(instrument=entries, windows=windows, micro_table=micro_table, profile=profile,
                  embedded=url == "sim", origin=origin, **fields)
