"""One set of versions: what pyproject.toml asks for is what requirements/dev.txt installs."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from source_tree import ROOT

import mmcore

EXACT = {"picows", "cython"}  # compiled against, and nothing checks their layout at import


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, Version]:
    """Return the exact versions of a requirements file; any other line is an error."""
    found = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, version = line.split("==")
        found[canonical(name)] = Version(version.strip())
    return found


def wanted(project: dict[str, object]) -> list[Requirement]:
    """Return every requirement of pyproject.toml, of the build and of each group too."""
    build, meta, groups = project["build-system"], project["project"], project["dependency-groups"]
    assert isinstance(build, dict)
    assert isinstance(meta, dict)
    assert isinstance(groups, dict)
    texts = build["requires"] + meta["dependencies"] + [t for g in groups.values() for t in g]
    return [Requirement(text) for text in texts]


def complaints(requirements: list[Requirement], have: dict[str, Version]) -> list[str]:
    found = []
    for item in requirements:
        version = have.get(canonical(item.name))
        if version is None:
            found.append(f"{item}: not in requirements/dev.txt")
        elif not item.specifier.contains(version):
            found.append(f"{item}: requirements/dev.txt has {version}")
        if canonical(item.name) in EXACT and f"=={version}" != str(item.specifier):
            found.append(f"{item}: must be exact")
    return found


def test_pins_fit_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    have = pins((ROOT / "requirements" / "dev.txt").read_text())
    found = complaints(wanted(project), have)
    assert not found, "\n" + "\n".join(found)
    assert project["project"]["version"] == mmcore.__version__


@pytest.mark.parametrize("text", ["picows>=2.3.1", "rich>=99", "absent>=1"])
def test_gate_refuses(text: str) -> None:
    assert complaints([Requirement(text)], {"picows": Version("2.3.1"), "rich": Version("15")})
