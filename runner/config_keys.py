"""Every configuration key: type, unit, range, default, effect.

The annotations are the only source: errors, `mm doctor`, documentation and the test that no key
is unused all read them through `KEYS`.
"""

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct

from runner.key_types import LOSS_BOUNDS, key
from runner.key_types import Section as Section
from runner.pair_keys import Basis as Basis
from runner.pair_keys import Funding as Funding
from runner.pair_keys import Hedge as Hedge
from runner.pair_keys import Preference as Preference
from runner.record_keys import JournalKeys as JournalKeys
from runner.record_keys import Telemetry as Telemetry
from runner.risk_keys import Risk as Risk
from runner.schedule_keys import Expiry as Expiry
from runner.schedule_keys import Settlement as Settlement
from runner.strategy_keys import Cover as Cover
from runner.strategy_keys import Quote as Quote
from runner.strategy_keys import Signals as Signals


class Venue(Section, frozen=True):
    """`[venue]`: where to trade, and as whom."""

    url: Annotated[str, key("URL", "WebSocket address; sim, testnet and prod name the known ones.")
                   ] = "sim"
    rest_url: Annotated[str, key("URL", "HTTP address up to the method; empty: from venue.url.")
                        ] = ""
    client_id: Annotated[str, key("", "API key id: env:NAME or file:PATH.")] = ""
    client_secret: Annotated[str, key("", "API key secret: env:NAME or file:PATH.")] = ""
    auth: Annotated[Literal["credentials", "signature"],
                    key("", "Send the secret, or sign with it.")] = "credentials"
    ca_file: Annotated[str, key("path", "Certificates to trust instead of the system's.")] = ""
    proxy: Annotated[str, key("URL", "HTTP proxy, http://host:port; env:NAME or file:PATH where it "
                              "holds a password; empty: none.")] = ""
    split_connections: Annotated[bool, key("", "Market data over a connection of its own; orders "
                                           "keep theirs.")] = False
    dead_after_s: Annotated[float, key("s", "A connection without a sign of life for so long is "
                                       "given up.", 0.5, 60.0)] = 3.0
    heartbeat_s: Annotated[int, key("s", "Interval after which the venue tests the connection.",
                                    10, 600)] = 10
    label_prefix: Annotated[str, key("", "First part of the label of every order; marks ours.")
                            ] = "mm"
    maker_fee_bps: Annotated[float | None, key("bps",
        "Maker fee of a backtest, negative for a rebate; absent: 1.5, as of August 2026. A venue "
        "states its own.", -10.0, 100.0)] = None
    taker_fee_bps: Annotated[float | None, key("bps",
        "Taker fee of a backtest; absent: 3.5.", -10.0, 100.0)] = None
    next_tier_usd: Annotated[float, key("USD",
        "Volume of 30 days that the next fee tier takes, as the venue publishes it; the accounts "
        "then say how far it is and what it is worth; 0: not told.", 0.0, 1e13)] = 0.0
    next_tier_maker_bps: Annotated[float, key("bps", "Maker fee of the next tier.",
                                              -10.0, 100.0)] = 0.0
    next_tier_taker_bps: Annotated[float, key("bps", "Taker fee of the next tier.",
                                              -10.0, 100.0)] = 3.0


class Instrument(Section, frozen=True):
    """`[[instrument]]`: one per contract to quote."""

    name: Annotated[str, key("", "A venue name, or perpetual, front or next-quarter.")
                    ] = "perpetual"
    limit_btc: Annotated[float | None, key("BTC", "Position limit of this contract; "
                                           "inventory.limit_btc where absent.", 0.0, 1000.0,
                                           running=True)
                         ] = None
    size_btc: Annotated[float | None, key("BTC", "Quote size of this contract; quote.size_btc "
                                          "where absent.", 0.0001, 100.0, running=True)] = None
    book_silence_ms: Annotated[float | None, key(
        "ms", "A book quiet for longer is stale; absent: risk.book_silence_ms, of a dated "
        "contract 30000 at least.", 100.0, 600000.0, running=True)] = None


