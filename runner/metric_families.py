"""From a telemetry reading to Prometheus families, by the table in mmcore.telemetry_table."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from mmcore.alpha import TERM_NAMES
from mmcore.risk import GateReason
from mmcore.telemetry_table import (
    ENGINE_METRICS,
    HISTOGRAM_METRICS,
    MARKET_METRICS,
    PROCESS_METRICS,
    families,
)
from mmcore.types import RemovedReason
from runner.metric_source import Reading

FAMILIES = families()
# A counter that appears with its first event has no rate for it, so these are there from the start.
KNOWN_CODES = (10001, 10009, 10028, 10040, 10041, 10047, 10066, 11029, 11044, 11050, 11051, 11054,
               11094, 13009, 13028, 13888)
SUB_BUCKETS = 16            # of an octave in the page's histograms (mmcore.stats)
# Bounds of the exported buckets: 1 and 1.5 times the powers of two from 256 ns to 34 s. Each is
# the lower end of one of the page's buckets, so that nothing is split by guess.
BOUNDS: tuple[tuple[int, float], ...] = tuple(
    ((octave - 3) * SUB_BUCKETS + half * (SUB_BUCKETS // 2), (1 + half / 2) * 2**octave * 1e-9)
    for octave in range(8, 36) for half in (0, 1))
QUANTILES = (("0.5", "p50"), ("0.9", "p90"), ("0.99", "p99"), ("0.999", "p999"))
REMOVED_WORDS = {name.removeprefix("REMOVED_").lower(): int(reason)
                 for name, reason in RemovedReason.__members__.items()}
GATE_WORDS = [name.removeprefix("GATE_").lower() for name in GateReason.__members__
              if name not in ("GATE_OK", "GATE_REASONS")]


class Families:
    """Collects samples, each family once, in the order they come."""

    def __init__(self) -> None:
        self.found: dict[str, Metric] = {}

    def family(self, full: str) -> Metric:
        metric = self.found.get(full)
        if metric is None:
            kind, names, text = FAMILIES[full]
            if kind == "counter":
                metric = CounterMetricFamily(full, text, labels=names)
            elif kind == "histogram":
                metric = HistogramMetricFamily(full, text, labels=names)
            else:
                metric = GaugeMetricFamily(full, text, labels=names)
            self.found[full] = metric
        return metric

    def counter(self, family: str, value: float, labels: Iterable[str] = ()) -> None:
        full = f"mm_{family}_total"
        self.family(full).add_sample(full, self.named(full, labels), value)

    def gauge(self, family: str, value: float, labels: Iterable[str] = ()) -> None:
        full = f"mm_{family}"
        self.family(full).add_sample(full, self.named(full, labels), value)

    def named(self, full: str, labels: Iterable[str]) -> dict[str, str]:
        return dict(zip(FAMILIES[full][1], labels, strict=True))

    def histogram(self, family: str, labels: tuple[str, ...], page: Reading) -> None:
        """Take a histogram of the page, which counts nanoseconds."""
        full = f"mm_{family}"
        named = self.named(full, labels)
        metric = self.family(full)
        counts = page["buckets"]
        below = 0
        start = 0
        for index, bound_s in BOUNDS:
            below += sum(counts[start:index])
            start = index
            metric.add_sample(f"{full}_bucket", {**named, "le": f"{bound_s:.9g}"}, below)
        metric.add_sample(f"{full}_bucket", {**named, "le": "+Inf"}, page["count"])
        metric.add_sample(f"{full}_count", named, page["count"])
        metric.add_sample(f"{full}_sum", named, page["sum"] * 1e-9)


def engine_families(out: Families, reading: Reading) -> None:
    """Everything the page says, while its engine is up."""
    for rows, values in ((ENGINE_METRICS, reading), (PROCESS_METRICS, reading["process"])):
        for row in rows:
            if row.family and not (row.sparse and values[row.slot] == 0.0):
                take = out.counter if row.kind == "counter" else out.gauge
                take(row.family, values[row.slot] * row.scale, [v for _, v in row.labels])
    for market in reading["markets"]:
        market_families(out, market)
    for each in HISTOGRAM_METRICS:
        out.histogram(each.family, tuple(v for _, v in each.labels),
                      reading["histograms"][each.slot])
    latency = reading["histograms"]["tick_to_order_ns"]
    for quantile, key in QUANTILES:
        out.gauge("tick_to_order_quantile_seconds", latency[key] * 1e-9, [quantile])
    codes = {**dict.fromkeys(KNOWN_CODES, 0), **reading["reject_codes"]}
    for code, count in sorted(codes.items()):
        out.counter("rejects_by_code", count, [str(code) if code else "other"])
    for word, count in zip(GATE_WORDS, reading["refused"][1:], strict=False):
        out.counter("gate_refusals", count, [word])


def market_families(out: Families, market: Reading) -> None:
    name = market["name"]
    for row in MARKET_METRICS:
        if not row.family or (row.sparse and market[row.slot] == 0.0):
            continue
        take = out.counter if row.kind == "counter" else out.gauge
        take(row.family, market[row.slot] * row.scale, [name, *(v for _, v in row.labels)])
    for i, term in enumerate(TERM_NAMES):
        out.gauge("alpha_term_usd", market[f"alpha_term_{i}_usd"], [name, term])
    for side in ("bid", "ask"):
        bits = int(market[f"removed_{side}"])
        for word, bit in REMOVED_WORDS.items():
            out.gauge("side_removed", 1.0 if bits & bit else 0.0, [name, side, word])


def samples(metrics: Iterable[Metric]) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield (name, labels, value) of every sample."""
    for metric in metrics:
        for sample in metric.samples:
            yield sample.name, sample.labels, sample.value
