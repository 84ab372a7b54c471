"""The project's sources as the gates see them: files, code without comments, functions, imports."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("mmcore", "connectors", "runner")
SUFFIXES = (".py", ".pyx", ".pxd")

STRINGS_AND_COMMENTS = re.compile(
    r'"""(?:\\.|[^\\])*?"""'
    r"|'''(?:\\.|[^\\])*?'''"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'"
    r"|\#[^\n]*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Source:
    """One source file; path is relative to the root, code has no comments and empty strings."""

    path: str
    text: str

    @property
    def code(self) -> str:
        return STRINGS_AND_COMMENTS.sub(_blank, self.text)

    @property
    def module(self) -> str:
        parts = Path(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@dataclass(frozen=True)
class Line:
    """One logical line: continued lines joined, indentation kept, number of its first line."""

    number: int
    text: str

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())


@dataclass(frozen=True)
class Function:
    """One function with a body: line of its signature, lines to its end."""

    name: str
    signature: str
    line: int
    length: int


@dataclass(frozen=True)
class Import:
    """One imported module or name, dotted; relative imports start with a dot."""

    name: str
    line: int


def _blank(match: re.Match[str]) -> str:
    text = match.group()
    if text.startswith("#"):
        return ""
    # Newlines stay, so that line numbers do; a docstring stays a statement.
    return '""' + "\n" * text.count("\n")


def sources(*suffixes: str) -> list[Source]:
    """Return the project's sources with these suffixes, .py .pyx .pxd by default."""
    wanted = suffixes or SUFFIXES
    paths = sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*") if p.suffix in wanted)
    return [Source(str(p.relative_to(ROOT)), p.read_text()) for p in paths]


def logical_lines(code: str) -> list[Line]:
    """Join lines inside brackets and after a backslash."""
    lines: list[Line] = []
    held, first, depth = "", 0, 0
    for number, raw in enumerate(code.split("\n"), 1):
        if not held:
            first = number
        held += raw if not held else " " + raw.strip()
        depth += sum(raw.count(c) for c in "([{") - sum(raw.count(c) for c in ")]}")
        if raw.endswith("\\"):
            held = held[:-1]
            continue
        if depth > 0:
            continue
        depth = 0
        if held.strip():
            lines.append(Line(first, held.rstrip()))
        held = ""
    if held.strip():
        lines.append(Line(first, held.rstrip()))
    return lines


DEFINITION = re.compile(r"^(?:async\s+def|def|cdef(?!\s+class)|cpdef)\b[^=(]*?(\w+)\s*\(.*:$")


def functions(source: Source) -> list[Function]:
    """Return the functions that have a body, with the lines they take."""
    lines = logical_lines(source.code)
    found = []
    for index, line in enumerate(lines):
        match = DEFINITION.match(line.text.strip())
        if not match:
            continue
        end = next((x.number for x in lines[index + 1:] if x.indent <= line.indent), None)
        last = _last_line(source, line, end)
        found.append(Function(match.group(1), line.text.strip(), line.number,
                              last - line.number + 1))
    return found


def _last_line(source: Source, line: Line, end: int | None) -> int:
    """Return the last line of a body, without the blank and comment lines below it."""
    rows = source.text.split("\n")
    last = (end - 1) if end else len(rows)
    while last > line.number:
        row = rows[last - 1]
        stripped = row.lstrip()
        outside = len(row) - len(stripped) <= line.indent and stripped.startswith(("#", "@"))
        if stripped and not outside:
            break
        last -= 1
    return last


FROM = re.compile(r"^from\s+(\S+)\s+c?import\s+(.+)$")
PLAIN = re.compile(r"^c?import\s+(.+)$")


def imports(source: Source) -> list[Import]:
    """Return what a source imports or cimports: for `from a import b` both a and a.b."""
    found = []
    for line in logical_lines(source.code):
        for statement in line.text.strip().split(";"):
            found += [Import(name, line.number) for name in _imported(statement.strip())]
    return found


def _imported(statement: str) -> list[str]:
    # The file name of `cdef extern from "x.h"` is a string and not matched here.
    match = FROM.match(statement)
    if match:
        base, names = match.group(1), match.group(2).strip("() ")
        return [base] + [f"{base}.{part}" for part in _names(names) if part != "*"]
    match = PLAIN.match(statement)
    return _names(match.group(1)) if match else []


def _names(text: str) -> list[str]:
    return [part.split()[0] for part in text.split(",") if part.strip()]