class Orders(Section, frozen=True):
    """`[orders]`: when to send, and how much."""

    requote_bps: Annotated[float, key("bps", "Follow a mid that moved this far away.",
                                      0.0, 1000.0, sim=0.5, running=True)] = 2.0
    retreat_bps: Annotated[float, key("bps", "Step back from a mid that came this near.",
                                      0.0, 1000.0, sim=0.5, running=True)] = 1.0
    off_center_bps: Annotated[float, key("bps", "Replace at once beyond this error.",
                                         0.0, 1000.0, running=True)] = 10.0
    keep_ticks: Annotated[float, key("ticks", "Keep an order whose price is off by less.",
                                     0.0, 10000.0, running=True)] = 1.0
    refresh_s: Annotated[float, key("s", "Look at every quote again after this time.",
                                    0.01, 3600.0, running=True)] = 1.0
    max_updates_per_s: Annotated[float, key("1/s", "Order messages per second and instrument.",
                                            0.1, 1000.0, running=True)] = 8.0
    reserve_requests: Annotated[int, key("requests", "Requests kept back for cancels.",
                                         1, 1000, running=True)] = 6
    start_requests: Annotated[int, key("requests", "Requests a new process counts on, of each "
        "pool: another may have spent the rest just now.", 0, 100000, core=False)] = 6
    valid_for_ms: Annotated[int, key("ms", "A request the venue sees later than this is void.",
                                     50, 60000, running=True)] = 1000
    unknown_ms: Annotated[int, key("ms", "An unanswered request counts as unknown after this.",
                                   50, 60000, running=True)] = 1000
    max_unanswered: Annotated[int, key("requests", "Unanswered order requests at a time.",
                                       1, 64, running=True)] = 8
    momentum_bps: Annotated[float, key("bps",
        "A mid that moved this much within orders.momentum_ms pulls the side it moves "
        "towards; 0: off.", 0.0, 1000.0, sim=10.0, running=True)] = 3.0
    momentum_ms: Annotated[int, key("ms",
        "Window of the momentum, and the calm needed to quote again.",
        10, 60000, running=True)] = 500
    pull_trade_usd: Annotated[float, key("USD",
        "One taker order this large pulls the side it hits; 0: off.",
        0.0, 1000000000.0, running=True)] = 200000.0
    post_fill_hold_ms: Annotated[int, key("ms",
        "After a fill the other side is pulled and nothing adds for this long; 0: off.",
        0, 60000, sim=250, running=True)] = 1000
    run_bps: Annotated[float, key("bps",
        "A price that ran this much during the hold holds again.",
        0.0, 1000.0, sim=10.0, running=True)] = 2.0
    reentry_stagger_ms: Annotated[int, key("ms",
        "After the hold the adding side waits this much longer.", 0, 60000, running=True)] = 250
    small_fill_share: Annotated[float, key("1",
        "A fill under this share of its order pulls nothing.", 0.0, 1.0, running=True)] = 0.2
    mode: Annotated[Literal["edit", "cancel_replace", "mass_quote"], key("",
        "Move an order by an edit, by a cancel whose confirmation the new order waits for, or by "
        "a mass quote under the venue's quote protection (MMP), for accounts that have it.")
                    ] = "edit"
    mmp_interval_s: Annotated[int, key("s",
        "Mass quotes: what trades within this time counts towards the quote protection.",
        1, 3600, core=False)] = 5
    mmp_frozen_s: Annotated[int, key("s",
        "Mass quotes: after the protection tripped nothing is quoted for this long.",
        1, 3600, core=False)] = 5
    mmp_quantity_btc: Annotated[float, key("BTC",
        "Mass quotes: traded on one rung within orders.mmp_interval_s, it trips the protection.",
        0.0001, 500.0, core=False)] = 0.2
    mmp_delta_btc: Annotated[float, key("BTC",
        "Mass quotes: bought less sold, as orders.mmp_quantity_btc; 0: no such limit.",
        0.0, 500.0, core=False)] = 0.0
    mmp_max_quote_btc: Annotated[float, key("BTC",
        "Mass quotes: largest quote; the venue reserves margin for it.",
        0.0001, 500.0, core=False)] = 0.1
    stale_s: Annotated[float, key("s",
        "An order that stood this long is priced anew, whatever the thresholds; 0: never.",
        0.0, 86400.0, running=True)] = 45.0
    stale_trades: Annotated[int, key("trades",
        "So is one that saw this many prints within orders.requote_bps of its price and no "
        "fill; 0: never.", 0, 1000000, running=True)] = 50
    otv_brake: Annotated[bool, key("",
        "Brake by order messages per BTC traded over 24 hours.", sim=False, running=True)] = True
    otv_soft: Annotated[float, key("1/BTC",
        "Messages per BTC traded beyond which the requote threshold widens, to four times at "
        "orders.otv_hard.", 1.0, 1000000.0, running=True)] = 4000.0
    otv_hard: Annotated[float, key("1/BTC",
        "Messages per BTC traded beyond which only pulls and cancels leave.",
        1.0, 1000000.0, running=True)] = 8000.0
    take_limit_bps: Annotated[float, key("bps",
        "An order that takes trades at most this far through the other side's best.",
        0.0, 1000.0, running=True)] = 5.0


