"""Python face of the telemetry page."""

from collections.abc import Collection, Mapping
from typing import Any

from typing_extensions import Buffer, disjoint_base

PAGE_MAGIC: int
PAGE_VERSION: int
PAGE_SIZE: int
INFO_NAMES: tuple[str, ...]
ENGINE_PLACES: dict[str, int]
MARKET_PLACES: dict[str, int]
PROCESS_PLACES: dict[str, int]

def schema() -> dict[str, Any]: ...

@disjoint_base
class TelemetryPage:
    def __init__(self, buffer: Buffer | None = None, names: Collection[str] = (),
                 info: Mapping[str, str] | None = None, process_id: int = 0) -> None: ...
    def put(self, values: dict[str, float], now_ns: int, market: int = -1) -> None: ...

@disjoint_base
class TelemetryReader:
    def __init__(self, buffer: Buffer) -> None: ...
    def read(self) -> dict[str, Any]: ...
