"""The journal helper: drains the ring of the reactor into compressed, checksummed segments.

A process of its own, so that neither compression nor a slow disk can hold up the reactor. Bytes
are marked as drained only when they are in the file: whatever kills this process, the ring still
holds what the file lacks, and the next recorder goes on there, without loss and without doubles.
"""

import mmap
import os
import select
import signal
import sys
import time
from pathlib import Path

from connectors.replay.journal import (
    BLOCK,
    RECORD,
    SEGMENT_MAGIC,
    Damage,
    Record,
    pack_block,
    pack_record,
    read_blocks,
    read_segment,
    segments,
)
from mmcore.journal import RING_MAGIC, RING_VERSION, JournalKind

# Of RingHeader (mmcore/journal.pxd), in words of 8 bytes; the recorder keeps its own word behind.
MAGIC, VERSION, CAPACITY, WRITTEN, DRAINED, LOST = range(6)
# Words the recorder writes: the ring's id, whether the disk refuses, and what it did.
RING_ID, FAULT, WRITTEN_BYTES, SEGMENTS_BEGUN, SEGMENTS_DELETED = range(256, 261)
RING_DATA_OFFSET = 4096
RING_ALIGN = 16             # a record's place in the ring; on disk records are closer

POLL_S = 0.02
FLUSH_S = 0.5               # a quiet market's records wait at most this long in the ring
BLOCK_RAW_BYTES = 256 << 10
SEGMENT_BYTES = 64 << 20
DISK_RETRY_S = 1.0


class RingError(Exception):
    """The ring does not hold what its header says."""


class Ring:
    """The consumer's side of the journal ring."""

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self.data = memoryview(memory)
        # Whole aligned words: a load or store of one is a single instruction.
        self.words = self.data[:RING_DATA_OFFSET].cast("Q")
        if self.words[MAGIC] != RING_MAGIC or self.words[VERSION] != RING_VERSION:
            raise RingError("no journal ring of this version")
        self.capacity = self.words[CAPACITY]
        if self.words[RING_ID] == 0:
            self.words[RING_ID] = int.from_bytes(os.urandom(7), "little") + 1
        self.ring_id = self.words[RING_ID]

    @property
    def waiting(self) -> int:
        """Bytes not drained yet."""
        return self.words[WRITTEN] - self.words[DRAINED]

    def take(self, size_max: int) -> tuple[list[Record], int]:
        """Return about size_max bytes of records, and the position behind them."""
        written = self.words[WRITTEN]
        position = self.words[DRAINED]
        stop = min(written, position + size_max)
        found: list[Record] = []
        while position < stop:
            offset = position % self.capacity
            to_end = self.capacity - offset
            start = RING_DATA_OFFSET + offset
            size, kind, source, now_ns = RECORD.unpack_from(self.data, start)
            if kind == JournalKind.JOURNAL_PAD:
                position += to_end
                continue
            used = (RECORD.size + size + RING_ALIGN - 1) & -RING_ALIGN
            if used > to_end or position + used > written:
                raise RingError(f"record of {size} bytes at {position} exceeds the ring")
            start += RECORD.size
            found.append(Record(kind, source, now_ns, bytes(self.data[start:start + size])))
            position += used
        return found, position

    def drained(self, position: int) -> None:
        """Give the room before a position back to the producer."""
        self.words[DRAINED] = position


class Segments:
    """Writer of a journal folder."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES,
                 quota_bytes: int = 0) -> None:
        """quota_bytes: the oldest segments beyond it are deleted; 0: never."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.quota_bytes = quota_bytes
        self.begun = 0
        self.deleted = 0
        self.written_bytes = 0
        self.header: Record | None = None
        self.last_ring = 0
        self.last_position = 0
        self.repaired: Damage | None = None
        self.handle = -1
        self.size = 0
        existing = segments(folder)
        self.number = int(existing[-1].stem) if existing else 0
        if existing:
            self.continue_from(existing[-1])

    def continue_from(self, path: Path) -> None:
        """Cut a torn end off the last segment; learn its header and how far it went."""
        damage: list[Damage] = []
        end = 0
        for block in read_blocks(path, damage):
            end, self.last_ring, self.last_position = block.end, block.ring, block.position
        if damage:
            self.repaired = damage[0]
            if end == 0:
                path.unlink()
            else:
                os.truncate(path, end)
        if end:
            self.header = next((r for r in read_segment(path, [])
                                if r.kind == JournalKind.JOURNAL_HEADER), None)

    def append(self, records: list[Record], ring: int, position: int) -> None:
        """Write records as one block; OSError leaves the file as it was before."""
        if self.handle < 0 or self.size >= self.segment_bytes:
            self.rotate()
        lead = self.header
        if self.size == len(SEGMENT_MAGIC) and lead is not None \
                and records[0].kind != JournalKind.JOURNAL_HEADER:
            records = [lead, *records]
        block = pack_block(b"".join(map(pack_record, records)), ring, position)
        try:
            write_all(self.handle, block)
        except OSError:
            os.ftruncate(self.handle, self.size)
            os.lseek(self.handle, self.size, os.SEEK_SET)
            raise
        self.size += len(block)
        self.written_bytes += len(block)
        for record in records:
            if record.kind == JournalKind.JOURNAL_HEADER:
                self.header = record

    def rotate(self) -> None:
        """Begin the next segment."""
        self.close()
        path = self.folder / f"{self.number + 1:06d}.mmj"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(handle, SEGMENT_MAGIC)
        except OSError:
            os.close(handle)
            path.unlink()
            raise
        self.number += 1
        self.begun += 1
        self.handle = handle
        self.size = len(SEGMENT_MAGIC)
        self.keep_quota()

    def keep_quota(self) -> None:
        """Delete the oldest segments until the rest and one full segment fit into the quota."""
        if not self.quota_bytes:
            return
        older = segments(self.folder)[:-1]
        sizes = [path.stat().st_size for path in older]
        total = sum(sizes) + self.segment_bytes
        for path, size in zip(older, sizes, strict=True):
            if total <= self.quota_bytes:
                return
            path.unlink()
            self.deleted += 1
            total -= size

    def close(self) -> None:
        """Bring the open segment onto the disk."""
        if self.handle >= 0:
            os.fsync(self.handle)
            os.close(self.handle)
            self.handle = -1


