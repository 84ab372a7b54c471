"""A long backtest takes hardly more memory than a short one: the recording is mapped."""

from backtest_memory import measure


def test_anonymous_memory_does_not_grow_with_the_recording() -> None:
    """Both are longer than the pieces a recording is looked through in, a million events."""
    short, long = measure(2.0), measure(4.0)
    assert long["events"] > 1.9 * short["events"]
    grown_mb = long["recording_mb"] - short["recording_mb"]
    assert grown_mb > 50
    # orders, fills and a sample a second are kept; a copy of the recording would be all of it
    assert long["anonymous_mb"] - short["anonymous_mb"] < grown_mb / 3
    assert long["anonymous_mb"] < 250
