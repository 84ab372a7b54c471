"""What is fuzzed: bytes in, nothing out; an exception or a broken invariant ends the program.

An input is lines: each a message as it would stand in one WebSocket frame. A line `+50` lets
50 ms pass instead. `examples/*.jsonl` keeps the inputs worth keeping, one JSON string each.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mutation import mutate_lines

from connectors.deribit.feed import DeribitFeed
from connectors.deribit.labels import Labels
from connectors.sim.wire.auth import Grant
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.codes import CODES
from connectors.sim.wire.server import SimConfig, SimServer
from mmcore.engine import Engine
from mmcore.face import ListSink
from mmcore.journal import Journal
from mmcore.types import ControlKind, InstrumentSpec
from runner.assemble import make_engine
from runner.config import load
from runner.config_keys import Instrument
from runner.simulation.market import WalkingMarket

HERE = Path(__file__).resolve().parent
NAMES = ("decoder", "exchange")
MS = 1_000_000
EPOCH_NS = 1_790_000_000_000_000_000
LINES_MAX = 40          # of one input; more teaches nothing
WAIT_MAX_MS = 100_000


def read_examples(name: str) -> list[bytes]:
    """Return the kept inputs of a target."""
    text = (HERE / "examples" / f"{name}.jsonl").read_text()
    return [json.loads(line).encode("latin-1") for line in text.splitlines()]


def write_examples(name: str, inputs: list[bytes]) -> None:
    """Keep these inputs of a target and no others."""
    lines = sorted(json.dumps(text.decode("latin-1")) for text in inputs)
    (HERE / "examples" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def messages(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield (message, 0), or (b"", how many ms pass)."""
    for line in data.split(b"\n")[:LINES_MAX]:
        if line[:1] == b"+" and line[1:].isdigit() and len(line) < 9:
            yield b"", min(int(line[1:]), WAIT_MAX_MS)
        elif line:
            yield line, 0


# -- the maker's side: decoder, own orders, engine
SPECS = [InstrumentSpec("BTC-PERPETUAL", tick_size=0.5, contract_size=10, maker_fee=0.00015,
                        taker_fee=0.00035),
         InstrumentSpec("BTC-25JUN27", tick_size=2.5, contract_size=10)]
CONFIG = load(None, ["signals.warmup_s=0", "quote.fee_floor=false", "quote.levels=2",
                     "quote.base_half_spread_bps=0.2", "signals.regime=false"],
              "ws://127.0.0.1:1/ws/api/v2")
INSTRUMENTS = [Instrument(name=spec.name) for spec in SPECS]
VALUES = CONFIG.engine_values()
LABELS = Labels("mm", run=0xC0FFEE, config=0xABC)
START_NS = 1000 * MS
OPENING = read_examples("opening")[0].split(b"\n")      # a book and a ticker of each market


