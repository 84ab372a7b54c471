"""Short form of the day at twice the recorded peak; benchmarks/peak_day.py runs all of it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "peak_day.py"


def load_benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("peak_day", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["peak_day"] = module        # where its structs look for their types
    spec.loader.exec_module(module)
    return module


def test_thirty_seconds_at_twice_the_peak() -> None:
    figures = load_benchmark().run_hour(0, 30.0)
    assert figures.level_changes >= 30 * 2 * 5821
    assert figures.messages >= 30 * 2 * 109
    assert figures.orders > 60
    assert figures.fills > 0
    assert figures.code_10028 == figures.code_10047 == 0
    assert figures.under_way_max <= 10
    assert figures.waiting_max <= 8
    assert figures.tasks_max <= 20
    assert figures.verified


def test_errors_of_the_venue_are_counted() -> None:
    """The count can be other than 0."""
    wire = load_benchmark().Wire()
    wire.deliver = lambda to, data: None

    class Link:
        arriving: tuple[int, ...] = ()

    wire.expect(Link(), b'{"jsonrpc":"2.0","id":7,"error":{"code":10028,"message":"x"}}')
    wire.expect(Link(), b'{"jsonrpc":"2.0","id":8,"error":{"message":"x","code":10047}}')
    assert wire.errors == {"10028": 1, "10047": 1}
