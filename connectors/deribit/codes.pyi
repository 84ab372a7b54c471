"""Python face of the venue's error codes."""

from mmcore.types import Refusal

def refusal_of(code: int) -> Refusal: ...
