"""`mm init DIR`: a configuration that names every key, and what ships beside it."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from mmcore.telemetry_table import families
from runner.alert_files import RECORDING
from runner.config import load, value_fault
from runner.config_keys import KEYS, SECTIONS
from runner.dashboards import DASHBOARDS, queries
from runner.init import CONFIG_NAME, config_text, main
from runner.options import EXIT_KILLED, EXIT_NOT_FLAT, EXIT_USAGE

UNITS = ("mm", "mm-metrics", "mm-dashboard")
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
        "prometheus/prometheus.yml", *(f"systemd/{name}.service" for name in UNITS),
        *(f"grafana/{key}.json" for key in DASHBOARDS)}
    (folder / "mm.toml").write_text("mine")
    assert main(folder, force=False) == 2
    assert "mm.toml" in capsys.readouterr().err
    assert (folder / "mm.toml").read_text() == "mine"
    assert main(folder, force=True) == 0
    assert (folder / "mm.toml").read_text() == config_text()


HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "User": "mm",
    "PrivateTmp": "yes", "PrivateDevices": "yes", "CapabilityBoundingSet": "", "LimitCORE": "0",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6", "UMask": "0077",
    "SystemCallFilter": "@system-service", "RemoveIPC": "no"}


@pytest.mark.parametrize("name", UNITS)
def test_units_are_hardened_and_start_what_there_is(name: str, tmp_path: Path) -> None:
    main(tmp_path / "d", force=False)
    unit = tmp_path / "d" / "systemd" / f"{name}.service"
    text = unit.read_text()
    assert "@" not in text.replace("@system-service", "")
    stated = dict(line.split("=", 1) for line in text.splitlines()
                  if "=" in line and not line.startswith("#"))
    assert {key: stated.get(key) for key in HARDENED} == HARDENED
    command = stated["ExecStart"].replace("%d", str(tmp_path))
    program, _, rest = command.partition(" run " if name == "mm" else f" {name[3:]} ")
    assert rest
    done = subprocess.run([*program.split(), name[3:] or "run", "--help"], capture_output=True,
                          text=True, timeout=60, check=True)
    for option in re.findall(r"(?<= )--?[a-z]+", f" {rest}"):
        assert option in done.stdout, option
    if name == "mm":
        assert stated["RestartPreventExitStatus"] == (
            f"{EXIT_USAGE} {EXIT_KILLED} {EXIT_NOT_FLAT}")
        assert stated["KillMode"] == "mixed"
    verify = shutil.which("systemd-analyze")
    if verify is not None:      # where there is no systemd, the text is what can be checked
        told = subprocess.run([verify, "verify", "--recursive-errors=no", str(unit)],
                              capture_output=True, text=True, timeout=60, check=False)
        assert not [line for line in told.stderr.splitlines() if unit.name in line], told.stderr


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
