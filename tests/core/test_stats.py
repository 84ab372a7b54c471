"""Quantiles of the log-bucket histogram, within their 6.25 %."""

import random

from hypothesis import given
from hypothesis import strategies as st

from mmcore.stats import Histogram


@given(st.lists(st.integers(0, 2**42), min_size=1, max_size=200),
       st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_at_most_a_sixteenth_high(values: list[int], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    exact = sorted(values)[min(int(share * len(values)), len(values) - 1)]
    found = histogram.quantile(share)
    assert exact <= found <= exact * 1.0625
    assert (histogram.count, histogram.max) == (len(values), max(values))


def test_known_shape(seed: int) -> None:
    rng, histogram = random.Random(seed), Histogram()
    for _ in range(20_000):
        histogram.record(rng.randrange(1_000_000))
    assert 0.97 * 500_000 < histogram.quantile(0.5) < 1.09 * 500_000


def test_empty_small_and_beyond_the_last_bucket() -> None:
    histogram = Histogram()
    assert histogram.quantile(0.5) == 0
    histogram.record(-5)
    assert histogram.quantile(0.5) == 0
    histogram.record(2**60)
    assert histogram.quantile(1.0) == 2**60
