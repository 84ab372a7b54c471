"""What goes wrong in a simulated session: a plan says what may, a seed draws what does.

A plan in TOML either lists its faults (`[[fault]]`, each as of SessionFault) or mixes kinds by
weight (`[mix]`); what it does not say is as in the default plan, which mixes every kind alike.
"""

import random
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

Kind = Literal[
    # one message of a step, see wire.step_of
    "drop", "delay", "duplicate", "reorder", "garbled", "truncated", "oversized",
    "error", "error_after_effect", "error_before_effect",
    # a connection, at one message of a step
    "cut", "cut_after", "cut_inside", "cut_twice", "half_open", "deaf", "fragments",
    "slow_reader", "held",
    # the venue, from a moment on
    "token_expiry", "maintenance", "lock", "settlement", "mmp", "refuses_connections",
    # this machine
    "clock_jump", "stall", "disk_full",
    # the maker's process
    "crash", "power_loss", "restart",
    # a person
    "pause", "reduce", "flatten", "kill", "set"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ERRORS: tuple[Kind, ...] = ("error", "error_after_effect", "error_before_effect")
OFTEN: frozenset[Kind] = frozenset({"delay", "drop", "error_before_effect"})
MESSAGE_KINDS: frozenset[Kind] = frozenset({
    "drop", "delay", "duplicate", "reorder", "garbled", "truncated", "oversized", "error",
    "error_after_effect", "error_before_effect", "cut", "cut_after", "cut_inside", "cut_twice",
    "half_open", "deaf", "fragments", "slow_reader", "held"})

REQUESTS = ("request:buy", "request:sell", "request:edit", "request:cancel",
            "request:cancel_all_by_instrument", "request:cancel_all", "request:get_open_orders",
            "request:get_positions", "request:get_user_trades_by_instrument", "request:auth",
            "request:get_order_state_by_label", "request:subscribe", "request:test")
ORDERS = REQUESTS[:5]
CREATES = REQUESTS[:2]
ANSWERS = ("answer:new", "answer:edit", "answer:cancel", "answer:pull", "answer:cancel_all",
           "answer:asked", "answer:cold")
TOLD = ("changes:open", "changes:fill", "changes:cancelled", "book", "trades", "ticker")
DRAWN = REQUESTS + ANSWERS + TOLD
# Where orders.mode says so, these instead of some of those above.
QUOTED = {"request:buy": "request:mass_quote", "request:sell": "request:mass_quote",
          "request:edit": "request:mass_quote", "answer:new": "answer:quoted",
          "answer:edit": "answer:quoted"}
STEPS = (*DRAWN, "request:mass_quote", "answer:quoted")
# Not 11054 on its own: the venue cancels an order that it refuses to edit so.
CODES = (10001, 10003, 10004, 10005, 10007, 10009, 10010, 10028, 10040, 10041, 10043, 10047,
         10050, 10066, 11008, 11044, 11051, 11054, 11094, 13009, 13028, 13666, 13777, 13888,
         -32602)
AFTER_EFFECT = (10001, 10040, 10050, 11051, 11094, 13028, 13888)
DELAYS_S = (0.05, 0.5, 0.95, 1.7, 5.0, 20.0, 60.0)
OF_ORDERS = ORDERS + ANSWERS[:4] + TOLD[:3]
CHANGES = ("quote.levels=1", "quote.levels=2", "quote.levels=3", "quote.size_btc=0.002",
           "quote.size_btc=0.009", "quote.base_half_spread_bps=0.5", "orders.requote_bps=1.0",
           "orders.unknown_ms=200", "orders.post_fill_hold_ms=600", "inventory.limit_btc=0.5")
BAD_MOMENTS = ("request:edit", "request:cancel", "changes:fill", "answer:new", "answer:edit")
FIRST_S = 2.5           # quotes stand
LAST_S = 42.0           # faults begin until then
AFTERMATH_S = 14.0      # of watching after the last fault is over


class SessionFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong; times in seconds of the session.

    at_s: it waits from then on; a fault of a message or with a `step` strikes at the nth message
    of that step. last_s: how long it goes on, or by how much a message is late or a clock jumps.
    """

    kind: Kind
    at_s: float = FIRST_S
    step: str = ""
    nth: int = 1
    last_s: float = 0.0
    code: int = 0           # error: what the venue answers
    at_byte: int = 0        # cut_inside, fragments: modulo the message's size
    change: str = ""        # set: KEY=VALUE, as of mm ctl set

    def __post_init__(self) -> None:
        if self.kind in MESSAGE_KINDS and self.step not in STEPS:
            raise ValueError(f"{self.kind}: step {self.step!r} is none of {', '.join(STEPS)}")
        if self.step and self.step not in STEPS:
            raise ValueError(f"{self.kind}: step {self.step!r} is none of {', '.join(STEPS)}")
        if self.nth < 1 or self.at_s < 0.0 or not 0.0 <= self.last_s <= 60.0:
            raise ValueError(f"{self.kind}: nth from 1, at_s from 0, last_s 0 to 60")
        if self.kind in ERRORS and not (
                self.code and self.step.startswith("request:")):
            raise ValueError(f"{self.kind}: needs a code and a step request:…")
        if (self.kind == "set") != ("=" in self.change):
            raise ValueError(f"{self.kind}: change = \"KEY=VALUE\" belongs to set, and to it alone")

    def __str__(self) -> str:
        parts = [f"{self.at_s:.2f} s {self.kind}"]
        parts += [f"at {self.step} #{self.nth}"] if self.step else []
        parts += [f"{self.last_s:g} s"] if self.last_s else []
        parts += [str(self.code)] if self.code else []
        parts += [self.change] if self.change else []
        return " ".join(parts)


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may go wrong, and with what maker."""

    seconds: float = 60.0
    fault: tuple[SessionFault, ...] = ()    # these and no others
    mix: dict[Kind, float] = msgspec.field(default_factory=lambda: {
        kind: 2.0 if kind in OFTEN else 1.0 for kind in KINDS})
    least: int = 1                          # faults drawn for a seed
    most: int = 5
    set: tuple[str, ...] = ()               # config keys, as of mm run --set
    market: str = ""                        # one of MARKETS; else drawn
    instruments: tuple[str, ...] = ()       # what is quoted; else drawn

    def __post_init__(self) -> None:
        if not 10.0 <= self.seconds <= 3600.0:
            raise ValueError(f"seconds {self.seconds:g} is outside 10 to 3600")
        if not 0 <= self.least <= self.most <= 100:
            raise ValueError(f"least {self.least} and most {self.most}: 0 to 100, in order")
        if not self.fault and self.most and not any(w > 0 for w in self.mix.values()):
            raise ValueError("mix has no kind with a weight above 0")
        if any(w < 0 for w in self.mix.values()):
            raise ValueError("a weight of mix is negative")
        if self.market and self.market not in MARKETS:
            raise ValueError(f"market {self.market!r} is none of {', '.join(MARKETS)}")
        if not set(self.instruments) <= {PERPETUAL, DATED}:
            raise ValueError(f"instruments: {PERPETUAL} and {DATED} are there")
        if DATED in self.instruments and self.market not in WALKS:
            raise ValueError(f"{DATED} is listed in market {' and '.join(WALKS)}; name one")


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One session: its seed, what goes wrong in it, and the maker's settings."""

    seed: int
    seconds: float
    fault: tuple[SessionFault, ...]
    set: tuple[str, ...]
    market: str             # of MARKETS
    instruments: tuple[str, ...]
    guarded: bool           # a second path stands ready

    def as_plan(self) -> str:
        """Return the session as a plan in TOML, for --faults."""
        lines = [f"seconds = {self.seconds:g}", ""]
        for fault in self.fault:
            lines.append("[[fault]]")
            lines += [f"{name} = {msgspec.json.encode(value).decode()}"
                      for name, value in msgspec.to_builtins(fault).items()
                      if name == "kind" or value != getattr(PLAIN, name)]
            lines.append("")
        return "\n".join(lines)


PLAIN = SessionFault(kind="crash")
# Everything that stands aside on purpose is off or short: what keeps from quoting is a fault.
SETS = (
    "quote.fee_floor=false", "quote.base_half_spread_bps=0.2", "quote.min_half_spread_usd=0.5",
    "quote.min_half_spread_bps=0.05", "quote.size_btc=0.005", "signals.warmup_s=0.3",
    "orders.post_fill_hold_ms=100", "orders.momentum_bps=0", "orders.run_bps=0",
    "orders.requote_bps=0.1", "orders.retreat_bps=0.1", "quote.vol_k=0", "signals.regime=false",
    "cover.trigger_bps=0", "settlement.resume_after_s=0.2",
    "settlement.pull_before_s=2", "risk.reject_storm_s=2", "inventory.fills_in_row_pause=0")
CHOICES: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.3, ("inventory.limit_btc=0.02",)),
    (0.15, ("venue.split_connections=true",)),
    (0.3, ("orders.unknown_ms=300",)),      # less than a request stays valid
)
# A walk; one whose takers press on one side for long; regimes of the synthetic market.
WALKS = ("walk", "press")
MARKETS = (*WALKS, "normal", "volatile")
PERPETUAL, DATED = "BTC-PERPETUAL", "BTC-26MAR27"     # the dated one is listed in walks
QUOTED_OF = {(PERPETUAL,): 0.6, (PERPETUAL, DATED): 0.25, (DATED,): 0.15}
PRESSED = 0.3           # of the walks
AT_ONCE = 0.3           # of the sessions: their faults come within AT_ONCE_S
AT_ONCE_S = 3.0
LEVELS_OF_TWO = 2       # a full requote fits into half the burst
MODES = {"edit": 0.7, "cancel_replace": 0.15, "mass_quote": 0.15}


