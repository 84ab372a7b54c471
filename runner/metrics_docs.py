"""Writes what follows from the metric table: page layout, documents, dashboards, rules, runbook.

python -m runner.metrics_docs, from the root of the source tree; a test compares the results. It
needs nothing compiled, so that the layout can be written before it is.
"""

import sys
from pathlib import Path

from mmcore.telemetry_table import EXPORTER_FAMILIES, enums, families
from runner.alert_files import alert_rules, prometheus_config, recording_rules, runbook
from runner.config_keys import KEYS, SECTIONS
from runner.dashboards import DASHBOARDS, dashboard
from runner.init import toml

BEGIN = "# Generated from mmcore.telemetry_table: python -m runner.metrics_docs; a test compares.\n"
END = "# End of what is generated.\n"


def layout(text: str) -> str:
    """Return telemetry.pxd with the enums of the table."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + enums() + END + rest.partition(END)[2]


def metrics_document() -> str:
    """Return docs/metrics.md."""
    made = {f"mm_{family}_total" if kind == "counter" else f"mm_{family}"
            for family, kind, _, _ in EXPORTER_FAMILIES}
    lines = [INTRODUCTION]
    found = families()
    for title, names in (
            ("Of the exporter", [n for n in found if n in made]),
            ("Of each instrument", [n for n, f in found.items() if f[1][:1] == ("instrument",)
                                    and n not in made]),
            ("Of the session", [n for n, f in found.items() if f[1][:1] != ("instrument",)
                                and n not in made])):
        lines += [f"## {title}", "", "| Metric | Kind | Labels | Meaning |", "|---|---|---|---|"]
        lines += [f"| `{name}` | {found[name][0]} | {', '.join(found[name][1])} "
                  f"| {found[name][2]} |" for name in sorted(names)]
        lines.append("")
    return "\n".join(lines)


def configuration_document() -> str:
    """Return docs/configuration.md."""
    lines = [CONFIGURATION]
    for section, struct in SECTIONS.items():
        title = (struct.__doc__ or "").split(": ", 1)[1].rstrip(".")
        lines += [f"## {section}", "", f"{title[0].upper()}{title[1:]}.", "",
                  "| Key | Value | Default | Effect | |", "|---|---|---|---|---|"]
        for spec in KEYS.values():
            if spec.name.startswith(f"{section}."):
                default = "" if spec.default is None else f"`{toml(spec.default)}`"
                if spec.sim != spec.default:
                    default += f", `{toml(spec.sim)}` on the built-in exchange"
                notes = [word for word, is_so in (
                    ("needed live", spec.limit), ("asks twice", spec.asks_twice),
                    ("restart", not spec.running)) if is_so]
                effect = spec.effect.replace("|", "\\|")
                lines.append(f"| `{spec.name}` | {spec.expected} | {default} | {effect} "
                             f"| {', '.join(notes)} |")
        lines.append("")
    return "\n".join(lines)


CONFIGURATION = """\
# Configuration

Generated from the types of the configuration by `python -m runner.metrics_docs`; do not edit.

One TOML file, given as `-c FILE`; `--set KEY=VALUE` wins over it. `mm init DIR` writes one with
every key, commented. An unknown key, a wrong type, a value out of range, or two keys that
contradict each other is refused with one line that names the place and the remedy, and exit code 2.
A key's name ends in its unit. Secrets are named as `env:NAME` or `file:PATH` (mode 0600); a literal
is refused on any venue but this machine's.

The last column: *needed live*: a venue other than the built-in exchange starts only where the key
is stated. *restart*: cannot change while running; all others can, with `mm ctl set`. *asks twice*:
bounds what may be lost, so `mm ctl set` wants it confirmed.
"""


INTRODUCTION = """\
# Metrics

Generated from `mmcore/telemetry_table.py` by `python -m runner.metrics_docs`; do not edit.

`mm run` writes every number below into a page of shared memory, twenty times a second. A process
of its own, `mm metrics`, serves the page to Prometheus; a scrape never touches the process that
trades. It listens on `telemetry.prometheus_host` (127.0.0.1) and `telemetry.prometheus_port`
(9464; 0 takes a free one and says which). A port that is taken is a warning and
`mm_exporter_port_taken`, and is tried again; trading goes on.

| Path | Answers |
|---|---|
| `/metrics` | the metrics, as Prometheus text or OpenMetrics |
| `/healthz` | 200 while an engine publishes, else 503 |
| `/readyz` | 200 while the engine may quote, else 503 and what is missing, as JSON |

The exporter outlives an engine that crashed by 60 s and says so: `mm_up` is 0, and of the engine
nothing else is left than the age of its page. The next engine of the same instance brings its own
exporter, which takes over the port. `mm metrics` alone attaches to a running maker, or to the next
one; `--once` prints the metrics and leaves.

Every metric begins with `mm_`. Units are seconds, bytes, ratios, USD and BTC. Counters and
histograms are of the session: they begin at 0 with each engine. Metrics that stand for "none"
while they are 0, like a quote's price, are absent then. `mm init DIR` writes dashboards, rules and
a Prometheus configuration that use these names; `runbook.md` says what to do when one of the
alerts fires.
"""


def outputs(root: Path) -> dict[Path, str]:
    """Return everything that is generated, by its path under the root of the source tree."""
    pxd = Path("mmcore/telemetry.pxd")
    deploy = Path("runner/deploy")
    return {
        pxd: layout((root / pxd).read_text()),
        Path("docs/metrics.md"): metrics_document(),
        Path("docs/configuration.md"): configuration_document(),
        Path("docs/runbook.md"): runbook(),
        deploy / "runbook.md": runbook(),
        deploy / "prometheus/alerts.yml": alert_rules(),
        deploy / "prometheus/recording.yml": recording_rules(),
        deploy / "prometheus/prometheus.yml": prometheus_config(),
        **{deploy / f"grafana/{key}.json": dashboard(key) for key in DASHBOARDS}}


def main() -> int:
    """Write what differs."""
    root = Path.cwd()
    for path, text in outputs(root).items():
        target = root / path
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
