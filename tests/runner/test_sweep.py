"""Searching parameters: what may be tried, how far a choice is believed, no look ahead, runs."""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from market_file import write_market

from runner.evaluation.sharpe import (
    best_without_skill,
    probability_above,
    sharpe,
    skill_of,
)
from runner.sweep.command import SweepOptions, main
from runner.sweep.jobs import Job, JobError, Outcome, Part, recording_of
from runner.sweep.search import Search
from runner.sweep.space import SpaceError, grid, read_axes, sets_of
from runner.sweep.walk import Bench, Fold, best, fold_of
from runner.sweep.work import Kept, read_outcomes

SETS = ("signals.warmup_s=5", "quote.fee_floor=false")
GRID = ("quote.base_half_spread_bps=0.5..3/3", "quote.size_btc=0.01,0.03")
SEARCH = ("quote.base_half_spread_bps=0.5..3", "quote.size_btc=0.01,0.03", "quote.levels=1..3")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_market(tmp_path_factory.mktemp("data") / "market.mmev")


# ------------------------------------------------------------------------------ what is tried
def test_a_grid_is_every_combination() -> None:
    axes = read_axes(["quote.vol_k=0.1..10/3:log", "quote.levels=1..3/5", "quote.fee_floor=false"],
                     searched=False)
    assert axes[0].values == (0.1, 1.0, 10.0)
    assert axes[1].values == (1, 2, 3)              # whole numbers, each once
    points = list(grid(axes))
    assert len(points) == 9
    assert sets_of(points[1]) == ("quote.vol_k=0.1", "quote.levels=2", "quote.fee_floor=false")


@pytest.mark.parametrize(("text", "searched", "words"), [
    ("quote.gama=1,2", False, "no such key; nearest: quote.gamma"),
    ("quote.vol_k", False, "write KEY=1,2,5 or KEY=LOW..HIGH/POINTS"),
    ("quote.vol_k=3..1/2", False, "write 1..3"),
    ("quote.vol_k=1..1/2", False, "ends where it begins"),
    ("quote.vol_k=0..1/2:log", False, "low end above 0"),
    ("quote.vol_k=0..1", False, "how many points"),
    ("quote.vol_k=0..1/1", False, "how many points"),
    ("quote.vol_k=0..1/5", True, "leave it out with --trials"),
    ("quote.vol_k=-1..1/5", False, "out of range"),
    ("quote.vol_k=0.1,0.1", False, "given twice"),
    ("quote.levels=1..2.5/2", False, "whole numbers"),
    ("quote.levels=1,99", False, "expected a whole number from 1 to 10"),
    ("quote.model=linear,glf", False, "nearest: glft"),
    ("quote.model=1..2/2", False, "takes no range"),
    ("venue.maker_fee_bps=0..1/2", False, "set it with --set"),
    ("backtest.queue=log", False, "set it with --set")])
def test_what_cannot_be_tried_is_said(text: str, searched: bool, words: str) -> None:
    with pytest.raises(SpaceError, match="--over ") as found:
        read_axes([text], searched=searched)
    assert words in str(found.value)


def test_every_fault_is_told_and_a_huge_grid_refused() -> None:
    with pytest.raises(SpaceError) as found:
        read_axes(["a.b=1", "quote.vol_k=2..1/3", "quote.levels=1,2", "quote.levels=3"],
                  searched=False)
    assert len(found.value.lines) == 3
    with pytest.raises(SpaceError, match=r"1,000,000 points, 100,000 at most"):
        read_axes(["quote.vol_k=0..1/1000", "quote.gamma=0.1..1/1000"], searched=False)
    with pytest.raises(SpaceError, match="nothing to try"):
        read_axes([], searched=False)


# ------------------------------------------------------------------ how far a choice is believed
def test_the_deflated_sharpe_ratio_of_the_paper() -> None:
    """Bailey & Lopez de Prado (2014), the numerical example: 100 trials of variance 1/2 a year, the
    best 2.5 a year over 1250 days, skewness -3, kurtosis 10. By hand, with Z^-1[0.99] = 2.32635 and
    Z^-1[1 - 1/(100 e)] = 2.68021: SR0 = 0.0447214 (0.4227843 x 2.32635 + 0.5772157 x 2.68021) =
    0.113172, and (0.1581139 - 0.113172) 35.3412 / sqrt(1 + 0.4743417 + 0.05625) = 1.28382, of which
    Z is 0.9004.
    """
    benchmark = best_without_skill(0.5 / 250.0, 100)
    assert benchmark == pytest.approx(0.113172, abs=1e-6)
    found = probability_above(2.5 / math.sqrt(250.0), benchmark, 1250, -3.0, 10.0)
    assert found == pytest.approx(0.9004, abs=5e-5)


