"""Dependencies point one way: a module imports only what lies below it."""

import fnmatch

import pytest
from source_tree import Source, imports, sources

# Where a module lies. It may import only lower ranks; modules of `runner` may import each other.
# A new module gets a line here: the lowest rank above everything it needs.
RANKS = {
    "mmcore": 0,
    "mmcore.types": 0,
    "mmcore.faults": 0,
    "mmcore.stats": 0,
    "mmcore.telemetry_table": 0,
    "mmcore.params": 1,
    "mmcore.book": 10,
    "mmcore.position": 10,
    "mmcore.statement": 10,
    "mmcore.states": 10,
    "mmcore.orders": 10,
    "mmcore.budget": 10,
    "mmcore.sink": 10,
    "mmcore.journal": 10,
    "mmcore.telemetry": 10,
    "mmcore.calendar": 15,
    "mmcore.flow": 15,
    "mmcore.volatility": 15,
    "mmcore.microprice": 15,
    "mmcore.windows": 15,
    "mmcore.regime": 16,
    "mmcore.width": 16,
    "mmcore.signals": 20,
    "mmcore.alpha": 25,
    "mmcore.ladder": 25,
    "mmcore.reaction": 25,
    "mmcore.reduction": 26,
    "mmcore.ledger": 20,
    "mmcore.quote": 30,
    "mmcore.funding": 25,
    "mmcore.risk": 40,
    "mmcore.pairing": 12,
    "mmcore.priority": 12,
    "mmcore.hysteresis": 45,
    "mmcore.standing": 45,
    "mmcore.planning": 45,
    "mmcore.diff": 50,
    "mmcore.market": 60,
    "mmcore.preference": 64,
    "mmcore.observation": 65,
    "mmcore.limits": 66,
    "mmcore.pairs": 66,
    "mmcore.hedge": 66.5,
    "mmcore.intake": 68,
    "mmcore.engine": 70,
    "mmcore.publish": 71,
    "mmcore.face": 71,
    # Venue edges. No Python object in the signature of a hot function above this line.
    "connectors": 80,
    "connectors.clock": 80,
    "connectors.deribit": 80,
    "connectors.deribit.endpoints": 80,
    "connectors.deribit.labels": 80,
    "connectors.deribit.messages": 81,
    "connectors.deribit.account_messages": 81.5,
    "connectors.deribit.credits": 82,
    "connectors.deribit.codes": 80,
    "connectors.deribit.digits": 80,
    "connectors.deribit.decode": 82,
    "connectors.deribit.encode": 82,
    "connectors.deribit.own": 83,
    "connectors.deribit.scan": 83,
    "connectors.deribit.feed": 84,
    "connectors.deribit.trace": 84,
    "connectors.deribit.session": 90,
    "connectors.deribit.instruments": 100,
    "connectors.deribit.rpc": 101,
    "connectors.deribit.roster": 101,
    "connectors.deribit.connection": 102,
    "connectors.deribit.public": 103,
    "connectors.deribit.sweep": 102,
    "connectors.deribit.fills": 102.5,
    "connectors.deribit.profit": 102,
    "connectors.deribit.margins": 102,
    "connectors.deribit.deliveries": 102,
    "connectors.deribit.reconcile": 103,
    "connectors.deribit.protection": 104,
    "connectors.deribit.login": 104,
    "connectors.deribit.link": 105,
    "connectors.deribit.subscriptions": 105.5,
    "connectors.deribit.client": 106,
    "connectors.sim": 80,
    "connectors.sim.rng": 81,
    "connectors.sim.levels": 81,
    "connectors.sim.orders": 81,
    "connectors.sim.credits": 81,
    "connectors.sim.latency": 82,
    "connectors.sim.inflight": 81,
    "connectors.sim.queue": 81,
    "connectors.sim.outputs": 82,
    "connectors.sim.account": 82,
    "connectors.sim.marking": 82,
    "connectors.sim.publish": 83,
    "connectors.sim.matching": 84,
    "connectors.sim.margin": 84,
    "connectors.sim.mmp": 81,
    "connectors.sim.waiting": 82,
    "connectors.sim.registry": 85,
    # The exchange is one class in layers, each adding what the next needs.
    "connectors.sim.checks": 86,
    "connectors.sim.clearing": 86.1,
    "connectors.sim.spreads": 86.2,
    "connectors.sim.trading": 86.3,
    "connectors.sim.quotes": 86.4,
    "connectors.sim.triggers": 86.5,
    "connectors.sim.liquidation": 86.6,
    "connectors.sim.settlement": 86.7,
    "connectors.sim.pending": 86.8,
    "connectors.sim.timers": 87,
    "connectors.sim.exchange": 88,
    "connectors.sim.faults": 88,
    "connectors.sim.witness": 89,
    "connectors.sim.direct": 90,
    "connectors.sim.direct_sink": 91,
    "connectors.replay.player": 89.5,
    "connectors.replay.cut": 90,
    "connectors.replay.observer": 91,
    "connectors.replay.backtest": 92,
    "connectors.replay.script": 92,
    "connectors.sim.market.protocol": 89,
    "connectors.sim.market.latent": 89,
    "connectors.sim.market.bands": 89,
    "connectors.sim.market.contracts": 90,
    "connectors.sim.market.recorded": 90,
    "connectors.sim.market.stage": 90,
    "connectors.sim.market.tape": 90,
    "connectors.sim.market.synthetic": 91,
    "connectors.sim.market": 92,
    "connectors.sim.market.relayed": 104,
    "connectors.sim.market.facts": 93,
    "connectors.sim.wire": 89,
    "connectors.sim.wire.writer": 90,
    "connectors.sim.wire.codes": 89,
    "connectors.sim.wire.errors": 90,
    "connectors.sim.wire.platform": 100,
    "connectors.sim.wire.trace": 102,
    "connectors.sim.wire.views": 90,
    "connectors.sim.wire.params": 91,
    "connectors.sim.wire.replies": 90.5,
    "connectors.sim.wire.book_frames": 90.5,
    "connectors.sim.listing": 81,
    "connectors.sim.wire.roll": 96.1,
    "connectors.sim.wire.quote_desk": 91,
    "connectors.sim.wire.later": 91,
    "connectors.sim.wire.stops": 96.1,
    "connectors.sim.wire.maker": 96.2,
    "connectors.sim.wire.auth": 91,
    "connectors.sim.wire.broadcast": 91,
    "connectors.sim.wire.desk": 91,
    "connectors.sim.wire.caller": 92,
    "connectors.sim.wire.prints": 91,
    "connectors.sim.wire.bookings": 89,
    "connectors.sim.wire.peek": 89,
    "connectors.sim.wire.ledger": 90,
    "connectors.sim.wire.channel": 90,
    "connectors.sim.wire.combos": 97,
    "connectors.sim.wire.money": 98,
    "connectors.sim.wire.cancels": 96.1,
    "connectors.sim.wire.access": 93,
    "connectors.sim.wire.history": 93,
    "connectors.sim.wire.secondly": 94,
    "connectors.sim.wire.channels": 95,
    "connectors.sim.wire.venue": 96,
    "connectors.sim.wire.public": 97,
    "connectors.sim.wire.trading": 97,
    "connectors.sim.wire.data": 97,
    "connectors.sim.wire.records": 98,
    "connectors.sim.wire.methods": 99,
    "connectors.sim.wire.session": 99,
    "connectors.sim.wire.http": 100,
    "connectors.sim.wire.server": 101,
    "connectors.replay": 80,
    "connectors.replay.event": 81,
    "connectors.replay.recording": 81.5,
    "connectors.replay.journal": 81,
    "connectors.replay.lines": 82,
    "connectors.replay.columns": 82,
    "connectors.replay.books": 83,
    "connectors.replay.binance": 84,
    "connectors.replay.deribit": 84,
    "connectors.replay.journaled": 84.5,
    "connectors.replay.reader": 85,
    "connectors.replay.store": 82,
    "connectors.replay.tables": 84.5,
    "connectors.replay.drive": 86,
    "connectors.replay.gate_trial": 86,
    "connectors.replay.changes": 86,
    "connectors.replay.replay": 87,
    "connectors.replay.convert": 86,
    "runner": 110,
    "runner.*": 110,
}
PEERS = "runner"  # the one package whose modules may import each other

