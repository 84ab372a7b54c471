"""The market's worst moments against a full position, and what each rule leaves of them.

A Case is one market under one set of rules; figures() plays it on the exchange. The benchmark
prints the table, the tests hold its figures.
"""

from collections.abc import Callable
from typing import NamedTuple
from unittest import mock

from scenario import PRICE, Scenario

from connectors.sim.wire.public import Public

FULL_USD = 22_500.0                     # 0.3 BTC at 75,000, the default limit
LIMIT = "inventory.limit_btc=0.3"
OFF = ("risk.stop_loss_btc=0", "risk.stop_move_pct=0", "risk.day_kill_btc=0",
       "risk.day_soft_btc=0", "inventory.cut_above_btc=0", "risk.margin_use_max=0",
       "risk.max_leverage=0")
# one rule at its default, the others off; `none` does not even quote
RULES: dict[str, tuple[str, ...]] = {
    "none": (*OFF, "signals.warmup_s=3600"),
    "stop": tuple(s for s in OFF if "stop" not in s),
    "cut": tuple(s for s in OFF if "cut" not in s),
    "kill": tuple(s for s in OFF if "day_kill" not in s),
    # the stop in the warm-up of a live venue: after a start, or a break in the book
    "young": (*(s for s in OFF if "stop" not in s), "signals.warmup_s=120"),
    "all": ()}

Script = Callable[[float], tuple[float, int]]


class Figures(NamedTuple):
    """How a case went. BTC; contracts as the exchange has them."""

    worst_btc: float
    end_btc: float
    held: int
    most_btc: float
    resting: int
    liquidations: int
    states: tuple[str, ...]

    def row(self, name: str, rules: str, unhedged_btc: float) -> str:
        """Return a line of the table."""
        return (f"{name:<34}{rules:<6}{unhedged_btc:>+9.4f}{self.worst_btc:>+9.4f}"
                f"{self.end_btc:>+9.4f}{self.held:>7}{self.liquidations:>5}  "
                f"{' '.join(self.states)}")


HEADER = (f"{'market':<34}{'rules':<6}{'unhedged':>9}{'worst':>9}{'end':>9}{'left':>7}{'liq':>5}"
          "  states of risk")


def unhedged_btc(position_usd: float, share: float) -> float:
    """Loss of a position that is simply held through a move, by the inverse contract."""
    return position_usd * (1.0 / PRICE - 1.0 / (PRICE * (1.0 + share)))


# ------------------------------------------------------------------ markets
def gap(share: float, at_s: float = 5.0) -> Script:
    """At one moment the price is elsewhere."""
    return lambda s: (PRICE * (1.0 + (share if s >= at_s else 0.0)), 400)


def gap_and_on(share: float) -> Script:
    """A gap, and in the minute after it half as much again."""
    return lambda s: (PRICE * (1.0 + (0.0 if s < 5.0 else share * (
        1.0 + 0.5 * min(1.0, max(0.0, (s - 15.0) / 60.0))))), 400)


def trend(share: float, seconds: float) -> Script:
    """The same way all the time."""
    return lambda s: (PRICE * (1.0 + share * min(1.0, s / seconds)), 400)


def flash_crash(share: float) -> Script:
    """There in ten seconds, a thin book on the way, and back in twenty."""
    def at(s: float) -> tuple[float, int]:
        down = min(1.0, max(0.0, (s - 5.0) / 10.0)) - min(1.0, max(0.0, (s - 20.0) / 20.0))
        return PRICE * (1.0 + share * down), 400 if down < 0.05 else 60
    return at


def no_liquidity(share: float) -> Script:
    """Half a minute without a single order, and another price when they are back."""
    return lambda s: (PRICE * (1.0 + (share if s >= 35.0 else 0.0)),
                      0 if 5.0 <= s < 35.0 else 400)


class Case(NamedTuple):
    """One market, begun with a position."""

    name: str
    script: Script
    position_usd: float
    share: float                # where the price ends
    seconds: float = 60.0