def test_skill_of_returns_by_hand() -> None:
    """Mean 1, deviation 2 (n - 1): 0.5 over four; skewness 1.1547, kurtosis 7/3 by the moments."""
    returns = [0.0, 0.0, 0.0, 4.0]
    assert sharpe(returns) == pytest.approx(0.5)
    found = skill_of(returns)
    assert (found.skewness, found.kurtosis) == pytest.approx((2.0 / math.sqrt(3.0), 7.0 / 3.0))
    spread = 1.0 - 0.5 * 2.0 / math.sqrt(3.0) + (7.0 / 3.0 - 1.0) / 4.0 * 0.25
    assert found.above_zero == pytest.approx(
        0.5 * (1.0 + math.erf(0.5 * math.sqrt(3.0 / spread) / math.sqrt(2.0))))
    assert found.benchmark == 0.0               # one trial: nothing was chosen
    assert found.deflated == found.above_zero
    many = skill_of(returns, [0.5, -0.5, 0.1, 0.2])
    assert many.deflated is not None
    assert found.deflated is not None
    assert many.deflated < found.deflated
    assert sharpe([1.0, 1.0, 1.0]) is None
    assert skill_of([0.0] * 5).deflated is None


# ------------------------------------------------------------------------------- no look ahead
def outcome(net_btc: float, fills: int = 5) -> Outcome:
    return Outcome(
        fills=fills, round_trips=2, volume_btc=1.0, net_btc=net_btc, gross_btc=net_btc,
        fees_btc=0.0, funding_btc=0.0, drawdown_btc=0.0, uptime=1.0, lasted_s=60.0, killed=0,
        block_net_btc=[0.0, net_btc, 0.0], block_gross_btc=[0.0, net_btc, 0.0],
        block_volume_btc=[0.0, 1.0, 0.0])


class Table:
    """Workers that know the answers: profit by size and part."""

    def __init__(self, profits: dict[tuple[float, int], float]) -> None:
        self.profits = profits

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            yield job, outcome(self.profits[job.config.quote.size_btc, job.part.number])

    def close(self) -> None:
        pass


def walked(folder: Path, profits: dict[tuple[float, int], float]) -> list[Fold]:
    folder.mkdir()
    parts = [Part(number=i, path=Path("none"), sha256=str(i), begin_s=60.0 * i, lasted_s=60.0)
             for i in range(3)]
    kept = Kept(folder, Table(profits))
    bench = Bench(path=None, sets=(), venue=None, parts=parts, block_s=20.0, kept=kept,
                  objective="net_btc", fills_least=0, done=lambda _: None)
    points: list[dict[str, Any]] = [{"quote.size_btc": size} for size in (0.01, 0.02, 0.03)]
    folds = [fold_of(bench, bench.fits(points, parts[:p.number]), p) for p in parts[1:]]
    kept.close()
    return folds


def test_what_is_judged_has_no_say_in_the_choice(tmp_path: Path) -> None:
    profits = {(0.01, 0): 1.0, (0.02, 0): 2.0, (0.03, 0): 0.0,
               (0.01, 1): 5.0, (0.02, 1): -3.0, (0.03, 1): 1.0,
               (0.01, 2): -7.0, (0.02, 2): 8.0, (0.03, 2): 9.0}
    folds = walked(tmp_path / "a", profits)
    assert [f.chosen.point["quote.size_btc"] for f in folds] == [0.02, 0.01]    # 2; then 1 + 5
    assert [f.chosen.out.net_btc for f in folds] == [-3.0, -7.0]
    assert [f.chosen.fit.net_btc for f in folds] == [2.0, 6.0]
    assert folds[0].trials == 3
    # whatever comes on a judged part, the choice for it is the same
    for part, fold in ((1, 0), (2, 1)):
        other = {key: value * -100.0 if key[1] == part else value
                 for key, value in profits.items()}
        assert walked(tmp_path / f"b{part}", other)[fold].chosen.point == folds[fold].chosen.point
    assert set(folds[0].chosen.sensitivity) == {
        "queue proportional", "queue power", "queue log", "half the latency", "twice the latency",
        "five times the latency"}


