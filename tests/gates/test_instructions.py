"""The hot path costs the instructions it cost before: no time is measured, so load is no matter."""

import json
import shutil
from collections.abc import Callable

import count_instructions
import pytest


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_every_stage_costs_what_the_baseline_says() -> None:
    """A wanted change moves the baseline: python -P benchmarks/count_instructions.py --write."""
    said = count_instructions.checked()
    remedy = ("if that is wanted: make build, then PYTHONPATH=build/release/lib python -P "
              "benchmarks/count_instructions.py --write, and say why in the commit")
    assert not said, "\n".join([*said, remedy])


def test_ten_instruments_cost_a_tenth_more_at_most(figure: Callable[[str], None]) -> None:
    """Of the counts the test above holds the sources to."""
    kept = json.loads(count_instructions.BASELINE.read_text())["instructions"]
    one, ten = kept["frame to wire, quiet"], kept["frame to wire, quiet, ten"]
    figure(f"a frame costs {one} instructions with one instrument, {ten} with ten: "
           f"{ten / one - 1:+.1%}")
    assert ten < 1.1 * one


def test_the_gate_sees_a_stage_that_grew_shrank_came_or_went() -> None:
    kept = {"a": 1000, "b": 1000, "c": 1000, "gone": 5}
    baseline = {"tools": count_instructions.tools(), "instructions": kept}
    found = {"a": 1031, "b": 969, "c": 1030, "new": 7}
    said = count_instructions.complaints(found, baseline)
    assert [line.split(":")[0] for line in said] == ["a", "b", "new", "gone"]
    elsewhere = {"tools": {"gcc": "1"}, "instructions": {"a": 1000}}
    assert count_instructions.complaints({"a": 1149}, elsewhere) == []
    assert len(count_instructions.complaints({"a": 1151}, elsewhere)) == 1
