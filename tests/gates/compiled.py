"""What the gates know of the compiled modules: the settings of setup.py and annotated lines."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from source_tree import ROOT, Source, functions


def setup_module() -> ModuleType:
    """Import setup.py, which builds nothing when it is imported."""
    spec = importlib.util.spec_from_file_location("setup_of_tree", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_kind() -> str:
    """Return the kind of the build under test, as make names it."""
    return os.environ.get("MM_BUILD", "release")


def line_scores(source: Path, folder: Path, search_in: Path) -> dict[int, int]:
    """Annotate a .pyx with the project's directives; return the Python score of each line."""
    directives = [f"-X{name}={value}" for name, value in setup_module().DIRECTIVES.items()]
    output = folder / (source.stem + ".c")
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", "-a", *directives, str(source), "-o", str(output)],
        check=True, cwd=search_in, capture_output=True, text=True,
    )
    html = output.with_suffix(".html").read_text()
    rows = re.findall(r'<pre class="cython line score-(\d+)"[^>]*>[^<]*<span[^>]*>0*(\d+)</span>',
                      html)
    return {int(number): int(score) for score, number in rows}


def python_lines(source: Source, name: str, scores: dict[int, int]) -> list[int]:
    """Return the lines of one function that touch Python; its signature line does not count."""
    for function in functions(source):
        if function.name == name:
            first = function.line + 1
            body = range(first, function.line + function.length)
            return [n for n in body if scores.get(n, 0) > 0]
    raise AssertionError(f"{source.path} has no function {name}; mend the list in the gate")
