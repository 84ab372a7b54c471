"""The newest of a journal: its last blocks on disk, then the ring as the engine writes it.

The ring is only read. What the engine writes over while it is read is noticed and left out.
"""

import mmap
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import zstandard

from connectors.replay.journal import RECORD, Block, Damage, Record, read_blocks, segments
from mmcore.journal import JournalKind

RING_HEADER = struct.Struct("<6Q")      # magic, version, capacity, written, drained, lost
RING_MAGIC = 0x31474E4952304D4D
RING_DATA = 4096
STORED_MAX = 4 << 20                    # of blocks read back from disk at the start
CHUNK_MAX = 4 << 20                     # of the ring taken at a time


class JournalTail:
    """Follows one maker's journal. shared: folder of the ring; folder: of the segments."""

    def __init__(self, shared: Path, folder: Path | None) -> None:
        self.shared = shared
        self.folder = folder
        self.ring: mmap.mmap | None = None
        self.file = (0, 0)
        self.position = 0
        self.missed = 0         # times the engine was faster than we

    def poll(self) -> Iterator[Record]:
        """Yield what was written since the last time; the first time, what the disk still has."""
        fresh = self.attach()
        if self.ring is None:
            return
        _, _, capacity, written, drained, _ = RING_HEADER.unpack_from(self.ring, 0)
        if fresh:
            self.position = drained
            yield from self.history(capacity, written)
        while self.position < written:
            if written - self.position > capacity:
                self.missed += 1
                self.position = written
                return
            yield from self.chunk(capacity, written)

    def attach(self) -> bool:
        """Map the ring, anew where another maker made another; return whether it is a fresh one."""
        for path in sorted(self.shared.glob("ring-*")):
            try:
                stat = path.stat()
                if self.ring is not None and (stat.st_dev, stat.st_ino) == self.file:
                    return False
                with path.open("rb") as file:
                    ring = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            except (OSError, ValueError):
                continue
            if RING_HEADER.unpack_from(ring, 0)[0] == RING_MAGIC:
                self.ring, self.file = ring, (stat.st_dev, stat.st_ino)
                return True
        return False

    def history(self, capacity: int, written: int) -> Iterator[Record]:
        """Yield the last blocks of the newest segment, and go on behind them in the ring."""
        found = segments(self.folder) if self.folder is not None else []
        kept: deque[Block] = deque()
        stored = 0
        damage: list[Damage] = []       # the block being written now looks torn
        for path in found[-1:]:
            for block in read_blocks(path, damage):
                kept.append(block)
                stored += len(block.stored)
                while stored > STORED_MAX:
                    stored -= len(kept.popleft().stored)
        decompressor = zstandard.ZstdDecompressor()
        for block in kept:
            raw = decompressor.decompress(block.stored, max_output_size=block.raw_size)
            offset = 0
            while offset < len(raw):
                size, kind, source, now_ns = RECORD.unpack_from(raw, offset)
                start = offset + RECORD.size
                yield Record(kind, source, now_ns, raw[start:start + size])
                offset = (start + size + 7) & ~7
        if kept and self.position <= kept[-1].position <= written:
            self.position = kept[-1].position

    def chunk(self, capacity: int, written: int) -> Iterator[Record]:
        """Yield the records of one stretch that does not wrap."""
        assert self.ring is not None
        start = self.position & (capacity - 1)
        length = min(written - self.position, capacity - start, CHUNK_MAX)
        raw = bytes(self.ring[RING_DATA + start:RING_DATA + start + length])
        now_written = RING_HEADER.unpack_from(self.ring, 0)[3]
        if now_written - self.position > capacity:      # written over meanwhile
            self.missed += 1
            self.position = now_written
            return
        offset = 0
        while offset + RECORD.size <= length:
            size, kind, source, now_ns = RECORD.unpack_from(raw, offset)
            end = offset + ((RECORD.size + size + 15) & ~15)
            if end > length:
                break                                   # the rest comes with the next stretch
            if kind != JournalKind.JOURNAL_PAD:
                yield Record(kind, source, now_ns,
                             raw[offset + RECORD.size:offset + RECORD.size + size])
            offset = end
        if offset == 0:                                 # a record larger than a stretch
            self.missed += 1
            offset = written - self.position
        self.position += offset
