"""Python face of the way to the telemetry page and the summary."""

from typing import Any

from mmcore.engine import Engine
from mmcore.telemetry import TelemetryPage

def publish(engine: Engine, page: TelemetryPage, now_ns: int) -> int: ...
def summary(engine: Engine) -> dict[str, Any]: ...
