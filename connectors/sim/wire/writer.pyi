"""Python face of the frame writer."""

from typing import final

@final
class Writer: ...

def frame(payload: bytes) -> bytes: ...
