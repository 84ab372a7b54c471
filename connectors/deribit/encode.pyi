from typing import Any, final

from connectors.deribit.labels import Labels
from mmcore.types import InstrumentSpec

@final
class Encoder:
    def __init__(
        self, specs: list[InstrumentSpec], labels: Labels, *, mask_seed: int = 1
    ) -> None: ...
    def encode_actions(self, actions: list[dict[str, Any]]) -> tuple[list[bytes], bytes]: ...

def frame_of(text: bytes, mask: int) -> bytes: ...
def decimal_of(units: int, scale: int) -> str: ...