def read_plan(path: Path) -> Plan:
    """Read a plan; raises OSError, or ValueError that says what is wrong."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Plan)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def draw(plan: Plan, seed: int) -> Schedule:
    """Draw a session by its seed: the same plan and seed are the same session."""
    rng, more = random.Random(f"session {seed}"), random.Random(f"more {seed}")
    levels = rng.choice((1, 2, 2, 3))
    chosen = [key for share, keys in CHOICES if rng.random() < share for key in keys]
    chosen.append("orders.mode=" + rng.choices(tuple(MODES), tuple(MODES.values()))[0])
    market = rng.choices(("walk", "normal", "volatile"), (0.75, 0.2, 0.05))[0]
    if more.random() < PRESSED and market == "walk":
        market = "press"
    market = plan.market or market
    instruments = more.choices(tuple(QUOTED_OF), tuple(QUOTED_OF.values()))[0]
    instruments = plan.instruments or (instruments if market in WALKS else (PERPETUAL,))
    if market == "press":
        chosen.append(f"inventory.limit_btc={more.choice((0.01, 0.015, 0.02))}")
    if len(instruments) > 1:
        levels = min(levels, LEVELS_OF_TWO)
    sets = (*SETS, f"quote.levels={levels}", *chosen,
            *(f"instrument.{i}.name={name}" for i, name in enumerate(instruments)), *plan.set)
    guarded = rng.random() < 0.5
    mode = next(text for text in reversed(sets) if text.startswith("orders.mode"))
    faults = plan.fault or draw_faults(plan, rng, mode, at_once=more.random() < AT_ONCE)
    seconds = max([plan.seconds, *(f.at_s + f.last_s + AFTERMATH_S for f in faults)])
    return Schedule(seed=seed, seconds=seconds, fault=faults, set=sets, market=market,
                    instruments=instruments, guarded=guarded)


def draw_faults(plan: Plan, rng: random.Random, mode: str, *,
                at_once: bool) -> tuple[SessionFault, ...]:
    """Draw the faults of a session, in order of time."""
    faults = [quoted(draw_fault(kind, rng), mode) for kind in draw_kinds(plan, rng)]
    if at_once and faults:
        first_s = min(f.at_s for f in faults)
        faults = [msgspec.structs.replace(f, at_s=round(first_s + rng.uniform(0, AT_ONCE_S), 3))
                  for f in faults]
    return tuple(sorted(faults, key=lambda f: f.at_s))


def quoted(fault: SessionFault, mode: str) -> SessionFault:
    """Return a fault at a message there is in that mode; orders that take are no mass quotes."""
    if "mass_quote" not in mode or fault.step not in QUOTED or fault.nth == 6:
        return fault
    return msgspec.structs.replace(fault, step=QUOTED[fault.step])


def draw_kinds(plan: Plan, rng: random.Random) -> list[Kind]:
    """Draw the kinds of a session; of those that end the process or close the venue, one each."""
    number = rng.randint(plan.least, plan.most)
    kinds, weights = tuple(plan.mix), tuple(plan.mix.values())
    drawn: list[Kind] = []
    for kind in rng.choices(kinds, weights, k=number) if number else ():
        if kind in MESSAGE_KINDS or kind not in drawn:
            drawn.append(kind)
    return drawn


def draw_fault(kind: Kind, rng: random.Random) -> SessionFault:
    """Draw one fault of a kind."""
    known: dict[str, Any] = {"kind": kind, "at_s": round(rng.uniform(FIRST_S, LAST_S), 3)}
    if kind in ERRORS:
        known["step"] = rng.choice(ORDERS if rng.random() < 0.7 else REQUESTS)
        if kind == "error_before_effect":
            known["step"] = rng.choice((*ORDERS, *CREATES, *CREATES))
        known["code"] = rng.choice(CODES if kind == "error" else AFTER_EFFECT)
        if known["code"] == 11054 and known["step"] not in ("request:buy", "request:sell"):
            known["code"] = 10041
    elif kind in ("duplicate", "reorder"):      # a stream does neither to a request
        known["step"] = rng.choice(ANSWERS + TOLD)
    elif kind == "cut_twice":           # with orders under way: what became of them is asked for
        known["step"] = rng.choice(OF_ORDERS)
    elif kind in MESSAGE_KINDS:
        known["step"] = rng.choice(OF_ORDERS if rng.random() < 0.5 else DRAWN)
    elif rng.random() < 0.7:        # at a bad moment, else at any
        known["step"] = rng.choice(BAD_MOMENTS)
    if "step" in known:
        known["nth"] = rng.randint(1, 6)
    lasting: dict[Kind, tuple[float, float]] = {
        "slow_reader": (0.5, 8.0), "held": (0.2, 10.0), "maintenance": (2.0, 8.0),
        "lock": (1.0, 6.0), "mmp": (0.5, 5.0), "refuses_connections": (1.0, 10.0),
        "stall": (0.02, 6.0), "disk_full": (0.5, 6.0), "crash": (0.0, 4.0),
        "power_loss": (0.0, 4.0), "restart": (0.0, 4.0), "pause": (0.05, 5.0),
        "reduce": (0.05, 5.0), "set": (0.05, 5.0),
        "flatten": (0.5, 5.0), "kill": (0.5, 4.0), "clock_jump": (0.001, 3.0),
        "error_before_effect": (0.01, 3.0), "cut_twice": (0.2, 2.5), "half_open": (0.5, 25.0),
        "deaf": (0.5, 25.0), "settlement": (5.0, 5.0)}
    if kind == "delay":
        known["last_s"] = rng.choice(DELAYS_S)
    elif kind in lasting:
        known["last_s"] = round(rng.uniform(*lasting[kind]), 3)
    if kind in ("cut_inside", "fragments"):
        known["at_byte"] = rng.randrange(1, 400)
    if kind == "set":
        known["change"] = rng.choice(CHANGES)
    if kind == "settlement":
        known.pop("step", None)
        known.pop("nth", None)
    return SessionFault(**known)
