"""The journal ring as its reader sees it: wrap, padding, loss that is told, a second life."""

import random
import struct

import pytest

from mmcore.journal import RING_MAGIC, RING_VERSION, Journal, JournalKind

DATA = 4096
HEADER = struct.Struct("<6Q")           # magic version capacity written drained lost
RECORD = struct.Struct("<IHHq")         # size kind source now_ns
FRAME = JournalKind.JOURNAL_FRAME_IN


class Reader:
    """The consumer's side, from the layout alone."""

    def __init__(self, ring: bytearray) -> None:
        self.ring = ring

    @property
    def header(self) -> tuple[int, ...]:
        return HEADER.unpack_from(self.ring)

    def drain(self) -> list[tuple[int, int, int, bytes]]:
        _, _, capacity, written, drained, _ = self.header
        rows = []
        while drained < written:
            at = DATA + drained % capacity
            size, kind, source, now_ns = RECORD.unpack_from(self.ring, at)
            if kind != JournalKind.JOURNAL_PAD:
                body = bytes(self.ring[at + RECORD.size:at + RECORD.size + size])
                rows.append((kind, source, now_ns, body))
            drained += (RECORD.size + size + 15) & ~15
        assert drained == written
        struct.pack_into("<Q", self.ring, 32, drained)
        return rows


def ring(capacity: int = 4096) -> bytearray:
    return bytearray(DATA + capacity)


def test_header_and_one_record() -> None:
    memory = ring()
    journal = Journal(memory)
    assert journal.write(FRAME, 3, 12345, b"hello")
    assert Reader(memory).header == (RING_MAGIC, RING_VERSION, 4096, 32, 0, 0)
    assert memory[:8] == b"MM0RING1"
    assert journal.depth == 32
    assert Reader(memory).drain() == [(FRAME, 3, 12345, b"hello")]
    assert journal.depth == 0


def test_wrap_and_padding(seed: int) -> None:
    rng, memory = random.Random(seed), ring()
    journal, reader = Journal(memory), Reader(memory)
    sent, found = [], []
    for i in range(3000):
        body = rng.randbytes(rng.randrange(0, 600))
        assert journal.write(FRAME, i % 7, i, body)
        sent.append((FRAME, i % 7, i, body))
        if rng.random() < 0.5 or journal.depth > 2500:
            found += reader.drain()
    assert found + reader.drain() == sent
    assert journal.lost == 0


def test_a_full_ring_counts_and_tells_its_loss() -> None:
    memory = ring()
    journal, reader = Journal(memory), Reader(memory)
    for i in range(200):
        journal.write(FRAME, 0, i, b"x" * 48)           # 64 bytes each: 64 of them fit
    assert journal.lost == 200 - 64
    assert [now for _, _, now, _ in reader.drain()] == list(range(64))
    assert journal.write(FRAME, 0, 999, b"after")
    rows = reader.drain()
    assert [row[0] for row in rows] == [JournalKind.JOURNAL_GAP, FRAME]
    assert struct.unpack("<Q", rows[0][3]) == (136,)
    assert rows[1][3] == b"after"


def test_a_full_ring_is_not_filled_with_gaps_alone() -> None:
    memory = ring()
    journal, reader = Journal(memory), Reader(memory)
    for i in range(64):
        journal.write(FRAME, 0, i, b"x" * 48)
    assert not journal.write(FRAME, 0, 64, b"")         # lost: 1
    struct.pack_into("<Q", memory, 32, 64)              # the reader frees one record of 64
    assert not journal.write(FRAME, 0, 65, b"x" * 48)   # room for a gap, not for both
    assert [row[0] for row in reader.drain()] == [FRAME] * 63
    assert journal.write(FRAME, 0, 66, b"y")
    gap, last = reader.drain()
    assert (struct.unpack("<Q", gap[3]), last[3]) == ((2,), b"y")
    assert journal.lost == 2


def test_a_payload_larger_than_the_ring_is_lost_not_written() -> None:
    memory = ring()
    journal = Journal(memory)
    assert not journal.write(FRAME, 0, 1, b"x" * 5000)
    assert (journal.lost, journal.depth) == (1, 0)


def test_a_second_writer_continues_the_ring() -> None:
    memory = ring()
    Journal(memory).write(FRAME, 0, 1, b"first life")
    journal = Journal(memory)
    journal.write(FRAME, 0, 2, b"second life")
    assert [row[3] for row in Reader(memory).drain()] == [b"first life", b"second life"]


def test_wrong_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        Journal(bytearray(DATA + 5000))
    with pytest.raises(ValueError, match="power of two"):
        Journal(bytearray(DATA + 1024))
    memory = ring()
    Journal(memory)
    struct.pack_into("<Q", memory, 8, 99)
    with pytest.raises(ValueError, match="another version"):
        Journal(memory)


def test_without_memory_it_keeps_nothing() -> None:
    journal = Journal()
    assert journal.write(FRAME, 0, 1, b"x")
    assert (journal.lost, journal.depth) == (0, 0)