def test_too_few_fills_are_not_chosen(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Table({(0.01, 0): 1.0, (0.02, 0): 2.0}))
    part = Part(number=0, path=Path("none"), sha256="0", begin_s=0.0, lasted_s=60.0)
    bench = Bench(path=None, sets=(), venue=None, parts=[part], block_s=20.0, kept=kept,
                  objective="net_btc", fills_least=6, done=lambda _: None)
    ranked = bench.fits([{"quote.size_btc": 0.01}, {"quote.size_btc": 0.02}], [part])
    assert [r.score for r in ranked] == [-math.inf, -math.inf]
    assert best(ranked).point == {"quote.size_btc": 0.01}           # the first of equals
    kept.close()


# ------------------------------------------------------------------------------------ whole runs
def swept(options: SweepOptions) -> dict[str, Any]:
    """Run a sweep and return its result without what differs between two runs of it."""
    assert main(options) == 0
    assert options.out is not None
    found: dict[str, Any] = json.loads((options.out / "sweep.json").read_text())
    return found


def test_a_grid_from_nothing_to_a_config(data: Path, tmp_path: Path,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    options = SweepOptions(data=(data,), over=GRID, sets=SETS, folds=2, workers=1, top=2,
                           out=tmp_path / "out")
    found = swept(options)
    text = capsys.readouterr().out
    assert text.splitlines()[1].startswith("  out of sample")
    assert "deflated" in text
    run = found.pop("run")
    assert run["ran"] == run["jobs"] >= 6 * 3
    assert len(found["parts"]) == 3
    assert [f["part"] for f in found["folds"]] == [1, 2]
    assert found["folds"][1]["trials"] == 6
    assert all(len(row["sensitivity"]) == 6 for row in found["table"])
    outs = [f["out"]["net_btc"] for f in found["folds"]]
    assert found["out_of_sample"]["net_btc"] == pytest.approx(sum(outs), abs=1e-15)
    # as lines of a config, which a backtest takes
    from runner.config import load
    chosen = load(tmp_path / "out" / "best.toml", connects=False)
    assert chosen.quote.size_btc == found["folds"][1]["point"]["quote.size_btc"]
    # again: nothing is run, and nothing differs; then a line that was cut short is run once more
    again = swept(msgspec.structs.replace(options, as_json=True))
    assert again.pop("run")["ran"] == 0
    assert again == found
    assert {**json.loads(capsys.readouterr().out), "run": 0} == {**found, "run": 0}
    kept = tmp_path / "out" / "outcomes.jsonl"
    kept.write_bytes(kept.read_bytes()[:-40])
    again = swept(options)
    assert again.pop("run")["ran"] == 1
    assert again == found


def test_a_search_goes_on_after_a_break_as_if_there_had_been_none(
        data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = SweepOptions(data=(data,), over=SEARCH, sets=SETS, folds=1, trials=13, workers=1,
                           top=0, out=tmp_path / "whole")
    whole = swept(options)
    assert whole["folds"][0]["trials"] == 13
    broken = msgspec.structs.replace(options, out=tmp_path / "broken")
    keep = Kept.keep

    def breaks(self: Kept, key: str, outcome: Outcome) -> None:
        if len(self.outcomes) == 10:            # in the second batch of eight
            raise KeyboardInterrupt
        keep(self, key, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(Kept, "keep", breaks)
        assert main(broken) == 1
    after = swept(broken)
    assert after.pop("run")["kept"] == 10
    whole.pop("run")
    assert after == whole


def test_two_sweeps_share_a_study(data: Path, tmp_path: Path) -> None:
    first = SweepOptions(
        data=(data,), over=SEARCH, sets=SETS, folds=1, trials=8, workers=1, top=0,
        storage=str(tmp_path / "study.log"), out=tmp_path / "first")
    swept(first)
    second = swept(msgspec.structs.replace(first, trials=10, out=tmp_path / "second"))
    assert second["folds"][0]["trials"] == 10
    # of its own: two trials, the choice and the configuration as it is, each under seven models
    assert second["run"]["ran"] <= 2 + 7 + 1 + 7


def test_several_recordings_are_a_part_each(data: Path, tmp_path: Path) -> None:
    found = swept(SweepOptions(
        data=(data, copied(data, tmp_path)), over=("quote.size_btc=0.01,0.02",), sets=SETS,
        workers=1, top=0, out=tmp_path / "out"))
    assert [round(p["begin_s"]) for p in found["parts"]] == [0, 120]
    (fold,) = found["folds"]
    assert fold["part"] == 1
    # the same market twice, so what was chosen on the one comes out the same on the other
    assert fold["fit"]["net_btc"] == fold["out"]["net_btc"]


def test_progress_hears_of_every_job_once(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Table({(0.01, 0): 1.0, (0.02, 0): 2.0}))
    part = Part(number=0, path=Path("none"), sha256="0", begin_s=0.0, lasted_s=60.0)
    heard: list[int] = []
    bench = Bench(path=None, sets=(), venue=None, parts=[part], block_s=20.0, kept=kept,
                  objective="net_btc", fills_least=0, done=heard.append)
    for points in ([{"quote.size_btc": 0.01}], [{"quote.size_btc": 0.01}] * 2,
                   [{"quote.size_btc": 0.01}, {"quote.size_btc": 0.02}]):
        bench.fits(points, [part])
    assert sum(heard) == kept.ran == 2
    kept.close()


def test_a_trial_of_a_killed_sweep_is_taken_up_by_itself_alone(tmp_path: Path) -> None:
    axes = read_axes(SEARCH, searched=True)
    place = str(tmp_path / "study.log")
    asked = Search(place, "mm", axes, 1, "one").ask(20)
    assert [t.number for t in asked] == list(range(8))
    assert Search(place, "mm", axes, 1, "another").open() == []
    again = Search(place, "mm", axes, 1, "one")
    assert again.open() == asked
    assert [t.number for t in again.ask(20)] == list(range(8, 16))
    fresh = Search(str(tmp_path / "fresh.log"), "mm", axes, 1, "one")
    assert fresh.ask(20) == asked               # the same seed, the same points


# -------------------------------------------------------------------------------------- refusals
def refusal(capsys: pytest.CaptureFixture[str], options: SweepOptions, code: int = 2) -> str:
    assert main(options) == code
    return capsys.readouterr().err


def test_refusals_say_what_to_do(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    good = SweepOptions(data=(data,), over=GRID, sets=SETS, workers=1, out=tmp_path / "out")

    def refused(code: int = 2, **changes: Any) -> str:
        return refusal(capsys, msgspec.structs.replace(good, **changes), code)

    assert "nearest: quote.gamma" in refused(sets=("quote.gama=1",))
    assert "nearest: quote.vol_k" in refused(over=("quote.vol_kk=1",))
    assert "check the path" in refused(data=(tmp_path / "none",))
    assert "sample_s" in refused(sets=(*SETS, "backtest.sample_s=0"))
    assert "each a part" in refused(data=(data, copied(data, tmp_path)), folds=2)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "optuna", None)
        patch.delitem(sys.modules, "runner.sweep.search", raising=False)
        assert "mmcore[search]" in refused(over=SEARCH, trials=3)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "distributed", None)
        patch.delitem(sys.modules, "runner.sweep.cluster", raising=False)
        assert "mmcore[cluster]" in refused(cluster="tcp://127.0.0.1:1")
    assert "sqlite:///" in refused(1, over=SEARCH, trials=3, storage="nonsense://x")
    (tmp_path / "held").mkdir()
    kept = Kept(tmp_path / "held", Table({}))
    assert "another mm sweep is running" in refused(1, out=tmp_path / "held")
    kept.close()


def copied(data: Path, folder: Path) -> Path:
    path = folder / "second.mmev"
    path.write_bytes(data.read_bytes())
    return path


def test_a_worker_that_sees_something_else_says_so(data: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="every worker must see the folder"):
        recording_of(tmp_path / "none.mmev", "0")
    with pytest.raises(JobError, match="another recording"):
        recording_of(data, "0")
    (tmp_path / "outcomes.jsonl").write_text('["key", {"fills": "many"}]\n')
    with pytest.raises(JobError, match="remove the file"):
        read_outcomes(tmp_path / "outcomes.jsonl")
