"""`mm init DIR`: a configuration that names every key, and what ships beside it."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from mmcore.telemetry_table import families
from runner.alert_files import RECORDING
from runner.config import load, value_fault
from runner.config_keys import KEYS, SECTIONS
from runner.dashboards import DASHBOARDS, queries
from runner.init import CONFIG_NAME, config_text, main

METRIC = re.compile(r"\bmm[_:][a-z0-9_:]+")
SUFFIX = re.compile(r"_(bucket|count|sum)$")


def test_the_configuration_loads_and_names_every_key_with_its_effect(tmp_path: Path) -> None:
    text = config_text()
    (tmp_path / CONFIG_NAME).write_text(text)
    assert load(tmp_path / CONFIG_NAME).profile == "sim"
    stated = tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", text))
    for name, spec in KEYS.items():
        section, _, key = name.partition(".")
        assert f"# {spec.effect}\n" in text, name
        if spec.default is None:
            assert f"# {key} =\n" in text, name
            continue
        table = stated[section][0] if section == "instrument" else stated[section]
        assert table[key] == spec.default, name
        assert value_fault(spec, table[key]) == "", name
    assert set(stated) == set(SECTIONS)


def test_everything_is_written_and_nothing_is_overwritten(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert main(folder, force=False) == 0
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert there >= {
        "mm.toml", "runbook.md", "prometheus/alerts.yml", "prometheus/recording.yml",
        "prometheus/prometheus.yml", *(f"grafana/{key}.json" for key in DASHBOARDS)}
    (folder / "mm.toml").write_text("mine")
    assert main(folder, force=False) == 2
    assert "mm.toml" in capsys.readouterr().err
    assert (folder / "mm.toml").read_text() == "mine"
    assert main(folder, force=True) == 0
    assert (folder / "mm.toml").read_text() == config_text()


def test_dashboards_and_recordings_name_only_what_exists() -> None:
    known = set(families()) | {record for record, _ in RECORDING}
    for key in DASHBOARDS:
        assert queries(key)
        for title, query in queries(key):
            named = {SUFFIX.sub("", n) for n in METRIC.findall(query)}
            assert named, title
            assert named <= known, f"{key}: {title}: {named - known}"
    for record, expression in RECORDING:
        named = {SUFFIX.sub("", n) for n in METRIC.findall(expression)}
        assert named <= known, record


def test_dashboards_are_whole(tmp_path: Path) -> None:
    main(tmp_path / "d", force=False)
    for key, (title, panels) in DASHBOARDS.items():
        made = json.loads((tmp_path / "d" / "grafana" / f"{key}.json").read_text())
        assert made["title"] == title
        assert len(made["panels"]) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in made["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            assert at["x"] + at["w"] <= 24
            assert not cells & taken, panel["title"]
            taken |= cells
