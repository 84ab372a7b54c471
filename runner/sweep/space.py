"""What is tried: keys of the config with lists or ranges of values, and the points they make."""

import itertools
import json
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from runner.config import nearest_key, value_fault
from runner.config_keys import KEYS, Key

POINTS_MOST = 100_000
NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"\s*({NUMBER})\.\.({NUMBER})(?:/(\d+))?(:log)?\s*")
FORMS = "write KEY=1,2,5 or KEY=LOW..HIGH/POINTS, with :log behind it for even ratios"

Point = dict[str, Any]          # dotted key -> value


class SpaceError(ValueError):
    """Something that cannot be tried; `lines` holds one sentence per fault."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = list(lines)
        super().__init__("\n".join(self.lines))


class Axis(Struct, frozen=True, kw_only=True):
    """One key and what it may be: `values`, or anything from low to high where there are none."""

    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False         # the key takes whole numbers only


def read_axes(texts: Sequence[str], *, searched: bool) -> list[Axis]:
    """Read `KEY=VALUES` options. searched: ranges stay ranges; else they are a grid's points.

    Raises SpaceError with every fault.
    """
    axes: list[Axis] = []
    faults: list[str] = []
    for text in texts:
        try:
            axis = read_axis(text, searched=searched)
        except SpaceError as error:
            faults += error.lines
            continue
        if axis.key in [a.key for a in axes]:
            faults.append(f"--over {text}: {axis.key} is given twice; keep one")
        axes.append(axis)
    if not texts:
        faults.append(f"nothing to try; give --over, and {FORMS}")
    points = math.prod(len(a.values) for a in axes if a.values)
    if not faults and not searched and points > POINTS_MOST:
        faults.append(f"this is a grid of {points:,} points, {POINTS_MOST:,} at most; give fewer, "
                      "or search with --trials N")
    if faults:
        raise SpaceError(faults)
    return axes


def read_axis(text: str, *, searched: bool) -> Axis:
    """Read one option; SpaceError says what is wrong with it."""
    key, separator, spec = text.partition("=")
    key = key.strip()
    if not separator or not key or not spec.strip():
        raise SpaceError([f"--over {text}: {FORMS}"])
    known = KEYS.get(re.sub(r"^instrument\.\d+\.", "instrument.", key))
    if known is None:
        raise SpaceError([f"--over {text}: {key}: no such key; nearest: {nearest_key(key)}"])
    if key.startswith(("backtest.", "venue.")):
        fault = "is what the market is taken to be, nothing to be searched; set it with --set"
        raise SpaceError([f"--over {text}: {key} {fault}"])
    found = RANGE.fullmatch(spec)
    if found is not None:
        return ranged(text, key, known, found, searched=searched)
    values = tuple(parsed(word) for word in spec.split(","))
    faults = [f"--over {text}: {fault}" for fault in (value_fault(known, v) for v in values)
              if fault]
    if len(set(map(repr, values))) < len(values):
        faults.append(f"--over {text}: a value is given twice")
    if faults:
        raise SpaceError(faults)
    return Axis(key=key, values=values)


def ranged(text: str, key: str, known: Key, found: re.Match[str], *, searched: bool) -> Axis:
    """Make an axis of LOW..HIGH."""
    low, high = float(found[1]), float(found[2])
    log, whole = found[4] is not None, known.type is int
    faults = []
    if known.type not in (int, float):
        faults.append(f"{key} takes no range; name its values: {known.expected}")
    elif low >= high:
        faults.append(f"the range ends where it begins or before; write {high:g}..{low:g}")
    elif log and low <= 0.0:
        faults.append("even ratios need a low end above 0")
    elif whole and (low != int(low) or high != int(high)):
        faults.append(f"{key} takes whole numbers")
    elif searched and found[3] is not None:
        faults.append(f"/{found[3]} is for a grid; leave it out with --trials")
    elif not searched and (found[3] is None or int(found[3]) < 2):
        faults.append(f"a grid needs to know how many points: {found[1]}..{found[2]}/5, say; or "
                      "search with --trials N")
    else:
        ends = (int(low), int(high)) if whole else (low, high)
        faults += [fault for fault in (value_fault(known, end) for end in ends) if fault]
    if faults:
        raise SpaceError([f"--over {text}: {fault}" for fault in faults])
    if searched:
        return Axis(key=key, low=low, high=high, log=log, whole=whole)
    return Axis(key=key, values=spread(low, high, int(found[3]), log=log, whole=whole))


def spread(low: float, high: float, count: int, *, log: bool, whole: bool) -> tuple[Any, ...]:
    """Return `count` values from low to high, evenly or in even ratios; whole ones once each."""
    shares = [i / (count - 1) for i in range(count)]
    if log:
        values = [low * (high / low) ** share for share in shares]
    else:
        values = [low + (high - low) * share for share in shares]
    values[-1] = high
    if whole:
        return tuple(dict.fromkeys(round(v) for v in values))
    return tuple(float(f"{v:.6g}") for v in values)


def parsed(word: str) -> Any:
    """Return a value written as in TOML; a bare word is a string."""
    try:
        return tomllib.loads(f"v = {word}")["v"]
    except tomllib.TOMLDecodeError:
        return word.strip()


def grid(axes: Sequence[Axis]) -> Iterator[Point]:
    """Yield every combination, the last key changing fastest."""
    for values in itertools.product(*(axis.values for axis in axes)):
        yield dict(zip((axis.key for axis in axes), values, strict=True))


def sets_of(point: Point) -> tuple[str, ...]:
    """Return a point as `key=value` overrides."""
    return tuple(f"{key}={json.dumps(value)}" for key, value in point.items())


def words(point: Point) -> str:
    """Return a point for a reader."""
    return " ".join(f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
                    for key, value in point.items()) or "as configured"
