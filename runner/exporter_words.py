"""How the exporter tells the reactor its port: two words of shared memory, no system call."""

import mmap
from pathlib import Path

WORDS_BYTES = 4096
PORT, TAKEN = range(2)


class ExporterWords:
    """Words of 8 bytes that the exporter writes and the reactor reads."""

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self.words = memoryview(memory).cast("Q")

    @classmethod
    def open(cls, path: str) -> "ExporterWords":
        """Map the parent's file; without one the words go nowhere."""
        if not path:
            return cls(bytearray(WORDS_BYTES))
        with Path(path).open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), WORDS_BYTES, flags=mmap.MAP_SHARED))

    def serving(self, port: int) -> None:
        self.words[PORT], self.words[TAKEN] = port, 0

    def taken(self) -> None:
        self.words[PORT], self.words[TAKEN] = 0, 1

    def closed(self) -> None:
        self.words[PORT], self.words[TAKEN] = 0, 0

    @property
    def port(self) -> int:
        """The port that serves, 0 while none."""
        return self.words[PORT]

    def facts(self) -> dict[str, float]:
        """Return what the page says of the exporter."""
        return {"exporter_port": self.words[PORT], "exporter_port_taken": self.words[TAKEN]}
