"""Limits a reader relies on: short functions and files, narrow lines, names that say something."""

import re

import pytest
from source_tree import ROOT, Source, functions, sources

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
COLUMNS_MAX = 100
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
# Folders of one machine; a test that needs a file gets it from a fixture.
MACHINE_PATH = re.compile(r"(?<![\w.:/}])/(?:home|root|work|Users|mnt|tmp)/\w")
PRINT = re.compile(r"(?<![\w.])print\s*\(")


def complaints(source: Source) -> list[str]:
    """Say which limit a source breaks, and where."""
    lines = source.text.splitlines()
    found = []
    if len(lines) > FILE_LINES_MAX:
        found.append(f"{source.path}: {len(lines)} lines, {FILE_LINES_MAX} at most; split it")
    if EMPTY_NAMES & set(source.module.split(".")):
        found.append(f"{source.path}: a name that says nothing; name what the module holds")
    found += [f"{source.path}:{f.line}: {f.name} has {f.length} lines, {FUNCTION_LINES_MAX} at most"
              for f in functions(source) if f.length > FUNCTION_LINES_MAX]
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            found.append(f"{source.path}:{number}: {len(line)} columns, {COLUMNS_MAX} at most")
        if MACHINE_PATH.search(line):
            found.append(f"{source.path}:{number}: a path of one machine")
    if not source.module.startswith("runner"):
        found += [f"{source.path}:{number}: print; count it, or return it to the runner"
                  for number, line in enumerate(source.code.split("\n"), 1) if PRINT.search(line)]
    return found


def test_sources_keep_the_limits() -> None:
    found = [c for source in sources(".py", ".pyx", ".pxd", ".pyi") for c in complaints(source)]
    assert not found, "\n" + "\n".join(found)


def test_no_file_names_a_machine() -> None:
    names = ["setup.py", "one_library.py", "pyproject.toml", "Makefile", "MANIFEST.in", "README.md",
             "CONTRIBUTING.md", "CHANGELOG.md", ".ci/run"]
    texts = {name: (ROOT / name).read_text() for name in names}
    texts |= {str(p.relative_to(ROOT)): p.read_text() for p in sorted(ROOT.glob("docs/**/*.md"))}
    found = [name for name, text in texts.items() if MACHINE_PATH.search(text)]
    assert not found


BODY = "    x = 1\n"


@pytest.mark.parametrize(("path", "text"), [
    ("mmcore/a.py", "def f():\n" + BODY * FUNCTION_LINES_MAX),
    ("mmcore/a.pyx", "cdef int f() noexcept:\n" + BODY * FUNCTION_LINES_MAX),
    ("mmcore/a.pyx", "cdef class A:\n    def f(self,\n          x):\n" + ("    " + BODY) * 70),
    ("mmcore/a.pyx", "x = 1\n" * (FILE_LINES_MAX + 1)),
    ("mmcore/a.py", "x = " + "1" * COLUMNS_MAX),
    ("mmcore/utils.py", ""),
    ("runner/helpers/a.py", ""),
    ("runner/a.py", 'p = "' + "/" + 'home/someone/data"'),
    ("connectors/a.py", "print(1)"),
])
def test_gate_refuses(path: str, text: str) -> None:
    assert complaints(Source(path, text))


@pytest.mark.parametrize(("path", "text"), [
    ("mmcore/a.py", "def f():\n" + BODY * (FUNCTION_LINES_MAX - 1) + "\n\n# next\n\n\nx = 1\n"),
    ("mmcore/a.pyx", "cdef int f() noexcept:\n" + BODY * (FUNCTION_LINES_MAX - 1)),
    ("runner/a.py", "print(1)"),
    ("mmcore/a.py", 'x = "print(1)"  # print(2)'),
    ("connectors/a.py", 'u = "wss://host/ws/api/v2"; v = footprint(1)'),
])
def test_gate_allows(path: str, text: str) -> None:
    assert complaints(Source(path, text)) == []


def test_function_lengths_are_counted() -> None:
    text = ("@deco\ndef f(a,\n      b):\n    '''doc\n\n    x'''\n    return 1\n"
            "\n\ndef g():\n    pass\n")
    assert [(f.name, f.line, f.length) for f in functions(Source("a.py", text))] == [
        ("f", 2, 6), ("g", 10, 2)]
