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
    bench = load_benchmark()
    figures = bench.run_hour(0, 30.0)
    assert figures.level_changes >= 30 * 2 * 5821
    assert figures.messages >= 30 * 2 * 109
    assert figures.level_changes_per_s >= 2 * 5821
    assert figures.messages_per_s >= 2 * 109
    assert figures.orders > 60
    assert figures.fills > 0
    assert figures.code_10028 == figures.code_10047 == 0
    assert figures.queues["matching"] > 0
    assert bench.faults_of(figures) == []


def test_what_must_not_be_is_said() -> None:
    """The judgement can be other than good, and a table shows every hour."""
    bench = load_benchmark()
    bad = bench.Hour(
        hour=7, seconds=60.0, wall_s=1.0, messages=1, messages_per_s=1, level_changes=1,
        level_changes_per_s=1, orders=1, fills=1, code_10028=1, code_10047=0, errors={},
        queues={"cold": 9}, rss_start_mib=1.0, rss_end_mib=1.0, verified=False)
    assert bench.faults_of(bad) == [
        "hour 7: cold was 9 deep, more than 8", "hour 7: 1 x 10028, 0 x 10047",
        "hour 7: the way out was not verified"]
    assert bench.table([bad]).splitlines()[1].split()[:2] == ["7", "60"]


def test_hours_in_pieces(tmp_path: Path) -> None:
    """What a file has is not run again; a line cut short is no hour."""
    bench = load_benchmark()
    keep = tmp_path / "day.jsonl"
    assert bench.hours_of("2..4") == [2, 3, 4]
    assert bench.hours_of("5") == [5]
    assert bench.read_kept(keep) == {}
    keep.write_text('{"hour":3,"sec')
    assert bench.read_kept(keep) == {}


def test_errors_of_the_venue_are_counted() -> None:
    """The count can be other than 0."""
    wire = load_benchmark().Wire()
    wire.deliver = lambda to, data: None

    class Link:
        arriving: tuple[int, ...] = ()

    wire.expect(Link(), b'{"jsonrpc":"2.0","id":7,"error":{"code":10028,"message":"x"}}')
    wire.expect(Link(), b'{"jsonrpc":"2.0","id":8,"error":{"message":"x","code":10047}}')
    assert wire.errors == {"10028": 1, "10047": 1}
