"""From the engine's state to the telemetry page, and to the session's summary."""
from libc.stdint cimport int64_t

from mmcore.engine cimport Engine
from mmcore.telemetry cimport TelemetryPage

cpdef int publish(Engine engine, TelemetryPage page, int64_t now_ns) except -1