# A package may be imported in few files only, because its objects or its cost must not spread.
ONLY_IN = {
    "picows": ("connectors/deribit/session.p??", "connectors/sim/wire/*"),
}
# The core takes time, chance and bytes as arguments.
NEVER_IN_CORE = {
    "asyncio", "datetime", "libc.time", "logging", "msgspec", "os", "picows", "posix.time",
    "random", "secrets", "selectors", "socket", "subprocess", "sys", "threading", "time", "uuid",
    "uvloop",
}


def rank_of(module: str) -> float | None:
    if module in RANKS:
        return RANKS[module]
    return next((r for k, r in RANKS.items() if "*" in k and fnmatch.fnmatchcase(module, k)), None)


def complaints(source: Source, known: set[str]) -> list[str]:
    """Say what a source imports against the rules; known is the set of modules in the tree."""
    own_rank = rank_of(source.module)
    if own_rank is None:
        remedy = "give it a line in RANKS of tests/gates/test_layers.py"
        return [f"{source.path}: the module has no rank; {remedy}"]
    found = []
    for item in imports(source):
        where = f"{source.path}:{item.line}"
        if item.name.startswith("."):
            found.append(f"{where}: relative import; imports are absolute here")
            continue
        found += [f"{where}: {c}" for c in foreign_complaints(source, item.name)]
        found += [f"{where}: {c}" for c in rank_complaints(source, own_rank, item.name, known)]
    return found


