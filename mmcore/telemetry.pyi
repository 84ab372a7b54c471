"""Python face of the telemetry page."""

from collections.abc import Collection
from typing import Any

from typing_extensions import Buffer, disjoint_base

PAGE_MAGIC: int
PAGE_VERSION: int
PAGE_SIZE: int
ENGINE_TABLE: tuple[tuple[str, str, str], ...]
MARKET_TABLE: tuple[tuple[str, str, str], ...]
HISTOGRAM_TABLE: tuple[tuple[str, str], ...]

def schema() -> dict[str, Any]: ...

@disjoint_base
class TelemetryPage:
    def __init__(self, buffer: Buffer | None = None, names: Collection[str] = ()) -> None: ...

@disjoint_base
class TelemetryReader:
    def __init__(self, buffer: Buffer) -> None: ...
    def read(self) -> dict[str, Any]: ...
