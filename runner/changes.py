"""`mm ctl set`: parameters of a running maker, changed between two decisions or not at all."""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from connectors.deribit.client import DeribitClient
from connectors.deribit.credits import trading_rate
from connectors.replay.changes import ChangeRecord, apply_change
from mmcore.engine import Engine
from runner.config import Config, Given, apply_set, check_values
from runner.config_checks import contradictions
from runner.config_keys import KEYS, Instrument, Key

CONFIRM_S = 60.0
OWN_KEYS = {"limit_btc": "inventory.limit_btc", "size_btc": "quote.size_btc"}


class Change(msgspec.Struct, frozen=True):
    """One key, its value before and after."""

    key: str
    old: Any
    new: Any


class Changes:
    """Changes the parameters of one engine; `config` is what it runs with now."""

    def __init__(self, config: Config, engine: Engine, note: Callable[[bytes], None], *,
                 burst: Callable[[], float] = lambda: 0.0, entries: Sequence[int] = (),
                 now_s: Callable[[], float] = time.monotonic) -> None:
        """note: writes a record into the journal. burst: requests the account's pool holds.

        entries: by market its [[instrument]], -1: none; empty: they have the same numbers.
        """
        self.config = config
        self.engine = engine
        self.note = note
        self.burst = burst
        self.entries = entries or range(len(config.instrument))
        self.now_s = now_s
        self.asked: dict[str, float] = {}       # word to confirm with -> until when
        self.made: dict[str, Any] = {}          # key -> value, of this session

    def ask(self, texts: list[str], who: str, reason: str, confirm: str) -> dict[str, Any]:
        """Make all changes, or none and say why; what is dangerous is made when asked twice."""
        faults: list[str] = []
        config, changes = self.changed(texts, faults)
        if not faults:
            faults = contradictions(config) or self.credit_faults(config)
        if faults:
            return {"ok": False, "error": "; ".join(f.removeprefix("--set ") for f in faults)}
        told = [msgspec.to_builtins(change) for change in changes]
        careful = [c.key for c in changes if KEYS[plain(c.key)].asks_twice]
        if careful:
            word = self.word(changes)
            if confirm != word or self.asked.get(word, 0.0) < self.now_s():
                self.asked = {word: self.now_s() + CONFIRM_S}
                return {"ok": False, "changes": told, "confirm": word,
                        "error": f"{', '.join(careful)}: bounds what may be lost; look at the "
                                 f"changes and repeat with --confirm {word} within "
                                 f"{CONFIRM_S:g} s"}
            self.asked.clear()
        self.apply(config, changes, who, reason)
        return {"ok": True, "changes": told}

    def changed(self, texts: list[str], faults: list[str]) -> tuple[Config, list[Change]]:
        """Return the configuration as it would be, and what differs from the one now."""
        given: dict[str, Given] = {}
        entries: list[dict[str, Given]] = [{} for _ in self.config.instrument]
        for text in texts:
            apply_set(text, given, entries, faults)
        if not given and not any(entries) and not faults:
            faults.append("nothing to set; write KEY=VALUE, like quote.levels=2")
        if len(entries) > len(self.config.instrument):
            faults.append(f"there are {len(self.config.instrument)} instruments; another one "
                          "needs a restart")
        check_values(given, entries, faults)
        for table in (given, *entries):
            for name, value in table.items():
                if name in KEYS and not KEYS[name].running:
                    faults.append(f"{value.where}: {name} cannot change while trading; state it "
                                  "in the configuration and start again")
        if faults:
            return self.config, []
        return self.rebuilt(given, entries)

    def rebuilt(self, given: dict[str, Given],
                entries: list[dict[str, Given]]) -> tuple[Config, list[Change]]:
        changes: list[Change] = []
        sections: dict[str, dict[str, Any]] = {}
        for name, value in given.items():
            section, _, field = name.partition(".")
            old = getattr(getattr(self.config, section), field)
            new = typed(KEYS[name], value.value)
            sections.setdefault(section, {})[field] = new
            if new != old:
                changes.append(Change(name, old, new))
        own: list[Instrument] = []
        for i, (entry, table) in enumerate(zip(self.config.instrument, entries, strict=True)):
            values = {name.partition(".")[2]: typed(KEYS[name], v.value)
                      for name, v in table.items()}
            changes += [Change(f"instrument.{i}.{field}", getattr(entry, field), new)
                        for field, new in values.items() if new != getattr(entry, field)]
            own.append(msgspec.structs.replace(entry, **values))
        made: dict[str, Any] = {
            section: msgspec.structs.replace(getattr(self.config, section), **values)
            for section, values in sections.items()}
        origin = {**self.config.origin, **dict.fromkeys((c.key for c in changes), "mm ctl set")}
        return msgspec.structs.replace(self.config, instrument=tuple(own), origin=origin,
                                       **made), changes

    def credit_faults(self, config: Config) -> list[str]:
        """Refuse a ladder the account's credits do not carry, as the start does."""
        orders = 2 * config.quote.levels * len(config.instrument)
        burst = self.burst()
        if config.quote.levels <= self.config.quote.levels or burst <= 0 or 2 * orders <= burst:
            return []
        fault = (f"quote.levels = {config.quote.levels}: a full requote is {orders} orders, more "
                 f"than half of this account's burst of {burst:g} requests; state fewer")
        return [fault]

    def word(self, changes: list[Change]) -> str:
        """Return what confirms exactly these changes."""
        return hashlib.sha256(msgspec.json.encode(changes)).hexdigest()[:6]

    def apply(self, config: Config, changes: list[Change], who: str, reason: str) -> None:
        """Journal the change, then make it: the engine decides with all of it or none."""
        before, after = self.config.engine_values(), config.engine_values()
        rows: list[tuple[int, str, float]] = [
            (-1, key, value) for key, value in after.items() if value != before[key]]
        for market, number in enumerate(self.entries):
            entry = config.instrument[number] if number >= 0 else Instrument()
            for field, key in OWN_KEYS.items():
                value = getattr(entry, field)
                if value is not None:       # an instrument's own wins over what all have
                    rows.append((market, key, float(value)))
        record = ChangeRecord(who, reason, [msgspec.to_builtins(c) for c in changes], rows)
        self.note(record.encode())
        apply_change(self.engine, record)
        self.config = config
        self.made |= {change.key: change.new for change in changes}


def typed(spec: Key, value: Any) -> Any:
    return float(value) if spec.type is float else value


def plain(name: str) -> str:
    """Return the key of the table for a name that may have an instrument's number in it."""
    parts = name.split(".")
    return f"{parts[0]}.{parts[-1]}"


def burst_of(client: DeribitClient) -> float:
    """Return how many requests the account's pool holds when full; 0 where it is not known."""
    account = client.reconciler.account
    rate = trading_rate(account.limits) if account is not None else None
    return rate.burst if rate is not None else 0.0
