"""Python face of the journal ring's writer."""

from enum import IntEnum

from typing_extensions import Buffer, disjoint_base

class JournalKind(IntEnum):
    JOURNAL_HEADER = 1
    JOURNAL_FRAME_IN = 2
    JOURNAL_OUT = 3
    JOURNAL_TURN = 4
    JOURNAL_TIMER = 5
    JOURNAL_CONTROL = 6
    JOURNAL_WHY = 7
    JOURNAL_GAP = 8
    JOURNAL_PAD = 9
    JOURNAL_SESSION = 10

RING_MAGIC: int
RING_VERSION: int

@disjoint_base
class Journal:
    def __init__(self, buffer: Buffer | None = None) -> None: ...
    @property
    def lost(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def disk_fault(self) -> bool: ...
    def write(self, kind: int, source: int, now_ns: int, payload: Buffer) -> bool: ...
