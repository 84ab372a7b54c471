"""The imported form of a recording: one file of 64-byte events that is mapped, not read.

`MMEV0001`, size and checksum of a JSON header (STORE_HEAD), the header, zeros up to a multiple of
64, the events in the order received, then the first row of every message in the venue's order.
"""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from connectors.replay.event import EVENT_DTYPE
from connectors.replay.recording import Integrity, Recording, damage
from mmcore.types import InstrumentSpec

STORE_MAGIC = b"MMEV0001"
STORE_HEAD = struct.Struct("<8sQI4x")   # magic, size of the JSON, its crc32
STORE_SUFFIX = ".mmev"
ALIGN = 64
CHUNK_EVENTS = 1 << 18
REMEDY = "import the recording again"


def spec_fields(spec: InstrumentSpec) -> dict[str, Any]:
    """Return what makes an instrument again, tick steps apart."""
    return {"name": spec.name, "tick_size": repr(spec.tick_usd),
            "contract_size": repr(spec.contract_size),
            "min_amount": repr(spec.amount(spec.lot_contracts)), "inverse": spec.inverse,
            "maker_fee": spec.maker_fee, "taker_fee": spec.taker_fee,
            "expiry_ms": spec.expiry_ms}


def spec_from(fields: dict[str, Any], definitions: dict[str, dict[str, Any]]) -> InstrumentSpec:
    steps = definitions.get(fields["name"], {}).get("tick_size_steps", [])
    return InstrumentSpec(**fields, tick_steps=[(s["above_price"], s["tick_size"]) for s in steps])


def write_store(recording: Recording, rows: npt.NDArray[np.int64], path: Path) -> None:
    """Write a recording; rows: see player.play_rows. The file appears whole or not at all."""
    events = recording.events
    checksum = 0
    for part in (events[i:i + CHUNK_EVENTS] for i in range(0, len(events), CHUNK_EVENTS)):
        checksum = zlib.crc32(part.tobytes(), checksum)
    checksum = zlib.crc32(np.ascontiguousarray(rows, dtype="<i8").tobytes(), checksum)
    header = json.dumps({
        "events": len(events), "messages": len(rows), "checksum": checksum,
        "format": recording.format, "sources": [str(p) for p in recording.sources],
        "instruments": [spec_fields(spec) for spec in recording.instruments],
        "definitions": recording.definitions,
        "integrity": dict(recording.integrity.rows())}).encode()
    part_path = path.with_name(path.name + ".part")
    with part_path.open("wb") as file:
        file.write(STORE_HEAD.pack(STORE_MAGIC, len(header), zlib.crc32(header)))
        file.write(header)
        file.write(bytes(-file.tell() % ALIGN))
        for i in range(0, len(events), CHUNK_EVENTS):
            file.write(events[i:i + CHUNK_EVENTS].tobytes())
        file.write(np.ascontiguousarray(rows, dtype="<i8").tobytes())
    part_path.replace(path)


def is_store(path: Path) -> bool:
    """Tell whether a file is an imported recording, from its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(STORE_MAGIC)) == STORE_MAGIC
    except OSError:
        return False        # said clearly by whoever opens it


def read_store(path: Path) -> Recording:
    """Map an imported recording; RecordingError where it is not whole."""
    with path.open("rb") as file:
        head = file.read(STORE_HEAD.size)
        if len(head) < STORE_HEAD.size:
            raise damage(path, None, "ends within its header", REMEDY)
        _, size, header_checksum = STORE_HEAD.unpack(head)
        header = file.read(size) if size < path.stat().st_size else b""
    if zlib.crc32(header) != header_checksum or not header:
        raise damage(path, None, "has a damaged header", REMEDY)
    told = msgspec.json.decode(header)
    begin = STORE_HEAD.size + size
    begin += -begin % ALIGN
    end = begin + told["events"] * EVENT_DTYPE.itemsize
    expected = end + told["messages"] * 8
    if path.stat().st_size != expected:
        raise damage(path, None, f"has {path.stat().st_size} bytes instead of {expected}", REMEDY)
    events = np.memmap(path, EVENT_DTYPE, "r", begin, (told["events"],))
    rows = np.memmap(path, "<i8", "r", end, (told["messages"],))
    checksum = 0
    for i in range(0, len(events), CHUNK_EVENTS):
        checksum = zlib.crc32(events[i:i + CHUNK_EVENTS].view(np.uint8).data, checksum)
    if zlib.crc32(rows.view(np.uint8).data, checksum) != told["checksum"]:
        raise damage(path, None, "has damaged events (their checksum differs)", REMEDY)
    by_name = {d["instrument_name"]: d for d in told["definitions"]}
    return Recording(events, [spec_from(f, by_name) for f in told["instruments"]],
                     Integrity(**told["integrity"]), told["format"],
                     tuple(Path(p) for p in told["sources"]), told["definitions"], rows)