def write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest):]


class Recorder:
    """Moves records from a ring to segments."""

    def __init__(self, ring: Ring, out: Segments) -> None:
        self.ring = ring
        self.out = out
        self.flushed_s = time.monotonic()
        # A recorder that died between writing a block and saying so left it in both places.
        if out.last_ring == ring.ring_id and out.last_position > ring.words[DRAINED]:
            ring.drained(out.last_position)

    def step(self, *, everything: bool = False) -> int:
        """Write what is due; return the number of records written."""
        try:
            count = self.move(everything=everything)
        except OSError:
            self.ring.words[FAULT] = 1
            raise
        if count:
            self.ring.words[FAULT] = 0
        self.ring.words[WRITTEN_BYTES] = self.out.written_bytes
        self.ring.words[SEGMENTS_BEGUN] = self.out.begun
        self.ring.words[SEGMENTS_DELETED] = self.out.deleted
        return count

    def move(self, *, everything: bool) -> int:
        late = time.monotonic() - self.flushed_s >= FLUSH_S
        count = 0
        while self.ring.waiting >= (1 if everything or late else BLOCK_RAW_BYTES):
            records, position = self.ring.take(BLOCK_RAW_BYTES)
            if records:
                self.out.append(records, self.ring.ring_id, position)
            self.ring.drained(position)
            self.flushed_s = time.monotonic()
            late = False
            count += len(records)
        return count


def map_ring(path: Path) -> mmap.mmap:
    """Map an existing ring for reading and for giving room back."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return mmap.mmap(handle, 0, flags=mmap.MAP_SHARED)
    finally:
        os.close(handle)


def drain(path: Path, folder: Path) -> int:
    """Save what a dead session left in its ring; return the number of records."""
    recorder = Recorder(Ring(map_ring(path)), Segments(folder))
    count = recorder.step(everything=True)
    recorder.out.close()
    return count


def serve(ring_path: Path, folder: Path, segment_bytes: int = SEGMENT_BYTES,
          quota_bytes: int = 0) -> int:
    """Record until standard input ends, then write the rest. Return the exit code."""
    ended = False

    def leave(_number: int, _frame: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, leave)
    for other in ring_path.parent.glob("ring-*"):
        if other != ring_path:          # of a session that died and had another ring size
            say(f"{other.name}: saved {drain(other, folder)} records of an earlier session")
            other.unlink()
    ring = Ring(map_ring(ring_path))
    out = None
    while out is None:
        try:
            out = Segments(folder, segment_bytes, quota_bytes)
        except OSError as error:
            ring.words[FAULT] = 1
            if ended or standard_input_ended(DISK_RETRY_S):
                say(f"cannot write the journal: {error}")
                return 1
    recorder = Recorder(ring, out)
    if recorder.out.repaired:
        damage = recorder.out.repaired
        say(f"{damage.path.name}: {damage.reason} at byte {damage.offset}, cut off")
    complained = False
    while True:
        ended = ended or standard_input_ended(POLL_S)
        try:
            recorder.step(everything=ended)
        except RingError as error:
            say(str(error))
            return 1
        except OSError as error:
            # The ring fills meanwhile; the engine counts what it loses and says so.
            if not complained:
                say(f"cannot write the journal: {error}; trying again every {DISK_RETRY_S:g} s")
            complained = True
            if ended:
                return 1
            ended = standard_input_ended(DISK_RETRY_S)
            continue
        complained = False
        if ended:
            recorder.out.close()
            return 0


def standard_input_ended(wait_s: float) -> bool:
    """Wait for the reactor's pipe to end, at most so long."""
    ready, _, _ = select.select([0], [], [], wait_s)
    return bool(ready) and os.read(0, 4096) == b""


def say(text: str) -> None:
    sys.stderr.write(f"mm recorder: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    assert BLOCK.size % 8 == 0
    sys.exit(serve(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:5])))
