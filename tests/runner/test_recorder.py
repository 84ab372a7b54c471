"""The journal helper: nothing is lost, nothing comes twice, whatever dies when."""

import errno
import mmap
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.replay.journal import (
    BLOCK,
    SEGMENT_MAGIC,
    Damage,
    JournalDamagedError,
    Record,
    pack_block,
    pack_record,
    read_journal,
    segments,
)
from mmcore.journal import Journal, JournalKind
from runner import recorder
from runner.recorder import RING_DATA_OFFSET, Recorder, Ring, Segments
from runner.state import map_file

pytestmark = pytest.mark.quick
HEADER = Record(JournalKind.JOURNAL_HEADER, 0, 5, b'{"build":"test"}')


def ring_memory(capacity: int = 1 << 16) -> bytearray:
    return bytearray(RING_DATA_OFFSET + capacity)


def frame(rng: random.Random, i: int) -> Record:
    return Record(JournalKind.JOURNAL_FRAME_IN, i % 3, 1000 + i, rng.randbytes(rng.randrange(300)))


def put(journal: Journal, record: Record) -> bool:
    return journal.write(record.kind, record.source, record.now_ns, record.payload)


def contents(folder: Path) -> list[Record]:
    return list(read_journal(folder))


def test_records_come_back_in_order_across_wraps_and_segments(tmp_path: Path) -> None:
    seed = 11
    rng = random.Random(seed)
    memory = ring_memory(1 << 12)
    journal = Journal(memory)
    worker = Recorder(Ring(memory), Segments(tmp_path, segment_bytes=4096))
    expected = [HEADER] + [frame(rng, i) for i in range(2000)]
    for i, record in enumerate(expected):
        assert put(journal, record), f"seed {seed}"
        if i % 5 == 4:
            worker.step(everything=True)
    worker.step(everything=True)
    worker.out.close()
    assert contents(tmp_path) == expected, f"seed {seed}"
    assert len(segments(tmp_path)) > 10
    assert journal.lost == 0


def test_every_segment_begins_with_the_header(tmp_path: Path) -> None:
    rng = random.Random(3)
    memory = ring_memory()
    journal = Journal(memory)
    worker = Recorder(Ring(memory), Segments(tmp_path, segment_bytes=1000))
    put(journal, HEADER)
    for i in range(100):
        put(journal, frame(rng, i))
        worker.step(everything=True)
    worker.out.close()
    for path in segments(tmp_path):
        first = next(recorder.read_segment(path, []))
        assert first == HEADER


def test_a_full_ring_loses_records_and_says_how_many(tmp_path: Path) -> None:
    memory = ring_memory(1 << 12)
    journal = Journal(memory)
    record = Record(JournalKind.JOURNAL_FRAME_IN, 0, 1, b"x" * 500)
    kept = sum(put(journal, record) for _ in range(20))
    assert kept == 7
    worker = Recorder(Ring(memory), Segments(tmp_path))
    worker.step(everything=True)
    put(journal, record)
    worker.step(everything=True)
    worker.out.close()
    got = contents(tmp_path)
    gaps = [r for r in got if r.kind == JournalKind.JOURNAL_GAP]
    assert sum(int.from_bytes(gap.payload, "little") for gap in gaps) == 13 == journal.lost
    assert got[-1] == record


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int, list[Record]]:
    """A segment, where its last block (of one record) begins, and all of its records."""
    rng = random.Random(5)
    records = [HEADER] + [frame(rng, i) for i in range(5)]
    data = SEGMENT_MAGIC
    start = 0
    for i, record in enumerate(records):
        start = len(data)
        data += pack_block(pack_record(record), 77, i + 1)
    return data, start, records


def test_a_torn_end_loses_the_last_record_only_at_every_byte(
        torn: tuple[bytes, int, list[Record]], tmp_path: Path) -> None:
    data, start, records = torn
    path = tmp_path / "000001.mmj"
    for size in range(start, len(data)):
        path.write_bytes(data[:size])
        damage: list[Damage] = []
        assert list(read_journal(tmp_path, damage)) == records[:-1], size
        if size == start:
            assert damage == []
            continue
        assert [(d.offset, d.reason) for d in damage] == [(start, "torn block")]
        with pytest.raises(JournalDamagedError, match=f"torn block at byte {start}"):
            list(read_journal(tmp_path))
    path.write_bytes(data)
    assert contents(tmp_path) == records


