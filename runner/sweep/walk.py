"""Walk forward: choose on what came before, judge on the part that follows.

The data is cut into parts. For every part but the first, a point is chosen by how all parts before
it went and judged on that part alone; the judged parts after each other are the out-of-sample
result. Nothing of a judged part has a say in what is judged on it.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from runner.config import Config, ConfigError, load
from runner.evaluation.sharpe import Skill, sharpe, skill_of
from runner.sweep.jobs import Job, Outcome, Part, after_each_other
from runner.sweep.space import Point, sets_of, words
from runner.sweep.work import Kept
from runner.version import product_version

Objective = Literal["net_btc", "net_bps", "sharpe"]
QUEUES = ("risk_averse", "proportional", "power", "log")


class Ranked(Struct, frozen=True):
    """A point and what it came to where points are chosen."""

    point: Point
    fit: Outcome
    score: float


class Row(Struct, frozen=True):
    """A point with its figures before and after, and under other models of the venue."""

    point: Point
    fit: Outcome
    out: Outcome
    sensitivity: dict[str, Outcome]


class Fold(Struct, frozen=True):
    """One step forward: chosen on the parts before `part`, judged on it."""

    part: int
    chosen: Row
    skill: Skill            # of the choice where it was made, deflated by the number of trials
    trials: int


class Bench(Struct, frozen=True, kw_only=True):
    """What makes jobs of points and runs them."""

    path: Path | None
    sets: tuple[str, ...]
    venue: str | None
    parts: list[Part]
    block_s: float
    kept: Kept
    objective: Objective
    fills_least: int
    done: Callable[[int], None]

    def config(self, point: Point, extra: Sequence[str] = ()) -> Config:
        """Return the configuration of a point; ConfigError where its keys contradict each other."""
        return load(self.path, (*self.sets, *sets_of(point), *extra), self.venue, connects=False)

    def job(self, config: Config, part: Part) -> Job:
        """Return a job."""
        return Job(config=config, part=part, block_s=self.block_s, version=product_version())

    def fits(self, points: Sequence[Point], parts: Sequence[Part]) -> list[Ranked]:
        """Run points on parts; return them with their score, in their order."""
        configs = [self.config(p) for p in points]
        found = self.kept.run([self.job(c, part) for c in configs for part in parts], self.done)
        ranked = []
        for number, point in enumerate(points):
            fit = after_each_other(found[number * len(parts):(number + 1) * len(parts)])
            ranked.append(Ranked(point, fit, score(fit, self.objective, self.fills_least)))
        return ranked

    def known(self, point: Point, parts: Sequence[Part]) -> dict[str, Outcome]:
        """Return what a point that was run came to, by the keys of its jobs."""
        config = self.config(point)
        keys = [self.job(config, part).key for part in parts]
        return {key: self.kept.outcomes[key] for key in keys}

    def row(self, ranked: Ranked, part: Part) -> Row:
        """Judge a point on a part, with the venue as configured and otherwise."""
        named = variants(self.config(ranked.point))
        jobs = [self.job(self.config(ranked.point, extra), part)
                for extra in ((), *named.values())]
        out, *others = self.kept.run(jobs, self.done)
        return Row(ranked.point, ranked.fit, out, dict(zip(named, others, strict=True)))


def score(outcome: Outcome, objective: Objective, fills_least: int) -> float:
    """Return what is maximised; too few fills are worse than anything that has them."""
    if outcome.fills < fills_least:
        return -math.inf
    if objective == "sharpe":
        return sharpe(outcome.block_net_btc) or 0.0
    return outcome.net_btc if objective == "net_btc" else outcome.net_bps or 0.0


def best(ranked: Sequence[Ranked]) -> Ranked:
    """Return the point of the highest score, the first of equals."""
    return max(ranked, key=lambda r: r.score)


def fold_of(bench: Bench, ranked: Sequence[Ranked], part: Part) -> Fold:
    """Choose among points that were run on what came before, and judge on a part."""
    chosen = best(ranked)
    ratios = [sharpe(r.fit.block_net_btc) or 0.0 for r in ranked]
    return Fold(part.number, bench.row(chosen, part),
                skill_of(chosen.fit.block_net_btc, ratios), len(ranked))


def variants(config: Config) -> dict[str, tuple[str, ...]]:
    """Name the other queue and latency models a result is tried under."""
    settings = config.backtest
    found: dict[str, tuple[str, ...]] = {
        f"queue {name}": (f"backtest.queue={name}",) for name in QUEUES if name != settings.queue}
    if not settings.latency_file:
        for factor, word in ((0.5, "half the latency"), (2.0, "twice the latency"),
                             (5.0, "five times the latency")):
            found[word] = (f"backtest.entry_ms={settings.entry_ms * factor:g}",
                           f"backtest.response_ms={settings.response_ms * factor:g}")
    return found


def usable(bench: Bench, points: Sequence[Point]) -> tuple[list[Point], dict[str, str]]:
    """Return the points whose keys agree, and by their words why the others do not."""
    kept, left = [], {}
    for point in points:
        try:
            bench.config(point)
        except ConfigError as error:
            left[words(point)] = "; ".join(error.lines)
        else:
            kept.append(point)
    return kept, left
