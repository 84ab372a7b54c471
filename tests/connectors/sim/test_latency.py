"""Latency models: what is drawn, that a seed repeats it, and that wrong ones are refused."""

import itertools
import statistics

import pytest

from connectors.sim.latency import Latency

SECOND = 1_000_000_000


def test_constant_is_constant() -> None:
    latency = Latency.constant(7_000)
    assert {latency.at_time(t) for t in range(100)} == {7_000}
    assert latency.quantile(0.95) == 7_000


def test_lognormal_has_its_median_and_repeats_with_its_seed() -> None:
    drawn = [Latency.lognormal(10_000_000, 0.5, seed).at_time(0) for seed in range(2000)]
    assert statistics.median(drawn) == pytest.approx(10_000_000, rel=0.05)
    spread = statistics.quantiles(drawn, n=100)
    assert spread[83] / spread[49] == pytest.approx(2.718 ** 0.5, rel=0.12)     # one sigma up
    a, b = Latency.lognormal(1000, 1.0, 5), Latency.lognormal(1000, 1.0, 5)
    assert [a.at_time(t) for t in range(50)] == [b.at_time(t) for t in range(50)]


def test_sampled_draws_only_what_was_measured() -> None:
    latency = Latency.sampled([1, 5, 9], 3)
    drawn = [latency.at_time(t) for t in range(300)]
    assert set(drawn) == {1, 5, 9}
    assert min(drawn.count(v) for v in (1, 5, 9)) > 60
    assert latency.quantile(0.95) == 9


def test_recorded_holds_until_the_next_measurement() -> None:
    latency = Latency.recorded([100, 200, 300], [10, 20, 30])
    assert [latency.at_time(t) for t in (0, 100, 199, 200, 350)] == [10, 10, 10, 20, 30]


def test_spikes_come_as_often_as_told_and_melt() -> None:
    latency = Latency.constant(1_000).with_spikes(10.0, 500_000_000, SECOND)
    step = SECOND // 100
    drawn = [latency.at_time(t * step) - 1_000 for t in range(200_000)]     # 2,000 s
    begins = [i for i in range(1, len(drawn)) if drawn[i] > 0 and drawn[i - 1] == 0]
    assert 120 < len(begins) < 250          # one in 11 s, a second of it the spike itself
    first = drawn[begins[0]:begins[0] + 99]
    assert first[0] > 480_000_000
    assert all(a > b for a, b in itertools.pairwise(first))
    assert latency.quantile(0.5) == 1_000


@pytest.mark.parametrize("make", [
    lambda: Latency.constant(-1), lambda: Latency.lognormal(10, -0.1),
    lambda: Latency.sampled([]), lambda: Latency.sampled([5, -5]),
    lambda: Latency.recorded([2, 1], [5, 5]), lambda: Latency.recorded([1], [5, 6]),
    lambda: Latency.constant(5).with_spikes(-1.0, 5, 5)])
def test_a_model_that_cannot_be_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError):
        make()
