"""The log: one JSON object a line, bounded, and never in the way of whoever logs."""

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.log import FILES_KEPT, QUEUE_RECORDS, LogWriter


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("mm.test_log")
    made.propagate = False
    made.setLevel(logging.INFO)
    yield made
    made.handlers.clear()


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_is_one_line_of_json(logger: logging.Logger, tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "mm.log", on_screen=False, file_bytes=1 << 20)
    logger.addHandler(writer)
    logger.info("connection %d of %s", 3, "two\nlines")
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it failed")
    writer.close()
    first, second = lines(tmp_path / "mm.log")
    assert first["message"] == "connection 3 of two\nlines"
    assert (first["level"], first["logger"]) == ("INFO", "mm.test_log")
    assert first["time"].endswith("+00:00")
    assert "ValueError: broken" in second["exception"]


def test_warnings_reach_the_screen_and_nothing_less(
        logger: logging.Logger, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    writer = LogWriter(tmp_path / "mm.log", on_screen=True, file_bytes=1 << 20)
    logger.addHandler(writer)
    logger.info("quiet")
    logger.warning("loud")
    writer.close()
    assert capfd.readouterr().err == "mm: loud\n"


def test_the_file_is_rotated_and_the_oldest_goes(logger: logging.Logger, tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "mm.log", on_screen=False, file_bytes=2000)
    logger.addHandler(writer)
    for i in range(200):
        logger.info("line %d", i)
    writer.close()
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == ["mm.log", *(f"mm.log.{n}" for n in range(1, FILES_KEPT + 1))]
    assert all(p.stat().st_size <= 2200 for p in tmp_path.iterdir())
    kept = [line["message"] for n in range(FILES_KEPT, -1, -1)
            for line in lines(tmp_path / (f"mm.log.{n}" if n else "mm.log"))]
    assert kept == [f"line {i}" for i in range(200 - len(kept), 200)]


def test_a_writer_that_is_stuck_costs_records_and_not_time(
        logger: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, entered = threading.Event(), threading.Event()
    writer = LogWriter(tmp_path / "mm.log", on_screen=False, file_bytes=1 << 30)

    class Blocked:
        def write(self, _line: bytes) -> None:
            entered.set()
            stuck.wait(20)

        def tell(self) -> int:
            return 0

        def close(self) -> None:
            """Nothing is open."""

    writer.file.close()
    monkeypatch.setattr(writer, "file", Blocked())
    logger.addHandler(writer)
    logger.info("the one that is stuck")
    assert entered.wait(10)
    for i in range(QUEUE_RECORDS + 50):
        logger.info("line %d", i)
    assert writer.facts() == {"log_queue_records": QUEUE_RECORDS, "log_lost_records": 50}
    stuck.set()
    writer.close()


def test_a_disk_that_refuses_is_counted(logger: logging.Logger, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    writer = LogWriter(tmp_path / "mm.log", on_screen=False, file_bytes=1 << 20)

    class Full:
        def write(self, _line: bytes) -> None:
            raise OSError(28, "no space left on device")

        def close(self) -> None:
            """Nothing is open."""

    writer.file.close()
    monkeypatch.setattr(writer, "file", Full())
    logger.addHandler(writer)
    logger.info("lost")
    writer.close()
    assert writer.lost == 1
