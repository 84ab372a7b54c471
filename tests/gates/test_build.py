"""The build refuses a tree that would make an incomplete package, and says what to do."""

from pathlib import Path
from types import ModuleType

import pytest
from compiled import setup_module


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """setup.py over a tree of two modules, both listed."""
    for name in ("MM_BUILD", "MM_ONLY", "MM_JOBS"):
        monkeypatch.delenv(name, raising=False)
    module = setup_module()
    for path in ("mmcore/book.pyx", "connectors/feed.pyx"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    module.ROOT = tmp_path
    module.EXPECTED = ("connectors.feed", "mmcore.book")
    return module


def test_builds_what_is_listed(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build.module_names() == ["connectors.feed", "mmcore.book"]
    monkeypatch.setenv("MM_ONLY", "mmcore.b*,mmcore.x")
    assert build.module_names() == ["mmcore.book"]


def test_refuses_a_missing_module(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mmcore/book.pyx").unlink()
    with pytest.raises(SystemExit, match=r"without a \.pyx file: mmcore\.book"):
        build.module_names()


def test_refuses_an_unlisted_module(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mmcore/extra.pyx").touch()
    with pytest.raises(SystemExit, match=r"does not list: mmcore\.extra; add one line"):
        build.module_names()


@pytest.mark.parametrize(("name", "value", "function"), [
    ("MM_BUILD", "fast", "chosen_kind"),
    ("MM_ONLY", "nothing.*", "module_names"),
    ("MM_JOBS", "0", "jobs_count"),
    ("MM_JOBS", "many", "jobs_count"),
])
def test_refuses_a_bad_choice(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, value: str, function: str,
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=f"{name}={value}"):
        getattr(build, function)()


def test_the_build_hash_follows_every_source(
        build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = {build.sources_hash()}
    for path, text in (("mmcore/book.pyx", "x"), ("runner/a.py", ""), ("runner/b.py", ""),
                       ("mmcore/book.pxd", "x")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
        seen.add(build.sources_hash())
    assert len(seen) == 5
    (tmp_path / "mmcore/book.c").touch()                # made, not a source
    assert build.sources_hash() in seen


def test_floats_are_exact_in_every_kind(build: ModuleType) -> None:
    for kind in build.KINDS.values():
        assert "-ffp-contract=off" in kind.compile_args
        assert "-ffast-math" not in kind.compile_args