class Inventory(Section, frozen=True):
    """`[inventory]`: how much to hold."""

    limit_btc: Annotated[float, key("BTC", "Net position limit, either way; at it only the "
                                    "reducing side is quoted.", 0.0, 1000.0, running=True,
                                    limit=True)] = 0.3
    target_btc: Annotated[float, key("BTC", "Net position the skew aims at.",
                                     -1000.0, 1000.0, running=True)] = 0.0
    capital_btc: Annotated[float, key("BTC",
        "Capital; limits and sizes shrink with equity below it, in tenths.",
        0.0, 10000.0, running=True)] = 0.9
    fills_in_row_shrink: Annotated[int, key("fills",
        "So many orders of one side filled in a row halve it; 0: off.", 0, 1000, running=True)] = 4
    fills_in_row_pause: Annotated[int, key("fills",
        "So many pause it; 0: off.", 0, 1000, running=True)] = 6
    fills_in_row_pause_s: Annotated[float, key("s", "How long.", 0.0, 86400.0, running=True)] = 30.0
    cut_above_btc: Annotated[float, key("BTC",
        "A larger position is cut while the price runs against it; 0: off.",
        0.0, 1000.0, running=True)] = 0.25
    cut_adverse_moves: Annotated[int, key("moves",
        "So many moves of the mid in a row against it, looked at ten times a second; 0: off.",
        0, 1000, running=True)] = 5
    cut_clip_btc: Annotated[float, key("BTC",
        "What one cut takes, reduce-only and at once.", 0.0, 1000.0, running=True)] = 0.05
    gross_limit_btc: Annotated[float, key("BTC",
        "Positions of all contracts added up without their signs, with all orders; 0: off.",
        0.0, 1000.0, sim=0.0, running=True)] = 0.6
    limit_usd: Annotated[float, key("USD",
        "Net limit in USD beside inventory.limit_btc, the tighter holds; 0: off.",
        0.0, 1e9, running=True)] = 0.0
    gross_limit_usd: Annotated[float, key("USD",
        "Gross limit in USD beside inventory.gross_limit_btc; 0: off.",
        0.0, 1e9, running=True)] = 0.0


class Runtime(Section, frozen=True):
    """`[runtime]`: the machine."""

    reactor_cpu: Annotated[int, key("CPU", "Pin the reactor to this CPU; -1: do not.",
                                    -1, 4095)] = -1
    helper_cpu: Annotated[int, key("CPU", "Pin recorder and view to this CPU; -1: do not.",
                                   -1, 4095)] = -1
    spin: Annotated[bool, key("", "Never sleep: one CPU at 100 % for less wake-up latency; needs "
                              "runtime.reactor_cpu, and runtime.helper_cpu elsewhere.")] = False
    guard: Annotated[bool, key("", "Start the helper that cancels over HTTP when the reactor's own "
                               "way is silent or the reactor hangs.")] = True
    hang_s: Annotated[float, key("s", "A loop that stands still for so long is ended by the guard, "
                                 "its orders cancelled.", 0.5, 600.0)] = 5.0
    state_dir: Annotated[str, key("path", "State folder; empty: the user's own, per venue and "
                                  "client id; temporary with the embedded exchange.")] = ""
    instance: Annotated[str, key("", "Name of this maker where several share venue and client "
                                 "id.")] = ""


class Start(Section, frozen=True):
    """`[start]`: what is found at the start."""

    position: Annotated[Literal["adopt", "refuse"],
                        key("", "Trade on with an open position, or do not start.")] = "adopt"
    foreign_orders: Annotated[Literal["halt", "cancel"],
                              key("", "Orders of the account that are not ours: do not trade until "
                                  "they are gone, or cancel them.")] = "halt"


class Shutdown(Section, frozen=True):
    """`[shutdown]`: how to leave."""

    deadline_s: Annotated[float, key("s", "Time to cancel and verify that no order is left.",
                                     0.5, 600.0)] = 10.0
    flatten: Annotated[bool, key("", "Close the position before leaving; else it stays, and is "
                                 "said.")] = False
    flatten_s: Annotated[float, key("s", "Time to close it; what is left then stays.",
                                    0.5, 3600.0)] = 60.0


