"""Every cdef and cpdef function states what happens when it fails.

A bare signature makes each caller ask whether an exception is pending, some while taking the
interpreter's lock. A function that returns an object answers with NULL and needs nothing.
"""

import re

import pytest
from source_tree import Line, Source, logical_lines, sources

OBJECTS = {"object", "bytes", "bytearray", "str", "list", "dict", "tuple", "set", "frozenset",
           "memoryview", "type"}
# Extension types of other packages that our signatures return.
FOREIGN_CLASSES = {"WSFrame", "WSListener", "WSTransport"}
QUALIFIERS = {"inline", "public", "api", "readonly", "const", "static"}

FUNCTION = re.compile(r"^(?:cdef|cpdef)\s+(?P<head>[^=(]*?)(?P<name>\w+)\s*\((?!\s*\*)")
POINTER = re.compile(r"^(?:ctypedef|cdef)\s+[^=(]*\(\s*\*\s*(?P<name>\w+)\s*\)\s*\(")
CLASS = re.compile(r"^(?:cdef|cpdef)\s+(?:public\s+|api\s+)*class\s+(\w+)")
CONTRACT = re.compile(r"\b(noexcept|except\b)")
NOT_FUNCTIONS = re.compile(
    r"^(?:cdef|cpdef)\s+(?:public\s+|api\s+|packed\s+)*(?:class|struct|union|enum|extern)\b")


def extension_types(tree: list[Source]) -> set[str]:
    """Return the names of all cdef classes."""
    lines = [line.text.strip() for source in tree for line in logical_lines(source.code)]
    return FOREIGN_CLASSES | {m.group(1) for text in lines if (m := CLASS.match(text))}


def after_arguments(text: str, start: int) -> str:
    """Return what follows the argument list whose opening bracket is at start."""
    depth = 0
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return text[position + 1:]
    return ""


def complaint(line: Line, classes: set[str]) -> str | None:
    """Say what a logical line declares without a contract, or None."""
    text = line.text.strip()
    if text == "cdef:":
        return "grouped declarations hide signatures; write cdef on each line"
    pointer = POINTER.match(text)
    if pointer:
        tail = after_arguments(text, pointer.end() - 1)
        return None if CONTRACT.search(tail) else f"function pointer {pointer['name']} is bare"
    match = FUNCTION.match(text)
    if not match or NOT_FUNCTIONS.match(text):
        return None
    returned = [w for w in match["head"].split() if w not in QUALIFIERS]
    kind = " ".join(returned).split("[")[0]
    if kind in {"", *OBJECTS, *classes}:
        return None
    tail = after_arguments(text, text.index("(", match.end("name")))
    if CONTRACT.search(tail):
        return None
    return (f"{match['name']} is bare; end its signature with noexcept, or except and the value "
            "that says failure")


def complaints(source: Source, classes: set[str]) -> list[str]:
    return [f"{source.path}:{line.number}: {said}" for line in logical_lines(source.code)
            if (said := complaint(line, classes))]


def test_every_function_states_its_contract() -> None:
    tree = sources(".pyx", ".pxd")
    classes = extension_types(tree)
    found = [c for source in tree for c in complaints(source, classes)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("text", [
    "cdef int f(self)",
    "cdef double f(double x) nogil:",
    "cpdef void f():",
    "cdef inline int64_t f(int a,\n                    int b):",
    "cdef Quote f()",
    "cdef const Level* f(int i) nogil",
    "cdef int f(int a=sizeof(int)):",
    "cdef int f(object noexcept_reason):",
    "ctypedef int (*Visit)(int level) nogil",
    "cdef int f()  # noexcept",
    "cdef:\n    int f()",
])
def test_gate_refuses(text: str) -> None:
    assert complaints(Source("mmcore/bad.pxd", text + "\n"), {"Book"})


@pytest.mark.parametrize("text", [
    "cdef int f(self) except -1",
    "cdef double f(double x) noexcept nogil:",
    "cdef double f(double x) except? -1e300:",
    "cdef int f(int a,\n           int b) noexcept:",
    "cdef object f(self):", "cdef f(self):", "cpdef bytes f(self):", "cdef Book f(self)",
    "cdef list[int] f(self)",
    "cdef int x = f(3)", "cdef Book b = Book(3)", "cdef int64_t[::1] view", "cdef int a[4]",
    "cdef class Book(Sink):", "cpdef enum Kind:", "cdef extern from \"x.h\" nogil:",
    "ctypedef int (*Visit)(int level) noexcept nogil", '"""cdef int f(self)"""',
])
def test_gate_allows(text: str) -> None:
    assert complaints(Source("mmcore/good.pxd", text + "\n"), {"Book"}) == []
