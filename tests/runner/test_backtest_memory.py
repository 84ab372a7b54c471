"""A long backtest takes no more memory than a short one: the recording is mapped."""

from backtest_memory import measure


def test_anonymous_memory_does_not_grow_with_the_recording() -> None:
    short, long = measure(1 / 6), measure(1.0)
    assert long["events"] > 5 * short["events"]
    assert long["recording_mb"] - short["recording_mb"] > 20
    # orders, fills and samples are kept; a sixth of the recording would be more than all of them
    assert long["anonymous_mb"] - short["anonymous_mb"] < 8
    assert long["anonymous_mb"] < 250
