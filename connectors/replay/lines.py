"""Lines of a recording, compressed or not, with damage told as one clear line."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from connectors.replay.recording import RecordingError, damage

GZIP_MAGIC = b"\x1f\x8b"
LINE_BYTES_MAX = 16 * 1024 * 1024


def open_bytes(path: Path) -> io.BufferedIOBase:
    """Open a file for reading, through gzip where its first bytes say so."""
    try:
        with path.open("rb") as probe:
            magic = probe.read(4)
    except OSError as error:
        raise damage(path, None, f"cannot be read ({error.strerror})",
                     "check the path and its permissions") from None
    if not magic:
        raise damage(path, None, "is empty", "give a recording with data")
    if magic[:2] == GZIP_MAGIC:
        return gzip.open(path, "rb")
    if path.suffix == ".gz":
        raise damage(path, None, "is named .gz but is not gzip data",
                     "download it again, or rename it if it is plain text")
    return path.open("rb")


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line) of a file; RecordingError where the file is damaged."""
    number = 0
    with open_bytes(path) as stream:
        try:
            while line := stream.readline(LINE_BYTES_MAX):
                number += 1
                if len(line) == LINE_BYTES_MAX:
                    raise damage(path, number, f"longer than {LINE_BYTES_MAX} bytes",
                                 "this is no recording of market data lines")
                yield number, line
        except EOFError:
            raise damage(path, number + 1, "the gzip data ends before its end mark",
                         f"download it again, or keep the {number} whole lines by "
                         "unpacking and packing them anew") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise damage(path, number + 1, f"broken gzip data ({error})",
                         "download it again") from None


def read_head(path: Path, count: int = 5) -> list[bytes]:
    """Return the first lines that are not empty, at most count."""
    head: list[bytes] = []
    try:
        for _, line in read_lines(path):
            if line.strip():
                head.append(line)
            if len(head) == count:
                break
    except RecordingError:
        if not head:
            raise
    return head
