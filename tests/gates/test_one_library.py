"""Modules linked into one library import as modules of their own, two of one name among them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiled import setup_module
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

SOURCE = """\
#include <Python.h>
static struct PyModuleDef this = {PyModuleDef_HEAD_INIT, "%s", "%s", 0};
PyMODINIT_FUNC PyInit_orders(void) { return PyModuleDef_Init(&this); }
"""
LOOK = """\
import mmcore, pkgutil
import mmcore.orders as first, connectors.sim.orders as second
print(first.__name__, first.__doc__, second.__name__, second.__doc__)
print(len({line.split()[-1] for line in open("/proc/self/maps") if "libmm.so" in line}))
print(*(module.name for module in pkgutil.iter_modules(mmcore.__path__)))
"""


def test_two_modules_of_one_name_come_from_one_library(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = sys.modules[setup_module().one_library.__name__]
    extensions = []
    for package, says in (("mmcore", "core"), ("connectors.sim", "exchange")):
        folder = tmp_path / "lib" / package.replace(".", "/")
        folder.mkdir(parents=True)
        source = tmp_path / f"{says}.c"
        source.write_text(SOURCE % ("orders", says))
        extensions.append(Extension(f"{package}.orders", [str(source)],
                                    extra_compile_args=["-O1", "-flto"]))
    command = build_ext(Distribution({"ext_modules": extensions}))
    command.build_lib, command.build_temp = str(tmp_path / "lib"), str(tmp_path / "obj")
    command.ensure_finalized()
    command.build_extensions = lambda: library.build(command, extensions, 2)
    monkeypatch.setenv("MM_ONLY", "mmcore.*")
    with pytest.raises(SystemExit, match="MM_ONLY would leave"):
        library.build(command, extensions, 2)
    monkeypatch.delenv("MM_ONLY")
    command.run()
    # moved, for a wheel is unpacked where it was not built
    (tmp_path / "lib").rename(tmp_path / "elsewhere")
    seen = subprocess.run(
        [sys.executable, "-P", "-c", LOOK], check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "elsewhere")}).stdout.split()
    assert seen == ["mmcore.orders", "core", "connectors.sim.orders", "exchange", "1",
                    "orders"]
