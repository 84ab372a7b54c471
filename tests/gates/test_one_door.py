"""Nothing but the gate makes an approved batch, and nothing but the sink writes one."""

import re

from source_tree import Source, sources

CAST = re.compile(r"<\s*(?:const\s+)?ApprovedBatch\s*\*?\s*>")
MADE = re.compile(r"\bcdef\s+(?:readonly\s+)?ApprovedBatch\s+\w")
WRITE = re.compile(r"\.underlying_transport\.write\(")


def complaints(tree: list[Source]) -> list[str]:
    found = []
    for source in tree:
        for n, line in enumerate(source.code.split("\n"), 1):
            if CAST.search(line) and source.module != "mmcore.risk":
                found.append(f"{source.path}:{n}: only RiskGate.release() makes an ApprovedBatch")
            if MADE.search(line):
                found.append(f"{source.path}:{n}: an ApprovedBatch is never declared by value")
            if WRITE.search(line) and source.module != "connectors.deribit.session":
                found.append(f"{source.path}:{n}: only the session's sink writes to the socket")
    return found


def test_one_door() -> None:
    found = complaints(sources(".pyx", ".pxd"))
    assert not found, "\n" + "\n".join(found)


def test_the_gate_sees_another_door() -> None:
    for text in ("x = <const ApprovedBatch*>batch\n", "cdef ApprovedBatch mine\n",
                 "self.transport.underlying_transport.write(b)\n"):
        assert complaints([Source("mmcore/engine.pyx", text)])