def foreign_complaints(source: Source, name: str) -> list[str]:
    found = []
    for package, places in ONLY_IN.items():
        allowed = any(fnmatch.fnmatchcase(source.path, p) for p in places)
        if within(name, package) and not allowed:
            found.append(f"imports {package}, which only {' and '.join(places)} may")
    if within(source.module, "mmcore"):
        found += [f"imports {name}, which the core never does"
                  for banned in NEVER_IN_CORE if within(name, banned)]
    return found


def rank_complaints(source: Source, own_rank: int, name: str, known: set[str]) -> list[str]:
    if name not in known or name == source.module:
        return []  # a foreign module, a name inside a module, or the module's own .pxd
    if within(name, "runner") and not within(source.module, "runner"):
        return ["imports runner, which nobody below it may"]
    rank = rank_of(name)
    if rank is None or (within(source.module, PEERS) and within(name, PEERS)):
        return []  # the unknown module complains for itself
    if within(source.module, name):
        return []  # its own package
    if name == "mmcore" or rank < own_rank:
        return []
    return [f"rank {own_rank} imports {name} of rank {rank}; dependencies point downwards"]


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def test_tree_keeps_the_layers() -> None:
    tree = sources()
    known = {s.module for s in tree}
    found = [c for source in tree for c in complaints(source, known)]
    assert not found, "\n" + "\n".join(found)


BAD = {
    "mmcore/book.pyx": [
        "from mmcore.engine cimport Engine", "import time", "from os import path",
        "from posix.time cimport clock_gettime", "import msgspec", "from . import types",
        "from runner import config", "cimport mmcore.risk as r", "import array, random",
        "from picows.picows cimport (\n    WSFrame,\n    WSListener,\n)",
    ],
    "connectors/deribit/feed.pyx": [
        "from connectors.deribit cimport session", "from picows import ws_connect",
        "import runner.config",
    ],
    "mmcore/utilities.pyx": [""],
}
GOOD = {
    "mmcore/book.pyx": [
        "from mmcore.types cimport Instrument", "from libc.string cimport memcpy",
        '"""import time"""', "# import time", "from mmcore.book cimport OrderBook",
    ],
    "connectors/deribit/feed.pyx": ["from mmcore.engine cimport Engine", "import msgspec"],
    "connectors/deribit/session.pxd": ["from picows.picows cimport WSListener"],
    "connectors/sim/wire/server.py": ["import picows"],
    "runner/cli.py": ["from runner import config", "import asyncio, time"],
}
KNOWN = {"mmcore.engine", "mmcore.types", "mmcore.risk", "mmcore.book", "runner", "runner.config",
         "connectors.deribit", "connectors.deribit.session"}


@pytest.mark.parametrize(("path", "text"), [(p, t) for p, ts in BAD.items() for t in ts])
def test_gate_refuses(path: str, text: str) -> None:
    assert complaints(Source(path, text + "\n"), KNOWN)


@pytest.mark.parametrize(("path", "text"), [(p, t) for p, ts in GOOD.items() for t in ts])
def test_gate_allows(path: str, text: str) -> None:
    assert complaints(Source(path, text + "\n"), KNOWN) == []