def test_a_changed_byte_anywhere_in_the_last_block_is_found(
        torn: tuple[bytes, int, list[Record]], tmp_path: Path) -> None:
    data, start, records = torn
    path = tmp_path / "000001.mmj"
    for at in range(start, len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1:])
        damage: list[Damage] = []
        assert list(read_journal(tmp_path, damage)) == records[:-1], at
        assert len(damage) == 1, at


def test_the_next_recorder_cuts_a_torn_end_off_and_goes_on(
        torn: tuple[bytes, int, list[Record]], tmp_path: Path) -> None:
    data, start, records = torn
    for size in (start + 1, start + BLOCK.size, len(data) - 1):
        for old in segments(tmp_path):
            old.unlink()
        (tmp_path / "000001.mmj").write_bytes(data[:size])
        memory = ring_memory()
        journal = Journal(memory)
        worker = Recorder(Ring(memory), Segments(tmp_path))
        assert worker.out.repaired is not None
        extra = Record(JournalKind.JOURNAL_TIMER, 0, 9, b"")
        put(journal, extra)
        worker.step(everything=True)
        worker.out.close()
        assert contents(tmp_path) == [*records[:-1], extra]


def test_a_recorder_killed_between_writing_and_saying_so_doubles_nothing(tmp_path: Path) -> None:
    rng = random.Random(8)
    memory = ring_memory()
    journal = Journal(memory)
    expected = [HEADER] + [frame(rng, i) for i in range(40)]
    for record in expected:
        put(journal, record)
    first = Recorder(Ring(memory), Segments(tmp_path))
    records, position = first.ring.take(2000)
    first.out.append(records, first.ring.ring_id, position)
    # Killed here: the block is in the file, the ring does not know.
    second = Recorder(Ring(memory), Segments(tmp_path))
    second.step(everything=True)
    second.out.close()
    assert contents(tmp_path) == expected


def test_positions_of_another_ring_do_not_count(tmp_path: Path) -> None:
    for _ in range(2):
        memory = ring_memory()
        journal = Journal(memory)
        worker = Recorder(Ring(memory), Segments(tmp_path))
        for i in range(10):
            put(journal, Record(JournalKind.JOURNAL_TIMER, 0, i, b""))
        worker.step(everything=True)
        worker.out.close()
    assert [r.now_ns for r in contents(tmp_path)] == [*range(10), *range(10)]


def test_a_full_disk_corrupts_nothing_and_loses_nothing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(9)
    memory = ring_memory()
    journal = Journal(memory)
    worker = Recorder(Ring(memory), Segments(tmp_path))
    expected = [HEADER] + [frame(rng, i) for i in range(20)]
    for record in expected[:10]:
        put(journal, record)
    worker.step(everything=True)
    for record in expected[10:]:
        put(journal, record)

    def half(handle: int, data: bytes) -> None:
        os.write(handle, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "write_all", half)
        with pytest.raises(OSError, match="no space"):
            worker.step(everything=True)
        assert contents(tmp_path) == expected[:10]
    worker.step(everything=True)
    worker.out.close()
    assert contents(tmp_path) == expected