SECOND_NS = 1_000_000_000
DAY_NS = 1_795_046_400_000_000_000      # 00:00 UTC of a day in November 2026
EIGHT_S = 8 * 3_600
CASES = [
    Case("gap -5 %, long", gap(-0.05), FULL_USD, -0.05),
    Case("gap +5 %, short", gap(0.05), -FULL_USD, 0.05),
    Case("gap -20 %, long", gap(-0.20), FULL_USD, -0.20),
    Case("gap +20 %, short", gap(0.20), -FULL_USD, 0.20),
    Case("gap -5 %, then on, long", gap_and_on(-0.05), FULL_USD, -0.075, 90.0),
    Case("gap +5 %, then on, short", gap_and_on(0.05), -FULL_USD, 0.075, 90.0),
    Case("flash crash -8 % and back, long", flash_crash(-0.08), FULL_USD, -0.08),
    Case("flash rally +8 % and back, short", flash_crash(0.08), -FULL_USD, 0.08),
    Case("no orders for 30 s, -5 %, long", no_liquidity(-0.05), FULL_USD, -0.05, 70.0),
    Case("no orders for 30 s, +5 %, short", no_liquidity(0.05), -FULL_USD, 0.05, 70.0),
]


def play(case: Case, rules: str, *, print_every_s: float = 0.0, taker_side: int = 1,
         step_ns: int = 200_000_000, every_s: float = 0.2) -> Figures:
    """Play a case on the exchange under a set of rules."""
    scenario = Scenario(case.script, case.seconds, position_usd=case.position_usd,
                        sets=(LIMIT, *RULES[rules]), print_every_s=print_every_s,
                        taker_side=taker_side, step_ns=step_ns)
    scenario.run(case.seconds, meanwhile=scenario.look, every_s=every_s)
    return figures(scenario)


def figures(scenario: Scenario) -> Figures:
    """Read what a played scenario came to, the liquidations from the exchange's own record."""
    assert scenario.maker is not None
    return Figures(scenario.worst_btc, scenario.profit_btc, scenario.held, scenario.most_btc,
                   scenario.resting, scenario.maker.session.feed.own.liquidations,
                   tuple(scenario.states))


def play_trend(share: float, seconds: float, rules: str = "all") -> tuple[Case, Figures]:
    """A maker that begins flat is hit on one side all the way of a trend."""
    case = Case(f"trend {share:+.0%} in {seconds / 60:g} min", trend(share, seconds), 0.0, share,
                seconds)
    return case, play(case, rules, print_every_s=5.0, taker_side=1 if share < 0 else 0,
                      step_ns=SECOND_NS, every_s=1.0)


class Settlement(NamedTuple):
    """A full position through the settlement minute. resting: most orders by second from 08:00."""

    figures: Figures
    resting: dict[int, int]
    mismatches: int


def play_settlement(skew_ms: int) -> Settlement:
    """Play the daily settlement with the maker's idea of the venue's time off by so much."""
    true_time = Public.get_time
    resting: dict[int, int] = {}
    # orders are void to a venue whose clock is later than their valid_until
    played = Scenario(lambda s: (PRICE + 0.5 * (int(s) % 2), 400), 90.0, position_usd=FULL_USD,
                      sets=(LIMIT, "orders.valid_for_ms=5000"))
    played.wall_offset_ns = DAY_NS + (EIGHT_S - 45) * SECOND_NS - played.now_ns()

    def look(session: Scenario) -> None:
        session.look(session)
        second = session.wall_ns() // SECOND_NS % 86_400 - EIGHT_S
        resting[second] = max(resting.get(second, 0), session.resting)

    with mock.patch.object(Public, "get_time", lambda self, caller, params, t_ns: true_time(
            self, caller, params, t_ns) + skew_ms):
        played.run(90.0, meanwhile=lambda _: look(played), every_s=0.1)
    assert played.maker is not None
    return Settlement(figures(played), resting,
                      played.maker.client.reconciler.mismatches_total)
