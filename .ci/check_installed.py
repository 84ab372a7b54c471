"""Check an installed wheel: every module imports, and all come from one site-packages.

Usage: check_installed.py SETUP_PY, where SETUP_PY names the compiled modules to expect.
"""

import ast
import importlib
import importlib.metadata
import pkgutil
import sys
from pathlib import Path

PACKAGES = ("mmcore", "connectors", "runner")
# What an extra brings, and the modules that need it; mm says which extra where it is missing.
EXTRAS = {"plotly": {"runner.tearsheet.plots", "runner.tearsheet.page"},
          "optuna": {"runner.sweep.search"}, "distributed": {"runner.sweep.cluster"}}


def expected(setup_py: Path) -> tuple[str, ...]:
    """Read EXPECTED without running setup.py: a clean environment may lack setuptools."""
    for node in ast.parse(setup_py.read_text()).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "EXPECTED":
            assert node.value is not None
            return tuple(ast.literal_eval(node.value))
    raise SystemExit(f"{setup_py} has no EXPECTED")


def main() -> int:
    homes = set()
    names = []
    for package_name in PACKAGES:
        package = importlib.import_module(package_name)
        homes.add(Path(str(package.__file__)).parents[1])
        names.append(package_name)
        for found in pkgutil.walk_packages(package.__path__, package_name + "."):
            if found.name.endswith("__main__"):
                continue  # importing it would run it
            try:
                importlib.import_module(found.name)
            except ModuleNotFoundError as error:
                if found.name not in EXTRAS.get(str(error.name).partition(".")[0], ()):
                    raise
                continue
            names.append(found.name)
    if len(homes) != 1:
        print(f"the packages come from several places: {sorted(map(str, homes))}")
        return 1
    home = homes.pop()
    if home.name != "site-packages":
        print(f"the packages come from {home}, not from an installation")
        return 1
    compiled = {n for n in names if str(sys.modules[n].__file__).endswith(".so")}
    missing = sorted(set(expected(Path(sys.argv[1]))) - compiled)
    if missing:
        print(f"not compiled in the wheel: {', '.join(missing)}")
        return 1
    stray = [p for n in PACKAGES for p in (home / n).rglob("*")
             if p.suffix in {".c", ".html", ".pyx"} and not {"deploy", "static"} & {*p.parts}]
    if stray:
        print(f"generated files in the wheel: {stray}")
        return 1
    deployed = {str(p.relative_to(home / "runner" / "deploy"))
                for p in (home / "runner" / "deploy").rglob("*") if p.is_file()}
    absent = {"runbook.md", "prometheus/alerts.yml", "prometheus/recording.yml",
              "prometheus/prometheus.yml", "grafana/overview.json", "grafana/quoting.json",
              "grafana/risk.json", "grafana/latency.json"} - deployed
    if absent:
        print(f"not in the wheel: {', '.join(sorted(absent))}")
        return 1
    version = importlib.metadata.version("mmcore")
    print(f"wheel mmcore {version}: {len(names)} modules import, {len(compiled)} compiled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
