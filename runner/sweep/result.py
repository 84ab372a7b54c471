"""What a sweep came to, for a reader, for a program, and as lines of a config."""

import json
from typing import Any

import msgspec
from msgspec import Struct

from runner.evaluation.sharpe import Skill, skill_of
from runner.sweep.jobs import Outcome, Part, after_each_other
from runner.sweep.space import Point, words
from runner.sweep.walk import Fold, Row

DAY_S = 86_400.0


class Found(Struct, frozen=True, kw_only=True):
    """Everything a sweep found; `run` differs between two runs of the same, nothing else does."""

    data: list[str]
    method: str                     # grid or optuna
    objective: str
    assumptions: dict[str, str]
    parts: list[Part]
    folds: list[Fold]
    table: list[Row]                # the best of the last choice, judged on the last part
    unsearched: Row                 # the configuration as it is, on the judged parts
    left_out: dict[str, str]        # points whose keys contradict each other, and how
    run: dict[str, Any]

    @property
    def out(self) -> Outcome:
        """Out of sample: every choice on the part that followed it."""
        return after_each_other([fold.chosen.out for fold in self.folds])

    @property
    def sensitivity(self) -> dict[str, Outcome]:
        """The same choices with the venue otherwise."""
        names = self.folds[0].chosen.sensitivity
        return {name: after_each_other([f.chosen.sensitivity[name] for f in self.folds])
                for name in names if all(name in f.chosen.sensitivity for f in self.folds)}


def figures(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome for a program, blocks apart."""
    low, high = outcome.interval_bps()
    found = {name: value for name, value in msgspec.to_builtins(outcome).items()
             if not name.startswith("block_")}
    return {**found, "net_bps": outcome.net_bps, "gross_bps": outcome.gross_bps,
            "net_low_bps": low, "net_high_bps": high,
            "btc_a_day": outcome.net_btc / outcome.lasted_s * DAY_S,
            "skill": msgspec.to_builtins(skill_of(outcome.block_net_btc))}


def row_dict(row: Row) -> dict[str, Any]:
    return {"point": row.point, "fit": figures(row.fit), "out": figures(row.out),
            "sensitivity": {name: figures(o) for name, o in row.sensitivity.items()}}


def as_dict(found: Found) -> dict[str, Any]:
    """Return the result for a program."""
    return {
        "out_of_sample": figures(found.out),
        "sensitivity": {name: figures(o) for name, o in found.sensitivity.items()},
        "as_configured": figures(found.unsearched.out),
        "folds": [{"part": f.part, "trials": f.trials, "skill": msgspec.to_builtins(f.skill),
                   **row_dict(f.chosen)} for f in found.folds],
        "table": [row_dict(row) for row in found.table], "left_out": found.left_out,
        "data": found.data, "method": found.method, "objective": found.objective,
        "assumptions": found.assumptions,
        "parts": [{"begin_s": p.begin_s, "lasted_s": p.lasted_s, "sha256": p.sha256}
                  for p in found.parts],
        "run": found.run}


def bps(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def profit(outcome: Outcome) -> str:
    """Return profit, its interval and what it rests on in one line."""
    if not outcome.fills:
        return f"{outcome.net_btc:+.6f} BTC, not one fill in {outcome.lasted_s:,.0f} s"
    low, high = outcome.interval_bps()
    return (f"{outcome.net_btc:+.6f} BTC, {bps(outcome.net_bps)} bps [{bps(low)}, {bps(high)}] of "
            f"{outcome.volume_btc:.3f} BTC, {bps(outcome.gross_bps)} before fees, "
            f"{outcome.fills} fills in {outcome.lasted_s:,.0f} s")


def skill_words(skill: Skill) -> str:
    """Say how much of the choice's Sharpe ratio is left."""
    if skill.sharpe is None:
        return "no Sharpe ratio: nothing moved"
    deflated = "unknown" if skill.deflated is None else f"{skill.deflated:.1%}"
    return (f"Sharpe {skill.sharpe:+.3f} over {skill.periods} blocks; the best of {skill.trials} "
            f"without skill {skill.benchmark:+.3f}; deflated: {deflated} sure")


def table_lines(found: Found) -> list[str]:
    """Return a line for each of the best points."""
    lines = [f"  {'fit':>8}{'out':>8}  {'out, other queue or latency':<28}{'fills':>6}  point"]
    for row in found.table:
        others = [o.net_bps for o in row.sensitivity.values() if o.net_bps is not None]
        spread = f"{bps(min(others))} to {bps(max(others))}" if others else "-"
        lines.append(f"  {bps(row.fit.net_bps):>8}{bps(row.out.net_bps):>8}  {spread:<28}"
                     f"{row.out.fills:>6}  {words(row.point)}")
    return lines


def as_text(found: Found) -> str:
    """Return the result for a reader: out of sample first."""
    last = found.folds[-1]
    lines = [
        (f"{found.method}, {last.trials} points on {len(found.parts)} parts of "
         f"{found.parts[0].lasted_s:,.0f} s, chosen by {found.objective}; intervals are 95 %"),
        f"  out of sample  {profit(found.out)}"]
    lines += [f"    {name:<22} {profit(outcome)}" for name, outcome in found.sensitivity.items()]
    lines += [f"  unsearched     {profit(found.unsearched.out)}",
              f"  in sample      {profit(last.chosen.fit)}: the best of {last.trials}, no forecast"]
    for fold in found.folds:
        lines += [f"  part {fold.part}, chosen on what came before: {words(fold.chosen.point)}",
                  f"    before  {profit(fold.chosen.fit)}",
                  f"            {skill_words(fold.skill)}",
                  f"    on it   {profit(fold.chosen.out)}"]
    lines += [f"  net bps of the best, chosen before part {last.part} and judged on it:",
              *table_lines(found)]
    if found.left_out:
        point, why = next(iter(found.left_out.items()))
        lines.append(f"  {len(found.left_out)} points left out, their keys contradict each other; "
                     f"the first: {point}: {why}")
    if last.chosen.fit.fills == 0:
        lines.append("  not to trade was the best of what was tried")
    ran = found.run
    lines.append(f"  {ran['jobs']} backtests, {ran['kept']} of them kept from before, on "
                 f"{ran['workers']} in {ran['wall_s']:.1f} s; {ran['out']}")
    return "\n".join(lines) + "\n"


def as_toml(found: Found) -> str:
    """Return the last choice as lines of a config, under the evidence for it."""
    last = found.folds[-1]
    head = [f"# mm sweep, {found.method}: the best of {last.trials} points by {found.objective}",
            f"# before:  {profit(last.chosen.fit)}", f"# {skill_words(last.skill)}",
            f"# after:   {profit(last.chosen.out)}",
            *(f"#   {name}: {profit(o)}" for name, o in last.chosen.sensitivity.items()),
            *(f"# {name}: {value}" for name, value in found.assumptions.items()), ""]
    return "\n".join(head + key_lines(last.chosen.point))


def key_lines(point: Point) -> list[str]:
    """Return a point's keys under their sections."""
    sections: dict[str, list[str]] = {}
    for key, value in point.items():
        section, _, name = key.rpartition(".")
        header = "[[instrument]]" if section.startswith("instrument") else f"[{section}]"
        sections.setdefault(header, []).append(f"{name} = {json.dumps(value)}")
    return [line for header, keys in sections.items() for line in (header, *keys, "")]
