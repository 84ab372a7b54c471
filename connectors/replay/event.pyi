"""Python face of the 64-byte event."""

from enum import IntEnum, IntFlag

import numpy as np
import numpy.typing as npt

EVENT_DTYPE: np.dtype[np.void]

class EventKind(IntEnum):
    EVENT_LEVEL = 1
    EVENT_EMPTY = 2
    EVENT_TRADE = 3
    EVENT_TOP = 4
    EVENT_INDEX = 5
    EVENT_MARK = 6
    EVENT_FUNDING = 7
    EVENT_STATE = 8

class EventFlag(IntFlag):
    FLAG_FIRST = 1
    FLAG_LAST = 2
    FLAG_SNAPSHOT = 4
    FLAG_GAP = 8
    FLAG_EXCLUDED = 16

def event_fields(raw: npt.NDArray[np.uint8] | bytes | bytearray) -> tuple[int | float, ...]: ...
