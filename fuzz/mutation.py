"""Changes to lines of JSON that leave most of them JSON: deeper than a changed byte would come."""

import json
import random
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10, 0.5, -0.0, 1e308, -1e308, 1e-300, 2**31, 2**53, 2**63, -2**63,
    10**30, "", "x" * 300, "\u0000", "\ud7ff\U0001F40D", [], {}, [[]], [None], "new", "change",
    "delete", "snapshot", "buy", "sell", "open", "filled", "cancelled", "rejected", "untriggered",
    "limit", "market", "stop_limit", "good_til_cancelled", "immediate_or_cancel", "BTC", "any",
    "raw", "100ms", "BTC-PERPETUAL", 70000.0, 70000.5, 1790000000000)
SCALES = (0.5, 2.0, -1.0, 10.0, 1.0 + 1e-9)


def mutate_lines(data: bytes, size_max: int, seed: int, examples: list[bytes]) -> bytes:
    """Return the input changed in one place; b"" where nothing came of it."""
    rng = random.Random(seed)
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    lot = rng.random()
    if lot < 0.12:
        lines.insert(at, rng.choice(rng.choice(examples).split(b"\n")))
    elif lot < 0.18:
        lines.insert(at, lines[rng.randrange(len(lines))])
    elif lot < 0.24 and len(lines) > 1:
        del lines[at]
    elif lot < 0.28:
        lines.insert(at, b"+%d" % rng.choice((1, 50, 1000, 5000, 60000)))
    else:
        try:
            tree = json.loads(lines[at])
        except (ValueError, RecursionError):
            return b""
        lines[at] = json.dumps(changed(tree, rng), separators=(",", ":")).encode()
    made = b"\n".join(lines)
    return made if len(made) <= size_max else b""


def changed(tree: Any, rng: random.Random) -> Any:
    """Return a tree with one node changed, taken out, doubled or made another."""
    places = list(places_of(tree))
    if not places:
        return rng.choice(VALUES)
    owner, key = rng.choice(places)
    old = owner[key]
    lot = rng.random()
    if lot < 0.15:
        del owner[key]
    elif lot < 0.30 and isinstance(owner, list):
        owner.insert(key, json.loads(json.dumps(old)))
    elif lot < 0.60 and isinstance(old, int | float) and not isinstance(old, bool):
        owner[key] = moved(old, rng)
    elif lot < 0.75:
        owner[key] = json.loads(json.dumps(rng.choice(places)[0]))
    else:
        owner[key] = rng.choice(VALUES)
    return tree


def moved(number: float, rng: random.Random) -> float:
    """Return a number near another, or a multiple of it."""
    if rng.random() < 0.7:
        return number + rng.choice((-10, -1, -0.5, 0.5, 1, 10, 100))
    return number * rng.choice(SCALES)


def places_of(tree: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a tree."""
    found: list[tuple[Any, Any]] = []
    open_ = [tree]
    while open_:
        node = open_.pop()
        keys = node if isinstance(node, dict) else range(len(node)) if isinstance(
            node, list) else ()
        for key in keys:
            found.append((node, key))
            open_.append(node[key])
    return found