class Desk:
    """An engine that quotes: connected, with books, reconciled, two orders a side on the way."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.engine: Engine = make_engine(VALUES, INSTRUMENTS, SPECS, Journal())
        self.sink = ListSink()
        self.engine.attach(self.sink)
        self.feed = DeribitFeed(self.engine, SPECS, LABELS)
        self.feed.on_cold = len     # somebody listens
        self.control(ControlKind.CONTROL_CONNECTED)
        self.control(ControlKind.CONTROL_CREDITS, 100, 20.0)
        for text in OPENING:
            self.feed.payload(text, self.now_ns)
        self.control(ControlKind.CONTROL_RECONCILED)
        self.engine.run_turn(self.now_ns)

    def control(self, kind: ControlKind, value: int = 0, real: float = 0.0) -> None:
        self.engine.control(kind, self.now_ns, 0, value, real)

    def take(self, text: bytes) -> None:
        """Hand a message over; one that is refused must have changed nothing that is owned."""
        refused = self.feed.counts["malformed"]
        held = [m.position.contracts for m in self.engine.markets]
        self.now_ns += MS
        self.feed.payload(text, self.now_ns)
        if self.feed.counts["malformed"] != refused:
            assert held == [m.position.contracts for m in self.engine.markets]
        self.engine.run_turn(self.now_ns)
        for market in self.engine.markets:
            bid, ask = market.book.best_bid_ticks, market.book.best_ask_ticks
            assert not market.book.valid or bid is None or ask is None or bid < ask

    def wait(self, ms: int) -> None:
        self.now_ns += ms * MS
        self.engine.run_timer(self.now_ns)


def decoder(data: bytes) -> None:
    """What the venue might say, to a maker whose quotes are on the way."""
    desk = Desk()
    for text, ms in messages(data):
        if ms:
            desk.wait(ms)
        else:
            desk.take(text)
    desk.wait(1)


# -- the exchange's side: request parser, matching, account
RENEWED_EVERY = 500     # an exchange takes long to make; what led to a crash is in RECENT
RECENT = Path(os.environ.get("MM_FUZZ_RECENT", os.devnull))
KEYS = ("jsonrpc", "id", "result", "error", "usIn", "usOut", "usDiff", "testnet")


class Listener(Caller):
    """A socket as the methods see it."""

    is_socket = True

    def __init__(self, server: SimServer, t_ns: int) -> None:
        super().__init__(server.exchange.connect(t_ns))
        self.server = server

    def adopt(self, grant: Grant, t_ns: int) -> None:
        super().adopt(grant, t_ns)
        self.server.exchange.login(t_ns, self.connection, grant.account)

    def send(self, message: Any) -> None:
        json.dumps(message)


class Floor:
    """An exchange with two clients, renewed now and then."""

    def __init__(self) -> None:
        self.now_ns = EPOCH_NS
        self.inputs = 0
        RECENT.write_text("")
        self.server = SimServer(SimConfig(market=WalkingMarket(1), tier=0, seed=1),
                                lambda: self.now_ns)
        self.server.timers = False
        self.server.begin()

    def client(self, name: str) -> Listener:
        caller = Listener(self.server, self.now_ns)
        self.ask(caller, b'{"jsonrpc":"2.0","id":1,"method":"public/auth","params":{"grant_type":'
                         b'"client_credentials","client_id":"%b","client_secret":"x"}}'
                 % name.encode())
        assert caller.account >= 0
        return caller

    def ask(self, caller: Listener, payload: bytes) -> None:
        """Put a request; the answer has the documented shape."""
        answer = self.server.methods.handle(caller, payload, self.server.clock, self.now_ns)
        caller.leaving = False
        if not answer:
            return
        view = json.loads(answer)
        assert list(view) == [k for k in KEYS if k in view], payload
        assert ("result" in view) != ("error" in view), payload
        assert "error" not in view or view["error"]["code"] in CODES, payload

    def run(self, data: bytes) -> None:
        callers = [self.client("one"), self.client("two")]
        for number, (text, ms) in enumerate(messages(data)):
            self.now_ns += (ms or 1) * MS
            self.server.advance(self.now_ns)
            if text:
                self.ask(callers[number % 3 == 2], text)
        for caller in callers:
            if caller.account >= 0:
                self.server.desk.cancel_many(self.now_ns, caller.account)
            self.server.subscriptions.unsubscribe(caller, list(caller.channels))
            self.server.exchange.disconnect(self.now_ns, caller.connection, True)


FLOORS: list[Floor] = []


def exchange(data: bytes) -> None:
    """What a client might ask, of an exchange where two are logged in."""
    if not FLOORS or FLOORS[0].inputs >= RENEWED_EVERY:
        FLOORS[:] = [Floor()]
    FLOORS[0].inputs += 1
    with RECENT.open("a") as file:
        file.write(json.dumps(data.decode("latin-1")) + "\n")
    FLOORS[0].run(data)


EXAMPLES = read_examples(os.environ.get("MM_FUZZ_TARGET", "decoder"))


def mutate(data: bytes, size_max: int, seed: int) -> bytes:
    """Change an input as its grammar allows; b"" where nothing came of it."""
    return mutate_lines(data, size_max, seed, EXAMPLES)
