"""Open a recording: tell its format from its content and read it."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from connectors.replay.binance import read_collector
from connectors.replay.deribit import read_deribit
from connectors.replay.journal import segments
from connectors.replay.journaled import read_journal_recording
from connectors.replay.lines import read_head
from connectors.replay.recording import Recording, damage
from connectors.replay.store import is_store, read_store
from connectors.replay.tables import header_of, is_parquet, kind_of, read_tables

COLLECTOR = re.compile(rb"\d{13,19} \{")
FRAMES = re.compile(rb'\{"recv_ns":')
SESSION = re.compile(rb"(configuration: |wss?://\S+ <->? \d|\d{9,11}(\.\d+)?: )")
TABLE = re.compile(rb"[^\s,]+(,[^\s,]*){3,}")     # words between commas, no spaces

# What mm record writes: recordings, and beside them the contracts' definitions.
RECORDED, DEFINITIONS = "*.frames.gz", "instruments.json"

READERS: dict[str, Callable[[Sequence[Path]], Recording]] = {
    "collector": read_collector,
    "frames": read_deribit,
    "journal": read_journal_recording,
    "session": read_deribit,
    "tables": read_tables,
}


def recordings(paths: Sequence[Path]) -> list[Path]:
    """Return the recordings that paths name, in order.

    A folder of mm record stands for the files in it; the definitions beside them are none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir() and not segments(path):
            found += sorted(path.glob(RECORDED)) or [path]
        elif path.name != DEFINITIONS or len(paths) == 1:
            found.append(path)
    return found


def detect_format(path: Path) -> str:
    """Return the format of a file, told from its first lines; RecordingError for an unknown one."""
    if path.is_dir():
        if not segments(path):
            raise damage(path, None, "is a folder with neither a journal (NNNNNN.mmj) nor what mm "
                         f"record wrote ({RECORDED})",
                         "give recordings by name, or the folder of a session's journal")
        return "journal"
    if is_parquet(path):
        if kind_of(header_of(path)) is not None:
            return "tables"
        raise damage(path, None, "has none of the known sets of columns",
                     "give tables with the columns of tardis.dev")
    for line in read_head(path):
        if kind_of(line) is not None:
            return "tables"
        for pattern, name in ((COLLECTOR, "collector"), (FRAMES, "frames"), (SESSION, "session")):
            if pattern.match(line):
                return name
        if TABLE.fullmatch(line.strip()):
            raise damage(path, 1, "is a table, which is not read as a recording",
                         "give tardis.dev tables, raw collector lines or Deribit frames")
    raise damage(path, 1, "is of no known format",
                 "give raw collector lines (`local_ns JSON`), Deribit frames "
                 '(`{"recv_ns":n,"frame":{...}}`) or a WebSocket session text')


def open_recording(paths: Sequence[Path | str]) -> Recording:
    """Read one recording from its files, given in order of time.

    Raises RecordingError with one clear line where a file is damaged or of no known format.
    """
    if not paths:
        raise ValueError("no recording given")
    files = recordings([Path(p) for p in paths])
    if any(path.is_dir() for path in files) and len(files) > 1:
        raise damage(files[1], None, "is given beside a journal", "give each journal by itself")
    if any(is_store(path) for path in files):
        if len(files) > 1:
            raise damage(files[1], None, "is given beside an imported recording",
                         "give each imported recording by itself")
        return read_store(files[0])
    formats = [detect_format(path) for path in files]
    for path, name in zip(files, formats, strict=True):
        if name != formats[0]:
            raise damage(path, None, f"is in format {name}, the file before in {formats[0]}",
                         "give files of one recording")
    return READERS[formats[0]](files)
