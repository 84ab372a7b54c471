"""Judges the alerts from the exporter's own numbers, for those who run no Alertmanager."""

import operator
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client.core import Metric

from runner.alert_rules import ALERTS, Alert, Condition
from runner.metric_families import samples

Series = tuple[tuple[str, str], ...]
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, ">": operator.gt, "<": operator.lt}


class AlertState(NamedTuple):
    """One alert that began or ended. labels: of the series that shows it; value: what it was."""

    alert: Alert
    firing: bool
    labels: Series
    value: float


class Growth:
    """Growth of one counter over a window; a counter that fell was begun anew."""

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self.seen: deque[tuple[float, float]] = deque()     # (time, growth so far)
        self.value = 0.0
        self.total = 0.0

    def add(self, value: float, now_s: float) -> float:
        """Take a value; return the growth over the window."""
        if self.seen:
            self.total += value - self.value if value >= self.value else value
        self.value = value
        self.seen.append((now_s, self.total))
        while len(self.seen) > 1 and now_s - self.seen[1][0] >= self.window_s:
            self.seen.popleft()
        return self.total - self.seen[0][1]


class Checker:
    """Remembers since when each condition holds."""

    def __init__(self, alerts: Iterable[Alert] = ALERTS, for_scale: float = 1.0) -> None:
        """for_scale: factor of every alert's waiting time."""
        self.alerts = [alert for alert in alerts if alert.local]
        self.for_scale = for_scale
        self.since_s: dict[str, float] = {}
        self.fired: dict[str, AlertState] = {}
        self.growth: dict[tuple[str, Series], Growth] = {}

    def firing(self) -> dict[str, bool]:
        """Return every alert and whether it is firing."""
        return {alert.name: alert.name in self.fired for alert in self.alerts}

    def check(self, metrics: Iterable[Metric], now_s: float) -> list[AlertState]:
        """Judge every alert; return those that began or ended."""
        table: dict[str, dict[Series, float]] = {}
        for name, labels, value in samples(metrics):
            table.setdefault(name, {})[tuple(sorted(labels.items()))] = value
        changed = []
        for alert in self.alerts:
            found = self.judge(alert, table, now_s)
            if found is None:
                self.since_s.pop(alert.name, None)
                before = self.fired.pop(alert.name, None)
                if before is not None:
                    changed.append(before._replace(firing=False))
            elif now_s - self.since_s.setdefault(alert.name, now_s) >= \
                    alert.for_s * self.for_scale and alert.name not in self.fired:
                self.fired[alert.name] = AlertState(alert, True, *found)
                changed.append(self.fired[alert.name])
        return changed

    def judge(self, alert: Alert, table: dict[str, dict[Series, float]],
              now_s: float) -> tuple[Series, float] | None:
        """Return the first series for which a condition holds, and its value; None: none."""
        condition = alert.condition
        compare = OPERATORS[condition.op]
        holds = None
        # Every series is asked: growth must see each of them every time.
        for labels, value in self.left_side(condition, table, now_s, alert.name):
            if compare(value, condition.value) and holds is None:
                holds = labels, value
        return holds

    def left_side(self, condition: Condition, table: dict[str, dict[Series, float]],
                  now_s: float, name: str) -> list[tuple[Series, float]]:
        divisors = table.get(condition.per, {})
        found: dict[Series, float] = {}
        for labels, raw in table.get(condition.metric, {}).items():
            if not set(condition.labels) <= set(labels):
                continue
            value = raw
            if condition.window_s:
                growth = self.growth.setdefault((name, labels), Growth(condition.window_s))
                value = growth.add(raw, now_s)
            if condition.absolute:
                value = abs(value)
            found[labels] = value
        if condition.per:
            return [(key, value / divisors[key]) for key, value in found.items()
                    if divisors.get(key)]
        return list(found.items())