class Backtest(Section, frozen=True):
    """`[backtest]`: the venue that `mm backtest` makes of a recording."""

    queue: Annotated[Literal["risk_averse", "proportional", "power", "log"], key("",
        "Where our orders stand behind recorded ones: how cancels move them up. risk_averse: not "
        "at all.")] = "risk_averse"
    queue_power: Annotated[float, key("1", "Exponent of the queue model power.", 0.01, 10.0)] = 3.0
    latency: Annotated[Literal["lognormal", "sampled", "recorded"], key("",
        "Latency of orders and answers: around the medians below, or measured, out of "
        "backtest.latency_file: drawn at random, or by time.")] = "lognormal"
    entry_ms: Annotated[float, key("ms", "Median latency of a request.", 0.0, 10000.0)] = 10.0
    response_ms: Annotated[float, key("ms", "Median latency of an answer or a fill.",
                                      0.0, 10000.0)] = 10.0
    latency_sigma: Annotated[float, key("1",
        "Standard deviation of the logarithm of both latencies; 0: constant.", 0.0, 5.0)] = 0.0
    latency_file: Annotated[str, key("path",
        "CSV with the columns time_ns, entry_ns, response_ns for measured latencies.")] = ""
    spike_every_s: Annotated[float, key("s", "Mean time between latency spikes; 0: none.",
                                        0.0, 1000000.0)] = 0.0
    spike_ms: Annotated[float, key("ms", "How much slower a spike is at its begin.",
                                   0.0, 60000.0)] = 500.0
    spike_for_ms: Annotated[float, key("ms", "Until a spike has melted away.",
                                       1.0, 600000.0)] = 1000.0
    feed_ms: Annotated[float, key("ms",
        "Latency of market data no recording has timed; the least latency where the recorder's "
        "clock was behind the venue's.", 0.0, 10000.0)] = 1.0
    credit_tier: Annotated[int, key("", "Request credits of the account: tier 1 to 4; 0: no "
                                    "limit.", 0, 4)] = 4
    seed: Annotated[int, key("", "Seed of everything drawn.", 0, 2000000000)] = 1
    sample_s: Annotated[float, key("s", "Time between two rows of the equity curve; 0: none.",
                                   0.0, 86400.0)] = 1.0


SECTIONS: dict[str, type[Section]] = {
    "venue": Venue, "instrument": Instrument, "signals": Signals, "quote": Quote,
    "orders": Orders, "inventory": Inventory, "risk": Risk, "cover": Cover,
    "expiry": Expiry, "settlement": Settlement, "hedge": Hedge, "basis": Basis,
    "funding": Funding, "preference": Preference, "telemetry": Telemetry,
    "journal": JournalKeys, "runtime": Runtime, "start": Start, "shutdown": Shutdown,
    "backtest": Backtest,
}

ENGINE_SECTIONS = ("signals", "quote", "orders", "inventory", "risk", "cover", "expiry",
                   "settlement", "hedge", "basis", "funding", "preference")


class Key(Struct, frozen=True):
    """One key with all that is known of it; type is the bare Python type."""

    name: str
    type: Any
    unit: str
    effect: str
    low: float | None
    high: float | None
    default: Any
    sim: Any
    running: bool
    limit: bool
    core: bool

    @property
    def asks_twice(self) -> bool:
        """Whether it bounds loss or exposure, so that mm ctl set wants a change confirmed."""
        return self.limit or self.name.startswith("risk.") or self.name in LOSS_BOUNDS

    @property
    def expected(self) -> str:
        """Say in words what a value must be."""
        choices = typing.get_args(self.type) if typing.get_origin(self.type) is Literal else ()
        if choices:
            return "one of " + ", ".join(str(c) for c in choices)
        if self.type is bool:
            return "true or false"
        if self.type is str:
            return "a string"
        noun = "a whole number" if self.type is int else "a number"
        unit = f" {self.unit}" if self.unit not in ("", "1") else ""
        return f"{noun} from {self.low:g} to {self.high:g}{unit}"


def bare_type(annotation: Any) -> tuple[Any, Meta]:
    """Split an annotation into the type without None and its metadata."""
    base, meta = typing.get_args(annotation)
    assert isinstance(meta, Meta), annotation
    if isinstance(base, types.UnionType):
        base = next(a for a in typing.get_args(base) if a is not types.NoneType)
    return base, meta


def table() -> dict[str, Key]:
    """Read the annotations of every section into one table by dotted name."""
    found: dict[str, Key] = {}
    for section, struct in SECTIONS.items():
        hints = typing.get_type_hints(struct, include_extras=True)
        for field in msgspec.structs.fields(struct):
            base, meta = bare_type(hints[field.name])
            extra = meta.extra or {}
            default = field.default
            name = f"{section}.{field.name}"
            found[name] = Key(
                name=name, type=base, unit=extra["unit"], effect=extra["effect"],
                low=meta.ge, high=meta.le, default=default,
                sim=default if extra["sim"] is UNSET else extra["sim"],
                running=extra["running"], limit=extra["limit"], core=extra["core"],
            )
    return found


KEYS: dict[str, Key] = table()


def engine_numbers(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the values the core takes, by dotted name: a choice by its place in the list."""
    numbers: dict[str, float] = {}
    for spec in KEYS.values():
        section, _, name = spec.name.partition(".")
        if section in ENGINE_SECTIONS and spec.core:
            value = sections[section][name]
            choices = typing.get_args(spec.type)
            numbers[spec.name] = float(choices.index(value) if choices else value)
    return numbers