def test_the_oldest_segments_go_when_the_quota_is_full(tmp_path: Path) -> None:
    rng = random.Random(13)
    memory = ring_memory()
    journal = Journal(memory)
    quota = 20_000
    worker = Recorder(Ring(memory), Segments(tmp_path, segment_bytes=2000, quota_bytes=quota))
    put(journal, HEADER)
    for i in range(400):
        put(journal, frame(rng, i))
        worker.step(everything=True)
        # A segment ends with the block that fills it, so it may be over by one.
        assert sum(p.stat().st_size for p in segments(tmp_path)) <= quota + 500
    worker.out.close()
    assert worker.out.deleted > 5
    numbers = [int(p.stem) for p in segments(tmp_path)]
    assert numbers == list(range(worker.out.deleted + 1, worker.out.begun + 1))
    left = contents(tmp_path)
    assert left[0] == HEADER                # every segment stands for itself
    assert left[-1].now_ns == 1399
    words = memoryview(memory).cast("Q")
    assert words[recorder.SEGMENTS_DELETED] == worker.out.deleted
    assert words[recorder.SEGMENTS_BEGUN] == worker.out.begun
    assert words[recorder.WRITTEN_BYTES] == worker.out.written_bytes > 0


def test_a_disk_that_refuses_is_said_in_the_ring_until_it_takes_again(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = ring_memory()
    journal = Journal(memory)
    worker = Recorder(Ring(memory), Segments(tmp_path))
    put(journal, HEADER)
    worker.step(everything=True)
    assert not journal.disk_fault

    def refuse(_handle: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    put(journal, HEADER)
    with monkeypatch.context() as patch:
        patch.setattr(recorder, "write_all", refuse)
        with pytest.raises(OSError, match="no space"):
            worker.step(everything=True)
        assert journal.disk_fault
    worker.step(everything=True)
    assert not journal.disk_fault
    worker.out.close()


def start(ring: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "runner.recorder", str(ring), str(folder)],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def wait_for(condition: object, limit_s: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def test_the_process_drains_and_leaves_when_its_pipe_ends(tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    memory: mmap.mmap = map_file(ring, RING_DATA_OFFSET + (1 << 16))
    journal = Journal(memory)
    put(journal, HEADER)
    child = start(ring, tmp_path / "journal")
    wait_for(lambda: journal.depth == 0)
    late = Record(JournalKind.JOURNAL_OUT, 1, 99, b"last")
    put(journal, late)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(20) == 0
    assert contents(tmp_path / "journal") == [HEADER, late]
    assert child.stderr is not None
    assert child.stderr.read() == b""
    child.stderr.close()


def test_a_killed_recorder_is_followed_by_another_without_loss(tmp_path: Path) -> None:
    rng = random.Random(21)
    ring = tmp_path / "ring"
    journal = Journal(map_file(ring, RING_DATA_OFFSET + (1 << 20)))
    expected = [HEADER]
    put(journal, HEADER)
    for round_number in range(4):
        child = start(ring, tmp_path / "journal")
        for i in range(300):
            expected.append(frame(rng, i))
            assert put(journal, expected[-1])
        if round_number < 3:
            wait_for(lambda: journal.depth < 50_000)
            child.kill()
        assert child.stdin is not None
        child.stdin.close()
        child.wait(20)
        assert child.stderr is not None
        child.stderr.close()
    damage: list[Damage] = []
    assert list(read_journal(tmp_path / "journal", damage)) == expected
    assert damage == []


def test_what_a_dead_session_left_is_saved(tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    put(Journal(map_file(ring, RING_DATA_OFFSET + (1 << 16))), HEADER)
    assert recorder.drain(ring, tmp_path / "journal") == 1
    assert contents(tmp_path / "journal") == [HEADER]


def test_a_ring_of_another_size_is_saved_first(tmp_path: Path) -> None:
    old = Record(JournalKind.JOURNAL_TIMER, 0, 1, b"")
    put(Journal(map_file(tmp_path / "ring-1", RING_DATA_OFFSET + (1 << 16))), old)
    journal = Journal(map_file(tmp_path / "ring-2", RING_DATA_OFFSET + (1 << 17)))
    put(journal, HEADER)
    child = start(tmp_path / "ring-2", tmp_path / "journal")
    wait_for(lambda: journal.depth == 0)
    assert child.stdin is not None
    assert child.stderr is not None
    child.stdin.close()
    assert child.wait(20) == 0
    assert b"ring-1: saved 1 records" in child.stderr.read()
    child.stderr.close()
    assert contents(tmp_path / "journal") == [old, HEADER]
    assert not (tmp_path / "ring-1").exists()
