"""The journal on disk: its format, and the way to read it back.

A segment `NNNNNN.mmj` is SEGMENT_MAGIC and then blocks. A block is BLOCK (magic, sizes, checksum,
ring, position) and a zstandard frame of whole records; a record is RECORD (payload size, kind,
source, now_ns) and its payload, padded to 8 bytes. The first record of a segment is the header.
A crash can only tear the last block of the last segment; everything before it reads back whole.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

from mmcore.journal import JournalKind

SEGMENT_MAGIC = b"MMJ00001"
SEGMENT_GLOB = "[0-9][0-9][0-9][0-9][0-9][0-9].mmj"
BLOCK_MAGIC = b"BLK1"
# magic, raw size, stored size, crc32 of what is stored, id of the ring, ring position behind it
BLOCK = struct.Struct("<4sIIIQQ")
RECORD = struct.Struct("<IHHq")
BLOCK_RAW_MAX = 64 << 20


class Record(NamedTuple):
    """One engine input or output. now_ns is the engine's clock; source a market or connection."""

    kind: int
    source: int
    now_ns: int
    payload: bytes


class Damage(NamedTuple):
    """Where a segment stops being readable."""

    path: Path
    offset: int
    reason: str


class JournalDamagedError(Exception):
    """The journal ends before its last file does; everything before was delivered."""

    def __init__(self, damage: Damage) -> None:
        self.damage = damage
        super().__init__(f"{damage.path.name}: {damage.reason} at byte {damage.offset}; "
                         "everything before it was read")


class Block(NamedTuple):
    """A whole block of a segment, not decompressed."""

    end: int                # offset in the file behind it
    ring: int
    position: int
    raw_size: int
    stored: bytes


def segments(folder: Path) -> list[Path]:
    """Return the segments of a journal folder in their order."""
    return sorted(folder.glob(SEGMENT_GLOB))


def read_journal(folder: Path, damage: list[Damage] | None = None) -> Iterator[Record]:
    """Yield every record in the order it was written, up to the first damage.

    A torn or corrupt block ends the reading: it is put into `damage` where a list is given, else
    JournalDamagedError is raised behind the last whole record. Repeated headers are left out.
    """
    header = b""
    for path in segments(folder):
        found: list[Damage] = []
        for record in read_segment(path, found):
            if record.kind == JournalKind.JOURNAL_HEADER:
                if record.payload == header:
                    continue
                header = record.payload
            yield record
        if found:
            if damage is None:
                raise JournalDamagedError(found[0])
            damage.append(found[0])
            return


def read_segment(path: Path, damage: list[Damage]) -> Iterator[Record]:
    """Yield the records of one segment; a place where it is torn or corrupt goes to `damage`."""
    decompressor = zstandard.ZstdDecompressor()
    for block in read_blocks(path, damage):
        raw = decompressor.decompress(block.stored, max_output_size=block.raw_size)
        offset = 0
        while offset < len(raw):
            size, kind, source, now_ns = RECORD.unpack_from(raw, offset)
            start = offset + RECORD.size
            yield Record(kind, source, now_ns, raw[start:start + size])
            offset = (start + size + 7) & ~7


def read_blocks(path: Path, damage: list[Damage]) -> Iterator[Block]:
    """Yield the whole blocks of a segment, each checked against its checksum."""
    with path.open("rb") as file:
        if file.read(len(SEGMENT_MAGIC)) != SEGMENT_MAGIC:
            damage.append(Damage(path, 0, "not a journal segment"))
            return
        end = len(SEGMENT_MAGIC)
        while head := file.read(BLOCK.size):
            if len(head) < BLOCK.size:
                damage.append(Damage(path, end, "torn block"))
                return
            magic, raw_size, stored_size, checksum, ring, position = BLOCK.unpack(head)
            if magic != BLOCK_MAGIC or raw_size > BLOCK_RAW_MAX or stored_size > BLOCK_RAW_MAX:
                damage.append(Damage(path, end, "corrupt block header"))
                return
            stored = file.read(stored_size)
            if len(stored) < stored_size:
                damage.append(Damage(path, end, "torn block"))
                return
            if zlib.crc32(head[:12] + head[16:] + stored) != checksum:
                damage.append(Damage(path, end, "checksum differs"))
                return
            end += BLOCK.size + stored_size
            yield Block(end, ring, position, raw_size, stored)


def pack_block(records: bytes, ring: int, position: int) -> bytes:
    """Compress whole records into a block."""
    stored = zstandard.ZstdCompressor(level=3).compress(records)
    head = BLOCK.pack(BLOCK_MAGIC, len(records), len(stored), 0, ring, position)
    checksum = zlib.crc32(head[:12] + head[16:] + stored)
    return BLOCK.pack(BLOCK_MAGIC, len(records), len(stored), checksum, ring, position) + stored


def pack_record(record: Record) -> bytes:
    """Return a record as it lies in a block."""
    head = RECORD.pack(len(record.payload), record.kind, record.source, record.now_ns)
    return head + record.payload + bytes(-len(record.payload) % 8)
