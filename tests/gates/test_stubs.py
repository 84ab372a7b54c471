"""The Python face of every compiled module is written down, and true."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from compiled import setup_module
from source_tree import ROOT, Source, logical_lines, sources

ALLOWLIST = Path(__file__).with_name("stubtest_allowlist.txt")
# cdef classes and cdef functions of a .pyx show nothing in Python but the class and its methods.
FACE = re.compile(r"^(?:def|async def|cpdef|class|cdef class)\b|^[A-Za-z_]\w*\s*=")


def has_face(source: Source) -> bool:
    return any(line.indent == 0 and FACE.match(line.text) for line in logical_lines(source.code))


def faces(tree: list[Source]) -> list[str]:
    """Return the compiled modules Python can see something of; a .pxd adds cpdef enums."""
    compiled = {s.module for s in tree if s.path.endswith(".pyx")}
    return sorted({s.module for s in tree if s.module in compiled and has_face(s)})


def run_stubtest(modules: list[str], path: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "mypy.stubtest", *modules, "--allowlist", str(ALLOWLIST),
         "--ignore-unused-allowlist", "--mypy-config-file", str(ROOT / "pyproject.toml")],
        cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path, "MYPYPATH": str(folder)}, check=False,
    )


def test_every_face_has_a_stub() -> None:
    missing = [m for m in faces(sources(".pyx", ".pxd"))
               if not (ROOT / (m.replace(".", "/") + ".pyi")).exists()]
    assert not missing, f"no .pyi beside the .pyx of: {', '.join(missing)}"


@pytest.mark.slow
def test_stubs_are_true() -> None:
    modules = [m for m in setup_module().EXPECTED
               if (ROOT / (m.replace(".", "/") + ".pyi")).exists()]
    if not modules:
        return  # nothing compiled has a stub yet; the test above says whether one is missing
    result = run_stubtest(modules, os.environ["PYTHONPATH"], ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_gate_sees_a_false_stub(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "sample.pyi").write_text("def f(x: int, y: int) -> int: ...\n")
    result = run_stubtest(["sample"], str(tmp_path), tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "sample.f" in result.stdout


def test_gate_sees_a_face() -> None:
    assert has_face(Source("mmcore/a.pyx", "def f():\n    pass\n"))
    assert has_face(Source("mmcore/a.pxd", "cpdef enum Kind:\n    A = 1\n"))
    assert has_face(Source("mmcore/a.pyx", "cdef class A:\n    pass\n"))
    assert not has_face(Source("mmcore/a.pyx", "from x cimport y\ncdef int f() noexcept:\n    ..."))
